"""A session host: the process that holds the connections of numbers, and may die at any time.

It leases numbers, keeps their connections, and hands over what arrives. Where leases and events are kept is the
``HostStore``'s matter, and sending is delivery's (through ``senders``), so this knows no database. A supervisor
restarts a host that died; the new one leases the same numbers again and resumes their devices.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol
from uuid import UUID

from channels.base import Channel, ChannelEvent, Sender, SessionChanged, SessionRef
from domain.messages import SessionStatus

log = logging.getLogger(__name__)


class HostStore(Protocol):
    """Where the host's leases and events are kept. It raises what it likes when it cannot; the host tries again."""

    async def lease(self, capacity: int, seconds: float) -> Sequence[SessionRef]:
        """Renew this host's leases and take free numbers, up to ``capacity`` in all, for the next ``seconds``.

        Returns every number that this host shall run now, with its newest account and config. One that is missing is
        stopped. One that gave up (its code expired, its phone unlinked it) is started again when its SessionRef has
        changed or when it was missing for a while. One whose ``config["pairing"]`` changed is paired anew, even if it
        is online: that value only people change, while an account that was just paired may be missing here.
        """
        ...

    async def keep(self, session_id: str, event: ChannelEvent) -> None:
        """Make the event durable before returning. Called for one event of a number after the other, in their order.

        The same message may come twice, and after a crash also for a number that this host has not leased. Raise only
        for what a later try may mend: the number stays offline until it succeeds. What can never be stored, or belongs
        to a number that was deleted, must be set aside there.
        """
        ...

    async def release(self) -> None:
        """Give up all leases of this host, so that others need not wait for their end."""
        ...


class HostedChannel(Channel, Protocol):
    """A channel with connections to hold (``NeonizeChannel``)."""

    async def recover(self, keep: Callable[[str, ChannelEvent], Awaitable[None]]) -> int:
        """Hand over what hosts that were killed had not kept yet."""
        ...

    async def unlink(self, session_id: str) -> None:
        """Take the number offline and end its pairing."""
        ...

    @property
    def ready(self) -> frozenset[str]:
        """The ids of the sessions that can send now."""
        ...

    @property
    def ended(self) -> frozenset[str]:
        """The ids of the started sessions that gave up for good."""
        ...

    @property
    def opened(self) -> int:
        """How many connections the process has opened so far."""
        ...


@dataclass(frozen=True, slots=True)
class HostLimits:
    """``lease_seconds``: how long a dead host keeps others waiting; renewed three times in that time."""

    capacity: int = 50
    lease_seconds: float = 15.0
    most_opened: int = 1000
    """After so many connections the host ends itself, when none is being paired: every one leaks a little."""


class SessionHost:
    """Runs what it has leased. ``run`` until ``stop`` or until the process is worn out."""

    def __init__(self, channel: HostedChannel, store: HostStore, limits: HostLimits | None = None) -> None:
        self._channel, self._store, self._limits = channel, store, limits or HostLimits()
        self._running: dict[str, SessionRef] = {}  # as they were started, with the account that pairing gave
        self._stopping = asyncio.Event()
        self.ready_changed = asyncio.Event()
        """Set whenever a number comes online: what waited for it may be sent now. Whoever waits for it clears it."""

    def senders(self) -> Mapping[UUID, Sender]:
        """The numbers that only this process can send for, right now."""
        return {UUID(session_id): self._channel for session_id in self._channel.ready}

    def stop(self) -> None:
        """Make ``run`` end soon."""
        self._stopping.set()

    async def run(self) -> None:
        """Returns after ``stop``, or when worn out, with all numbers offline and their leases given up."""
        await self._recover()
        renewed = asyncio.get_running_loop().time()
        try:
            while not self._stopping.is_set():
                try:
                    async with asyncio.timeout(self._limits.lease_seconds / 2):
                        wanted = await self._store.lease(self._limits.capacity, self._limits.lease_seconds)
                except Exception:
                    log.exception("the leases could not be renewed")
                    if asyncio.get_running_loop().time() - renewed > self._limits.lease_seconds * 0.8:
                        await self._follow([])  # another host may take them from now on, and one device is one login
                else:
                    renewed = asyncio.get_running_loop().time()
                    await self._follow(wanted)
                if self._worn_out():
                    log.info("ending after %d connections, to be started afresh", self._channel.opened)
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.lease_seconds / 3):
                        await self._stopping.wait()
        finally:
            await self._follow([])
            with contextlib.suppress(Exception):  # they run out by themselves
                await self._store.release()

    async def _recover(self) -> None:
        while not self._stopping.is_set():
            try:
                count = await self._channel.recover(self._store.keep)
            except Exception:
                log.exception("what the last host left could not be kept; trying again")
                await asyncio.sleep(self._limits.lease_seconds / 5)
            else:
                log.info("kept %d events of hosts that were killed", count)
                return

    async def _follow(self, wanted: Sequence[SessionRef]) -> None:
        """Run exactly these."""
        by_id = {session.id: session for session in wanted}
        gone = [session_id for session_id in self._running if session_id not in by_id]
        for session_id in gone:
            del self._running[session_id]
        await asyncio.gather(*(self._channel.stop(session_id) for session_id in gone))
        ended = self._channel.ended
        for session in wanted:
            known = self._running.get(session.id)
            anew = known is not None and session.config.get("pairing") != known.config.get("pairing")
            if anew and session.id not in ended:
                await self._channel.unlink(session.id)
            if known is None or anew or (session.id in ended and session != known):
                self._running[session.id] = replace(session, account=None) if anew else session
                await self._channel.start(self._running[session.id], partial(self._keep, session.id))

    async def _keep(self, session_id: str, event: ChannelEvent) -> None:
        await self._store.keep(session_id, event)
        if isinstance(event, SessionChanged):
            running = self._running.get(session_id)
            if running is not None and event.account is not None:
                self._running[session_id] = replace(running, account=event.account)  # as the store has it now
            if event.status is SessionStatus.CONNECTED:
                self.ready_changed.set()

    def _worn_out(self) -> bool:
        settled = self._channel.ready | self._channel.ended
        return self._channel.opened >= self._limits.most_opened and settled.issuperset(self._running)
