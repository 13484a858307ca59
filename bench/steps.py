"""A seeded scheduler for everything that happens to one conversation: one step at a time, in an order drawn by lot.

Whoever is about to speak to the database or the provider stops and waits to be picked. A step is one statement (or one
begin, or one commit), so that every gap between two of them is a place where somebody else may come in between. Who
waits for a lock is left alone, and the next one is picked.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from store.database import Connection, Database

_BLOCKED_SECONDS = 0.02
"""Without a sign for so long, a step is taken to wait for another's lock."""
_CURRENT: ContextVar[Steps | None] = ContextVar("steps", default=None)
_HASTE: ContextVar[float] = ContextVar("haste", default=1.0)
_IN_THOUGHT: ContextVar[int] = ContextVar("in_thought", default=0)
_HASTES = (1.0, 1.0, 4.0, 16.0)
"""How much likelier one actor is picked than another: evenly mixed cases and ones in which somebody is far ahead."""


class Steps:
    """The order of one case. Tasks that are begun inside it, and tasks that those begin, take their turns."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._parked: list[tuple[asyncio.Future[None], float]] = []
        self._changed = asyncio.Event()
        self._thinking = 0
        self._over = False
        self.asking = 0
        """Statements under way, which may wait for a lock."""
        self.taken = 0
        """Steps so far."""

    async def run(self, actors: Iterable[Coroutine[Any, Any, Any]], then: Awaitable[Any] | None = None) -> list[Any]:
        """Run the actors to their end, step by step; returns what they returned or raised.

        ``then``: awaited once the actors are done, still step by step (for tasks that they left behind).
        """
        token = _CURRENT.set(self)
        tasks = []
        for actor in actors:
            hurried = _HASTE.set(self._random.choice(_HASTES))
            tasks.append(asyncio.create_task(actor))
            _HASTE.reset(hurried)
        everything = asyncio.create_task(self._all(tasks, then))
        _CURRENT.reset(token)
        everything.add_done_callback(lambda _: self._changed.set())
        while not everything.done():
            if not self._parked:
                self._changed.clear()
                await self._changed.wait()
                continue
            self._changed.clear()
            (place,) = self._random.choices(range(len(self._parked)), [haste for _, haste in self._parked])
            picked, _ = self._parked.pop(place)
            if not picked.done():  # whoever waited may have been given up
                picked.set_result(None)
            self.taken += 1
            await self._settled()
        # A transaction that several share may outlive the one that began it: nobody would pick it any more.
        self._over = True
        for left, _ in self._parked:
            if not left.done():
                left.set_result(None)
        return await everything

    async def _settled(self) -> None:
        """Until whoever was picked waits again, has ended, or must be waiting for a lock."""
        while not self._changed.is_set():
            try:
                async with asyncio.timeout(_BLOCKED_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                if self.asking or not self._thinking:
                    return

    async def _all(self, tasks: list[asyncio.Task[Any]], then: Awaitable[Any] | None) -> list[Any]:
        found = await asyncio.gather(*tasks, return_exceptions=True)
        if then is not None:
            await then
        return found

    async def park(self) -> None:
        """Wait to be picked; once the case is over, for nothing."""
        if self._over:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parked.append((waiting, _HASTE.get()))
        self._thinking -= _IN_THOUGHT.get()
        self._changed.set()
        try:
            await waiting
        finally:
            self._thinking += _IN_THOUGHT.get()


async def step() -> None:
    """A place where somebody else may come first. Outside a case it is none."""
    current = _CURRENT.get()
    if current is not None:
        await current.park()


@asynccontextmanager
async def thinking() -> AsyncIterator[None]:
    """Work without a statement in it: one step, however long the machine takes for it."""
    await step()
    current = _CURRENT.get()
    if current is not None:
        current._thinking += 1
    thought = _IN_THOUGHT.set(1)
    try:
        yield
    finally:
        _IN_THOUGHT.reset(thought)
        if current is not None:
            current._thinking -= 1
            current._changed.set()
    await step()


class SteppedDatabase(Database):
    """The same database, where each statement of a case is a step."""

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID, *, durable: bool = True) -> AsyncIterator[Connection]:
        await step()
        async with super().transaction(tenant_id, durable=durable) as connection:
            yield _Stepped(connection)  # type: ignore[misc]
            await step()


async def _asked(statement: Awaitable[Any]) -> Any:
    await step()
    current = _CURRENT.get()
    if current is None:
        return await statement
    current.asking += 1
    try:
        return await statement
    finally:
        current.asking -= 1


class _Stepped:
    """A connection whose statements are steps."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, *arguments: Any) -> Any:
        return await _asked(self._connection.fetch(*arguments))

    async def fetchrow(self, *arguments: Any) -> Any:
        return await _asked(self._connection.fetchrow(*arguments))

    async def fetchval(self, *arguments: Any) -> Any:
        return await _asked(self._connection.fetchval(*arguments))

    async def execute(self, *arguments: Any) -> Any:
        return await _asked(self._connection.execute(*arguments))

    async def executemany(self, *arguments: Any) -> Any:
        return await _asked(self._connection.executemany(*arguments))
