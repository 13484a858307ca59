"""Message templates: kept in step with WhatsApp, listed, and sent by a person outside the 24-hour window."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from channels.base import SessionRef, TemplateChanged
from channels.whatsapp.cloud_api_templates import Definition, as_json, fill, from_json
from channels.whatsapp.ids import canonical_phone
from domain.contents import as_json as content_as_json
from domain.conversation import Event, Status
from domain.errors import AtendeError, ConflictError, InvalidInputError, NotFoundError
from domain.messages import Address, AddressKind
from store import contacts, conversations, events, outbox, templates, turns
from store.database import Connection, Database, Row
from store.templates import StoredTemplate
from store.wakeup import EVENTS, OUTBOX, Wakeup

if TYPE_CHECKING:
    from flows.desk import Actor

log = logging.getLogger(__name__)

PROVIDER = "cloud_api"
_SENDABLE = "APPROVED"


class TemplateSource(Protocol):
    """Where a number's templates are listed (channels.whatsapp.cloud_api.CloudApiGateway)."""

    async def templates(self, session: SessionRef) -> list[Definition]:
        """All of them. Raises GatewayRefusedError or GatewayUnavailableError."""
        ...


class TemplateNotSendableError(ConflictError):
    """The template exists, but WhatsApp does not let it be sent now."""

    def __init__(self, name: str, status: str, reason: str) -> None:
        why = f" ({reason})" if reason else ""
        super().__init__(
            f"The template {name} cannot be sent: it is {status.lower()}{why}.",
            hint="Choose an approved one, or synchronise the templates.",
        )
        self.name, self.status = name, status


@dataclass(frozen=True, slots=True)
class Synchronised:
    """What a synchronisation found. ``approved`` of ``total`` can be sent."""

    total: int
    approved: int


class Templates:
    """What people and the worker do with a number's templates."""

    def __init__(self, db: Database, wakeup: Wakeup, source: TemplateSource) -> None:
        self._db = db
        self._wakeup = wakeup
        self._source = source

    async def sync(self, tenant_id: UUID, session_id: UUID) -> Synchronised:
        """Read the number's templates anew. Raises NotFoundError, or what the source raises; then nothing changed."""
        async with self._db.transaction(tenant_id) as tx:
            session = await _session(tx, session_id)
        asked_at = datetime.now(UTC)  # what is reported while we read is newer than what we read
        found = await self._source.templates(session)
        async with self._db.transaction(tenant_id) as tx:
            await templates.replace_all(tx, tenant_id, session_id, [_stored(item) for item in found], at=asked_at)
            await events.append(
                tx,
                tenant_id,
                "templates.synchronised",
                payload={"channel_session_id": str(session_id), "total": len(found)},
            )
        self._wakeup.signal(EVENTS)
        return Synchronised(len(found), sum(item.status == _SENDABLE for item in found))

    async def sync_all(self, *, older_than: timedelta = timedelta(0)) -> int:
        """Synchronise every number whose templates were not read for so long; returns how many could be.

        One number's failure is its own: it is tried again with the next call.
        """
        done = 0
        for row in await self._db.gate("channel_sessions", PROVIDER):
            try:
                async with self._db.transaction(row["tenant_id"]) as tx:
                    if await templates.synced_within(tx, row["id"], older_than):
                        continue
                await self.sync(row["tenant_id"], row["id"])
                done += 1
            except AtendeError as error:
                log.warning("the templates of number %s could not be read: %s", row["id"], error)
            except Exception:
                log.exception("the templates of number %s could not be read", row["id"])
        return done

    async def list(self, tenant_id: UUID, session_id: UUID) -> list[Row]:
        """The number's templates as they are known here. Raises NotFoundError."""
        async with self._db.transaction(tenant_id) as tx:
            await _session(tx, session_id)
            return await templates.all_of(tx, session_id)

    async def send(
        self, actor: Actor, conversation_id: UUID, name: str, language: str, values: Sequence[str] = ()
    ) -> int:
        """Queue a template for the customer; returns the message's id. The operator takes the conversation over.

        Raises NotFoundError, TemplateNotSendableError or InvalidInputError (wrong variables); then nothing is queued.
        """
        async with self._db.transaction(actor.tenant_id) as tx:
            conversation = await conversations.lock(tx, conversation_id)
            await _session(tx, conversation["channel_session_id"])
            row = await templates.one(tx, conversation["channel_session_id"], name, language)
            if row is None:
                raise NotFoundError("template", f"{name} in {language}")
            if row["status"] != _SENDABLE or not row["definition"]:
                raise TemplateNotSendableError(name, row["status"], row["reason"])
            template, text = fill(from_json(row["definition"]), values)
            if conversation["status"] != Status.HUMAN or conversation["assignee_id"] is None:
                await conversations.apply(
                    tx, conversation_id, Event.TAKEN_OVER, actor=str(actor), user_id=actor.user_id
                )
            await turns.void_stale(tx, conversation_id)
            await conversations.withdraw_drafts(tx, conversation_id)
            message_id = await _queue(tx, actor, conversation, text or name, content_as_json(template))
        self._wakeup.signal(EVENTS, OUTBOX)
        return message_id


