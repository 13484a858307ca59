"""How many calls of the API a credential may make: counted apart, told in headers, bounded in memory."""

from __future__ import annotations

from flows.api_keys import ApiKeys
from flows.outgoing import OutgoingMessages
from store.database import Database
from tests.database import Number
from tests.web.site import running_site
from web.api import Api
from web.api_outgoing import outgoing_router
from web.rates import _MOST, Rates


def test_that_a_bucket_gives_its_calls_at_once_and_fills_evenly() -> None:
    now = [1000.0]
    rates = Rates(60, clock=lambda: now[0])
    first = [rates.take("a") for _ in range(61)]
    assert [one.remaining for one in first[:60]] == list(range(59, -1, -1))
    assert [one.wait for one in first] == [0] * 60 + [1]
    assert rates.take("b").remaining == 59  # another's calls are its own
    now[0] += 2.5
    assert [rates.take("a").wait for _ in range(3)] == [0, 0, 1]
    now[0] += 3600
    assert (rates.take("a").remaining, rates.take("a").reset) == (59, 2)


def test_that_what_is_remembered_is_bounded() -> None:
    rates = Rates(10)
    for n in range(_MOST + 100):
        rates.take(f"key {n}")
    assert len(rates._full_at) == _MOST


async def test_that_answers_tell_how_a_key_stands_and_the_next_call_is_refused_with_when_to_come_again(
    db: Database, owner_dsn: str, number: Number
) -> None:
    keys = ApiKeys(db)
    mine = await keys.create(number.tenant_id, "erp", ["outgoing:read"], actor="t")
    other = await keys.create(number.tenant_id, "crm", ["outgoing:read"], actor="t")
    async with running_site(db, owner_dsn) as site:
        router = outgoing_router(Api(keys, calls_per_minute=3), OutgoingMessages(db, site.wakeup))
        site.app.router.routes[:0] = router.routes
        async with site.client(Authorization=f"Bearer {mine.token}") as client:
            answers = [await client.get("/api/v1/outgoing") for _ in range(4)]
            unknown = await client.get("/api/v1/outgoing", headers={"Authorization": "Bearer x"})
            beside = await client.get("/api/v1/outgoing", headers={"Authorization": f"Bearer {other.token}"})
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[0].headers["RateLimit-Policy"] == '"calls";q=3;w=60'
    assert answers[0].headers["RateLimit-Limit"] == "3"
    assert answers[0].headers["RateLimit"] == f'"calls";r=2;t={answers[0].headers["RateLimit-Reset"]}'
    refused = answers[3]
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:atende:problem:too-many-calls"
    assert 1 <= int(refused.headers["Retry-After"]) <= 20
    assert (unknown.status_code, "RateLimit" in unknown.headers) == (401, False)
    assert (beside.status_code, beside.headers["RateLimit-Remaining"]) == (200, "2")
