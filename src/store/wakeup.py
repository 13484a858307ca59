"""Telling other processes that there is something to do, without a NOTIFY in every transaction.

A NOTIFY inside a business transaction takes a lock over all of the server's commits. So a process notes what changed
and sends one NOTIFY per channel every few milliseconds, outside of them. Nothing depends on its arrival: every reader
also polls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import asyncpg

from store.database import Database

log = logging.getLogger(__name__)

EVENTS = "atende_event"
OUTBOX = "atende_outbox"
PROFILES = "atende_profile"
NUMBERS = "atende_number"
"""What people want of a number changed; the database itself tells it (trigger tell_hosts)."""
ACCESS = "atende_access"
"""Somebody's access changed: signed out, revoked, another role, reach or team."""
PRESENCE = "atende_presence"
"""Who has which conversation open; carries it (flows.presence)."""
_JOB_INSERTED = '{"type": "job_inserted", "job_id": 0}'  # procrastinate's own form; it reads only the type


def queue_channel(queue: str) -> str:
    """procrastinate's channel for a queue."""
    return f"procrastinate_queue_v1#{queue}"


class Wakeup:
    """Collects wake-ups and sends them together, at most once every ``interval`` seconds."""

    def __init__(self, db: Database, *, interval: float = 0.01) -> None:
        self._db = db
        self._interval = interval
        self._pending: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._local: dict[str, list[Callable[[], None]]] = {}
        self._sent_at = 0.0

    def listen_here(self, channel: str, callback: Callable[[], None]) -> None:
        """Also call ``callback`` at once, in this process, whenever it signals ``channel`` itself."""
        self._local.setdefault(channel, []).append(callback)

    def signal(self, *channels: str) -> None:
        """Note that something of these channels was committed. Call it after the commit."""
        for channel in channels:
            for callback in self._local.get(channel, ()):
                callback()
        self._pending.update(channels)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._flush(), name="wakeup")

    def turn_waits(self, queue: str) -> None:
        """A turn that may run at once was enqueued."""
        self.signal(queue_channel(queue))

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            # At once after a quiet moment; under load, together.
            await asyncio.sleep(self._sent_at + self._interval - loop.time())
            self._sent_at = loop.time()
            channels, self._pending = self._pending, set()
            try:
                async with self._db.raw() as connection:
                    await connection.execute(
                        "SELECT pg_notify(c, $2) FROM unnest($1::text[]) c", list(channels), _JOB_INSERTED
                    )
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                log.warning("wake-up not sent; readers will poll", exc_info=True)
                return

    async def close(self) -> None:
        """Send what is pending and stop."""
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task


class Listener:
    """Calls back on notifications, over a connection of its own that is re-made when it breaks.

    ``callbacks`` are also called whenever it listens anew; ``readers`` get what a notification carries instead.
    """

    def __init__(
        self,
        db: Database,
        callbacks: dict[str, Callable[[], None]],
        readers: dict[str, Callable[[str], None]] | None = None,
    ) -> None:
        self._db = db
        self._callbacks = callbacks
        self._readers = readers or {}

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                async with self._db.raw() as connection:
                    await self._listen(connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("listening interrupted: %s", error)
            await asyncio.sleep(1)

    async def _listen(self, connection: asyncpg.Connection) -> None:
        broken = asyncio.Event()
        connection.add_termination_listener(lambda _: broken.set())

        def heard(_connection: object, _pid: int, channel: str, payload: str) -> None:
            if channel in self._readers:
                self._readers[channel](payload)
            else:
                self._callbacks[channel]()

        for channel in self._callbacks:
            await connection.add_listener(channel, heard)
        for callback in self._callbacks.values():
            callback()  # what came while nobody listened
        try:
            await broken.wait()
        finally:
            if not connection.is_closed():
                for channel in self._callbacks:
                    await connection.remove_listener(channel, heard)


async def every(
    seconds: float, work: Callable[[], Awaitable[object]], wake: asyncio.Event | None = None, *, pause: float = 0.0
) -> None:
    """Run ``work`` for ever: after each ``wake`` and at least every ``seconds``. Failures are logged, then retried.

    ``pause``: so long a rest after each run, for work that many wake-ups in a moment need only once.
    """
    while True:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("background work failed; trying again in %.1f s", max(seconds, 1))
            await asyncio.sleep(max(seconds, 1))
        await asyncio.sleep(pause)
        if wake is None:
            await asyncio.sleep(seconds)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await wake.wait()
            wake.clear()
