"""From a channel event to a durable message and a waiting turn: one transaction, duplicates change nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import orjson

from agent.pacing import Pace
from channels.base import (
    ChannelEvent,
    ContactTyping,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReceiptChanged,
    SendFailed,
    SessionChanged,
    TemplateChanged,
    Unrecognised,
)
from domain.conversation import Event
from domain.errors import NotFoundError
from domain.messages import Address, Author, MessageKind
from domain.text import storable, storable_json
from flows import autonomy, consent, media, observed, receipts, sessions, templates
from flows.arriving import addresses, clean, push_name, with_keys
from flows.batching import Batches
from flows.held import hold_own_message
from store import contacts, conversations, events, messages, quarantine, turns
from store.database import Connection, Database, Row
from store.jobs import TURNS, enqueue_turn
from store.messages import Arrival, NewMessage
from store.wakeup import EVENTS, OUTBOX, Wakeup

_SESSION_CACHE_SECONDS = 5.0

_WITHOUT_FILES = frozenset({sessions.HOSTED, sessions.SIMULATED})
"""Providers whose files cannot be fetched later."""

Outcome = Literal["stored", "duplicate", "changed", "held", "kept"]
"""stored: a new message. duplicate: known already, nothing changed. changed: something known moved on. held: cannot be
applied yet. kept: not understood, kept for an admin."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What the way in must know of a channel session before its tenant's transaction."""

    id: UUID
    tenant_id: UUID
    provider: str
    name: str
    account: str | None
    config: Mapping[str, Any]
    pace: Pace
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The tenant's; see flows.attendance_declaration."""


def read_session(session_id: UUID, row: Row) -> SessionInfo:
    """A channel session as the gate answers with it."""
    return SessionInfo(
        id=session_id,
        tenant_id=row["tenant_id"],
        provider=row["provider"],
        name=row["name"],
        account=row["account"],
        config=row["config"],
        pace=Pace.of(row["settings"].get("debounce", {})),
        settings=row["settings"],
    )


