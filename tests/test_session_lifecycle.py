"""A channel session from its first QR code to its deletion: over the API, on a real session host and real clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from channels.whatsapp.devices import DeviceStore
from channels.whatsapp.qr_picture import read_qr
from domain.messages import MediaReference
from flows import media as media_flow
from flows.api_keys import SCOPES, ApiKeys
from store.database import Database, login_url
from store.media import MediaFolder
from store.roles import SESSIONS_ROLE
from tests.database import SECRET, Number, make_number
from tests.fakewa.harness import Loopback, linux_only, loopback
from tests.fakewa.nodes import JID
from tests.flows.shop import eventually
from tests.test_whatsapp_end_to_end import session_host
from tests.web.part import running_web

pytestmark = [pytest.mark.neonize, linux_only]

SHOP, SECOND, CUSTOMER = "5511990001111", "5511990003333", "5511990002222"
PATIENCE = 60.0
SESSIONS = "/api/v1/sessions"


@dataclass(frozen=True, slots=True)
class Installation:
    """The web process and a session host over one database, and a program with a key."""

    api: httpx.AsyncClient
    world: Loopback
    db: Database
    tenant: Number
    devices: DeviceStore
    data: Path

    async def becomes(self, session: str, state: str) -> dict[str, Any]:
        """Wait until the session has this state; returns it."""
        found: dict[str, Any] = {}

        async def there() -> bool:
            nonlocal found
            found = (await self.api.get(f"{SESSIONS}/{session}")).json()
            return bool(found["state"] == state)

        try:
            await eventually(there, within=PATIENCE, what=f"state {state}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {found}") from None
        return found

    async def shown(self, session: str, *, other_than: str = "") -> str:
        """The text of the session's QR code, once there is one."""
        code = ""

        async def there() -> bool:
            nonlocal code
            answer = await self.api.get(f"{SESSIONS}/{session}/qr", headers={"Accept": "text/plain"})
            code = answer.text if answer.status_code == 200 else ""
            return code not in {"", other_than}

        await eventually(there, within=PATIENCE, what="a QR code")
        return code

    async def create(self, name: str) -> str:
        made = await self.api.post(SESSIONS, json={"name": name})
        assert made.status_code == 201, made.text
        assert made.headers["location"] == f"{SESSIONS}/{made.json()['id']}"
        return str(made.json()["id"])

    async def log(self, session: str) -> list[dict[str, Any]]:
        """All lines of the session's log, page by page, the oldest first."""
        lines: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = (await self.api.get(f"{SESSIONS}/{session}/log", params={"limit": 5, "cursor": cursor or ""})).json()
            lines += page["events"]
            cursor = page["next_cursor"]
            if cursor is None:
                return lines[::-1]

    async def fetch(self, statement: str, *values: object) -> Sequence[Any]:
        async with self.db.transaction(self.tenant.tenant_id) as tx:
            return list(await tx.fetch(statement, *values))


@pytest.fixture
async def running(owner_dsn: str, db: Database, tmp_path: Path) -> AsyncIterator[Installation]:
    async with _running(owner_dsn, db, tmp_path) as found:
        yield found


@asynccontextmanager
async def _running(owner_dsn: str, db: Database, folder: Path) -> AsyncIterator[Installation]:
    tenant = await make_number(owner_dsn)
    token = (await ApiKeys(db).create(tenant.tenant_id, "crm", list(SCOPES), actor="x")).token
    async with (
        loopback(folder) as world,
        session_host(world, owner_dsn, folder),
        running_web(owner_dsn, folder / "data") as web,
        httpx.AsyncClient(
            base_url=web.base_url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=PATIENCE
        ) as api,
    ):
        devices = DeviceStore(login_url(owner_dsn, SECRET, SESSIONS_ROLE))
        yield Installation(api, world, db, tenant, devices, folder / "data")


