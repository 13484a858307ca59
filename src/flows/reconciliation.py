"""Asking gateways what their webhooks did not tell: the only way in for an installation without a public address.

Every worker runs it; a number is one worker's at a time (its lease is the one that session hosts use). What is
recovered goes through the same unique key as a webhook, so both may tell of the same message in any order.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from channels.base import MessageReceived, SessionChanged, SessionRef
from channels.gateway import Gateway, GatewayRefusedError, GatewayUnavailableError, NotOfferedError
from domain.errors import NotFoundError
from domain.messages import Address, SessionStatus
from domain.text import storable, storable_key
from flows.arriving import addresses
from flows.gateways import Gateways
from flows.inbound import Inbound
from flows.media import MediaFiles
from store import messages
from store.database import Connection, Database

log = logging.getLogger(__name__)

HISTORICAL_AFTER = timedelta(minutes=10)
"""Recovered messages older than this are stored and not answered (``reconciliation.historical_after_seconds``)."""
_LEASE = timedelta(seconds=30)
_LEASE_AGAIN_SECONDS = 10.0
_CAPACITY = 500
_AT_ONCE = 8
_POLL_SECONDS = 300.0
_POLL_SECONDS_WITHOUT_WEBHOOKS = 5.0
_STATUS_SECONDS = 60.0
_STATUS_SECONDS_UNSETTLED = 5.0
_LONGEST_POLL_SECONDS = 240.0
_OVERLAP = timedelta(minutes=2)
"""Asked for again each time: messages reach a gateway out of order."""
_DEEP = timedelta(hours=24)
_DEEP_EVERY_SECONDS = 900.0
"""How far back, and how often, is looked for messages that a phone delivered late, under an old time."""
_LONGEST_GAP = timedelta(days=7)
_CHATS = 200
_SEEN = 50_000
_UNSETTLED = frozenset({SessionStatus.AWAITING_QR, SessionStatus.CONNECTING, SessionStatus.UNKNOWN})
_QR_RENEWED_BEFORE = timedelta(seconds=15)


@dataclass(slots=True)
class _Number:
    """What this worker knows of a number that it has leased. Times are the monotonic clock's."""

    tenant_id: UUID
    session: SessionRef
    next_poll: float = 0.0
    next_status: float = 0.0
    last_deep: float = 0.0
    failures: int = 0
    has_history: bool = True
    status: SessionStatus | None = None
    running: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class _Window:
    """What to ask for: messages from ``since`` on; those before ``historical_before`` are not answered."""

    since: datetime
    historical_before: datetime
    chats: Sequence[Address]