class Inbound:
    """Turns channel events into stored facts. ``receive`` returns only after the commit."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup
        self._batches = Batches(db)
        self._sessions: dict[UUID, tuple[float, SessionInfo]] = {}

    async def session(self, session_id: UUID) -> SessionInfo:
        """The channel session with this id, of whatever tenant (cached for a few seconds). Raises NotFoundError."""
        cached = self._sessions.get(session_id)
        if cached and cached[0] > time.monotonic():
            return cached[1]
        rows = await self._db.gate("channel_session", session_id)
        if not rows:
            raise NotFoundError("channel session", session_id)
        info = read_session(session_id, rows[0])
        self._sessions[session_id] = (time.monotonic() + _SESSION_CACHE_SECONDS, info)
        return info

    def forget(self, session_id: UUID) -> None:
        """Ask for this channel session anew next time."""
        self._sessions.pop(session_id, None)

    async def receive(self, session: SessionInfo, event: ChannelEvent) -> Outcome:
        """Make one event durable. Raises only if nothing was stored; then the sender must try again."""
        event = with_keys(event)
        applied = await self._store_with_others(session, event)
        if applied is None:
            applied = await self._db.retried(session.tenant_id, lambda tx: self._apply(tx, session, event))
        outcome, wake_turns = applied
        if outcome != "duplicate":
            self._wakeup.signal(EVENTS)
        if wake_turns and _waits(session, event) is None:
            self._wakeup.turn_waits(TURNS)
        return outcome

    async def _store_with_others(self, session: SessionInfo, event: ChannelEvent) -> tuple[Outcome, bool] | None:
        """The way of most messages. None: nothing was stored, this one needs a transaction of its own."""
        if not isinstance(event, MessageReceived) or event.from_me or event.media is not None:
            return None
        if consent.read(event, Author.CONTACT, session.settings):
            return None
        started_ns = time.time_ns()
        message = clean(event, Author.CONTACT)
        stored = await self._batches.store(session.tenant_id, _arrival(session, event, message))
        if stored is None:
            return None
        observed.received(session, stored, message, started_ns=started_ns)
        return "stored", stored["enqueued"]

    async def _apply(self, tx: Connection, session: SessionInfo, event: ChannelEvent) -> tuple[Outcome, bool]:
        match event:
            case MessageReceived(from_me=True):
                return await self._own_message(tx, session, event), False
            case MessageReceived():
                return await self._message(tx, session, event, Author.CONTACT)
            case ReceiptChanged():
                await receipts.apply_receipt(tx, session.tenant_id, session.id, event)
                return "changed", False
            case SendFailed():
                await receipts.apply_failure(tx, session.tenant_id, session.id, event)
                return "changed", False
            case MessageEdited():
                return await self._change(tx, session, event, "edit", {"text": storable(event.text)[0]})
            case MessageRevoked():
                return await self._change(tx, session, event, "revoke", {})
            case SessionChanged():
                await sessions.record_status(tx, session.tenant_id, session.id, event)
                return "changed", False
            case TemplateChanged():
                await templates.record_change(tx, session.tenant_id, session.id, event)
                return "changed", False
            case ContactTyping():
                return await self._typing(tx, session, event), False
            case Unrecognised():
                body = orjson.dumps(storable_json(event.raw))
                await quarantine.keep(
                    tx, session.tenant_id, session.id, provider=session.provider, name=event.name, body=body
                )
                return "kept", False

    async def _message(
        self, tx: Connection, session: SessionInfo, event: MessageReceived, author: Author
    ) -> tuple[Outcome, bool]:
        message = clean(event, author)
        started_ns = time.time_ns()
        said = await consent.recognised(tx, event, author, session.settings)
        if said:
            message = replace(message, content={**message.content, "command": said.command}, starts_turn=False)
        stored = await _store(tx, session, _arrival(session, event, message))
        if stored is None:
            # The failed attempt may hold the conversation, so a copy must not wait for its contact's lock (resolve).
            known = await messages.known_in_chat(tx, session.id, event.chat, event.provider_id)
            if known and await _addresses_known(tx, event):
                return await _repeated(tx, session, message, known)
            contact_id = await contacts.resolve(tx, session.tenant_id, addresses(event), push_name=push_name(event))
            if known := await messages.known(tx, session.id, contact_id, event.provider_id):
                return await _repeated(tx, session, message, known)
            await _open_conversation(tx, session, contact_id, event.chat, historical=message.historical)
            stored = await _store(tx, session, _arrival(session, None, message))
            if stored is None and (known := await messages.known(tx, session.id, contact_id, event.provider_id)):
                return await _repeated(tx, session, message, known)  # its copy was stored while we waited for the lock
            if stored is None:
                raise RuntimeError(f"message {event.provider_id} found no conversation")
        if event.media is not None and (session.provider not in _WITHOUT_FILES or media.is_here(event.media)):
            await media.note(tx, session.tenant_id, session.id, stored["id"], event.media)
        if author is Author.CONTACT:
            observed.received(session, stored, message, started_ns=started_ns)
        if said:
            await consent.carry_out(tx, said, stored, message)
            self._wakeup.signal(OUTBOX)
        return "stored", stored["enqueued"]

    async def _own_message(self, tx: Connection, session: SessionInfo, event: MessageReceived) -> Outcome:
        """A message from our own number: an echo of what we sent, or a person on the paired phone."""
        # Asked in this order, so that a send that is recorded in between is known by one of the two.
        undecided = not event.historical and await receipts.undecided_sends(tx, session.id, addresses(event))
        if await receipts.is_ours(tx, session.id, event.provider_id):
            return "duplicate"
        if undecided:
            # One of ours is on its way without an id yet: which of the two this is will show (flows/receipts.py).
            await hold_own_message(tx, session.tenant_id, session.id, event)
            return "held"
        return await self.take_over_from_phone(tx, session, event)

    async def take_over_from_phone(self, tx: Connection, session: SessionInfo, event: MessageReceived) -> Outcome:
        """Store what a person typed on the paired phone; the conversation is theirs from now on."""
        outcome, _ = await self._message(tx, session, event, Author.PHONE)
        if outcome == "stored" and not event.historical:
            conversation_id = await tx.fetchval(
                "SELECT conversation_id FROM message WHERE channel_session_id = $1 AND provider_id = $2 "
                "ORDER BY id DESC LIMIT 1",
                session.id,
                event.provider_id,
            )
            await autonomy.replaced(tx, await conversations.lock(tx, conversation_id), event.text)
            await conversations.apply(tx, conversation_id, Event.TAKEN_OVER, actor="phone")
            await turns.void_stale(tx, conversation_id)
            await conversations.withdraw_drafts(tx, conversation_id)
            await conversations.mark_answered(tx, conversation_id)
        return outcome

    async def _typing(self, tx: Connection, session: SessionInfo, event: ContactTyping) -> Outcome:
        """A turn that waits already waits on while the customer is typing. Nothing is stored, and nothing begins."""
        if session.pace.usual is not None:
            await messages.delay_turn(
                tx, session.tenant_id, session.id, event.chat, wait=session.pace.typing, cap=session.pace.cap
            )
        return "duplicate"

    async def _change(
        self,
        tx: Connection,
        session: SessionInfo,
        event: MessageEdited | MessageRevoked,
        kind: str,
        content: dict[str, Any],
    ) -> tuple[Outcome, bool]:
        """Keep an edit or a revoke (its message may still be on the way) and let a running turn see it."""
        contact_id = await contacts.resolve(tx, session.tenant_id, addresses(event))
        if not await messages.add_change(
            tx, session.tenant_id, session.id, contact_id, event.provider_id, kind=kind, content=content, at=event.at
        ):
            return "duplicate", False
        row = await messages.known(tx, session.id, contact_id, event.provider_id)
        conversation_id = row["conversation_id"] if row else None
        wake = False
        if row:
            waits = await tx.fetchval(
                "UPDATE conversation SET fence = fence + 1 WHERE id = $1 AND status = 'bot' AND answered_upto_id < $2 "
                "RETURNING id",
                conversation_id,
                row["id"],
            )
            if waits:
                await enqueue_turn(tx, session.tenant_id, waits, wait=session.pace.usual, cap=session.pace.cap)
                wake = True
        await events.append(
            tx,
            session.tenant_id,
            "message.edited" if kind == "edit" else "message.revoked",
            conversation_id=conversation_id,
            payload={"provider_id": event.provider_id},
        )
        return "changed", wake


def _waits(session: SessionInfo, event: ChannelEvent) -> timedelta | None:
    """How long the turn that the event started waits."""
    if isinstance(event, MessageReceived):
        return session.pace.wait(event.text, event.kind)
    return session.pace.usual


def _arrival(session: SessionInfo, event: MessageReceived | None, message: NewMessage) -> Arrival:
    """The message, ready to store. ``event`` None: its contact was resolved just now."""
    wait = session.pace.wait(message.text, MessageKind(message.kind))
    if event is None:
        return Arrival(session.id, message, wait, session.pace.cap)
    return Arrival(session.id, message, wait, session.pace.cap, addresses(event)[1:], push_name(event))


async def _store(tx: Connection, session: SessionInfo, arrival: Arrival) -> Row | None:
    (row,) = await messages.store_in_open_conversations(tx, session.tenant_id, [arrival])
    return row


async def _addresses_known(tx: Connection, event: MessageReceived) -> bool:
    """Whether all addresses already name one contact with this push name, so that nothing must be resolved."""
    wanted = {(address.kind.value, address.value) for address in addresses(event)}
    row = await tx.fetchrow(
        f"""SELECT count(*) AS known, count(DISTINCT c.id) AS people, min(c.push_name) AS push_name
              FROM {contacts.named_by("$1", "$2")} a
              CROSS JOIN LATERAL (SELECT id, push_name FROM contact t WHERE t.id = a.contact_id LIMIT 1) c""",
        [kind for kind, _ in wanted],
        [value for _, value in wanted],
    )
    name = push_name(event)
    return bool(row["known"] == len(wanted) and row["people"] == 1 and name in (None, row["push_name"]))


async def _open_conversation(
    tx: Connection, session: SessionInfo, contact_id: UUID, address: Address, *, historical: bool
) -> None:
    """Make the contact's conversation on this number, or reopen it."""
    await tx.execute(
        "INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING",
        session.tenant_id,
        session.id,
        contact_id,
        str(address),
    )
    row = await tx.fetchrow(
        "SELECT id, status FROM conversation WHERE channel_session_id = $1 AND contact_id = $2 FOR UPDATE",
        session.id,
        contact_id,
    )
    if row["status"] == "closed" and not historical:
        await conversations.apply(tx, row["id"], Event.REOPENED, actor="contact")


async def _repeated(
    tx: Connection, session: SessionInfo, message: NewMessage, known: Mapping[str, Any]
) -> tuple[Outcome, bool]:
    """The id is known. The same content changes nothing; other content is kept beside the first, which stays."""
    same = known["kind"] == message.kind and known["text"] == message.text
    if same or not (message.text or message.content):
        return "duplicate", False
    content = {"kind": message.kind, "text": message.text}
    if not await messages.add_change(
        tx,
        session.tenant_id,
        session.id,
        known["contact_id"],
        message.provider_id,
        kind="other_content",
        content=content,
        at=None,
    ):
        return "duplicate", False
    await events.append(
        tx,
        session.tenant_id,
        "message.other_content",
        conversation_id=known["conversation_id"],
        payload={"message_id": known["id"]},
    )
    return "changed", False
