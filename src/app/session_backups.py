"""A session's pairing as an encrypted file, and back: ``atende session export|import``."""

from __future__ import annotations

import asyncio
import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from app.numbers import prepared_database, tenants_named
from app.session_work import ACTOR, SessionDesk, session_desk
from app.settings import Settings
from channels.whatsapp.device_backup import BackupError, read_device, seal, unseal, write_device
from channels.whatsapp.device_tables import make_device_tables
from channels.whatsapp.devices import DeviceStore
from domain.errors import ConflictError
from flows.sessions import HOSTED, add_number
from store import events
from store.database import Database, login_url
from store.roles import SESSIONS_ROLE

TWICE = (
    "WARNING: one device has one connection. If this session runs elsewhere, too, WhatsApp closes one connection for "
    "the other and messages get lost. Stop or delete it there first, and never start both."
)
_STOP_SECONDS = 60.0
_CARRIED = ("groups", "seconds_between_messages", "typing_seconds_per_character")
"""Of a number's config: the rest belongs to its installation."""


class NothingPairedError(ConflictError):
    """There is no device to export."""

    def __init__(self) -> None:
        super().__init__("No phone is linked to this session, so there is nothing to export.", hint="Pair it first.")


class StillRunningError(ConflictError):
    """The session's host did not let it go."""

    def __init__(self) -> None:
        super().__init__("The session host still holds this session.", hint="Try again in a minute.")


async def export_session(settings: Settings, session_id: UUID, path: Path, password: str) -> list[str]:
    """Stop the session, wait until no host holds it, and write its keys to a new file."""
    seal({}, password)  # a password that cannot be is refused before the number goes offline
    async with session_desk(settings, session_id) as desk:
        view = await desk.views.one(desk.tenant_id, session_id)
        account = view.number.account
        if view.number.provider != HOSTED or account is None:
            raise NothingPairedError
        await desk.control.stop(desk.tenant_id, session_id, actor=ACTOR)
        await _let_go(desk, session_id)
        rows = await read_device(_devices(settings, desk.owner_url), account)
        if not rows["tables"].get("whatsmeow_device"):
            raise NothingPairedError
        async with desk.db.transaction(desk.tenant_id) as tx:
            config = await tx.fetchval("SELECT config FROM channel_session WHERE id = $1", session_id)
            at = datetime.now(UTC)
            content = {
                "account": account,
                "name": view.number.name,
                "config": {key: config[key] for key in _CARRIED if key in config},
                "exported_at": at.isoformat(),
                "device": rows,
            }
            await asyncio.to_thread(_write_new, path, await asyncio.to_thread(seal, content, password))
            await tx.execute(
                "UPDATE channel_session SET status_detail = $2 WHERE id = $1",
                session_id,
                f"Exported at {at:%Y-%m-%d %H:%M} UTC: start it here only if the backup is brought back nowhere else.",
            )
            payload = {"channel_session_id": str(session_id), "account": account, "file": path.name}
            await events.append(tx, desk.tenant_id, "session.exported", payload=payload, actor=ACTOR)
    return [
        f"{view.number.name} is stopped, and its pairing is written to {path}.",
        "Bring it back on another installation with: atende session import FILE --tenant …",
        TWICE,
    ]


async def import_session(
    settings: Settings, path: Path, slug: str, password: str, name: str | None = None
) -> list[str]:
    """Bring a session back from its file, stopped. Raises a BackupError, DeviceHeldError or NotFoundError."""
    content = unseal(await asyncio.to_thread(path.read_bytes), password)
    account, device = str(content["account"]), content["device"]
    async with prepared_database(settings) as (url, db):
        tenant_id = (await tenants_named(url, slug))[0][0]
        devices = _devices(settings, url)
        await make_device_tables(devices, os.environ)
        session_id = await _add(db, tenant_id, name or str(content["name"]), account, content)
        try:
            await write_device(devices, account, device)
        except BaseException:
            async with db.transaction(tenant_id) as tx:
                await tx.execute("DELETE FROM channel_session WHERE id = $1", session_id)
            raise
    return [
        f"Brought back as {session_id}; it is stopped. It was exported at {content['exported_at']}.",
        f"Bring it online with: atende session start {session_id}",
    ]


async def _add(db: Database, tenant_id: UUID, name: str, account: str, content: dict[str, Any]) -> UUID:
    async with db.transaction(tenant_id) as tx:
        session_id = await add_number(tx, tenant_id, name=name, provider=HOSTED, config={}, actor=ACTOR)
        await tx.execute(
            "UPDATE channel_session SET wanted = false, account = $2, config = config || $3 WHERE id = $1",
            session_id,
            account,
            {key: value for key, value in content["config"].items() if key in _CARRIED},
        )
        payload = {
            "channel_session_id": str(session_id),
            "account": account,
            "exported_at": str(content["exported_at"]),
        }
        await events.append(tx, tenant_id, "session.imported", payload=payload, actor=ACTOR)
    return session_id


async def _let_go(desk: SessionDesk, session_id: UUID) -> None:
    """Wait until no host may run the session any more: until then its keys change under us."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS):
            while (await desk.views.one(desk.tenant_id, session_id)).number.held:  # noqa: ASYNC110 - in the database
                await asyncio.sleep(0.5)
            return
    raise StillRunningError


def _devices(settings: Settings, owner_url: str) -> DeviceStore:
    return DeviceStore(login_url(owner_url, settings.secret, SESSIONS_ROLE))


def _write_new(path: Path, data: bytes) -> None:
    """Never over a file that is there: it may be the only copy of another session."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BackupError(f"{path} exists already.", hint="Name another file.") from None
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
