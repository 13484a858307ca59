"""Live events: one reader of the event log per process, fanned out to the subscriptions of each tenant.

Nobody waits for anybody: what a subscriber does not take is bounded, and one that is too slow is cut off. A
subscription that begins, or that the reader had not prepared for, catches up from the log itself and then goes over to
live events in the same order, so that nothing is missed or told twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from flows.live_subscribers import Listening, LiveEvent, Subscriber, Subscription
from flows.webhook_posting import body
from store import live_events as store
from store.database import Database, Row
from store.event_order import EventOrder
from store.outage import UNREACHABLE
from store.reach import seeing_as
from store.wakeup import ACCESS, EVENTS, Listener

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
"""How late an event is at worst, when its notification got lost."""
BATCH: Final = 500
REST_SECONDS: Final = 0.03
"""Pause after a reading that found something: under load, one look and one frame serve several events."""
_REST_SHARE: Final = 1.5
"""It is at least so many times what telling took, so that the process has time for its pages."""
REPLAY_LIMIT: Final = 20_000
"""Events replayed to one who was away; beyond that it is told to load everything anew."""
_ACCESS: Final = frozenset({"person", "invitation", "team", "api_key", "login", "access"})
"""Events after which every sign-in of the tenant is looked at again."""
_GRANTED: Final = frozenset({"login.opened", "invitation.created", "api_key.created", "team.created"})
"""Of these those that take nothing from anybody."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is needed to tell a tenant's events, and the subscriptions that it was prepared for."""

    events: Sequence[LiveEvent]
    subscriptions: frozenset[Subscription]
    session_of: Mapping[UUID, UUID]
    visible: frozenset[tuple[UUID, UUID]]
    """(person, conversation)"""
    bodies: Mapping[int, str]


