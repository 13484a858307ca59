"""A session host: the process that holds the connections of numbers, and may die at any time.

It leases numbers, keeps their connections, and hands over what arrives. Where leases and events are kept is the
``HostStore``'s matter, and sending is delivery's (through ``senders``), so this knows no database. A host that died is
succeeded by whoever leases its numbers next, which first hands over what stands in the dead one's journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID

from channels.base import Channel, ChannelEvent, Sender, SessionChanged, SessionRef
from domain.messages import SessionStatus

log = logging.getLogger(__name__)


class HostStore(Protocol):
    """Where the host's leases and events are kept. It raises what it likes when it cannot; the host tries again."""

    async def lease(self, capacity: int, seconds: float, alive: Collection[str] = ()) -> Sequence[SessionRef]:
        """Renew this host's leases and take free numbers, up to ``capacity`` in all, for the next ``seconds``.

        What is returned is leased for three quarters of that time at least. ``alive`` are the numbers whose connection
        has just proved to work.

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

    async def let_go(self, session_id: str) -> None:
        """Give up the lease of a number that another kind of host shall run (see ``HostLimits.holds``)."""
        ...

    async def release(self) -> None:
        """Give up all leases of this host, so that others need not wait for their end."""
        ...


class HostedChannel(Channel, Protocol):
    """A channel with connections to hold (``NeonizeChannel``)."""

    async def recover(self, keep: Callable[[str, ChannelEvent], Awaitable[None]]) -> int:
        """Hand over what hosts that were killed had not kept yet."""
        ...

    async def stop(self, session_id: str, *, at_once: bool = False) -> None:
        """Take the number offline. ``at_once``: it may be another host's already, so nothing is waited for."""
        ...

    def suspend(self, *, suspended: bool) -> None:
        """Keep all numbers offline while nothing can be stored."""
        ...

    async def unlink(self, session_id: str, *, ends: bool = True) -> bool:
        """Take the number offline and end its pairing; whether WhatsApp was told. ``ends`` False: it is paired anew."""
        ...

    @property
    def ready(self) -> frozenset[str]:
        """The ids of the sessions that can send now."""
        ...

    @property
    def alive(self) -> frozenset[str]:
        """The ids of the sessions whose server has answered lately."""
        ...

    @property
    def ended(self) -> frozenset[str]:
        """The ids of the started sessions that gave up for good."""
        ...

    def quiet_seconds(self, session_id: str) -> float:
        """How long nothing has come for the number; infinite for one that does not run."""
        ...

    @property
    def opened(self) -> int:
        """How many connections the process has opened so far."""
        ...

    @property
    def hanging(self) -> int:
        """How many pairings that nobody finished still hold a thread of the process."""
        ...


Holds = Literal["all", "paired", "unpaired"]
"""Which numbers a host runs. Those without a device are best paired in a process that can end itself: the library never
gives back the thread of a pairing that nobody finished, and ends no number's connection if no number is connected."""


@dataclass(frozen=True, slots=True)
class HostLimits:
    """``lease_seconds``: how long a host that vanished keeps others waiting. ``look_seconds``: how often it renews what
    it has and looks for numbers that are free."""

    capacity: int = 300
    lease_seconds: float = 12.0
    look_seconds: float = 2.0
    most_opened: int = 1000
    """After so many connections the host ends itself, when none is being paired: every one leaks a little."""
    most_hanging: int = 20
    """The same after so many pairings that nobody finished; while no number is online, the first is enough."""
    most_memory_mb: float | None = None
    """Above it as well."""
    holds: Holds = "all"
    quiet_seconds: float = 10.0
    """A number that was just paired is passed on when nothing came for so long, or at the latest after ten times that:
    what a phone tells after a pairing, it tells once."""
    unsettled_seconds: float = 60.0
    """A host over its limits waits so long at most for numbers that are just connecting or being paired."""


_RENEWED_UP_TO = 0.6
"""The share of a lease after which a host that could not renew it goes offline: the store promises three quarters."""


