"""What programs do at the desk: propose, reply once, hand off, close; pages of lists; events from where one stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from store.database import Database
from tests.web.api_world import World, opened_world

CONVERSATIONS = "/api/v1/conversations"


@pytest.fixture
async def world(owner_dsn: str, db: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with opened_world(owner_dsn, db, tmp_path) as opened:
        yield opened


async def test_that_a_proposal_from_outside_names_its_origin_is_checked_and_gives_way_to_a_newer_message(
    world: World,
) -> None:
    path = f"{CONVERSATIONS}/{world.known['conversations/{conversation_id}'][0]}"
    last = (await world.ours.get(f"{path}/messages")).json()["messages"][0]["id"]
    proposal = {"text": "Seu pedido 4711 chega amanhã às 10h.", "upto_message_id": last, "reason": "tracking"}
    made = await world.ours.post(f"{path}/suggestions", json=proposal, headers={"Idempotency-Key": "one"})
    assert made.status_code == 201, made.text
    suggestion = made.json()
    assert (suggestion["origin"], suggestion["status"], suggestion["is_current"]) == ("crm", "pending", True)
    assert suggestion["unsupported"], "nothing known here says so"
    again = await world.ours.post(f"{path}/suggestions", json=proposal, headers={"Idempotency-Key": "one"})
    assert (again.json(), again.headers["idempotent-replayed"]) == (suggestion, "true")
    other = await world.ours.post(f"{path}/suggestions", json={"text": "x"}, headers={"Idempotency-Key": "one"})
    assert (other.status_code, other.json()["type"]) == (409, "urn:atende:problem:key-reused")
    assert await world.row("SELECT 1 FROM message WHERE author <> 'contact'") is None, "nothing is sent by itself"

    await world.site.message(world.tenant, "Deixa pra lá", "Bruno Lima")
    late = await world.ours.post(f"{path}/suggestions", json=proposal)
    assert (late.status_code, late.json()["type"]) == (409, "urn:atende:problem:outdated")
    approve = f"/api/v1/suggestions/{suggestion['id']}/approve"
    stale = await world.ours.post(approve, headers={"Idempotency-Key": "two"})
    assert stale.status_code == 409
    assert (await world.ours.post(approve)).status_code == 422  # what sends wants a key


async def test_that_a_reply_under_one_key_is_sent_once_however_often_and_at_once_it_is_asked_for(world: World) -> None:
    path = f"{CONVERSATIONS}/{world.known['conversations/{conversation_id}'][0]}/replies"
    answers = await asyncio.gather(
        *(world.ours.post(path, json={"text": "Já vejo!"}, headers={"Idempotency-Key": "r1"}) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["message_id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 4
    row = await world.row("SELECT count(*) AS n, min(user_id::text) AS who FROM message WHERE author = 'operator'")
    assert (row["n"], row["who"]) == (1, None)  # a program is nobody in particular
    event = await world.row("SELECT actor FROM event WHERE kind = 'message.queued'")
    assert event["actor"] == "api key crm"


async def test_that_a_failed_request_leaves_its_key_free_and_a_secret_is_never_kept_with_it(world: World) -> None:
    key = {"Idempotency-Key": "hook"}
    bad = await world.ours.post("/api/v1/webhooks", json={"url": "http://10.0.0.1/", "kinds": ["*"]}, headers=key)
    assert bad.status_code == 422
    wanted = {"url": "https://crm.example.com/more", "kinds": ["message.*"]}
    made = await world.ours.post("/api/v1/webhooks", json=wanted, headers=key)
    assert made.status_code == 201, made.text
    assert made.json()["secret"].startswith("whsec_")
    again = await world.ours.post("/api/v1/webhooks", json=wanted, headers=key)
    assert (again.json()["id"], again.json()["secret"]) == (made.json()["id"], None)
    kept = await world.row("SELECT answer::text AS answer FROM idempotent_request WHERE key = 'hook'")
    assert made.json()["secret"] not in kept["answer"]


async def test_that_a_conversation_is_given_to_people_worked_on_and_closed(world: World) -> None:
    conversation = world.known["conversations/{conversation_id}"][0]
    path, ana = f"{CONVERSATIONS}/{conversation}", str(world.tenant.user_id)
    handoff = await world.ours.post(f"{path}/handoffs", json={"summary": "Fraude?", "next_step": "Ligar"})
    assert (handoff.status_code, handoff.json()["state"]) == (201, "waiting"), handoff.text
    nobody = await world.ours.post(f"/api/v1/handoffs/{handoff.json()['id']}/claim", json={})
    assert nobody.status_code == 422, "an API key is nobody in particular"
    claimed = await world.ours.post(f"/api/v1/handoffs/{handoff.json()['id']}/claim", json={"user_id": ana})
    assert (claimed.json()["state"], claimed.json()["claimed_by"]) == ("claimed", "Ana"), claimed.text
    tag = (await world.ours.get(path)).headers["etag"]
    change = {"priority": "urgent", "labels": ["fraude"]}
    marked = await world.ours.patch(path, json=change, headers={"If-Match": tag})
    assert (marked.json()["priority"], marked.json()["labels"]) == ("urgent", ["fraude"])
    mine = (await world.ours.get(CONVERSATIONS, params={"assignee": ana, "label": "fraude"})).json()
    assert [one["id"] for one in mine["conversations"]] == [conversation]
    closed = await world.ours.post(f"{path}/close", json={"reason": "spam"})
    assert (closed.json()["status"], closed.json()["closed_reason"]) == ("closed", "spam")
    assert (await world.ours.post(f"{path}/replies", json={"text": "x"})).status_code == 422
    reopened = await world.ours.post(f"{path}/reopen", json={"user_id": ana})
    assert (reopened.json()["status"], reopened.json()["assignee"]) == ("human", "Ana")
    stranger = await world.program("conversations:write")
    async with stranger:
        moved = await stranger.post(f"{path}/transfer", json={"team_id": None})
        assert moved.status_code == 403, "what a colleague holds is moved by who supervises"


async def test_that_a_list_is_read_page_by_page_and_a_cursor_that_is_none_is_refused(world: World) -> None:
    for name in "abcde":
        await world.site.message(world.tenant, "Oi", f"Contato {name}")
    seen: list[str] = []
    address = "/api/v1/contacts?limit=3&search=Contato"
    while address:
        answer = await world.ours.get(address)
        seen += [one["push_name"] for one in answer.json()["contacts"]]
        address = answer.json()["next"]
        assert (address is None) == ("link" not in answer.headers)
    assert sorted(seen) == [f"Contato {name}" for name in "abcde"]
    assert len(seen) == 5
    for cursor in ("x", "W10", "WyIyMDI2Il0"):
        bad = await world.ours.get("/api/v1/contacts", params={"cursor": cursor})
        assert (bad.status_code, bad.json()["type"]) == (422, "urn:atende:problem:invalid-input")
    assert (await world.ours.get("/api/v1/contacts", params={"limit": 201})).status_code == 422


async def test_that_events_are_read_from_where_one_stopped_and_never_another_tenants(world: World) -> None:
    first = (await world.ours.get("/api/v1/events", params={"kinds": "message.*"})).json()["events"]
    assert [one["kind"] for one in first] == ["message.received", "message.received"]
    await world.site.message(world.tenant, "Mais uma", "Bruno Lima")
    then = (
        await world.ours.get("/api/v1/events", params={"after": first[-1]["id"], "kinds": "message.received"})
    ).json()
    assert len(then["events"]) == 1
    assert then["events"][0]["id"] > first[-1]["id"]
    assert (await world.theirs.get("/api/v1/events", params={"kinds": "message.*"})).json()["events"] == []


async def test_that_a_key_makes_none_that_may_do_more_than_itself(world: World) -> None:
    async with await world.program("api_keys:write", "contacts:read") as limited:
        refused = await limited.post("/api/v1/api-keys", json={"name": "x", "scopes": ["contacts:write"]})
        assert refused.json()["type"] == "urn:atende:problem:scope-missing"
        made = await limited.post("/api/v1/api-keys", json={"name": "x", "scopes": ["contacts:read"]})
        assert made.json()["token"].startswith("atende_")


async def test_that_hours_are_read_back_as_they_were_put(world: World) -> None:
    before = await world.ours.get("/api/v1/hours")
    wanted = {
        "timezone": "America/Recife",
        "weekly": {"monday": ["09:00-12:00", "13:00-18:00"]},
        "dates": {"2026-12-24": ["09:00-12:00"], "2026-12-25": []},
        "holidays": {"country": "BR", "state": "PE"},
    }
    put = await world.ours.put("/api/v1/hours", json=wanted, headers={"If-Match": before.headers["etag"]})
    assert put.status_code == 200, put.text
    assert {name: put.json()[name] for name in ("timezone", "weekly", "dates")} == {
        name: wanted[name] for name in ("timezone", "weekly", "dates")
    }
    late = await world.ours.put("/api/v1/hours", json=wanted, headers={"If-Match": before.headers["etag"]})
    assert late.status_code == 412


async def test_that_service_targets_are_read_back_as_they_were_put_and_a_removed_teams_are_forgotten(
    world: World,
) -> None:
    path, any_version = "/api/v1/targets", {"If-Match": "*"}
    team = (await world.ours.post("/api/v1/teams", json={"name": "Trocas"})).json()["id"]
    none = {"first_answer_minutes": None, "waiting_minutes": None}
    wanted = {
        "usual": {"first_answer_minutes": 15, "waiting_minutes": None},
        "priorities": {"urgent": {"first_answer_minutes": 5, "waiting_minutes": 10}},
        "teams": {team: {"first_answer_minutes": None, "waiting_minutes": 20}},
    }
    assert (await world.ours.get(path)).json() == {"usual": none, "priorities": {}, "teams": {}}
    put = await world.ours.put(path, json=wanted, headers=any_version)
    assert (put.status_code, put.json()) == (200, wanted), put.text
    for wrong, pointer in (
        ({"teams": {str(UUID(int=7)): {"waiting_minutes": 5}}}, f"/teams/{UUID(int=7)}"),
        ({"usual": {"waiting_minutes": 0}}, "/usual/waiting_minutes"),
        ({"usual": {"waiting_minutes": 43201}}, "/usual/waiting_minutes"),
        ({"priorities": {"biblical": {"waiting_minutes": 5}}}, "/priorities/biblical/[key]"),
        ({"usually": {}}, "/usually"),
    ):
        refused = await world.ours.put(path, json=wrong, headers=any_version)
        assert refused.status_code == 422, refused.text
        assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]
        assert refused.json()["hint"]
    assert (await world.ours.get(path)).json() == wanted
    assert (await world.theirs.get(path)).json()["usual"] == none
    assert (await world.ours.delete(f"/api/v1/teams/{team}", headers=any_version)).status_code == 204
    left = await world.ours.get(path)
    assert left.json() == wanted | {"teams": {}}
    again = await world.ours.put(path, json=left.json(), headers={"If-Match": left.headers["etag"]})
    assert again.status_code == 200, again.text
