"""From a queued message to the customer: claimed under the fence, sent once, and its fate recorded."""

from __future__ import annotations

import asyncio
import logging
<<<<<<< HEAD
import time
from collections.abc import Callable, Mapping
=======
from collections.abc import Awaitable, Callable, Coroutine, Mapping
>>>>>>> flowtests
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from channels.base import Sender, SendRejectedError, SendRetryableError, SessionRef
<<<<<<< HEAD
from domain.messages import Address, Outbound, Sent
=======
from domain.messages import Address, Outbound
from domain.text import storable_key
>>>>>>> flowtests
from flows import receipts
from store import conversations, outbox, turns
from store.database import Database, Row
from store.jobs import TURNS, enqueue_turn
from store.wakeup import EVENTS, OUTBOX, Wakeup

log = logging.getLogger(__name__)

_LEASE_MARGIN = timedelta(seconds=15)
_MAX_ATTEMPTS = 8
_BATCH = 50
_SESSION_CACHE_SECONDS = 5.0

SendOne = Callable[[UUID, UUID, UUID], Awaitable[bool]]
"""Sends one row, given tenant, conversation and outbox id; whether it was sent."""


@dataclass(frozen=True, slots=True)
class Route:
    """How a number's messages leave: its sender and what the sender must know of the number."""

    sender: Sender
    session: SessionRef
    pace: timedelta = timedelta(0)
    typing_seconds_per_character: float = 0.0


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
    ) -> None:
        self._db = db
        self._wakeup = wakeup
        self._senders = senders
        self._local = local
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._again: dict[UUID, tuple[UUID, UUID, UUID]] = {}
        self._sessions: dict[UUID, tuple[float, SessionRef]] = {}
        self.more = asyncio.Event()
        """Set when something may be due; the owner's loop waits for it (see store.wakeup.every)."""

    async def run_due(self) -> int:
        """Start sending all that is due; returns how many conversations had something. One task per conversation."""
        due = await self._db.gate("due_outbox", list(self._senders), list(self._local()), _BATCH)
        for row in due:
            self.start(row["tenant_id"], row["conversation_id"], row["channel_session_id"], row["outbox_id"])
        return len(due)

    def start(self, tenant_id: UUID, conversation_id: UUID, session_id: UUID, outbox_id: UUID) -> None:
        """Send this row and what follows it in its conversation, in a task of its own (one per conversation)."""
        self._begin(conversation_id, self._drain(tenant_id, conversation_id, outbox_id, self.send_one))

    def _begin(self, conversation_id: UUID, work: Coroutine[None, None, None]) -> None:
        if conversation_id in self._running:
<<<<<<< HEAD
            self._again[conversation_id] = (tenant_id, session_id, outbox_id)
            return
        task = asyncio.create_task(self._drain(tenant_id, conversation_id, session_id, outbox_id), name="deliver")
=======
            work.close()
            return
        task = asyncio.create_task(work, name="deliver")