class EventFeed:
    """Reads the event log by cursor and hands each event to the subscribers of its tenant."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._order = EventOrder(db)
        self._is_placed = False
        self._subscribers: dict[UUID, set[Subscriber]] = {}
        self._wake = asyncio.Event()
        self.cursor = 0
        """The last event read. A page made after reading this misses nothing that came later."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read while the block runs."""
        with suppress(*UNREACHABLE):  # then the reader finds its place later: gateways' deliveries must not wait for it
            await self._find_place()
        listener = Listener(self._db, {EVENTS: self._wake.set, ACCESS: self.look_again})
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(listener.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def subscriber(self, who: Listening, write: Callable[[str], bool] | None = None) -> AsyncIterator[Subscriber]:
        """A place for one socket, without subscriptions yet. ``write``: see Subscriber."""
        subscriber, tenant_id = Subscriber(who, write), who.tenant_id
        self._subscribers.setdefault(tenant_id, set()).add(subscriber)
        try:
            yield subscriber
        finally:
            peers = self._subscribers[tenant_id]
            peers.discard(subscriber)
            if not peers:
                del self._subscribers[tenant_id]

    def of(self, tenant_id: UUID) -> frozenset[Subscriber]:
        """The tenant's subscribers at this process."""
        return frozenset(self._subscribers.get(tenant_id, ()))

    def look_again(self, tenant_id: UUID | None = None) -> None:
        """Have all sockets, or one tenant's, check their sign-ins."""
        for tenant, subscribers in self._subscribers.items():
            if tenant_id in {None, tenant}:
                for subscriber in subscribers:
                    subscriber.look_again()

    async def last_id(self) -> int:
        """The last event there is, read or not."""
        last: int = (await self._db.gate("last_event_id"))[0]["last_event_id"]
        return last

    def subscribe(self, subscriber: Subscriber, subscription: Subscription) -> None:
        """Begin a subscription: it catches up to where the feed is, then it is live."""
        subscription.upto = self.cursor
        subscriber.subscriptions[subscription.name] = subscription
        subscriber.catch_up(subscription)

    async def caught_up(self, subscriber: Subscriber, subscription: Subscription) -> AsyncIterator[str]:
        """Frames of what the subscription has not been told yet. It is live when they end, if it still exists."""
        who, replayed = subscriber.who, 0
        while subscription.sent < subscription.upto:
            with seeing_as(who.sight):
                async with self._db.transaction(who.tenant_id, durable=False) as tx:
                    upto = subscription.upto
                    rows = await store.between(
                        tx,
                        subscription.sent,
                        upto,
                        BATCH,
                        session_id=subscription.session_id,
                        conversation_id=subscription.conversation_id,
                    )
                    events = [_event(row) for row in rows]
                    sessions = {row["conversation_id"]: row["session_id"] for row in rows if row["session_id"]}
                    wanted = [
                        event
                        for event in events
                        if who.may_learn(event, content=subscription.full) and subscription.wants(event, sessions)
                    ]
                    bodies = await _bodies(tx, wanted) if subscription.full else {}
            subscriber.learn(wanted)
            replayed += len(wanted)
            if replayed > REPLAY_LIMIT:
                subscription.sent, replayed = upto, 0
                yield _frame({"type": "reset", "subscription": subscription.name, "id": upto})
                continue
            for frame in _frames(subscription, wanted, bodies):
                yield frame
            subscription.sent = events[-1].id if len(rows) == BATCH else upto
        subscription.live = True

    async def _find_place(self) -> None:
        self.cursor = await self._order.look()
        self._is_placed = True

    async def _read(self) -> None:
        while True:
            rows: list[Row] = []
            try:
                if not self._is_placed:
                    await self._find_place()
                upto = await self._order.look()
                rows = await self._db.gate("events_after", self.cursor, upto, BATCH) if upto > self.cursor else []
                prepared = [await self._prepare(tenant, events) for tenant, events in self._by_tenant(rows)]
            except Exception:
                # The database is away for a moment (restart, failover): the cursor stays, nothing is missed.
                log.warning("The event log cannot be read; trying again", exc_info=True)
                rows, prepared = [], []
            began = time.monotonic()
            if rows:
                self._publish(prepared, rows[-1]["id"])
            if rows or self._order.has_gap:
                await asyncio.sleep(max(REST_SECONDS, _REST_SHARE * (time.monotonic() - began)))
            if len(rows) < BATCH and not self._order.has_gap:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wake.wait()
                self._wake.clear()

    def _by_tenant(self, rows: Sequence[Row]) -> list[tuple[UUID, list[LiveEvent]]]:
        found: dict[UUID, list[LiveEvent]] = {}
        for row in rows:
            if row["tenant_id"] in self._subscribers:
                found.setdefault(row["tenant_id"], []).append(_event(row))
        return list(found.items())

    async def _prepare(self, tenant_id: UUID, events: list[LiveEvent]) -> tuple[UUID, _Prepared]:
        """Ask once for all subscribers what telling these events takes."""
        subscribers = self.of(tenant_id)
        subscriptions = frozenset(one for found in subscribers for one in found.subscriptions.values() if one.live)
        limited = {found.who.sight for found in subscribers if found.who.sight is not None}
        by_session = any(one.session_id for one in subscriptions)
        full = [one for one in subscriptions if one.full]
        session_of: dict[UUID, UUID] = {}
        visible: frozenset[tuple[UUID, UUID]] = frozenset()
        bodies: dict[int, str] = {}
        conversations = list({event.conversation_id for event in events if event.conversation_id})
        if by_session or limited or full:
            with seeing_as(None):
                async with self._db.transaction(tenant_id, durable=False) as tx:
                    if by_session:
                        session_of = await store.sessions_of(tx, conversations)
                    if limited:
                        visible = await store.visible_to(tx, limited, conversations)
                    if full:
                        asked = [e for e in events if any(one.wants(e, session_of) for one in full)]
                        bodies = await _bodies(tx, asked)
        return tenant_id, _Prepared(events, subscriptions, session_of, visible, bodies)

    def _publish(self, prepared: Sequence[tuple[UUID, _Prepared]], upto: int) -> None:
        for tenant_id, batch in prepared:
            told: dict[Any, tuple[str, int] | None] = {}
            for subscriber in self._subscribers.get(tenant_id, ()):
                try:
                    self._tell(subscriber, batch, upto, told)
                except Exception:
                    log.exception("An event could not be told; the socket is cut off and replays")
                    subscriber.cut.set()
            if any(event.area in _ACCESS and event.kind not in _GRANTED for event in batch.events):
                self.look_again(tenant_id)
        self.cursor = upto

    def _tell(
        self, subscriber: Subscriber, batch: _Prepared, upto: int, told: dict[Any, tuple[str, int] | None]
    ) -> None:
        """``told``: the frame, and of how many events, of those whose rights and wishes are the same."""
        for subscription in subscriber.subscriptions.values():
            subscription.upto = max(subscription.upto, upto)
            if not subscription.live:
                continue  # it is still reading, and will read this too
            if subscription not in batch.subscriptions:
                subscriber.catch_up(subscription)
                continue
            alike = subscriber.who.sight is None and not subscription.full and subscription.sent < batch.events[0].id
            key = (subscription.likeness(), subscriber.who.rights) if alike else None
            if key is None or key not in told:
                events = subscriber.select(subscription, batch.events, batch.session_of, batch.visible)
                if subscription.full:
                    for frame in _frames(subscription, events, batch.bodies):
                        subscriber.put(frame)
                    subscription.sent = max(subscription.sent, upto)
                    continue
                # Limited people may be told different events; those who are told the same share its frame.
                same = (subscription.name, tuple((event.id, event.kind) for event in events))
                if same not in told:
                    told[same] = (_frames(subscription, events, {})[0], len(events)) if events else None
                made = told[same]
                if key is not None:
                    told[key] = made
            else:
                made = told[key]
            subscription.sent = max(subscription.sent, upto)
            if made is not None:
                subscriber.put(*made)


def _event(row: Row) -> LiveEvent:
    payload = row["payload"]
    session = payload.get("channel_session_id")
    about = frozenset(value for value in payload.values() if isinstance(value, str))
    return LiveEvent(row["id"], row["kind"], row["conversation_id"], UUID(session) if session else None, about)


async def _bodies(tx: Any, events: Sequence[LiveEvent]) -> dict[int, str]:
    """The content of events, as webhooks carry it, by id."""
    if not events:
        return {}
    return {row["id"]: body(row) for row in await store.contents(tx, [event.id for event in events])}


def _frames(subscription: Subscription, events: Sequence[LiveEvent], bodies: Mapping[int, str]) -> list[str]:
    """Of a full subscription one for each event, of another one for all."""
    if not events:
        return []
    if not subscription.full:
        told = [event.as_json() for event in events]
        return [_frame({"type": "events", "subscription": subscription.name, "events": told})]
    frames = []
    for event in events:
        head = {"subscription": subscription.name, **event.as_json()}
        if event.kind == LiveEvent.HIDDEN:  # all that the person may know of it
            frames.append(_frame(head))
        elif event.id in bodies:
            del head["type"]  # stands in the body, too
            frames.append(f"{_frame(head)[:-1]},{bodies[event.id][1:]}")
    return frames


def _frame(message: Mapping[str, Any]) -> str:
    return orjson.dumps(message).decode()
