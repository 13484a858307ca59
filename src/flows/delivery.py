"""From a queued message to the customer: claimed under the fence, sent once, and its fate recorded."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from channels.base import (
    NumberRefusedError,
    PairRate,
    Sender,
    SendRejectedError,
    SendRetryableError,
    SessionChanged,
    SessionRef,
)
from domain.contents import Content, Media, from_json
from domain.messages import Address, Outbound, Sent
from domain.text import storable_key
from flows import observed, pace, receipts, sessions, stopping
from flows.pace import Limits
from store import conversations, outbox, turns
from store.database import Connection, Database, Row
from store.jobs import TURNS, enqueue_turn
from store.together import Together
from store.wakeup import EVENTS, OUTBOX, Wakeup

log = logging.getLogger(__name__)

_LONGEST_QUOTE = 1000
"""Characters of a quoted message that are repeated; WhatsApp's clients show a few lines."""
_LEASE_MARGIN = timedelta(seconds=15)
_MAX_ATTEMPTS = 8
_BATCH = 50
_PATIENCE = timedelta(seconds=1)
"""How long a worker leaves another one's decision to that one, who sends it at once."""
_SESSION_CACHE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Route:
    """How a number's messages leave: its sender and what the sender must know of the number."""

    sender: Sender
    session: SessionRef
    limits: Limits = field(default_factory=Limits)
    typing_seconds_per_character: float = 0.0


@dataclass(frozen=True, slots=True)
class _Taken:
    """A row whose message the provider took, under this id."""

    row: Row
    provider_id: str
    at: datetime