>>>>>>> flowtests
        self._running[conversation_id] = task
        task.add_done_callback(lambda _: self._ended(conversation_id))

    def _ended(self, conversation_id: UUID) -> None:
        del self._running[conversation_id]
        if again := self._again.pop(conversation_id, None):
            tenant_id, session_id, outbox_id = again
            self.start(tenant_id, conversation_id, session_id, outbox_id)

    async def wait_idle(self) -> None:
        """Wait until nothing is being sent by this process."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

<<<<<<< HEAD
    async def _drain(self, tenant_id: UUID, conversation_id: UUID, session_id: UUID, outbox_id: UUID) -> None:
        try:
            next_id: UUID | None = outbox_id
            while next_id is not None:
                route = await self._route(tenant_id, session_id)
                if route is None:
                    self._wakeup.signal(OUTBOX)  # another process holds this number's connection
                    return
                next_id = await self._send_one(route, tenant_id, conversation_id, next_id)
=======
    async def _drain(self, tenant_id: UUID, conversation_id: UUID, outbox_id: UUID, first: SendOne) -> None:
        try:
            sent = await first(tenant_id, conversation_id, outbox_id)
            while sent and (next_id := await self._next(tenant_id, conversation_id)):
                sent = await self.send_one(tenant_id, conversation_id, next_id)
>>>>>>> flowtests
        except Exception:
            # The row keeps its state: a claimed one is settled by the sweep, a queued one is due again.
            log.exception("delivery of %s failed", outbox_id)

    async def _send_one(self, route: Route, tenant_id: UUID, conversation_id: UUID, outbox_id: UUID) -> UUID | None:
        """Claim, send and record one row. Returns the next one of the conversation if this one left."""
        # A lost claim would be sent again, which only an idempotent provider forgives.
        async with self._db.transaction(tenant_id, durable=not route.sender.idempotent) as tx:
            lease = timedelta(seconds=route.sender.send_timeout_seconds) + _LEASE_MARGIN
            row = await outbox.claim(tx, outbox_id, lease=lease, pace=route.pace)
            is_stale = row is None and await outbox.is_stale(tx, outbox_id)
        if is_stale:
            await self._void_stale(tenant_id, conversation_id)
        return await self._send(route, row) if row is not None else None

    async def _void_stale(self, tenant_id: UUID, conversation_id: UUID) -> None:
        async with self._db.transaction(tenant_id) as tx:
<<<<<<< HEAD
            await conversations.lock(tx, conversation_id)
            waits = await turns.void_stale(tx, conversation_id)
            if waits:
                await enqueue_turn(tx, tenant_id, conversation_id)
        if waits:
            self._wakeup.turn_waits(TURNS)

    async def _send(self, route: Route, row: Row) -> UUID | None:
=======
            row = await outbox.claim(tx, outbox_id, lease=_lease(route), pace=route.pace)
            if row is None:
                await conversations.lock(tx, conversation_id)
                if await turns.void_stale(tx, conversation_id):
                    await enqueue_turn(tx, tenant_id, conversation_id)
                    self._wakeup.turn_waits(TURNS)
        if row is None:
            return False
        return await self._send(route, row)

    async def _send_again(self, tenant_id: UUID, conversation_id: UUID, outbox_id: UUID) -> bool:
        """Repeat a send whose attempt died; returns whether it was sent."""
        route = await self._route(tenant_id, conversation_id)
        if route is None:
            return False
        async with self._db.transaction(tenant_id) as tx:
            row = await outbox.claim_again(tx, outbox_id, lease=_lease(route))
        return row is not None and await self._send(route, row)

    async def _send(self, route: Route, row: Row) -> bool:
>>>>>>> flowtests
        """The provider call, outside any transaction, and its record."""
        tenant_id, outbox_id = row["tenant_id"], row["id"]
        text = row["text"]
        message = Outbound(
            key=str(outbox_id),
            to=Address.parse(row["address"]),
            text=text,
            quoted_provider_id=row["quoted_provider_id"],
            typing_seconds=min(len(text) * route.typing_seconds_per_character, 8.0) if row["origin"] == "bot" else 0.0,
        )
        next_id: UUID | None = None
        try:
            sent = await asyncio.wait_for(route.sender.send(route.session, message), route.sender.send_timeout_seconds)
        except SendRejectedError as error:
            async with self._db.transaction(tenant_id) as tx:
                await outbox.mark_failed(tx, outbox_id, error.sentence())
        except SendRetryableError as error:
            await self._later(tenant_id, row, error)
        except Exception as error:
<<<<<<< HEAD
            # SendUncertainError, a time-out, or a provider's bug: it may have left.
            if route.sender.idempotent:
                await self._later(tenant_id, row, SendRetryableError(str(error) or type(error).__name__))
            else:
                log.warning("outcome of %s unknown: %r", outbox_id, error)
                async with self._db.transaction(tenant_id) as tx:
                    await outbox.mark_unknown(tx, outbox_id, str(error) or type(error).__name__)
        else:
            next_id = await self._record(route, row, sent)
=======
            log.warning("outcome of %s unknown: %r", outbox_id, error)
            reason = str(error) or type(error).__name__
            async with self._db.transaction(tenant_id) as tx:
                if route.sender.idempotent and row["attempts"] < _MAX_ATTEMPTS:
                    await outbox.repeat_later(tx, outbox_id, wait=_backoff(row), error=reason)
                else:
                    await outbox.mark_unknown(tx, outbox_id, reason)
        else:
            provider_id = storable_key(sent.provider_id)
            async with self._db.transaction(tenant_id) as tx:
                await outbox.mark_sent(tx, outbox_id, provider_id=provider_id, at=sent.at)
                await receipts.apply_held_receipts(tx, tenant_id, row["channel_session_id"], provider_id)
            self._wakeup.signal(EVENTS)
            return True
>>>>>>> flowtests
        self._wakeup.signal(EVENTS)
        return next_id

    async def _record(self, route: Route, row: Row, sent: Sent) -> UUID | None:
        async with self._db.transaction(row["tenant_id"], durable=not route.sender.idempotent) as tx:
            marked = await outbox.mark_sent(tx, row["id"], provider_id=sent.provider_id, at=sent.at)
            if marked is None:
                return None
            if marked["has_held"]:
                await receipts.apply_held_receipts(tx, row["tenant_id"], row["channel_session_id"], sent.provider_id)
        next_id: UUID | None = marked["next_id"]
        return next_id

    async def _later(self, tenant_id: UUID, row: Row, error: SendRetryableError) -> None:
        async with self._db.transaction(tenant_id) as tx:
            if row["attempts"] >= _MAX_ATTEMPTS:
                await outbox.mark_failed(tx, row["id"], f"given up after {row['attempts']} attempts: {error}")
                return
            wait = _backoff(row) if error.after_seconds is None else timedelta(seconds=error.after_seconds)
            await outbox.requeue(tx, row["id"], wait=wait, error=str(error))

    async def _route(self, tenant_id: UUID, session_id: UUID) -> Route | None:
        """How this number's messages leave, or None where this process cannot send for it (any more)."""
        cached = self._sessions.get(session_id)
        if cached is None or cached[0] < time.monotonic():
            async with self._db.transaction(tenant_id) as tx:
                row = await tx.fetchrow(
                    "SELECT provider, account, config FROM channel_session WHERE id = $1", session_id
                )
            if row is None:
                return None
            session = SessionRef(str(session_id), row["provider"], row["account"], row["config"])
            cached = self._sessions[session_id] = (time.monotonic() + _SESSION_CACHE_SECONDS, session)
        session = cached[1]
        sender = self._local().get(session_id) or self._senders.get(session.provider)
        if sender is None:
            return None
        return Route(
            sender,
            session,
            pace=timedelta(seconds=float(session.config.get("seconds_between_messages", 0))),
            typing_seconds_per_character=float(session.config.get("typing_seconds_per_character", 0)),
        )

    async def settle_overdue(self) -> int:
        """Settle rows whose attempt died: idempotent providers repeat it, the others become unknown."""
        overdue = await self._db.gate("overdue_sending")
        for row in overdue:
            sender = self._senders.get(row["provider"])
            tenant_id, conversation_id, outbox_id = row["tenant_id"], row["conversation_id"], row["outbox_id"]
            if sender is not None and sender.idempotent:
                self._begin(conversation_id, self._drain(tenant_id, conversation_id, outbox_id, self._send_again))
            else:
                async with self._db.transaction(tenant_id) as tx:
                    await outbox.mark_unknown(tx, outbox_id, "the sending process died in mid-send")
        if overdue:
            self._wakeup.signal(EVENTS)
            self.more.set()
        return len(overdue)


def _lease(route: Route) -> timedelta:
    return timedelta(seconds=route.sender.send_timeout_seconds) + _LEASE_MARGIN


def _backoff(row: Row) -> timedelta:
    return timedelta(seconds=min(2.0 ** row["attempts"], 300.0))
