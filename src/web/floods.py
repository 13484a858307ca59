"""Against floods of deliveries that prove nothing: counted, told to slow down, and never a burden on the others."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import HTTPConnection, Request

from domain.errors import AtendeError, TooLargeError
from web.security import Throttle

_SMALL = 64 * 1024
_ROOM_BYTES = 256 * 1024 * 1024
_ROOM_OF_ONE_SOURCE = _ROOM_BYTES // 2
_READ_SECONDS = 60.0
_WAIT_SECONDS = 20.0
_LOOKUPS_AT_ONCE = 2
_LOOKUPS_WAITING = 50


class TooManyDeliveriesError(AtendeError):
    """So many deliveries without a valid proof came from there that the next one is told to wait ``seconds``."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            "Too many deliveries without a valid signature or secret.",
            hint=f"Check the webhook's key; answers are slow to change for {seconds} seconds.",
        )
        self.seconds = seconds


class BusyError(AtendeError):
    """There is no room for this right now, whoever asks."""

    def __init__(self) -> None:
        super().__init__("There is too much to take in at once.", hint="Send it again in a moment.")
        self.seconds = 5


class Floods:
    """What this process remembers of failures, by source address and by number; both memories are bounded.

    Nobody is refused before the proof was looked at: the authentic delivery of a gateway that shares its address with
    an attacker is as good as any. What a flood may cost is bounded instead: room for bodies, and look-ups.
    """

    def __init__(self, *, per_source: int = 60, per_number: int = 300, seconds: float = 60.0) -> None:
        self._sources = Throttle(limit=per_source, seconds=seconds)
        self._numbers = Throttle(limit=per_number, seconds=seconds)
        self._room = _Room()
        self._lookups = asyncio.Semaphore(_LOOKUPS_AT_ONCE)
        self._waiting_lookups = 0

    def failed(self, request: Request, number: str) -> None:
        """Note a delivery without proof. Raises TooManyDeliveriesError where there were too many."""
        source = source_of(request)
        self._sources.failed(source)
        self._numbers.failed(number)
        if wait := max(self._sources.seconds_to_wait(source), self._numbers.seconds_to_wait(number)):
            raise TooManyDeliveriesError(wait)

    @asynccontextmanager
    async def lookup(self, request: Request) -> AsyncIterator[None]:
        """Around asking the database for a number that this process does not know: few at once for a noisy source."""
        if not self._sources.seconds_to_wait(source_of(request)):
            yield
            return
        if self._waiting_lookups >= _LOOKUPS_WAITING:
            raise BusyError
        self._waiting_lookups += 1
        try:
            async with self._lookups:
                yield
        finally:
            self._waiting_lookups -= 1

    @asynccontextmanager
    async def body(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """The whole body, with room kept for it as long as the block runs.

        Raises TooLargeError as soon as it is known to be more than ``limit`` bytes, and BusyError where there is no
        room or it does not come.
        """
        source, held = source_of(request), 0
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > limit):
            raise TooLargeError(limit)
        received = bytearray()
        try:
            try:
                async with asyncio.timeout(_READ_SECONDS):
                    async for chunk in request.stream():
                        received += chunk
                        if len(received) > limit:
                            raise TooLargeError(limit)
                        if len(received) > _SMALL and not held:
                            held = int(declared) if declared.isdecimal() else limit
                            await self._room.take(source, held)
            except TimeoutError:
                raise BusyError from None
            yield bytes(received)
        finally:
            if held:
                await self._room.give(source, held)


class _Room:
    """Memory for large bodies, shared by all, and never all of it for one source."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    async def take(self, source: str, size: int) -> None:
        def free() -> bool:
            return self._taken.total() + size <= _ROOM_BYTES and self._taken[source] + size <= _ROOM_OF_ONE_SOURCE

        async with self._changed:
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await self._changed.wait_for(free)
            except TimeoutError:
                raise BusyError from None
            self._taken[source] += size

    async def give(self, source: str, size: int) -> None:
        async with self._changed:
            self._taken[source] -= size
            if self._taken[source] <= 0:
                del self._taken[source]
            self._changed.notify_all()


def source_of(request: HTTPConnection) -> str:
    """Where a request comes from: an address, or the network that one owner of IPv6 addresses has."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host