class Delivery:
    """Sends what is queued for the numbers this process can send for, in order per conversation.

    ``senders`` are the stateless providers by name (any worker may send); ``local`` maps numbers that only this process
    can send for, because it holds their connection (session hosts).
    """

    def __init__(
        self,
        db: Database,
        wakeup: Wakeup,
        senders: Mapping[str, Sender],
        *,
        local: Callable[[], Mapping[UUID, Sender]] = dict,
        patience: timedelta = _PATIENCE,
    ) -> None:
        self._db = db
        self._wakeup = wakeup
        self._senders = senders
        self._local = local
        self._patience = patience
        # What an idempotent provider took may be forgotten, and is then sent again, without harm.
        self._recording = {
            durable: Together(
                db, _record_together, order=lambda taken: str(taken.row["conversation_id"]), durable=durable
            )
            for durable in (True, False)
        }
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._again: dict[UUID, tuple[UUID, UUID, UUID]] = {}
        self._sessions: dict[UUID, tuple[float, SessionRef, Limits]] = {}
        self.more = asyncio.Event()
        """Set when something may be due; the owner's loop waits for it (see store.wakeup.every)."""

    async def run_due(self) -> int:
        """Start sending all that is due; returns how many conversations had something. One task per conversation."""
        due = await self._db.gate("due_outbox", list(self._senders), list(self._local()), self._patience, _BATCH)
        for row in due:
            self.start(row["tenant_id"], row["conversation_id"], row["channel_session_id"], row["outbox_id"])
        return len(due)

    def start(self, tenant_id: UUID, conversation_id: UUID, session_id: UUID, outbox_id: UUID) -> None:
        """Send this row and what follows it in its conversation, in a task of its own (one per conversation)."""
        if conversation_id in self._running:
            self._again[conversation_id] = (tenant_id, session_id, outbox_id)
        else:
            self._begin(conversation_id, self._drain(tenant_id, conversation_id, session_id, outbox_id))

    def _begin(self, conversation_id: UUID, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="deliver")
        self._running[conversation_id] = task
        task.add_done_callback(lambda _: self._ended(conversation_id))

    def _ended(self, conversation_id: UUID) -> None:
        del self._running[conversation_id]
        if again := self._again.pop(conversation_id, None):
            tenant_id, session_id, outbox_id = again
            self.start(tenant_id, conversation_id, session_id, outbox_id)

    async def claim_at_once(self, tx: Connection, route: Route, conversation_id: UUID, outbox_id: UUID) -> Row | None:
        """Claim a row in the transaction that queues it, if this process may send it now. Once that has committed,
        ``send_claimed`` is owed. None: the row waits like any other, for ``start``.
        """
        if conversation_id in self._running or getattr(route.sender, "pair_rate", None) is not None:
            return None
        if route.limits.pace.is_limited:
            return None  # its bucket would stay locked for as long as this transaction has other things to do
        row = (await pace.claim(tx, outbox_id, route.limits, lease=_lease(route))).row
        if row is not None and row["barred"] is not None:
            await stopping.offer_instead(tx, row)
            return None
        return row

    def send_claimed(self, route: Route, row: Row) -> None:
        """Send a row that was claimed at once, and what follows it in its conversation."""
        conversation_id = row["conversation_id"]
        running = self._running.get(conversation_id)
        if running is None:
            self._begin(conversation_id, self._drain_claimed(route, row))
        else:  # begun since the claim; it finds nothing to claim before this row is settled, and so ends soon
            running.add_done_callback(lambda _: self.send_claimed(route, row))

    async def wait_idle(self) -> None:
        """Wait until nothing is being sent by this process."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    async def _drain_claimed(self, route: Route, row: Row) -> None:
        try:
            next_id = await self._send(route, row)
        except Exception:
            log.exception("delivery of %s failed", row["id"])  # settled by the sweep
        else:
            if next_id is not None:
                await self._drain(row["tenant_id"], row["conversation_id"], row["channel_session_id"], next_id)

    async def _drain(
        self, tenant_id: UUID, conversation_id: UUID, session_id: UUID, outbox_id: UUID, *, repeat: bool = False
    ) -> None:
        """Send the row, then what is due after it. ``repeat``: the row's last attempt died."""
        try:
            next_id: UUID | None = outbox_id
            while next_id is not None:
                route = await self.route(tenant_id, session_id)
                if route is None:
                    self._wakeup.signal(OUTBOX)  # another process holds this number's connection
                    return
                row = await self._claim(route, tenant_id, conversation_id, next_id, repeat=repeat)
                next_id = await self._send(route, row) if row is not None else None
                repeat = False
        except Exception:
            # The row keeps its state: a claimed one is settled by the sweep, a queued one is due again.
            log.exception("delivery of %s failed", outbox_id)

    async def _claim(
        self, route: Route, tenant_id: UUID, conversation_id: UUID, outbox_id: UUID, *, repeat: bool
    ) -> Row | None:
        lease = _lease(route)
        # A lost claim would be sent again, which only an idempotent provider forgives.
        async with self._db.transaction(tenant_id, durable=not route.sender.idempotent) as tx:
            if repeat:
                return await outbox.claim_again(tx, outbox_id, lease=lease)
            rate: PairRate | None = getattr(route.sender, "pair_rate", None)
            if rate is not None:
                window = timedelta(seconds=rate.burst * rate.seconds)
                if await outbox.hold_back(tx, outbox_id, conversation_id, burst=rate.burst, window=window):
                    return None
            claimed = await pace.claim(tx, outbox_id, route.limits, lease=lease)
            row = claimed.row
            barred = row is not None and row["barred"] is not None
            waits = row is not None and barred and await stopping.offer_instead(tx, row)
        if claimed.is_stale:
            await self._void_stale(tenant_id, conversation_id)
        if waits:
            self._wakeup.turn_waits(TURNS)
        if barred:
            self._wakeup.signal(EVENTS, OUTBOX)
            return None
        return row

    async def _void_stale(self, tenant_id: UUID, conversation_id: UUID) -> None:
        async with self._db.transaction(tenant_id) as tx:
            await conversations.lock(tx, conversation_id)
            waits = await turns.void_stale(tx, conversation_id)
            if waits:
                await enqueue_turn(tx, tenant_id, conversation_id)
        if waits:
            self._wakeup.turn_waits(TURNS)

    async def _send(self, route: Route, row: Row) -> UUID | None:
        """The provider call, outside any transaction, and its record."""
        tenant_id, outbox_id = row["tenant_id"], row["id"]
        text = row["text"]
        message = Outbound(
            key=str(outbox_id),
            to=Address.parse(row["address"]),
            text=text,
            quoted_provider_id=row["quoted_provider_id"],
            content=content_of(row),
            quoted_from_me=row["quoted_from_me"],
            **_quoted(row["quoted"]),
            answered_provider_id=row["answered_provider_id"],
            typing_seconds=min(len(text) * route.typing_seconds_per_character, 8.0) if row["origin"] == "bot" else 0.0,
        )
        next_id: UUID | None = None
        try:
            async with asyncio.timeout(route.sender.send_timeout_seconds):
                sending = route.sender.send(route.session, message)
                sent = await observed.send(self._db, row, route.session.provider, message, sending)
        except SendRejectedError as error:
            async with self._db.transaction(tenant_id) as tx:
                await outbox.mark_failed(tx, outbox_id, error.sentence(), attempt=row["attempts"])
                if isinstance(error, NumberRefusedError):
                    change = SessionChanged(error.status, datetime.now(UTC), error.sentence()[:500])
                    await sessions.record_status(tx, tenant_id, row["channel_session_id"], change)
        except SendRetryableError as error:
            await self._later(tenant_id, row, error)
        except Exception as error:
            # SendUncertainError, a time-out, or a provider's bug: it may have left.
            # Not its words: a provider may quote what was to be sent.
            log.warning("outcome of %s unknown: %s", outbox_id, type(error).__name__)
            reason = str(error) or type(error).__name__
            async with self._db.transaction(tenant_id) as tx:
                if route.sender.idempotent and row["attempts"] < _MAX_ATTEMPTS:
                    await outbox.repeat_later(tx, outbox_id, wait=_backoff(row), error=reason)
                else:
                    await outbox.mark_unknown(tx, outbox_id, reason, attempt=row["attempts"])
        else:
            next_id = await self._record(route, row, sent)
        self._wakeup.signal(EVENTS)
        return next_id

    async def _record(self, route: Route, row: Row, sent: Sent) -> UUID | None:
        recording = self._recording[not route.sender.idempotent]
        provider_id = storable_key(sent.provider_id)
        recorded = await recording.do(row["tenant_id"], _Taken(row, provider_id, sent.at))
        if recorded is not None and recorded["has_held"]:
            # Not in the same transaction: changing a row twice locks its conversation, and here that would come last.
            # Should this process die before, housekeeping does it.
            async with self._db.transaction(row["tenant_id"]) as tx:
                await receipts.apply_held_receipts(tx, row["tenant_id"], row["channel_session_id"], provider_id)
        next_id: UUID | None = recorded["next_id"] if recorded is not None else None
        return next_id

    async def _later(self, tenant_id: UUID, row: Row, error: SendRetryableError) -> None:
        async with self._db.transaction(tenant_id) as tx:
            if row["attempts"] >= _MAX_ATTEMPTS:
                given_up = f"given up after {row['attempts']} attempts: {error}"
                await outbox.mark_failed(tx, row["id"], given_up, attempt=row["attempts"])
                return
            # A provider that asks again and again to wait is given more time each time.
            stated = None if error.after_seconds is None else timedelta(seconds=error.after_seconds * row["attempts"])
            wait = _backoff(row) if stated is None else stated
            await outbox.requeue(tx, row["id"], wait=wait, error=str(error), attempt=row["attempts"])

    async def route(self, tenant_id: UUID, session_id: UUID) -> Route | None:
        """How this number's messages leave, or None where this process cannot send for it (any more)."""
        cached = self._sessions.get(session_id)
        if cached is None or cached[0] < time.monotonic():
            async with self._db.transaction(tenant_id) as tx:
                row = await tx.fetchrow(
                    "SELECT s.provider, s.account, s.config, t.settings -> 'quiet_hours' AS quiet_hours, t.timezone "
                    "FROM channel_session s JOIN tenant t ON t.id = s.tenant_id WHERE s.id = $1",
                    session_id,
                )
            if row is None:
                return None
            session = SessionRef(str(session_id), row["provider"], row["account"], row["config"])
            limits = Limits.of(row["provider"], row["config"], row["quiet_hours"], row["timezone"])
            cached = self._sessions[session_id] = (time.monotonic() + _SESSION_CACHE_SECONDS, session, limits)
        _, session, limits = cached
        sender = self._local().get(session_id) or self._senders.get(session.provider)
        if sender is None:
            return None
        return Route(
            sender,
            session,
            limits=limits,
            typing_seconds_per_character=float(session.config.get("typing_seconds_per_character", 0)),
        )

    async def settle_overdue(self) -> int:
        """Settle rows whose attempt died: idempotent providers repeat it, the others become unknown."""
        overdue = await self._db.gate("overdue_sending")
        for row in overdue:
            sender = self._senders.get(row["provider"])
            tenant_id, conversation_id, outbox_id = row["tenant_id"], row["conversation_id"], row["outbox_id"]
            if sender is None or not sender.idempotent:
                async with self._db.transaction(tenant_id) as tx:
                    await outbox.mark_unknown(tx, outbox_id, "the sending process died in mid-send")
            elif conversation_id not in self._running:
                session_id = row["channel_session_id"]
                self._begin(
                    conversation_id, self._drain(tenant_id, conversation_id, session_id, outbox_id, repeat=True)
                )
        if overdue:
            self._wakeup.signal(EVENTS)
            self.more.set()
        return len(overdue)


