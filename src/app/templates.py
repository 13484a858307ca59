"""What an administrator does with message templates from the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from app.media_store import media_store
from app.numbers import prepared_database
from app.settings import Settings
from channels.whatsapp.cloud_api import CloudApiGateway
from channels.whatsapp.cloud_api_templates import from_json
from domain.errors import NotFoundError
from flows.desk import Actor
from flows.gateways import gateway_client
from flows.media import MediaFiles
from flows.templates import Templates, conversation_with
from store.database import Database
from store.wakeup import Wakeup


@dataclass(frozen=True, slots=True)
class Sending:
    """What to send to whom, and on whose behalf (``user``: an e-mail address)."""

    to: str
    name: str
    language: str
    values: tuple[str, ...]
    user: str


async def sync_templates(settings: Settings, number: UUID) -> list[str]:
    """Read a number's templates anew. Raises what Templates.sync raises."""
    async with _opened(settings) as (db, templates):
        found = await templates.sync(await _tenant_of(db, number), number)
    return [f"{found.total} templates, {found.approved} of them can be sent."]


async def list_templates(settings: Settings, number: UUID) -> list[str]:
    """A line for each template: name, language, state, category, variables."""
    async with _opened(settings) as (db, templates):
        rows = await templates.list(await _tenant_of(db, number), number)
    lines = []
    for row in rows:
        definition = from_json(row["definition"]) if row["definition"] else None
        inputs = ", ".join(definition.inputs) if definition else ""
        problem = row["reason"] or (definition.unsupported if definition else "not synchronised yet")
        facts = (row["name"], row["language"], row["status"], row["category"] or "-", f"[{inputs}]", problem)
        lines.append("  ".join(fact for fact in facts if fact))
    return lines or [f"No templates are known. Read them with: atende templates sync {number}"]


async def send_template(settings: Settings, number: UUID, sending: Sending) -> list[str]:
    """Queue a template; a running worker sends it. Raises NotFoundError and what Templates.send raises."""
    async with _opened(settings) as (db, templates):
        tenant_id = await _tenant_of(db, number)
        async with db.transaction(tenant_id) as tx:
            user = await tx.fetchrow("SELECT id, name FROM user_account WHERE email = lower($1)", sending.user)
        if user is None:
            raise NotFoundError("user", sending.user)
        conversation_id = await conversation_with(db, tenant_id, number, sending.to)
        actor = Actor(tenant_id, user["id"], user["name"])
        await templates.send(actor, conversation_id, sending.name, sending.language, sending.values)
    return [f"Queued {sending.name} for {sending.to}; it leaves while Atende runs."]


async def _tenant_of(db: Database, number: UUID) -> UUID:
    found = await db.gate("channel_session", number)
    if not found:
        raise NotFoundError("number", number)
    tenant_id: UUID = found[0]["tenant_id"]
    return tenant_id


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Database, Templates]]:
    async with prepared_database(settings) as (_, db), gateway_client() as http:
        wakeup = Wakeup(db)
        try:
            media = MediaFiles(db, media_store(settings))
            yield db, Templates(db, wakeup, CloudApiGateway(http, media))
        finally:
            await wakeup.close()