async def conversation_with(db: Database, tenant_id: UUID, session_id: UUID, phone: str) -> UUID:
    """The conversation with a phone number, made where there is none: a template may be the first message of it.

    Raises InvalidInputError for what is no phone number with country code, NotFoundError for an unknown number.
    """
    address = Address(AddressKind.PHONE, canonical_phone(phone).removeprefix("+"))
    async with db.transaction(tenant_id) as tx:
        await _session(tx, session_id)
        contact_id = await contacts.resolve(tx, tenant_id, (address,))
        await tx.execute(
            "INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address, team_id) "
            "VALUES ($1, $2, $3, $4, (SELECT team_id FROM channel_session WHERE id = $2)) "
            "ON CONFLICT DO NOTHING",
            tenant_id,
            session_id,
            contact_id,
            str(address),
        )
        found: UUID = await tx.fetchval(
            "SELECT id FROM conversation WHERE channel_session_id = $1 AND contact_id = $2", session_id, contact_id
        )
        return found


async def record_change(tx: Connection, tenant_id: UUID, session_id: UUID, change: TemplateChanged) -> None:
    """What WhatsApp reports about a template by webhook."""
    item = StoredTemplate(
        change.name,
        change.language,
        (change.status or "").upper(),
        change.category or "",
        change.quality or "",
        change.reason,
        {},
    )
    # Meta tells whole seconds: a list that was asked for within the same one may not have known of this yet.
    if await templates.report(tx, tenant_id, session_id, item, at=change.at + timedelta(seconds=1)):
        payload = {"channel_session_id": str(session_id), "name": change.name, "status": item.status}
        await events.append(tx, tenant_id, "template.changed", payload=payload)


async def _session(tx: Connection, session_id: UUID) -> SessionRef:
    row = await tx.fetchrow("SELECT provider, account, config FROM channel_session WHERE id = $1", session_id)
    if row is None:
        raise NotFoundError("number", session_id)
    if row["provider"] != PROVIDER:
        raise InvalidInputError("number", f"a number of {row['provider']} has no templates")
    return SessionRef(str(session_id), row["provider"], row["account"], row["config"])


def _stored(item: Definition) -> StoredTemplate:
    return StoredTemplate(
        item.name, item.language, item.status, item.category, item.quality, item.reason, as_json(item)
    )


async def _queue(tx: Connection, actor: Actor, conversation: Row, text: str, content: dict[str, object]) -> int:
    message_id: int = await tx.fetchval(
        """INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text, content,
                                user_id, sent_at)
           VALUES ($1, $2, $3, $4, 'operator', $5, $6, $7, now()) RETURNING id""",
        actor.tenant_id,
        conversation["id"],
        conversation["channel_session_id"],
        conversation["contact_id"],
        text,
        {"sent": content},
        actor.user_id,
    )
    await outbox.add(
        tx, conversation=conversation, message_id=message_id, origin="operator", fence=None, content=content
    )
    await tx.execute(
        "UPDATE conversation SET fence = fence + 1, answered_upto_id = last_inbound_id, unread = 0, "
        "last_message_at = now(), last_preview = left($2, 120) WHERE id = $1",
        conversation["id"],
        text,
    )
    await events.append(
        tx,
        actor.tenant_id,
        "message.queued",
        conversation_id=conversation["id"],
        payload={"message_id": message_id},
        actor=str(actor),
    )
    return message_id
