"""``/api/v1/sessions`` as a program uses it, without a session host: who may what, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from channels.base import SessionChanged
from domain.errors import ConflictError
from domain.messages import SessionStatus
from flows.api_keys import SCOPES, ApiKeys
from flows.session_control import ChannelSessions, NoHostError
from flows.sessions import record_status
from store.database import Database
from store.media import MediaFolder
from store.wakeup import Wakeup
from tests.database import Number, make_number
from tests.web.part import running_web
from tests.web.test_api_intents import problem

SESSIONS = "/api/v1/sessions"
CODE = "https://wa.me/settings/linked_devices#2@cmVm,bm9pc2U=,aWRlbnRpdHk=,YWR2,1"


@dataclass(frozen=True, slots=True)
class Door:
    """The API of two tenants; ``reader`` may only look."""

    ours: httpx.AsyncClient
    theirs: httpx.AsyncClient
    reader: httpx.AsyncClient
    db: Database
    tenant: Number
    folder: Path

    async def report(self, session: str, status: SessionStatus, **more: Any) -> None:
        """What a session host would tell."""
        change = SessionChanged(status, more.pop("at", datetime.now(UTC)), **more)
        async with self.db.transaction(self.tenant.tenant_id) as tx:
            await record_status(tx, self.tenant.tenant_id, UUID(session), change)

    async def create(self, **body: Any) -> str:
        made = await self.ours.post(SESSIONS, json={"name": "Vendas", **body})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])


@pytest.fixture
async def door(owner_dsn: str, db: Database, tmp_path: Path) -> AsyncIterator[Door]:
    async with _opened(owner_dsn, db, tmp_path) as opened:
        yield opened


@asynccontextmanager
async def _opened(owner_dsn: str, db: Database, folder: Path) -> AsyncIterator[Door]:
    ours, theirs = await make_number(owner_dsn, "ours"), await make_number(owner_dsn, "theirs")
    keys = ApiKeys(db)
    async with running_web(owner_dsn, folder) as stranger:

        def program(token: str) -> httpx.AsyncClient:
            headers = {"Authorization": f"Bearer {token}", "Accept-Language": "es-AR,es;q=0.9"}
            return httpx.AsyncClient(base_url=stranger.base_url, headers=headers, trust_env=False, timeout=60)

        tokens = [
            (await keys.create(number.tenant_id, "crm", scopes, actor="x")).token
            for number, scopes in ((ours, list(SCOPES)), (theirs, list(SCOPES)), (ours, ["sessions:read"]))
        ]
        async with program(tokens[0]) as first, program(tokens[1]) as second, program(tokens[2]) as third:
            yield Door(first, second, third, db, ours, folder)


async def test_that_a_key_sees_its_own_business_and_does_what_its_scopes_say(door: Door) -> None:
    session = await door.create()
    place = f"{SESSIONS}/{session}"
    assert (await door.reader.get(place)).json()["name"] == "Vendas"
    for answer in (
        await door.reader.get(f"{place}/qr"),  # who has the code links a phone of its own
        await door.reader.post(SESSIONS, json={"name": "x"}),
        *[await door.reader.post(f"{place}/{wish}") for wish in ("start", "stop", "restart", "logout")],
        await door.reader.delete(place),
    ):
        problem(answer, 403, "scope-missing")
    assert [one["id"] for one in (await door.theirs.get(SESSIONS)).json()["sessions"]] != [session]
    for answer in (
        await door.theirs.get(place),
        await door.theirs.get(f"{place}/qr"),
        await door.theirs.get(f"{place}/stats"),
        await door.theirs.get(f"{place}/log"),
        await door.theirs.post(f"{place}/stop"),
        await door.theirs.post(f"{place}/pair-code", json={"phone": "+5511990001111"}),
        await door.theirs.patch(place, json={"name": "ours now"}, headers={"If-Match": "*"}),
        await door.theirs.delete(place),
    ):
        assert answer.status_code == 404, answer.text
    assert (await door.ours.get(place)).json()["name"] == "Vendas"


async def test_that_a_list_is_read_page_by_page_to_its_end(door: Door) -> None:
    made = [await door.create(name=f"Número {n}", start=False) for n in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await door.ours.get(SESSIONS, params=params)).json()
        assert len(page["sessions"]) <= 2
        seen += [one["id"] for one in page["sessions"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == [str(door.tenant.session_id), *made]
    for bad in ("x", "MQ", "§§", "MjAyNi0wMXxub3RoaW5n"):
        problem(await door.ours.get(SESSIONS, params={"cursor": bad}), 422, "invalid-input")
    for limit in ("0", "201"):
        problem(await door.ours.get(SESSIONS, params={"limit": limit}), 422, "invalid-input")
    problem(await door.ours.get(f"{SESSIONS}/{made[0]}/log", params={"cursor": "LTE"}), 422, "invalid-input")


async def test_that_a_code_is_404_before_it_comes_and_410_after_its_time_and_the_newest_in_between(door: Door) -> None:
    session = await door.create()
    place = f"{SESSIONS}/{session}/qr"
    problem(await door.ours.get(place), 404, "no-qr-code")
    await door.report(session, SessionStatus.AWAITING_QR, qr="first", qr_seconds=60.0)
    await door.report(session, SessionStatus.AWAITING_QR, qr=CODE, qr_seconds=20.0)
    shown = (await door.ours.get(place)).json()
    assert shown["qr"] == CODE
    lives = datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC)
    assert timedelta(0) < lives <= timedelta(seconds=20)
    then = datetime.now(UTC) - timedelta(seconds=21)
    await door.report(session, SessionStatus.AWAITING_QR, qr=CODE, qr_seconds=20.0, at=then)
    problem(await door.ours.get(place), 410, "qr-code-expired")
    await door.report(session, SessionStatus.QR_EXPIRED, ended=True)
    problem(await door.ours.get(place), 410, "qr-code-expired")
    told = (await door.ours.get(f"{SESSIONS}/{session}")).json()
    assert (told["state"], told["next_step"].split(";")[0]) == ("qr_expired", "Nadie escaneó el código a tiempo")
    await door.ours.post(f"{SESSIONS}/{session}/start")
    problem(await door.ours.get(place), 404, "no-qr-code")
    languages = {}
    for language in ("pt", "es", "en"):
        one = await door.ours.get(f"{SESSIONS}/{session}", params={"language": language})
        languages[language] = one.json()["next_step"]
    assert len(set(languages.values())) == 3


async def test_that_a_session_of_a_removed_device_is_no_longer_offered_to_hosts_until_a_person_starts_it(
    door: Door,
) -> None:
    session = await door.create()
    await door.report(session, SessionStatus.CONNECTED, account="5511990001111:1@s.whatsapp.net")
    gone = "The phone unlinked this device."
    await door.report(session, SessionStatus.DISCONNECTED, detail=gone, ended=True, unlinked=True)
    one = (await door.ours.get(f"{SESSIONS}/{session}")).json()
    assert (one["state"], one["account"], one["detail"]) == ("unlinked", None, gone)
    assert not await door.db.gate("lease_sessions", "host", "neonize", timedelta(minutes=1), 10)
    assert (await door.ours.post(f"{SESSIONS}/{session}/start")).json()["state"] == "unheld"
    leased = await door.db.gate("lease_sessions", "host", "neonize", timedelta(minutes=1), 10)
    assert [(str(row["id"]), row["account"]) for row in leased] == [(session, None)]
    lines = (await door.ours.get(f"{SESSIONS}/{session}/log")).json()["events"]
    assert lines[1]["details"] | {"at": ""} == {
        **{"status": "disconnected", "before": "connected", "detail": gone, "has_qr": False, "ended": True, "at": ""},
        "unlinked": "5511990001111:1@s.whatsapp.net",
    }


async def test_that_a_session_whose_pairing_is_in_use_elsewhere_says_that_a_person_must_act(door: Door) -> None:
    session = await door.create()
    await door.report(session, SessionStatus.CONNECTED, account="5511990001111:1@s.whatsapp.net")
    await door.report(session, SessionStatus.DISCONNECTED, detail="Another process connected.", ended=True)
    one = (await door.ours.get(f"{SESSIONS}/{session}")).json()
    assert (one["state"], one["account"]) == ("replaced", "5511990001111:1@s.whatsapp.net")
    assert "en otro lugar" in one["next_step"]
    assert not await door.db.gate("lease_sessions", "host", "neonize", timedelta(minutes=1), 10)  # nobody tries again
    assert (await door.ours.post(f"{SESSIONS}/{session}/restart")).json()["state"] == "unheld"
    assert await door.db.gate("lease_sessions", "host", "neonize", timedelta(minutes=1), 10)


async def test_that_what_cannot_be_is_refused_and_changes_nothing(door: Door) -> None:
    before = (await door.ours.get(SESSIONS)).json()
    for body in (
        [],
        {},
        {"name": ""},
        {"name": "x" * 81},
        {"name": 7},
        {"name": "x", "provider": "telegram"},
        {"name": "x", "provider": "waha", "settings": {"colour": "blue"}},
        {"name": "x", "settings": []},
        {"name": "x", "start": "yes"},
        {"name": "x", "wanted": True},
    ):
        assert (await door.ours.post(SESSIONS, json=body)).status_code == 422, body
    assert (await door.ours.get(SESSIONS)).json() == before
    session = await door.create(start=False)
    place = f"{SESSIONS}/{session}"
    for change in ({"groups": "always"}, {"groups": 1}, {"name": ""}, {"config": {}}):
        assert (await door.ours.patch(place, json=change, headers={"If-Match": "*"})).status_code == 422, change
    named = {"groups": "mentioned", "name": "Novo"}
    assert (await door.ours.patch(place, json=named, headers={"If-Match": "*"})).json()["groups"] == "mentioned"
    assert (await door.ours.get(place)).json()["name"] == "Novo"
    for days in ("0", "366", "x"):
        assert (await door.ours.get(f"{place}/stats", params={"days": days})).status_code == 422
    assert (await door.ours.post(f"{place}/explode")).status_code in {404, 422}
    assert (await door.ours.get(f"{SESSIONS}/{uuid4()}")).status_code == 404
    simulated = f"{SESSIONS}/{door.tenant.session_id}"
    problem(await door.ours.post(f"{simulated}/restart"), 409, "not-hosted")
    assert (await door.ours.delete(simulated)).status_code == 204
    assert (await door.ours.get(simulated)).status_code == 404


async def test_that_without_a_host_nothing_is_promised_and_a_deletion_waits_for_the_next(
    door: Door,
) -> None:
    session = await door.create()
    control = ChannelSessions(door.db, Wakeup(door.db), MediaFolder(door.folder / "media"))
    control.patience = 0.3
    tenant, id_ = door.tenant.tenant_id, UUID(session)
    with pytest.raises(NoHostError):
        await control.pair_code(tenant, id_, "+5511990001111", actor="x")
    with pytest.raises(ConflictError):
        await control.restart(tenant, id_, actor="x")
    await door.report(session, SessionStatus.CONNECTED, account="5511990001111:1@s.whatsapp.net")
    assert not (await control.delete(tenant, id_, actor="x")).done
    assert not (await control.delete(tenant, id_, actor="x")).done  # asked twice, noted once
    assert await door.db.gate("lease_sessions", "host", "neonize", timedelta(minutes=1), 10)
    waiting = await door.db.gate("session_requests", "host")
    assert [row["kind"] for row in waiting] == ["delete"]  # what nobody waits for any more was withdrawn
    assert not await door.db.gate("session_requests", "another host")
