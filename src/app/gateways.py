"""What an administrator does with gateways from the command line: set numbers up, control them, read the quarantine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from app.media_store import media_store
from app.numbers import prepared_database, tenants_named
from app.settings import Settings
from domain.errors import AtendeError, NotFoundError
from flows.gateway_numbers import GatewayNumbers, WebhookAddress
from flows.gateways import Gateways, gateway_client, open_gateways
from flows.inbound import Inbound
from flows.media import MediaFiles
from flows.quarantine import Quarantine
from store import quarantine
from store.database import Database
from store.wakeup import Wakeup

_SHOWN_BYTES = 100_000


def webhook_address(settings: Settings) -> WebhookAddress:
    """Where gateways are told to send their webhooks."""
    local = f"http://{settings.host}:{settings.port}"
    return WebhookAddress(settings.public_url or local, is_public=bool(settings.public_url))


async def set_up_number(settings: Settings, session_id: UUID) -> list[str]:
    """Set a number up at its gateway; returns lines about it. Raises what GatewayNumbers.set_up raises."""
    async with _parts(settings) as parts:
        tenant_id = await parts.tenant_of(session_id)
        return (await parts.numbers.set_up(tenant_id, session_id, actor="cli")).lines()


async def try_to_set_up(settings: Settings, session_id: UUID) -> list[str]:
    """The same right after adding it: what goes wrong is told, with how to try again."""
    try:
        return await set_up_number(settings, session_id)
    except AtendeError as error:
        return [
            f"It could not be set up at its gateway: {error.sentence()}",
            f"Try again with: atende session set-up {session_id}",
        ]


async def list_quarantine(settings: Settings, slug: str | None) -> list[str]:
    """A line for each quarantined delivery, the newest first."""
    lines = []
    async with prepared_database(settings) as (url, db):
        for tenant_id, tenant_slug in await tenants_named(url, slug):
            async with db.transaction(tenant_id) as tx:
                found = await quarantine.newest(tx)
            lines += [
                f"{item.id}  {tenant_slug}  {item.provider:10}  {item.count:6}×  {item.last_seen_at:%Y-%m-%d %H:%M}  "
                f"{item.number}: {item.name}{'' if item.is_whole else '  (cut)'}"
                for item in found
            ]
    return lines or ["Nothing is in quarantine."]


async def show_quarantined(settings: Settings, quarantined_id: UUID) -> list[str]:
    """One delivery with all that is known of it."""
    async with prepared_database(settings) as (url, db):
        for tenant_id, _ in await tenants_named(url, None):
            try:
                async with db.transaction(tenant_id) as tx:
                    item = await quarantine.one(tx, quarantined_id)
            except NotFoundError:
                continue
            return [
                f"{item.name} from {item.provider} to {item.number}: {item.count} times,",
                f"first {item.first_seen_at:%Y-%m-%d %H:%M:%S}, last {item.last_seen_at:%Y-%m-%d %H:%M:%S} UTC",
                *([f"error: {item.error}"] if item.error else []),
                item.body[:_SHOWN_BYTES].decode(errors="replace"),
            ]
    raise NotFoundError("quarantined delivery", quarantined_id)


async def replay_quarantine(settings: Settings, slug: str | None, name: str | None) -> list[str]:
    """Read what is in quarantine again, after an upgrade; what is understood now is stored and leaves it."""
    lines = []
    async with _parts(settings) as parts:
        for tenant_id, tenant_slug in await tenants_named(parts.owner_url, slug):
            report = await parts.quarantine.replay_all(tenant_id, name=name)
            lines.append(f"{tenant_slug}: {report.understood} understood and stored, {report.left} left in quarantine")
    return lines


@dataclass(frozen=True, slots=True)
class _Parts:
    owner_url: str
    db: Database
    gateways: Gateways
    numbers: GatewayNumbers
    quarantine: Quarantine

    async def tenant_of(self, session_id: UUID) -> UUID:
        found = await self.db.gate("channel_session", session_id)
        if not found:
            raise NotFoundError("number", session_id)
        tenant_id: UUID = found[0]["tenant_id"]
        return tenant_id


@asynccontextmanager
async def _parts(settings: Settings) -> AsyncIterator[_Parts]:
    async with prepared_database(settings) as (url, db), gateway_client() as http:
        wakeup = Wakeup(db)
        try:
            inbound = Inbound(db, wakeup)
            media = MediaFiles(db, media_store(settings))
            gateways = open_gateways(http, media)
            numbers = GatewayNumbers(db, inbound, wakeup, gateways, webhook_address(settings))
            yield _Parts(url, db, gateways, numbers, Quarantine(db, inbound, gateways, media))
        finally:
            await wakeup.close()
