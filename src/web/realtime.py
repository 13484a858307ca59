"""Realtime: one reader of the event log per process, fanned out to the browsers of each tenant.

An event tells a page what changed, never the content: the page fetches the fragments it shows, through the same
routes and rights as always.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from store import inbox
from store.database import Database
from store.outage import UNREACHABLE
from store.wakeup import EVENTS, Listener
from web.access import recognise
from web.services import services

log = logging.getLogger(__name__)
router = APIRouter()

POLL_SECONDS = 1.0
"""How late an event is at worst, when its notification got lost."""
BATCH = 500
BACKLOG = 500
"""Events that may wait for one browser. One that is slower is cut off; it reconnects and replays."""
REPLAY_LIMIT = 5_000
"""Events replayed to a browser that was away; beyond that it is told to load its page anew."""
RECHECK_SECONDS = 30.0
"""How long a socket may outlive its sign-in."""

CLOSE_SIGNED_OUT = 4401
CLOSE_TOO_SLOW = 4408


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """What a browser learns of an event. Ids increase."""

    id: int
    kind: str
    conversation_id: UUID | None

    def as_json(self) -> dict[str, Any]:
        conversation = str(self.conversation_id) if self.conversation_id else None
        return {"id": self.id, "kind": self.kind, "conversation_id": conversation}


@dataclass(eq=False, slots=True)
class Subscriber:
    """One browser's place in the feed. ``queue`` ends with None when it was cut off."""

    tenant_id: UUID
    start: int
    """Everything after this id comes through the queue; what lies before is to be replayed."""
    queue: asyncio.Queue[LiveEvent | None] = field(default_factory=lambda: asyncio.Queue(BACKLOG + 1))

    def offer(self, event: LiveEvent) -> bool:
        """Pass an event on; False when the subscriber is too slow and must go."""
        if self.queue.qsize() >= BACKLOG:
            self.queue.put_nowait(None)
            return False
        self.queue.put_nowait(event)
        return True


class EventFeed:
    """Reads the event log by cursor and hands each event to the subscribers of its tenant."""

    def __init__(self, db: Database) -> None:
        self._db = db
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
        listener = Listener(self._db, {EVENTS: self._wake.set})
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(listener.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def subscription(self, tenant_id: UUID) -> AsyncIterator[Subscriber]:
        """Receive the tenant's events from now on."""
        subscriber = Subscriber(tenant_id, self.cursor)
        self._subscribers.setdefault(tenant_id, set()).add(subscriber)
        try:
            yield subscriber
        finally:
            self._drop(subscriber)

    async def _find_place(self) -> None:
        self.cursor = (await self._db.gate("last_event_id"))[0]["last_event_id"]
        self._is_placed = True

    async def _read(self) -> None:
        while True:
            try:
                if not self._is_placed:
                    await self._find_place()
                rows = await self._db.gate("events_after", self.cursor, BATCH)
            except Exception:
                # The database is away for a moment (restart, failover): the cursor stays, nothing is missed.
                log.warning("The event log cannot be read; trying again", exc_info=True)
                rows = []
            for row in rows:
                self._publish(row["tenant_id"], LiveEvent(row["id"], row["kind"], row["conversation_id"]))
                self.cursor = row["id"]
            if len(rows) < BATCH:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
                self._wake.clear()

    def _publish(self, tenant_id: UUID, event: LiveEvent) -> None:
        for subscriber in list(self._subscribers.get(tenant_id, ())):
            if not subscriber.offer(event):
                self._drop(subscriber)

    def _drop(self, subscriber: Subscriber) -> None:
        peers = self._subscribers.get(subscriber.tenant_id)
        if peers is not None:
            peers.discard(subscriber)
            if not peers:
                del self._subscribers[subscriber.tenant_id]


@router.websocket("/ws")
async def live(websocket: WebSocket, after: int | None = None) -> None:
    """Events of the visitor's tenant, as JSON ``{id, kind, conversation_id}``; ``after`` replays from there.

    ``{"kind": "reset", "id": N}`` says that too much was missed: load everything, go on from N. Closes with 4401 when
    the sign-in ended and 4408 when the browser reads too slowly.
    """
    origin = websocket.headers.get("origin")
    visitor = await recognise(websocket)
    if origin is not None and urlsplit(origin).netloc != websocket.headers.get("host"):
        visitor = None  # another site's page, acting with this browser's cookies
    await websocket.accept()
    if visitor is None:
        await websocket.close(CLOSE_SIGNED_OUT)
        return
    feed: EventFeed = websocket.app.state.feed
    async with feed.subscription(visitor.tenant_id) as subscriber:
        sending = asyncio.create_task(_send(websocket, subscriber, after))
        receiving = asyncio.create_task(_receive(websocket))
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, receiving):
                task.cancel()
            results = await asyncio.gather(sending, receiving, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | RuntimeError):
            log.warning("A websocket ended with an error", exc_info=result)
    code = next((result for result in results if isinstance(result, int)), 1000)
    if websocket.application_state is WebSocketState.CONNECTED and websocket.client_state is WebSocketState.CONNECTED:
        with suppress(RuntimeError):
            await websocket.close(code)


async def _send(websocket: WebSocket, subscriber: Subscriber, after: int | None) -> int:
    """Replay, then pass on what comes. Returns the code to close with."""
    sent = subscriber.start if after is None else after
    while sent < subscriber.start:
        async with services(websocket).db.transaction(subscriber.tenant_id) as tx:
            missed = await inbox.events_between(tx, sent, subscriber.start, REPLAY_LIMIT + 1)
        if len(missed) > REPLAY_LIMIT:
            await websocket.send_json({"id": subscriber.start, "kind": "reset", "conversation_id": None})
            missed = []
        for row in missed:
            await websocket.send_json(LiveEvent(row.id, row.kind, row.conversation_id).as_json())
        sent = subscriber.start
    await websocket.send_json({"id": sent, "kind": "ready", "conversation_id": None})
    checked = monotonic()
    while True:
        with suppress(TimeoutError):
            event = await asyncio.wait_for(subscriber.queue.get(), RECHECK_SECONDS)
            if event is None:
                return CLOSE_TOO_SLOW
            if event.id > sent:
                await websocket.send_json(event.as_json())
                sent = event.id
        if monotonic() - checked >= RECHECK_SECONDS:
            if await _left(websocket, subscriber):
                return CLOSE_SIGNED_OUT
            checked = monotonic()


async def _left(websocket: WebSocket, subscriber: Subscriber) -> bool:
    visitor = await recognise(websocket)
    return visitor is None or visitor.tenant_id != subscriber.tenant_id


async def _receive(websocket: WebSocket) -> None:
    """Browsers say nothing; reading is how a closed socket shows."""
    while True:
        await websocket.receive_text()
