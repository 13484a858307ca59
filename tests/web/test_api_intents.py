"""``/api/v1/intents`` as a tenant's program uses it: over HTTP, with a key, on the web process as it is shipped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.api_keys import SCOPES, ApiKeys
from store.database import Database
from tests.database import Number, make_number
from tests.web.part import running_web

HOURS = {"name": "hours", "examples": ["que horas abre?", "what time do you open?"], "answer": "Das 9h às 18h."}


@dataclass(frozen=True, slots=True)
class Door:
    """The API of two tenants; ``ours`` and ``theirs`` are programs with a key of each."""

    ours: httpx.AsyncClient
    theirs: httpx.AsyncClient
    reader: httpx.AsyncClient
    stranger: httpx.AsyncClient
    db: Database
    tenant: Number


@pytest.fixture
async def api(owner_dsn: str, db: Database, tmp_path: Path) -> AsyncIterator[Door]:
    async with _opened(owner_dsn, db, tmp_path) as door:
        yield door


@asynccontextmanager
async def _opened(owner_dsn: str, db: Database, folder: Path) -> AsyncIterator[Door]:
    ours, theirs = await make_number(owner_dsn, "ours"), await make_number(owner_dsn, "theirs")
    keys = ApiKeys(db)
    async with running_web(owner_dsn, folder) as stranger:

        def program(token: str) -> httpx.AsyncClient:
            headers = {"Authorization": f"Bearer {token}"}
            return httpx.AsyncClient(base_url=stranger.base_url, headers=headers, trust_env=False, timeout=60)

        tokens = [
            (await keys.create(number.tenant_id, "crm", scopes, actor="x")).token
            for number, scopes in ((ours, list(SCOPES)), (theirs, list(SCOPES)), (ours, ["intents:read"]))
        ]
        async with program(tokens[0]) as first, program(tokens[1]) as second, program(tokens[2]) as third:
            yield Door(first, second, third, stranger, db, ours)


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The problem details of an answer, which must be of this status and kind."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["type"] == f"urn:atende:problem:{kind}"
    assert found["title"]
    assert found["detail"]
    return found


async def test_that_an_intent_is_created_read_replaced_and_deleted_with_its_version(api: Door) -> None:
    made = await api.ours.post("/api/v1/intents", json=HOURS)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/api/v1/intents/hours"
    assert made.headers["etag"] == '"1"'
    body = made.json()
    assert body["examples"] == {"pt": ["que horas abre?"], "en": ["what time do you open?"]}
    assert (body["answer"], body["description"]) == ({"pt": "Das 9h às 18h."}, "hours")
    assert (body["version"], body["source"]) == (1, "api")
    read = await api.ours.get("/api/v1/intents/hours")
    assert read.json() == body
    unchanged = await api.ours.get("/api/v1/intents/hours", headers={"If-None-Match": '"1"'})
    assert unchanged.status_code == 304
    # Everything that an intent has, as it is read back.
    whole = {
        **body,
        "examples": {"pt": ["que horas abre?", "abrem domingo?"]},
        "threshold": 0.7,
        "reply_mode": "auto",
        "restricted": False,
    }
    replaced = await api.ours.put("/api/v1/intents/hours", json=whole, headers={"If-Match": '"1"'})
    assert replaced.status_code == 200, replaced.text
    assert replaced.headers["etag"] == '"2"'
    assert (replaced.json()["threshold"], replaced.json()["reply_mode"]) == (0.7, "auto")
    assert sorted(replaced.json()["examples"]["pt"]) == ["abrem domingo?", "que horas abre?"]
    again = await api.ours.put("/api/v1/intents/hours", json=whole, headers={"If-Match": '"2"'})
    assert again.headers["etag"] == '"2"'  # nothing changed
    late = await api.ours.put("/api/v1/intents/hours", json=HOURS, headers={"If-Match": '"1"'})
    assert "version 2" in problem(late, 412, "version-passed")["detail"]
    problem(await api.ours.put("/api/v1/intents/hours", json=HOURS), 428, "version-needed")
    problem(await api.ours.delete("/api/v1/intents/hours", headers={"If-Match": '"1"'}), 412, "version-passed")
    assert (await api.ours.delete("/api/v1/intents/hours", headers={"If-Match": '"2"'})).status_code == 204
    problem(await api.ours.get("/api/v1/intents/hours"), 404, "not-found")
    problem(await api.ours.delete("/api/v1/intents/hours"), 404, "not-found")
    assert (await api.ours.get("/api/v1/intents")).json()["intents"] == []


async def test_that_two_writers_at_once_never_overwrite_each_other(api: Door) -> None:
    await api.ours.post("/api/v1/intents", json=HOURS)
    answers = await asyncio.gather(
        *(
            api.ours.put("/api/v1/intents/hours", json={**HOURS, "answer": f"{n}h"}, headers={"If-Match": '"1"'})
            for n in range(6)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412, 412]
    winner = next(answer for answer in answers if answer.status_code == 200).json()
    assert (await api.ours.get("/api/v1/intents/hours")).json() == winner
    created = await asyncio.gather(
        *(api.ours.post("/api/v1/intents", json={"name": "bye", "examples": ["tchau"]}) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in created) == [201, 409, 409, 409]


async def test_that_the_tenant_comes_from_the_key_alone(api: Door) -> None:
    await api.ours.post("/api/v1/intents", json=HOURS)
    slug = {"X-Tenant": "ours", "X-Tenant-Id": str(api.tenant.tenant_id)}
    for answer in (
        await api.theirs.get("/api/v1/intents/hours", headers=slug),
        await api.theirs.put("/api/v1/intents/hours", json=HOURS, headers={"If-Match": "*", **slug}),
        await api.theirs.delete("/api/v1/intents/hours", headers=slug),
    ):
        problem(answer, 404, "not-found")
    assert (await api.theirs.get("/api/v1/intents", headers=slug)).json()["intents"] == []
    other = await api.theirs.get(f"/api/v1/intents/hours?tenant=ours&tenant_id={api.tenant.tenant_id}")
    problem(other, 422, "unknown-parameter")
    named = await api.theirs.post("/api/v1/intents", json={**HOURS, "tenant_id": str(api.tenant.tenant_id)})
    assert problem(named, 422, "invalid-intent")["errors"][0]["pointer"] == "/tenant_id"
    assert (await api.theirs.post("/api/v1/intents", json=HOURS)).status_code == 201


async def test_that_only_a_key_with_the_scope_lets_in(api: Door) -> None:
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer atende_" + "A" * 43}):
        refused = await api.stranger.get("/api/v1/intents", headers={**headers, "Accept": "text/html"})
        problem(refused, 401, "bad-key")
        assert refused.headers["www-authenticate"].startswith("Bearer")
    assert (await api.reader.get("/api/v1/intents")).status_code == 200
    assert (
        "intents:write" in problem(await api.reader.post("/api/v1/intents", json=HOURS), 403, "scope-missing")["detail"]
    )
    codes = [(await api.stranger.get("/api/v1/intents")).status_code for _ in range(60)]
    assert codes[-1] == 429  # who guesses is told to wait; who has a key is not
    assert (await api.ours.get("/api/v1/intents")).status_code == 200


REFUSED: list[tuple[Any, list[str]]] = [
    ({"name": "Hours!", "examples": ["oi"]}, ["/name"]),
    ({"name": "hours"}, ["/examples"]),
    ({"name": "hours", "examples": ["oi", 7]}, ["/examples/1"]),
    ({"name": "hours", "examples": {"fr": ["bonjour"]}}, ["/examples/fr"]),
    ({"name": "hours", "examples": ["oi"], "threshold": 7, "colour": "red"}, ["/threshold", "/colour"]),
    ({"name": "hours", "examples": ["oi"], "function": "no_such", "replies": {"ok": {"pt": "x"}}}, ["/function"]),
    ({"name": "hours", "examples": ["oi"], "answer": {"es": "hola"}}, ["/answer/pt"]),
    ({"name": "hours", "examples": ["oi"], "replies": {"ok": {"pt": "{{ result.x }}"}}}, ["/replies"]),
    ({"name": "hours", "examples": ["x" * 1001]}, ["/examples/pt/0"]),
    (["hours"], [""]),
]


async def test_that_a_declaration_that_cannot_be_taken_is_refused_at_its_places(api: Door) -> None:
    for body, pointers in REFUSED:
        refused = problem(await api.ours.post("/api/v1/intents", json=body), 422, "invalid-intent")
        assert [fault["pointer"] for fault in refused["errors"]] == pointers
    assert (await api.ours.get("/api/v1/intents")).json()["intents"] == []


async def test_that_bodies_which_are_no_json_and_addresses_which_are_none_are_problems_too(api: Door) -> None:
    problem(await api.ours.post("/api/v1/intents", content=b'{"name": "h'), 422, "invalid-input")
    problem(
        await api.ours.post("/api/v1/intents", content=b'{"name": "\\ud800", "examples": ["x"]}'), 422, "invalid-input"
    )
    problem(await api.ours.post("/api/v1/intents", content=b" " * (8 * 1024 * 1024 + 1)), 413, "too-large")
    problem(await api.ours.post("/api/v1/intents/import?format=xml", content=b"x"), 422, "invalid-input")
    for answer in (await api.ours.get("/api/v1/nothing"), await api.ours.patch("/api/v1/intents/hours")):
        assert answer.status_code in {404, 405}
        assert answer.headers["content-type"] == "application/problem+json"


async def test_that_a_sentence_means_one_intent_only(api: Door) -> None:
    await api.ours.post("/api/v1/intents", json=HOURS)
    other = {"name": "opening", "examples": ["abrem cedo?", "Que horas abre"]}
    refused = problem(await api.ours.post("/api/v1/intents", json=other), 422, "invalid-intent")
    assert refused["errors"] == [
        {"pointer": "/examples/pt/1", "detail": "'Que horas abre' is an example of hours already"}
    ]


async def test_that_a_file_is_imported_whole_with_warnings_or_not_at_all(api: Door) -> None:
    rows = [("quero trocar o produto", "exchange"), ("como faço a troca da camisa?", "exchange")]
    rows += [("preciso trocar o tamanho", "exchange"), ("quero fazer uma troca", "exchange")]
    rows += [("gostaria de trocar o produto", "swap"), ("como é feita a troca da blusa?", "swap")]
    rows += [("posso trocar o tamanho?", "swap"), ("queria fazer a troca", "swap")]
    rows += [("cadê meu pedido?", "order"), ("onde está minha encomenda?", "order"), ("meu pedido saiu?", "order")]
    content = "text;intent\n" + "".join(f"{text};{intent}\n" for text, intent in rows)
    brought = await api.ours.post(
        "/api/v1/intents/import", content=content.encode(), headers={"Content-Type": "text/csv"}
    )
    assert brought.status_code == 200, brought.text
    report = brought.json()
    assert (report["created"], report["examples_added"]) == (["exchange", "order", "swap"], len(rows))
    assert report["check"]["confusable"][0]["intents"] == ["exchange", "swap"]
    assert any("confusable: exchange and swap" in warning for warning in report["warnings"])
    assert (await api.reader.get("/api/v1/intent-check")).json() == report["check"]
    again = (await api.ours.post("/api/v1/intents/import?format=csv", content=content.encode())).json()
    assert (again["created"], again["changed"], again["unchanged"]) == ([], [], ["exchange", "order", "swap"])
    # A good row, a new intent, and one row that contradicts what is stored: nothing of it is taken.
    before = (await api.ours.get("/api/v1/intents")).json()
    mixed = '{"text": "novo exemplo", "intent": "fresh"}\n{"text": "cadê meu pedido", "intent": "swap"}\n'
    refused = problem(
        await api.ours.post("/api/v1/intents/import?format=jsonl", content=mixed.encode()), 422, "intent-file"
    )
    assert [fault["line"] for fault in refused["errors"]] == [2]
    assert "is an example of order already" in refused["errors"][0]["detail"]
    assert (await api.ours.get("/api/v1/intents")).json() == before
    # Examples join those that are there; with replace they take their place.
    more = b"nlu:\n- intent: order\n  examples: |\n    - rastrear pedido\n"
    await api.ours.post("/api/v1/intents/import?format=rasa", content=more)
    assert len((await api.ours.get("/api/v1/intents/order")).json()["examples"]["pt"]) == 4
    await api.ours.post("/api/v1/intents/import?format=rasa&replace=true", content=more)
    assert (await api.ours.get("/api/v1/intents/order")).json()["examples"] == {"pt": ["rastrear pedido"]}
