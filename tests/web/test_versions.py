"""Nobody overwrites what somebody else has just changed: not a program, whose If-Match tells, nor a page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from store.database import Database
from tests.database import Number
from tests.web.administrators import promoted
from tests.web.api_world import FUNCTION, World, opened_world
from tests.web.site import Site

TAG = re.compile(r'"[0-9a-f]{1,16}"')
_VERSION = re.compile(r'name="version" value="(\w+)"|"version": "(\w+)"')


@pytest.fixture
async def world(owner_dsn: str, db: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with opened_world(owner_dsn, db, tmp_path) as opened:
        yield opened


def changes(world: World) -> dict[str, tuple[str, str, Any, Any]]:
    """What is edited: where it is read, how and where it is changed, with two different bodies."""
    user, team, hook, reply, contact, number = (
        world.known[place][0]
        for place in (
            "users/{user_id}",
            "teams/{team_id}",
            "webhooks/{endpoint_id}",
            "canned-replies/{reply_id}",
            "contacts/{contact_id}",
            "sessions/{session_id}",
        )
    )
    hours = {"timezone": "America/Recife", "weekly": {}}
    return {
        f"users/{user}": ("PATCH", f"users/{user}", {"capacity": 3}, {"skills": ["inglês"]}),
        f"teams/{team}": ("PATCH", f"teams/{team}", {"description": "um"}, {"people": [user]}),
        f"webhooks/{hook}": ("PATCH", f"webhooks/{hook}", {"kinds": ["message.*"]}, {"enabled": False}),
        "functions/order_status": ("PATCH", "functions/order_status", {"enabled": False}, {"needs_identity": True}),
        f"canned-replies/{reply}": (
            "PUT",
            f"canned-replies/{reply}",
            {"shortcut": "oi", "text": "um"},
            {"shortcut": "oi", "text": "dois"},
        ),
        f"sessions/{number}": ("PATCH", f"sessions/{number}", {"name": "Um"}, {"groups": "mentioned"}),
        f"sessions/{number}/pace": (
            "PATCH",
            f"sessions/{number}/pace",
            {"messages_per_minute": "8"},
            {"burst": "3", "messages_per_minute": None},
        ),
        f"contacts/{contact}": ("PATCH", f"contacts/{contact}", {"name": "Um"}, {"name": "Dois"}),
        "policy": ("PUT", "policy/intents/hours", {"mode": "auto"}, {"mode": "off"}),
        "settings": ("PATCH", "settings", {"settings": {"threshold": 0.9}}, {"settings": {"persona": "Aurora"}}),
        "hours": ("PUT", "hours", hours, {**hours, "timezone": "America/Manaus"}),
        "targets": (
            "PUT",
            "targets",
            {"usual": {"waiting_minutes": 9}},
            {"teams": {team: {"first_answer_minutes": 5}}},
        ),
    }


async def test_that_a_program_changes_only_what_it_has_read_last(world: World) -> None:
    for read, (method, place, first, second) in changes(world).items():
        path = f"/api/v1/{place}"
        tag = (await world.ours.get(f"/api/v1/{read}")).headers["etag"]
        assert TAG.fullmatch(tag), read
        without = await world.ours.request(method, path, json=first)
        assert (without.status_code, without.json()["type"]) == (428, "urn:atende:problem:version-needed"), read
        assert "If-Match" in without.json()["hint"]
        changed = await world.ours.request(method, path, json=first, headers={"If-Match": tag})
        assert changed.status_code == 200, changed.text
        assert changed.headers["etag"] != tag, read
        now = await world.ours.get(f"/api/v1/{read}")
        assert now.headers["etag"] == changed.headers["etag"], read
        late = await world.ours.request(method, path, json=second, headers={"If-Match": tag})
        assert (late.status_code, late.json()["type"]) == (412, "urn:atende:problem:version-passed"), read
        assert late.json()["hint"], read
        assert (await world.ours.get(f"/api/v1/{read}")).json() == now.json(), read
        whatever = await world.ours.request(method, path, json=second, headers={"If-Match": "*"})
        assert whatever.status_code == 200, whatever.text
        broken = await world.ours.request(method, path, json=second, headers={"If-Match": '"no such tag"'})
        assert broken.status_code == 422, broken.text


async def test_that_a_program_removes_only_what_it_has_read_last(world: World) -> None:
    await world.ours.post("/api/v1/teams", json={"name": "Suporte"})
    for read, (method, place, first, _) in changes(world).items():
        path = f"/api/v1/{place}"
        if not read.startswith(("teams", "webhooks", "functions", "canned-replies", "users")):
            continue
        assert (await world.ours.delete(path)).status_code == 428, read
        tag = (await world.ours.get(path)).headers["etag"]
        changed = await world.ours.request(method, path, json=first, headers={"If-Match": tag})
        assert changed.status_code == 200, changed.text
        late = await world.ours.delete(path, headers={"If-Match": tag})
        assert late.status_code == 412, read
        gone = await world.ours.delete(path, headers={"If-Match": changed.headers["etag"]})
        if read.startswith("users"):
            assert gone.status_code == 204 or "last administrator" in gone.json()["detail"], gone.text
        else:
            assert gone.status_code == 204, gone.text
            assert (await world.ours.get(path)).status_code == 404


async def test_that_a_function_is_declared_anew_only_by_who_knows_the_one_that_is_there(world: World) -> None:
    path, other = "/api/v1/functions/order_status", {**FUNCTION, "description": "Another one."}
    unread = await world.ours.put(path, json=other)
    assert (unread.status_code, unread.json()["type"]) == (428, "urn:atende:problem:version-needed")
    nothing_there = await world.ours.put("/api/v1/functions/new_one", json=other, headers={"If-Match": '"0000"'})
    assert nothing_there.status_code == 412
    assert (await world.ours.put("/api/v1/functions/new_one", json=other)).status_code == 201
    tag = (await world.ours.get(path)).headers["etag"]
    assert (await world.ours.put(path, json=other, headers={"If-Match": tag})).status_code == 200
    assert (await world.ours.put(path, json=FUNCTION, headers={"If-Match": tag})).status_code == 412


async def test_that_settings_are_taken_all_or_none_and_what_goes_out_by_itself_is_for_who_writes_the_policy(
    world: World,
) -> None:
    any_version = {"If-Match": "*"}
    wrong = await world.ours.patch(
        "/api/v1/settings", json={"settings": {"threshold": 2, "nope": "x", "persona": "Aurora"}}, headers=any_version
    )
    assert wrong.status_code == 422, wrong.text
    assert {one["pointer"] for one in wrong.json()["errors"]} == {"/settings/threshold", "/settings/nope"}
    found = {one["key"]: one for one in (await world.ours.get("/api/v1/settings")).json()["settings"]}
    assert found["persona"]["origin"] == "usual"
    assert not [key for key in found if key.startswith("model.") and key != "model.prices"]
    async with await world.program("settings:write") as limited:
        mode = await limited.patch("/api/v1/settings", json={"settings": {"reply_mode": "auto"}}, headers=any_version)
        assert (mode.status_code, mode.json()["type"]) == (403, "urn:atende:problem:scope-missing")
        own = await limited.patch(
            "/api/v1/settings",
            json={"settings": {"satisfaction.ask": True, "debounce.seconds": 4}},
            headers=any_version,
        )
        assert own.status_code == 200, own.text
    event = await world.row("SELECT payload, actor FROM event WHERE kind = 'tenant.set'")
    assert event["payload"]["changes"]["debounce.seconds"] == ["0", "4"]
    assert event["actor"] == "api key other"


@pytest.fixture
async def admin(site: Site, shop: Number, operator: httpx.AsyncClient) -> httpx.AsyncClient:
    await promoted(site, shop)
    return operator


async def test_that_no_page_overwrites_a_newer_change(site: Site, shop: Number, admin: httpx.AsyncClient) -> None:
    await admin.post("/teams", data={"name": "Vendas"})
    made = unescape((await admin.get("/teams")).text)
    team = next(iter(re.findall(r'hx-post="(/teams/[^"/]+)"', made)))
    person = f"/people/{shop.user_id}"
    as_is = {"role": "admin", "reach": "all"}
    named = {"name": "Vendas", "assignment": "by_hand"}
    forms: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
        person: (person, {**as_is, "capacity": "3"}, {**as_is, "capacity": "7"}),
        "/teams": (team, {**named, "description": "um"}, {**named, "description": "dois"}),
        "/settings/budgets": ("/settings/budgets", {"day_tokens": "1000"}, {"day_tokens": "2000"}),
        "/settings/targets": (
            "/settings/targets",
            {"usual.waiting_minutes": "5"},
            {"usual.waiting_minutes": "9"},
        ),
    }
    for page, (act, first, second) in forms.items():
        version = _versions((await admin.get(page)).text)[0]
        done = await admin.post(act, data={**first, "version": version})
        assert done.status_code == 200, page
        late = await admin.post(act, data={**second, "version": version})
        assert late.status_code == 409, page
        assert "mudou" in unescape(late.text), late.text
        shown = _versions((await admin.get(page)).text)[0]
        assert shown != version, page
        assert (await admin.post(act, data={**second, "version": shown})).status_code == 200, page


def _versions(page: str) -> list[str]:
    return [first or second for first, second in _VERSION.findall(unescape(page))]
