"""From a channel event to a durable message and a waiting turn: one transaction, duplicates change nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

import orjson

from channels.base import (
    ChannelEvent,
    ContactTyping,
    HistoryReceived,
    MessageEdited,
    MessageLost,
    MessageReceived,
    MessageRevoked,
    ProfileChanged,
    ReceiptChanged,
    SendFailed,
    SessionChanged,
    TemplateChanged,
    Unrecognised,
)
from domain.conversation import Event
from domain.errors import NotFoundError
from domain.messages import Author, MessageKind
from domain.text import storable, storable_json
from flows import (
    completing,
    consent,
    groups,
    leads,
    losses,
    media,
    observed,
    phone,
    poll_votes,
    receipts,
    satisfaction,
    sessions,
    templates,
)
from flows.arriving import SILENT_KINDS, addresses, clean, push_name, with_keys
from flows.held import hold_own_message
from flows.session_info import SessionInfo, read_session
from store import contacts, conversations, events, messages, profiles, quarantine
from store import leads as lead_store
from store.database import Connection, Database, Row
from store.jobs import TURNS, enqueue_turn
from store.messages import Arrival, NewMessage
from store.together import Together
from store.wakeup import EVENTS, OUTBOX, Wakeup

log = logging.getLogger(__name__)

_SESSION_CACHE_SECONDS = 5.0

_WITHOUT_FILES = frozenset({sessions.SIMULATED})
"""Providers whose files cannot be fetched later."""
_HISTORY_AT_ONCE = 50
"""Messages of a number's past that are stored in one transaction."""
_CONTENT_MAY_COME = timedelta(seconds=20)
"""How long a message without content waits for it before the agent looks: the sender's phone is asked to repeat it."""

Outcome = Literal["stored", "duplicate", "changed", "held", "kept"]
"""stored: a new message. duplicate: known already, nothing changed. changed: something known moved on. held: cannot be
applied yet. kept: not understood, kept for an admin."""


_Arrived = tuple[UUID, Arrival]
"""A message on its way into an open conversation of this tenant."""


