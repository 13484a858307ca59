"""What the sessions of one process share: the library's lock, the journal, the way to the keys, and the limits."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final

from .device_pool import DevicePool
from .devices import DeviceStore
from .handover import Handover
from .pairing_limits import PairingLimits
from .spool import Spool

_AT_ONCE: Final = 4
"""A number's keys are looked for before its client is opened, soon before: the library crashes where there are none.
Each look takes a connection to the database for a moment."""


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """When a connection is doubted, and when reconnecting is given a rest. Seconds."""

    silence: float = 60.0
    """A server that said nothing for so long is asked whether it is still there."""
    answer: float = 10.0
    """How long it may take to answer that."""
    stable: float = 60.0
    """A connection that held so long makes those that failed before it forgotten."""
    failures: int = 6
    """After so many attempts in a row that failed, reconnecting pauses."""
    pause: float = 300.0
    doubt: float = 15.0
    """A message that seems lost may be on its way to where events are kept, or come again; so it is told after that."""
    restricted: float = 3600.0
    """How long WhatsApp's refusal of new chats is taken to last: it does not say."""


@dataclass(slots=True)
class Opening:
    """What all sessions of a process share to open their clients.

    ``lock`` is held while the library notes or forgets a client: its maps bear only one such call at a time. Whatever
    else an opening needs goes on meanwhile, for as many numbers as have one of the ``turns``.
    """

    devices: DeviceStore
    lock: asyncio.Lock
    proxy_url: str | None
    limits: PairingLimits
    spool: Spool
    pool: DevicePool
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    watch: WatchLimits = field(default_factory=WatchLimits)
    usable: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while keys can be read and events be kept; without it no client is opened."""
    opened: int = 0
    hanging: int = 0
    """Clients that were closed unpaired: the library keeps a thread for each as long as the process lives."""
    leftovers: set[asyncio.Task[None]] = field(default_factory=set)

    def leave(self, running: asyncio.Task[None], handover: Handover) -> None:
        """Let a stopped session's last events be kept when they can be; they also stand in the journal."""

        async def finish() -> None:
            await handover.settled()
            running.cancel()

        task = asyncio.create_task(finish(), name="last events")
        self.leftovers.add(task)
        task.add_done_callback(self.leftovers.discard)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel the task and wait for its end."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
