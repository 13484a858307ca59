"""The way of one number's events from the library to where they are kept: in order, one when the last is durable."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from channels.base import ChannelEvent, EventHandler

from .spool import Spool

log = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 10.0
_MOST_WAITING: Final = 1000


class Handover:
    """``keep`` makes an event durable. While it fails, and while too much waits, ``on_trouble`` is called: the number
    should be offline then, so that WhatsApp keeps what comes meanwhile."""

    def __init__(self, session_id: str, keep: EventHandler, spool: Spool, on_trouble: Callable[[], None]) -> None:
        self._session_id, self._keep, self._spool, self._on_trouble = session_id, keep, spool, on_trouble
        self._events: asyncio.Queue[tuple[ChannelEvent, int]] = asyncio.Queue()
        self._unsettled = 0
        self._last = time.monotonic()

    def put(self, event: ChannelEvent, ticket: int = 0) -> None:
        """``ticket``: the journal's, closed when the event is durable."""
        self._unsettled += 1
        self._last = time.monotonic()
        self._events.put_nowait((event, ticket))
        if self._events.qsize() > _MOST_WAITING:
            self._on_trouble()

    @property
    def quiet_seconds(self) -> float:
        """How long nothing has come."""
        return time.monotonic() - self._last

    @property
    def waiting(self) -> int:
        return self._events.qsize()

    @property
    def is_idle(self) -> bool:
        """Whether everything is kept."""
        return self._unsettled == 0

    async def settled(self) -> None:
        """Returns once nothing waits."""
        await self._events.join()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            event, ticket = await self._events.get()
            failures = 0
            while not await self._kept(event):
                self._on_trouble()
                failures += 1
                await asyncio.sleep(min(0.25 * 2**failures, _LONGEST_PAUSE))
            self._spool.done(ticket)
            self._unsettled -= 1
            self._events.task_done()

    async def _kept(self, event: ChannelEvent) -> bool:
        try:
            await self._keep(event)
        except Exception as error:
            log.warning("an event of %s could not be kept; trying again: %r", self._session_id, error)
            return False
        return True