class Inbound:
    """Turns channel events into stored facts. ``receive`` returns only after the commit."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup
        self._open: Together[_Arrived, Row | None] = Together(
            db, _store_together, order=lambda one: str(one[1].message.chat)
        )
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
        if isinstance(event, HistoryReceived):
            return await self._history(session, event)
        applied = await self._store_with_others(session, event)
        if applied is None:
            applied = await self._db.retried(session.tenant_id, lambda tx: self._alone(tx, session, event))
        outcome, wake_turns = applied
        if outcome != "duplicate":
            self._wakeup.signal(EVENTS)
        if wake_turns and _waits(session, event) is None:
            self._wakeup.turn_waits(TURNS)
        return outcome

    async def _store_with_others(self, session: SessionInfo, event: ChannelEvent) -> tuple[Outcome, bool] | None:
        """The way of most messages. None: nothing was stored, this one needs a transaction of its own."""
        if not isinstance(event, MessageReceived) or event.from_me or event.media is not None or event.recovered:
            return None
        if event.kind is MessageKind.POLL_VOTE:
            return None
        if consent.read(event, Author.CONTACT, session.settings):
            return None
        if groups.depends_on_quote(event, session.config):
            return None
        started_ns = time.time_ns()
        message = clean(event, Author.CONTACT, addressed=groups.is_addressed(event, session.config, quotes_us=False))
        try:
            stored = await self._open.do(session.tenant_id, (session.tenant_id, _arrival(session, event, message)))
        except Exception as error:
            log.debug("a message is stored in a transaction of its own: %r", error)
            return None
        if stored is None:
            return None
        observed.received(session, stored, message, started_ns=started_ns)
        return "stored", stored["enqueued"]

    async def _alone(self, tx: Connection, session: SessionInfo, event: ChannelEvent) -> tuple[Outcome, bool]:
        """One event in a transaction of its own. The past may show that somebody was no lead."""
        applied = await self._apply(tx, session, event)
        told = event.messages if isinstance(event, HistoryReceived) else (event,)
        past = [one.chat for one in told if isinstance(one, MessageReceived) and one.historical]
        if past:
            await lead_store.withdraw(tx, session.tenant_id, past)
        return applied

    async def _apply(  # noqa: PLR0912  # one switch names every event
        self, tx: Connection, session: SessionInfo, event: ChannelEvent
    ) -> tuple[Outcome, bool]:
        match event:
            case MessageReceived(from_me=True):
                return await self._own_message(tx, session, event), False
            case MessageReceived():
                return await self._message(tx, session, await poll_votes.named(tx, session.id, event), Author.CONTACT)
            case MessageLost():
                return await losses.report(tx, session.tenant_id, session.id, event), False
            case HistoryReceived(told):
                outcomes = [await self._apply(tx, session, message) for message in told]
                return ("stored" if ("stored", False) in outcomes else "duplicate"), False
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
            case ProfileChanged():
                await profiles.make_due(tx, event.chat)
                return "duplicate", False
            case ContactTyping():
                return await self._typing(tx, session, event), False
            case Unrecognised():
                body = orjson.dumps(storable_json(event.raw))
                await quarantine.keep(
                    tx, session.tenant_id, session.id, provider=session.provider, name=event.name, body=body
                )
                return "kept", False

    async def _history(self, session: SessionInfo, event: HistoryReceived) -> Outcome:
        """A piece of the past may hold thousands of messages, and what is new must not wait for all of them."""
        outcomes = set[Outcome]()
        for start in range(0, len(event.messages), _HISTORY_AT_ONCE):
            part = HistoryReceived(event.messages[start : start + _HISTORY_AT_ONCE])
            outcome, _ = await self._db.retried(session.tenant_id, partial(self._alone, session=session, event=part))
            outcomes.add(outcome)
        if "stored" in outcomes:
            self._wakeup.signal(EVENTS)
        return "stored" if "stored" in outcomes else "duplicate"

    async def _message(
        self, tx: Connection, session: SessionInfo, event: MessageReceived, author: Author
    ) -> tuple[Outcome, bool]:
        quotes_us = groups.depends_on_quote(event, session.config) and await receipts.is_ours(
            tx, session.id, event.quoted_provider_id or ""
        )
        addressed = groups.is_addressed(event, session.config, quotes_us=quotes_us)
        message = clean(event, author, addressed=addressed)
        started_ns = time.time_ns()
        said = await consent.recognised(tx, event, author, session.settings)
        if said:
            message = replace(message, content={**message.content, "command": said.command}, starts_turn=False)
        awaited = None if said else await satisfaction.recognised(tx, event, author, session.id, session.settings)
        if awaited and (answered := await satisfaction.take(tx, awaited, message)):
            self._wakeup.signal(OUTBOX)
            return "stored", answered["enqueued"]
        stored = await _store(tx, session, _arrival(session, event, message))
        if stored is None:
            # The failed attempt may hold the conversation, so a copy must not wait for its contact's lock (resolve).
            known = await messages.known_in_chat(tx, session.id, event.chat, event.provider_id)
            if known and await _addresses_known(tx, event):
                return await self._repeated(tx, session, event, message, known)
            contact_id = await contacts.resolve(tx, session.tenant_id, addresses(event), push_name=push_name(event))
            if known := await messages.known(tx, session.id, contact_id, event.provider_id):
                return await self._repeated(tx, session, event, message, known)
            await _open_conversation(tx, session, contact_id, message, push_name(event))
            stored = await _store(tx, session, _arrival(session, None, message))
            if stored is None and (known := await messages.known(tx, session.id, contact_id, event.provider_id)):
                # its copy was stored while we waited for the lock
                return await self._repeated(tx, session, event, message, known)
            if stored is None:
                raise RuntimeError(f"message {event.provider_id} found no conversation")
        if event.recovered:
            await messages.mark_if_late(tx, stored["id"])
        if event.media is not None and (session.provider not in _WITHOUT_FILES or media.is_here(event.media)):
            await media.note(tx, session.tenant_id, session.id, stored["id"], event.media, of_the_past=_is_old(event))
        if author is Author.CONTACT:
            observed.received(session, stored, message, started_ns=started_ns)
        if said:
            await consent.carry_out(tx, said, stored, message)
            self._wakeup.signal(OUTBOX)
        return "stored", stored["enqueued"]

    async def _repeated(
        self,
        tx: Connection,
        session: SessionInfo,
        event: MessageReceived,
        message: NewMessage,
        known: Mapping[str, Any],
    ) -> tuple[Outcome, bool]:
        """The id is known: it is a copy, or the content that the message was stored without."""
        if not event.awaiting and (done := await completing.complete(tx, known["id"], message)):
            if event.media is not None and session.provider not in _WITHOUT_FILES:
                await media.note(tx, session.tenant_id, session.id, known["id"], event.media)
            wait = session.pace.wait(message.text, event.kind)
            return "changed", await completing.begin_turn(tx, done, message, wait=wait, cap=session.pace.cap)
        news = await completing.keep_other_content(tx, session.tenant_id, session.id, message, known)
        return ("changed" if news else "duplicate"), False

    async def _own_message(self, tx: Connection, session: SessionInfo, event: MessageReceived) -> Outcome:
        """A message from our own number: an echo of what we sent, or a person on the paired phone."""
        # Asked in this order, so that a send that is recorded in between is known by one of the two.
        undecided = not event.historical and await receipts.undecided_sends(
            tx, session.id, addresses(event), storable(event.text)[0]
        )
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
        if outcome == "stored" and not event.historical and event.kind not in SILENT_KINDS:
            await phone.take_over(tx, session.id, session.settings, event)
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
        return _wait(session, event.text, event.kind, event.awaiting)
    return session.pace.usual


def _is_old(event: MessageReceived) -> bool:
    """Whether providers have thrown the message's file away by now."""
    return event.historical and datetime.now(UTC) - event.sent_at > media.FETCHABLE_FOR


def _wait(session: SessionInfo, text: str, kind: MessageKind, awaiting: str) -> timedelta | None:
    return _CONTENT_MAY_COME if awaiting == "decryption" else session.pace.wait(text, kind)


def _arrival(session: SessionInfo, event: MessageReceived | None, message: NewMessage) -> Arrival:
    """The message, ready to store. ``event`` None: its contact was resolved just now."""
    wait = _wait(session, message.text, MessageKind(message.kind), message.content.get("awaiting", ""))
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
    tx: Connection, session: SessionInfo, contact_id: UUID, message: NewMessage, name: str | None
) -> None:
    """Make the contact's conversation on this number, or reopen it. Who never wrote before is a lead."""
    lead = leads.lead_from(session, message, name)
    await lead_store.open_conversation(
        tx, session.tenant_id, session.id, contact_id, message.chat, lead=lead, tells=leads.TELLS
    )
    row = await tx.fetchrow(
        "SELECT id, status FROM conversation WHERE channel_session_id = $1 AND contact_id = $2 FOR UPDATE",
        session.id,
        contact_id,
    )
    if row["status"] == "closed" and not message.historical:
        await conversations.apply(tx, row["id"], Event.REOPENED, actor="contact")


async def _store_together(tx: Connection, batch: Sequence[_Arrived]) -> Sequence[Row | None]:
    return await messages.store_in_open_conversations(tx, batch[0][0], [arrival for _, arrival in batch])