async def _record_together(tx: Connection, batch: Sequence[_Taken]) -> list[Row | None]:
    """Of each what ``store.outbox.mark_sent`` says; None: it was settled on its way, and sent once more."""
    marked = await outbox.mark_many_sent(tx, [(taken.row["id"], taken.provider_id, taken.at) for taken in batch])
    for taken, row in zip(batch, marked, strict=True):
        if row is None:
            await outbox.add_alias(tx, taken.row["id"], taken.provider_id)
    return marked


async def settle_predecessor(db: Database, tenant_id: UUID, session_id: UUID) -> None:
    """Settle what the number's last host was sending when it died, without waiting for the attempts to run out.

    For a host that has just leased the number, and so is the only one that may send for it. Until a row is settled,
    nothing newer of its conversation leaves.
    """
    async with db.transaction(tenant_id) as tx:
        left = await tx.fetch(
            "SELECT id FROM outbox_message WHERE channel_session_id = $1 AND state = 'sending'", session_id
        )
        for row in left:
            await outbox.mark_unknown(tx, row["id"], "the sending process died in mid-send")


def _quoted(found: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a quote carries of the message that it names; of our own, whose ids stand in the outbox, nothing."""
    if not found:
        return {}
    sender = Address.parse(found["sender"]) if found["sender"] else None
    return {"quoted_text": found["text"][:_LONGEST_QUOTE], "quoted_sender": sender}


def content_of(row: Row) -> Content | None:
    """What an outbox row carries beside its text. A file that is not its own tenant's is none."""
    if not row["content"]:
        return None
    content = from_json(row["content"])
    if isinstance(content, Media) and content.ref.partition("/")[0] != str(row["tenant_id"]):
        raise ValueError("a message carries another tenant's file")
    return content


def _lease(route: Route) -> timedelta:
    return timedelta(seconds=route.sender.send_timeout_seconds) + _LEASE_MARGIN


def _backoff(row: Row) -> timedelta:
    return timedelta(seconds=min(2.0 ** row["attempts"], 300.0))
