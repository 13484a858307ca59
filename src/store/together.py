"""What many want of the database at the same moment, done in one transaction: one wait for the disk instead of many."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from store.database import Connection, Database, leave_joined
from store.reach import see_as

_log = logging.getLogger(__name__)
_LANES = 2
"""Transactions of one tenant at once: while one waits for the disk, the other computes."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    done: asyncio.Future[Result]


@dataclass(slots=True)
class _Tenant(Generic[Item, Result]):
    waiting: deque[_Waiting[Item, Result]] = field(default_factory=deque)
    lanes: int = 0


class Together(Generic[Item, Result]):
    """Nobody waits for company: what is wanted while all lanes are busy forms the next transaction.

    ``work`` gets the items of one tenant, sorted by ``order`` (so that two transactions lock rows in the same order),
    and returns their results. An item that fails takes nobody along: all of its company are then done alone, so
    ``work`` must bear being repeated after a commit whose answer was lost. More than ``at_most`` would hold their rows
    for long. ``durable``: see ``Database.transaction``.
    """

    def __init__(
        self,
        db: Database,
        work: Callable[[Connection, Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        order: Callable[[Item], Any],
        at_most: int = 32,
        durable: bool = True,
    ) -> None:
        self._db = db
        self._work = work
        self._order = order
        self._at_most = at_most
        self._durable = durable
        self._tenants: dict[UUID, _Tenant[Item, Result]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def do(self, tenant_id: UUID, item: Item) -> Result:
        """The item's result, after the commit. Raises what ``work`` raises for this item alone."""
        tenant = self._tenants.setdefault(tenant_id, _Tenant())
        waiting: _Waiting[Item, Result] = _Waiting(item, asyncio.get_running_loop().create_future())
        tenant.waiting.append(waiting)
        if tenant.lanes < _LANES:
            tenant.lanes += 1
            task = asyncio.create_task(self._lane(tenant_id, tenant))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await waiting.done

    async def _lane(self, tenant_id: UUID, tenant: _Tenant[Item, Result]) -> None:
        # The lane works for whoever comes, not for the person, nor in the transaction, on whose occasion it was opened.
        see_as(None)
        leave_joined()
        try:
            while tenant.waiting:
                taken = [tenant.waiting.popleft() for _ in range(min(self._at_most, len(tenant.waiting)))]
                # Who was cancelled gave up, and will come again or is noted elsewhere.
                batch = sorted((one for one in taken if not one.done.done()), key=lambda one: self._order(one.item))
                if batch:
                    await self._do(tenant_id, batch)
        finally:
            tenant.lanes -= 1
            if not tenant.lanes and self._tenants.get(tenant_id) is tenant:
                del self._tenants[tenant_id]

    async def _do(self, tenant_id: UUID, batch: list[_Waiting[Item, Result]]) -> None:
        try:
            async with self._db.transaction(tenant_id, durable=self._durable) as tx:
                results = await self._work(tx, [one.item for one in batch])
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            _log.debug("a transaction of %d is taken apart: %r", len(batch), error)
            await asyncio.gather(*(self._do(tenant_id, [one]) for one in batch if not one.done.done()))
        except BaseException as error:  # the lane itself is ended
            _fail(batch, error)
            raise
        else:
            for one, result in zip(batch, results, strict=True):
                if not one.done.done():
                    one.done.set_result(result)


def _fail(batch: list[_Waiting[Item, Result]], error: BaseException) -> None:
    for one in batch:
        if not one.done.done():
            if isinstance(error, asyncio.CancelledError):
                one.done.cancel()
            else:
                one.done.set_exception(error)
