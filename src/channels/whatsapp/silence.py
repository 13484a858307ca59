"""Whether a connection that says nothing is still one: after a while of silence the server is asked.

A socket may stay open for hours although nobody is at its other end any more; nothing tells so but an answer that does
not come.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable

from .neonize_client import SendFailedError
from .opening import WatchLimits

log = logging.getLogger(__name__)

_TOLERANCE_SECONDS = 5.0


class Silence:
    """``ask`` returns when the server has answered a question; where it does not, ``on_silence`` is called, once."""

    def __init__(self, limits: WatchLimits, ask: Callable[[], Awaitable[None]], on_silence: Callable[[], None]) -> None:
        self._limits, self._ask, self._on_silence = limits, ask, on_silence
        self._heard = -math.inf
        self._task: asyncio.Task[None] | None = None

    @property
    def is_short(self) -> bool:
        """Whether the server has said something lately."""
        quiet = asyncio.get_running_loop().time() - self._heard
        return quiet < self._limits.silence * 1.2 + self._limits.answer + _TOLERANCE_SECONDS

    def broken(self) -> None:
        """Something was heard."""
        self._heard = asyncio.get_running_loop().time()

    def watch(self) -> None:
        """From now on, until ``ignore``."""
        self.ignore()
        self.broken()
        self._task = asyncio.create_task(self._watch(at_once=False), name="silence")

    def doubt(self) -> None:
        """Ask at once."""
        self.ignore()
        self._task = asyncio.create_task(self._watch(at_once=True), name="doubt")

    def ignore(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self, *, at_once: bool) -> None:
        now = asyncio.get_running_loop().time
        while True:
            left = 0.0 if at_once else self._heard + self._limits.silence - now()
            if left > 0:
                await asyncio.sleep(left * random.uniform(1.0, 1.2))  # noqa: S311  # only spreads questions
                continue
            at_once = False
            try:
                async with asyncio.timeout(self._limits.answer):
                    await self._ask()
            except (TimeoutError, SendFailedError) as error:
                log.info("a connection does not answer: %r", error)
                self._task = None  # what follows may end the watch, and must not end itself
                self._on_silence()
                return
            self.broken()