async def test_that_a_session_is_created_paired_stopped_restarted_and_logged_out(running: Installation) -> None:
    api = running.api
    session = await running.create("Vendas")
    place = f"{SESSIONS}/{session}"
    code = await running.shown(session)
    whole = (await api.get(f"{place}/qr")).json()
    assert whole["qr"] == code
    assert whole["png"].startswith("data:image/png;base64,")
    picture = await api.get(f"{place}/qr", headers={"Accept": "image/png"})
    assert (picture.headers["content-type"], picture.headers["cache-control"]) == ("image/png", "no-store")
    assert read_qr(picture.content) == code

    device = await running.world.server.scan(code, SHOP, name="Loja")
    connected = await running.becomes(session, "connected")
    assert (connected["phone"], connected["account"]) == (f"+{SHOP}", str(device))
    gone = await api.get(f"{place}/qr")
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:atende:problem:no-qr-code")
    linked = await api.post(f"{place}/pair-code", json={"phone": SHOP})
    assert (linked.status_code, linked.json()["type"]) == (409, "urn:atende:problem:already-linked")

    customer = await running.world.customer(CUSTOMER, "Maria")
    await customer.send(SHOP, "oi")
    stopped = await api.post(f"{place}/stop")
    assert stopped.json()["state"] == "paused"
    assert running.world.server.directory.device(device).connection is None
    missed = await customer.send(SHOP, "alguém aí?")
    assert (await api.post(f"{place}/start")).status_code == 200
    await running.becomes(session, "connected")
    assert (await api.post(f"{place}/start")).json()["state"] == "connected"  # one that runs is left alone
    before = running.world.server.directory.device(device).connection
    assert (await api.post(f"{place}/restart")).status_code == 200
    await running.becomes(session, "connected")

    async def reconnected() -> bool:
        return running.world.server.directory.device(device).connection not in {None, before}

    await eventually(reconnected, within=PATIENCE, what="another connection")

    async def stored() -> bool:
        return bool(await running.fetch("SELECT 1 FROM message WHERE provider_id = $1", missed))

    await eventually(stored, within=PATIENCE, what="the message that came while it was stopped")
    figures = (await api.get(f"{place}/stats")).json()
    assert (figures["messages_in"], figures["pairings"], figures["reconnects"]) == (2, 1, 2)
    assert figures["qr_codes"] >= 1
    assert 0 < figures["uptime"] <= 1
    assert figures["last_connected_at"]

    assert await running.devices.rows(str(device))
    assert (await api.post(f"{place}/logout")).json()["state"] == "stopped"
    assert running.world.server.directory.account(SHOP).devices == {}
    assert await running.devices.rows(str(device)) == {}
    again = await api.post(f"{place}/start")
    assert again.json()["account"] is None
    await running.world.server.scan(await running.shown(session, other_than=code), SHOP)
    await running.becomes(session, "connected")

    told = await running.log(session)
    assert [line["kind"] for line in told if line["kind"] != "session.status"] == [
        "session.added",
        *("session.asked", "session.carried_out"),  # stop
        *("session.asked", "session.carried_out"),  # restart
        *("session.asked", "session.logged_out", "session.carried_out"),
    ]
    assert next(line["details"]["paired"] for line in told if "paired" in line["details"]) == str(device)
    assert {line["actor"] for line in told} >= {"system", "api key crm"}
    assert all(line["details"].get("host") for line in told if line["details"].get("status") == "connected")


async def test_that_a_session_is_paired_by_phone_code_and_deleted_without_a_trace(running: Installation) -> None:
    session = await running.create("Suporte")
    place = f"{SESSIONS}/{session}"
    bad = await running.api.post(f"{place}/pair-code", json={"phone": "ramal 12"})
    assert bad.status_code == 422
    given = await running.api.post(f"{place}/pair-code", json={"phone": "+55 11 99000-3333"})
    assert given.status_code == 200, given.text
    assert given.json()["phone"] == f"+{SECOND}"
    device = await running.world.server.enter_code(given.json()["code"], SECOND)
    assert (await running.becomes(session, "connected"))["account"] == str(device)
    assert device == JID(SECOND, device=1)

    customer = await running.world.customer(CUSTOMER, "Maria")
    written = await customer.send(SECOND, "segue o comprovante")

    async def stored() -> bool:
        return bool(await running.fetch("SELECT 1 FROM message WHERE provider_id = $1", written))

    await eventually(stored, within=PATIENCE, what="the message")
    tenant_id, media = running.tenant.tenant_id, MediaFolder(running.data / "media")
    digests = [await media.put(tenant_id, data) for data in (b"only here", b"here and elsewhere")]
    message = (await running.fetch("SELECT id FROM message WHERE provider_id = $1", written))[0]["id"]
    async with running.db.transaction(tenant_id) as tx:
        reference = MediaReference(extra={"stored_sha256": digests[0]})
        await media_flow.note(tx, tenant_id, UUID(session), message, reference)
        for number in (UUID(session), running.tenant.session_id):
            await tx.execute(
                "INSERT INTO media_file (tenant_id, channel_session_id, state, sha256) VALUES ($1, $2, 'stored', $3)",
                tenant_id,
                number,
                digests[1],
            )
    assert await running.devices.rows(str(device))

    deleted = await running.api.delete(place)
    assert deleted.status_code == 204, deleted.text
    assert (await running.api.get(place)).status_code == 404
    assert running.world.server.directory.account(SECOND).devices == {}  # the phone lists it no more
    assert await running.devices.rows(str(device)) == {}
    assert media.path(tenant_id, digests[0]) is None
    assert media.path(tenant_id, digests[1]) is not None  # another number's, too
    owner = await asyncpg.connect(running.devices.url)
    left = await owner.fetchval("SELECT count(*) FROM whatsmeow.whatsmeow_device")
    await owner.close()
    assert left == 0
    for table in ("conversation", "message", "media_file", "outbox_message", "session_request", "held_event"):
        assert not await running.fetch(f"SELECT 1 FROM {table} WHERE channel_session_id = $1", UUID(session)), table
    noted = [path.read_bytes() for path in (running.data / "spool").rglob("*") if path.is_file()]
    assert not any(session.encode() in data for data in noted)
    last = (await running.log(session))[-1]
    assert (last["kind"], last["details"]["messages"], last["details"]["files"]) == ("session.deleted", 1, 2)