class Reconciliation:
    """Polls the gateway numbers that this worker leases. ``has_webhooks``: whether gateways can reach us."""

    def __init__(
        self, db: Database, inbound: Inbound, gateways: Gateways, media: MediaFiles, *, has_webhooks: bool
    ) -> None:
        self._db, self._inbound, self._gateways, self._media = db, inbound, gateways, media
        self._interval = _POLL_SECONDS if has_webhooks else _POLL_SECONDS_WITHOUT_WEBHOOKS
        self._host = f"reconciling-{uuid.uuid4().hex}"
        self._numbers: dict[UUID, _Number] = {}
        self._lease_at = 0.0
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._seen: OrderedDict[tuple[UUID, str], None] = OrderedDict()

    async def run_due(self) -> int:
        """Renew the leases and begin what is due, each number in a task of its own; returns how many were begun."""
        if time.monotonic() >= self._lease_at:
            await self._lease()
            self._lease_at = time.monotonic() + _LEASE_AGAIN_SECONDS
        begun = 0
        for session_id, number in self._numbers.items():
            if number.running is None and min(number.next_poll, number.next_status) <= time.monotonic():
                number.running = asyncio.create_task(self._look_after(session_id, number), name="reconcile")
                begun += 1
        return begun

    async def wait_idle(self) -> None:
        """Wait until nothing is being asked."""
        running = [number.running for number in self._numbers.values() if number.running is not None]
        if running:
            await asyncio.wait(running)

    async def close(self) -> None:
        """Stop asking, and give the numbers up at once."""
        for number in self._numbers.values():
            if number.running is not None:
                number.running.cancel()
        await self.wait_idle()
        await self._db.gate("release_sessions", self._host)

    async def _lease(self) -> None:
        leased: set[UUID] = set()
        for provider in self._gateways:
            for row in await self._db.gate("lease_sessions", self._host, provider, _LEASE, _CAPACITY):
                session = SessionRef(str(row["id"]), provider, row["account"], row["config"])
                leased.add(row["id"])
                known = self._numbers.get(row["id"])
                if known is None:
                    self._numbers[row["id"]] = _Number(row["tenant_id"], session)
                elif known.session != session:
                    known.session, known.has_history, known.next_status = session, True, 0.0
        for session_id in self._numbers.keys() - leased:
            number = self._numbers.pop(session_id)
            if number.running is not None:
                number.running.cancel()

    async def _look_after(self, session_id: UUID, number: _Number) -> None:
        try:
            async with self._room, asyncio.timeout(_LONGEST_POLL_SECONDS):
                if number.next_status <= time.monotonic():
                    await self._ask_status(session_id, number)
                if number.has_history and number.next_poll <= time.monotonic():
                    await self._ask_history(session_id, number)
        except Exception:
            log.exception("looking after the number %s failed", session_id)
            number.next_poll = number.next_status = time.monotonic() + self._interval
        finally:
            number.running = None

    # Status -------------------------------------------------------------------------------------------------------

    async def _ask_status(self, session_id: UUID, number: _Number) -> None:
        gateway = self._gateways[number.session.provider]
        try:
            change = await gateway.status(number.session)
        except NotOfferedError:
            number.next_status = float("inf")
            return
        except (GatewayRefusedError, GatewayUnavailableError) as error:
            change = SessionChanged(SessionStatus.ERROR, datetime.now(UTC), error.sentence())
        await record_if_new(self._db, self._inbound, session_id, change)
        if change.status is SessionStatus.CONNECTED and number.status not in (None, SessionStatus.CONNECTED):
            number.next_poll = number.last_deep = 0.0  # what came while it was offline
        number.status = change.status
        wait = _STATUS_SECONDS_UNSETTLED if change.status in _UNSETTLED else _STATUS_SECONDS
        number.next_status = time.monotonic() + wait

    # History ------------------------------------------------------------------------------------------------------

    async def _ask_history(self, session_id: UUID, number: _Number) -> None:
        started, clock = datetime.now(UTC), time.monotonic()
        is_deep = clock >= number.last_deep + _DEEP_EVERY_SECONDS or not number.last_deep
        gateway, interval = self._gateways[number.session.provider], self._interval_of(number)
        recovered, error = 0, None
        try:
            window = await self._window(session_id, number.tenant_id, is_deep=is_deep)
            recovered = await self._recover(gateway, session_id, number, window)
        except NotOfferedError:
            number.has_history, number.next_poll = False, float("inf")
            return
        except NotFoundError:
            number.next_poll = float("inf")  # it was deleted
            return
        except (GatewayRefusedError, GatewayUnavailableError) as failure:
            error = failure.sentence()
            number.failures += 1
        else:
            number.failures = 0
            number.last_deep = clock if is_deep else number.last_deep
        number.next_poll = time.monotonic() + min(interval * 2.0 ** min(number.failures, 8), _POLL_SECONDS)
        async with self._db.transaction(number.tenant_id) as tx:
            await tx.execute(
                """INSERT INTO reconciliation AS r (channel_session_id, tenant_id, cursor, recovered, error)
                   VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (channel_session_id) DO UPDATE
                      SET cursor = CASE WHEN $5 IS NULL THEN $3 ELSE r.cursor END, polled_at = now(),
                          recovered = r.recovered + $4, error = $5""",
                session_id,
                number.tenant_id,
                started,
                recovered,
                storable(error)[0][:1000] if error else None,
            )

    def _interval_of(self, number: _Number) -> float:
        own = number.session.config.get("poll_seconds")
        try:
            return max(float(str(own)), 1.0) if own else self._interval
        except ValueError:
            return self._interval

    async def _window(self, session_id: UUID, tenant_id: UUID, *, is_deep: bool) -> _Window:
        now = datetime.now(UTC)
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow(
                """SELECT s.created_at, r.cursor,
                          (SELECT settings -> 'reconciliation' ->> 'historical_after_seconds' FROM tenant) AS after
                     FROM channel_session s LEFT JOIN reconciliation r ON r.channel_session_id = s.id
                    WHERE s.id = $1""",
                session_id,
            )
            if row is None:
                raise NotFoundError("number", session_id)
            chats = await tx.fetch(
                "SELECT address FROM conversation WHERE channel_session_id = $1 ORDER BY last_message_at DESC LIMIT $2",
                session_id,
                _CHATS,
            )
        since = (row["cursor"] or row["created_at"]) - _OVERLAP
        if is_deep:
            since = min(since, now - _DEEP)
        # Nothing from before the number was ours, and nothing that nobody waits for any more.
        since = max(since, row["created_at"] - _OVERLAP, now - _LONGEST_GAP)
        after = timedelta(seconds=float(row["after"])) if row["after"] else HISTORICAL_AFTER
        return _Window(since, now - after, [Address.parse(chat["address"]) for chat in chats])

    async def _recover(self, gateway: Gateway, session_id: UUID, number: _Number, window: _Window) -> int:
        session = await self._inbound.session(session_id)
        recovered = 0
        async for message in gateway.history(number.session, since=window.since, chats=window.chats):
            seen = (session_id, storable_key(message.provider_id))
            if message.sent_at < window.since or seen in self._seen:
                continue
            async with self._db.transaction(number.tenant_id) as tx:
                is_known = await _is_known(tx, session_id, message)
            if not is_known:
                is_old = message.sent_at < window.historical_before
                event = await self._media.without_inline(number.tenant_id, replace(message, historical=is_old))
                recovered += await self._inbound.receive(session, event) == "stored"
            self._seen[seen] = None
            while len(self._seen) > _SEEN:
                self._seen.popitem(last=False)
        if recovered:
            log.info("recovered %d messages of the number %s", recovered, session_id)
        return recovered


async def record_if_new(db: Database, inbound: Inbound, session_id: UUID, change: SessionChanged) -> bool:
    """Record a status that was asked for, if it tells anything; whether it did."""
    session = await inbound.session(session_id)
    async with db.transaction(session.tenant_id) as tx:
        row = await tx.fetchrow(
            "SELECT status, status_detail, account, qr, qr_expires_at FROM channel_session WHERE id = $1", session_id
        )
    if row is None:
        return False
    fading = row["qr_expires_at"] is not None and row["qr_expires_at"] < datetime.now(UTC) + _QR_RENEWED_BEFORE
    same = (row["status"], row["status_detail"], row["qr"]) == (change.status.value, change.detail, change.qr)
    if same and change.account in (None, row["account"]) and not (change.qr and fading):
        return False
    await inbound.receive(session, change)
    return True


async def _is_known(tx: Connection, session_id: UUID, message: MessageReceived) -> bool:
    """Whether the message is stored, however it reads there by now: an edit is no other message."""
    provider_id = storable_key(message.provider_id)
    for name in addresses(message):
        if await messages.known_in_chat(tx, session_id, name, provider_id):
            return True
    return False
