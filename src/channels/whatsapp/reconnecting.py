"""How long a number waits before it connects again, and how long WhatsApp's refusal of new chats is taken to last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .opening import WatchLimits

_LONGEST_WAIT: Final = 60.0


class Reconnecting:
    """Counts attempts that failed in a row. Each waits twice as long as the one before; after too many there is a rest.

    A connection counts as good only when it held for a while: one that breaks at once, again and again, is none.
    """

    def __init__(self, limits: WatchLimits) -> None:
        self._limits = limits
        self._attempts = 0
        self._online_since: float | None = None

    def begun(self) -> None:
        """Another attempt."""
        self._attempts += 1

    def online(self) -> None:
        """It succeeded."""
        if self._online_since is None:
            self._online_since = _now()

    def forgiven(self) -> None:
        """The connection ends for reasons of our own."""
        self._attempts = 0
        self._online_since = None

    def failed(self) -> tuple[float, str]:
        """Returns the seconds to wait, and what to say where that is a rest."""
        if self._online_since is not None and _now() - self._online_since >= self._limits.stable:
            self._attempts = 1
        self._online_since = None
        if self._attempts >= self._limits.failures:
            minutes = max(1, round(self._limits.pause / 60))
            return self._limits.pause, (
                f"{self._attempts} attempts in a row failed; the next one is in {minutes} minutes."
            )
        return min(2.0 ** (self._attempts - 1), _LONGEST_WAIT), ""


class Restriction:
    """WhatsApp does not say how long it lasts: it is taken to be over after ``seconds``; then ``on_end`` is called.

    ``config["restricted_until"]`` (seconds since the epoch): one that an earlier process knew of.
    """

    def __init__(self, seconds: float, on_end: Callable[[], None], config: Mapping[str, Any]) -> None:
        self._seconds, self._on_end = seconds, on_end
        self._until = 0.0
        until: float | None = config.get("restricted_until")
        if until is not None and (left := min(until - time.time(), seconds)) > 0:
            self._hold(left)

    @property
    def holds(self) -> bool:
        return _now() < self._until

    @property
    def until(self) -> datetime | None:
        """None: none holds."""
        return datetime.now(UTC) + timedelta(seconds=self._until - _now()) if self.holds else None

    def begin(self) -> None:
        self._hold(self._seconds)

    def _hold(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._until = loop.time() + seconds
        loop.call_at(self._until, self._ended)

    def _ended(self) -> None:
        if not self.holds:  # else it has begun anew meanwhile
            self._on_end()


class OneTimer:
    """One at a time: for the codes' end while pairing, for a broken connection's grace afterwards."""

    def __init__(self) -> None:
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float, act: Callable[[], None]) -> None:
        self.cancel()
        self._handle = asyncio.get_running_loop().call_later(seconds, act)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def _now() -> float:
    return asyncio.get_running_loop().time()
