"""Messages that the library may have lost: told after a while only, since most of them turn out to be known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from channels.base import MessageLost

from .client_events import Skipped
from .devices import DeviceStore


class Doubts:
    """Those of one number. ``report`` is called for each in the end; who keeps events knows which are known."""

    def __init__(self, devices: DeviceStore, report: Callable[[MessageLost], None], *, seconds: float) -> None:
        self._devices, self._report, self._seconds = devices, report, seconds
        self._timers: set[asyncio.TimerHandle] = set()
        self.has_looked = False

    async def look(self, account: str) -> None:
        """Once, before the device's first client: what an earlier process decrypted and did not live to hand over."""
        if not self.has_looked:
            for lost in await self._devices.decrypted_lately(account):
                self._suspect(lost)
            self.has_looked = True

    def skipped(self, event: Skipped) -> None:
        """The library will not hand a message over."""
        self._suspect(MessageLost(event.message_id, event.chat, datetime.now(UTC)))

    def forget(self) -> None:
        """The number is stopped; its next process looks again."""
        for timer in self._timers:
            timer.cancel()

    def _suspect(self, lost: MessageLost) -> None:
        self._timers.add(asyncio.get_running_loop().call_later(self._seconds, self._report, lost))
