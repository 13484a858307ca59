"""What ``atende session`` does, over the same flows as the API."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import orjson

from app.gateways import webhook_address
from app.media_store import media_store
from app.numbers import prepared_database
from app.settings import Settings
from domain.errors import InvalidInputError, NotFoundError
from flows.gateway_numbers import GatewayNumbers
from flows.gateways import gateway_client, open_gateways
from flows.inbound import Inbound
from flows.media import MediaFiles
from flows.session_control import ChannelSessions, Outcome
from flows.session_removal import remove_session
from flows.session_views import SessionViews
from flows.sessions import HOSTED
from store.database import Database, login_url
from store.media import MediaStore
from store.roles import SESSIONS_ROLE
from store.wakeup import Wakeup

ACTOR = "cli"


@dataclass(frozen=True, slots=True)
class SessionDesk:
    """The flows of one session, found by its id alone: the command line stands above the tenants."""

    owner_url: str
    db: Database
    tenant_id: UUID
    control: ChannelSessions
    views: SessionViews
    media: MediaStore


@asynccontextmanager
async def session_desk(settings: Settings, session_id: UUID) -> AsyncIterator[SessionDesk]:
    """Raises NotFoundError where no tenant has such a session."""
    async with prepared_database(settings) as (url, db), gateway_client() as http:
        wakeup = Wakeup(db)
        try:
            media = MediaFiles(db, media_store(settings))
            gateways = open_gateways(http, media)
            numbers = GatewayNumbers(db, Inbound(db, wakeup), wakeup, gateways, webhook_address(settings))
            control = ChannelSessions(db, wakeup, media.store, numbers)
            tenant_id = await tenant_of(db, session_id)
            yield SessionDesk(url, db, tenant_id, control, SessionViews(db), media.store)
        finally:
            await wakeup.close()


async def tenant_of(db: Database, session_id: UUID) -> UUID:
    """Whose session it is; also of one that was deleted, by its log. Raises NotFoundError."""
    found = await db.gate("channel_session", session_id)
    if not found:
        raise NotFoundError("session", session_id)
    tenant_id: UUID = found[0]["tenant_id"]
    return tenant_id


async def show_session(settings: Settings, session_id: UUID, language: str | None, *, as_json: bool) -> list[str]:
    """One session with what to do next."""
    from web.api_sessions import session_json  # noqa: PLC0415 - FastAPI, only here

    async with session_desk(settings, session_id) as desk:
        found = session_json(await desk.views.one(desk.tenant_id, session_id), terminal_language(language))
    if as_json:
        return [orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()]
    told = [f"{found['name']} ({found['provider']}): {found['state']}"]
    told += [f"phone: {found['phone'] or found['account']}"] if found["account"] else []
    told += [f"reason: {found['detail']}"] if found["detail"] else []
    told += [f"in groups the agent answers: {'when mentioned' if found['groups'] == 'mentioned' else 'never'}"]
    told += [f"left to do: {sentence}" for sentence in found["left_to_do"]]
    return [*told, str(found["next_step"])]


async def change_session(settings: Settings, session_id: UUID, *, name: str | None, groups: str | None) -> list[str]:
    """Another name, or another way with groups."""
    if name is None and groups is None:
        raise InvalidInputError("--name, --groups", "nothing to change was given")
    async with session_desk(settings, session_id) as desk:
        await desk.control.change(desk.tenant_id, session_id, name=name, groups=groups, actor=ACTOR)
    return ["Changed."]


async def write_qr(settings: Settings, session_id: UUID, path: Path) -> list[str]:
    """Write the newest code as PNG."""
    from web.api_sessions import qr_png  # noqa: PLC0415

    async with session_desk(settings, session_id) as desk:
        code = await desk.views.qr(desk.tenant_id, session_id)
    await asyncio.to_thread(path.write_bytes, qr_png(code.text))
    return [f"Written to {path}; it can be scanned until {code.expires_at:%H:%M:%S} UTC."]


async def get_pairing_code(settings: Settings, session_id: UUID, phone: str) -> list[str]:
    """A code for the phone."""
    async with session_desk(settings, session_id) as desk:
        found = await desk.control.pair_code(desk.tenant_id, session_id, phone, actor=ACTOR)
    return [
        f"Code: {found.code}",
        f"On the phone {found.phone}, in WhatsApp: Linked devices, Link a device, Link with phone number instead.",
    ]


_DONE = {
    "start": "It is being started.",
    "stop": "It is stopped.",
    "restart": "It was restarted.",
}


async def control_session(settings: Settings, session_id: UUID, wish: str) -> list[str]:
    """start, stop, restart or logout."""
    async with session_desk(settings, session_id) as desk:
        control, tenant_id = desk.control, desk.tenant_id
        number = (await desk.views.one(tenant_id, session_id)).number
        was_linked = number.provider != HOSTED or number.account is not None
        if wish == "logout":
            found = await control.log_out(tenant_id, session_id, actor=ACTOR)
            return [_unlinked(found) if was_linked or not found.done else "No phone was linked. It is stopped."]
        act = {"start": control.start, "stop": control.stop, "restart": control.restart}[wish]
        await act(tenant_id, session_id, actor=ACTOR)
    return ["It is stopped; it stays paired."] if wish == "stop" and was_linked else [_DONE[wish]]


def _unlinked(found: Outcome) -> str:
    if not found.done:
        return "No session host runs; the next one does it."
    if found.told:
        return "The phone is unlinked, and the keys are deleted."
    return "The keys are deleted. WhatsApp could not be told: remove the device on the phone, under Linked devices."


async def what_goes(settings: Settings, session_id: UUID) -> str:
    """What a deletion would take along, in one sentence."""
    async with session_desk(settings, session_id) as desk:
        view = await desk.views.one(desk.tenant_id, session_id)
        async with desk.db.transaction(desk.tenant_id) as tx:
            row = await tx.fetchrow(
                "SELECT (SELECT count(*) FROM conversation WHERE channel_session_id = $1) AS conversations, "
                "(SELECT count(*) FROM media_file WHERE channel_session_id = $1) AS files",
                session_id,
            )
    return f"{view.number.name} has {row['conversations']} conversations and {row['files']} files; they go with it."


async def delete_session(settings: Settings, session_id: UUID, *, without_whatsapp: bool) -> list[str]:
    """Delete it, by its session host or, where none runs, here."""
    async with session_desk(settings, session_id) as desk:
        if without_whatsapp:
            view = await desk.views.one(desk.tenant_id, session_id)
            if view.number.held:
                raise InvalidInputError("--without-whatsapp", "a session host runs this session", hint="Leave it out.")
            if view.number.account:
                from channels.whatsapp.devices import DeviceStore  # noqa: PLC0415

                devices = DeviceStore(login_url(desk.owner_url, settings.secret, SESSIONS_ROLE))
                await devices.forget(view.number.account)
            await remove_session(desk.db, desk.media, desk.tenant_id, session_id, actor=ACTOR)
            by_hand = " Remove the device on the phone, too, under Linked devices." if view.number.account else ""
            return [f"Deleted.{by_hand}"]
        found = await desk.control.delete(desk.tenant_id, session_id, actor=ACTOR)
    if not found.done:
        return [
            "No session host runs; the next one deletes it. To delete it now: "
            f"atende session delete {session_id} --without-whatsapp"
        ]
    return ["Deleted, with its keys and files."]


async def session_stats(settings: Settings, session_id: UUID, days: int, *, as_json: bool) -> list[str]:
    """Figures of one session."""
    from web.api_sessions import stats_json  # noqa: PLC0415

    async with session_desk(settings, session_id) as desk:
        found = stats_json(await desk.views.figures(desk.tenant_id, session_id, days=days))
    if as_json:
        return [orjson.dumps(found).decode()]
    return [f"{name:18} {'-' if value is None else value}" for name, value in found.items()]


async def session_log(
    settings: Settings, session_id: UUID, limit: int, cursor: str | None, *, as_json: bool
) -> list[str]:
    """The newest lines of one session's log."""
    from web.api_sessions import log_json  # noqa: PLC0415

    async with session_desk(settings, session_id) as desk:
        page = await desk.views.log(desk.tenant_id, session_id, cursor=cursor, limit=limit)
    if as_json:
        return [orjson.dumps(log_json(line)).decode() for line in page.items]
    lines = [
        f"{line.at:%Y-%m-%d %H:%M:%S}  {line.kind:20}  {line.actor:12}  {orjson.dumps(line.details).decode()}"
        for line in page.items
    ]
    return lines + ([f"Older: --cursor {page.next_cursor}"] if page.next_cursor else [])


def terminal_language(given: str | None) -> str:
    """The language that was asked for, else the terminal's, else English. Raises InvalidInputError."""
    from web.i18n import known_language  # noqa: PLC0415

    if given is not None:
        if (known := known_language(given)) is None:
            raise InvalidInputError("--language", "must be pt, es or en")
        return known
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if found := os.environ.get(name):
            return known_language(found.partition(".")[0]) or "en"
    return "en"