class SessionHost:
    """Runs what it has leased. ``run`` until ``stop`` or until the process is worn out."""

    def __init__(self, channel: HostedChannel, store: HostStore, limits: HostLimits | None = None) -> None:
        self._channel, self._store, self._limits = channel, store, limits or HostLimits()
        self._running: dict[str, SessionRef] = {}  # as they were started, with the account that pairing gave
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._unlinked: set[str] = set()
        self._paired: dict[str, float] = {}  # since when those are online that another kind of host shall have
        self._draining: asyncio.Task[int] | None = None
        self._worn_since: float | None = None
        self._stopping = False
        self._look = asyncio.Event()
        self.ready_changed = asyncio.Event()
        """Set whenever a number comes online: what waited for it may be sent now. Whoever waits for it clears it."""

    def senders(self) -> Mapping[UUID, Sender]:
        """The numbers that only this process can send for, right now."""
        return {UUID(session_id): self._channel for session_id in self._channel.ready}

    def stop(self) -> None:
        """Make ``run`` end soon."""
        self._stopping = True
        self._look.set()

    def look(self) -> None:
        """Something about the numbers may have changed: ask the store now, not only at the next regular look."""
        self._look.set()

    async def run(self) -> None:
        """Returns after ``stop``, or when worn out, with all numbers offline and their leases given up."""
        now = asyncio.get_running_loop().time
        renewed = now()
        try:
            while not self._stopping:
                asked = now()
                is_late = asked - renewed > self._limits.lease_seconds * _RENEWED_UP_TO
                try:
                    async with asyncio.timeout(self._limits.lease_seconds * _RENEWED_UP_TO / 2):
                        wanted = await self._store.lease(
                            self._limits.capacity, self._limits.lease_seconds, self._channel.alive
                        )
                except Exception:
                    log.exception("the leases could not be renewed")
                    self._channel.suspend(suspended=True)
                    if is_late:
                        await self._follow([], at_once=True)  # others may take them now, and one device is one log-in
                else:
                    renewed = asked
                    self._channel.suspend(suspended=False)
                    await self._follow(wanted, at_once=is_late)
                if self._worn_out():
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.look_seconds):
                        await self._look.wait()
                self._look.clear()
        finally:
            await self._follow([])
            await asyncio.gather(*self._ending.values(), return_exceptions=True)
            if self._draining is not None:
                self._draining.cancel()
            with contextlib.suppress(Exception):  # they run out by themselves
                await self._store.release()

    async def restart(self, session_id: str) -> bool:
        """Close a number's connection and open a new one; whether this host runs it."""
        session = self._running.get(session_id)
        if session is None:
            return False
        await self._channel.start(session, partial(self._keep, session_id))
        if session_id not in self._running:  # given up meanwhile
            await self._channel.stop(session_id)
        return True

    async def let_go(self, session_id: str) -> None:
        """Take a number that is no longer wanted offline now, rather than at the next look at the leases."""
        self._running.pop(session_id, None)
        await self._channel.stop(session_id)

    async def unlink(self, session_id: str) -> bool:
        """End a number's pairing; whether WhatsApp was told. It is not started again before it is leased anew."""
        told = await self._channel.unlink(session_id)
        self._running.pop(session_id, None)
        return told

    async def _follow(self, wanted: Sequence[SessionRef], *, at_once: bool = False) -> None:
        """Run exactly these. Nothing here takes long, or the leases would run out meanwhile."""
        by_id = {session.id: session for session in wanted}
        for session_id in [session_id for session_id in self._running if session_id not in by_id]:
            del self._running[session_id]
            self._end(session_id, self._channel.stop(session_id, at_once=at_once))
        ended = self._channel.ended
        starting: list[SessionRef] = []
        for session in wanted:
            known = self._running.get(session.id)
            if session.id in self._ending:
                continue
            anew = known is not None and session.config.get("pairing") != known.config.get("pairing")
            if anew and session.id not in ended:
                del self._running[session.id]
                self._unlinked.add(session.id)
                self._end(session.id, self._channel.unlink(session.id, ends=False))
            elif not self._is_mine(session):
                if known is None or self._is_settled(session.id):
                    self._running.pop(session.id, None)
                    self._end(session.id, self._pass_on(session.id))
            elif known is None or anew or (session.id in ended and session != known):
                forgotten = anew or session.id in self._unlinked
                starting.append(replace(session, account=None) if forgotten else session)
        if any(session.id not in self._running for session in starting) and not await self._journals_are_empty():
            starting = [session for session in starting if session.id in self._running]
        for session in starting:
            self._unlinked.discard(session.id)
            self._running[session.id] = session
            await self._channel.start(session, partial(self._keep, session.id))

    def _is_mine(self, session: SessionRef) -> bool:
        paired = session.account is not None and session.id not in self._unlinked
        return self._limits.holds == "all" or paired == (self._limits.holds == "paired")

    def _is_settled(self, session_id: str) -> bool:
        """Whether nothing that follows a pairing (its history, for one) would be cut off if it were passed on now."""
        now = asyncio.get_running_loop().time()
        since = self._paired.setdefault(session_id, now)
        quiet = min(self._channel.quiet_seconds(session_id), now - since)
        return quiet >= self._limits.quiet_seconds or now - since >= self._limits.quiet_seconds * 10

    async def _pass_on(self, session_id: str) -> None:
        """Take it offline here, then let a host of the other kind have it: never both at once."""
        await self._channel.stop(session_id)
        self._paired.pop(session_id, None)
        self._unlinked.discard(session_id)
        await self._store.let_go(session_id)

    def _end(self, session_id: str, work: Coroutine[Any, Any, object]) -> None:
        async def ended() -> None:
            try:
                await work
            except Exception:
                log.exception("%s could not be taken offline in peace", session_id)
            finally:
                del self._ending[session_id]

        self._ending[session_id] = asyncio.create_task(ended(), name=f"end of {session_id}")

    async def _journals_are_empty(self) -> bool:
        """Whether all that dead hosts noted is kept: it comes before what their numbers receive now."""
        if self._draining is None:
            self._draining = asyncio.create_task(self._channel.recover(self._store.keep), name="journals of dead hosts")
        await asyncio.wait({self._draining}, timeout=self._limits.look_seconds)
        if not self._draining.done():
            return False
        draining, self._draining = self._draining, None
        if (error := draining.exception()) is not None:
            log.error("what a dead host left could not be kept; trying again", exc_info=error)
            return False
        if count := draining.result():
            log.info("kept %d events of hosts that were killed", count)
        return True

    async def _keep(self, session_id: str, event: ChannelEvent) -> None:
        await self._store.keep(session_id, event)
        if isinstance(event, SessionChanged):
            running = self._running.get(session_id)
            if running is not None and (event.account is not None or event.unlinked):
                self._running[session_id] = replace(running, account=event.account)  # as the store has it now
            if event.status is SessionStatus.CONNECTED:
                self.ready_changed.set()

    def _worn_out(self) -> bool:
        memory, limits = memory_mb(), self._limits
        hanging = self._channel.hanging
        if not (
            self._channel.opened >= limits.most_opened
            or (limits.most_memory_mb is not None and memory > limits.most_memory_mb)
            or hanging >= limits.most_hanging
            or (hanging > 0 and not self._channel.ready)
        ):
            self._worn_since = None
            return False
        now = asyncio.get_running_loop().time()
        self._worn_since = self._worn_since or now
        settled = self._channel.ready | self._channel.ended
        if not settled.issuperset(self._running) and now - self._worn_since < limits.unsettled_seconds:
            return False
        log.warning("ending after %d connections with %.0f MiB, to be started afresh", self._channel.opened, memory)
        return True


def memory_mb() -> float:
    """What this process holds in memory now, in MiB; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
