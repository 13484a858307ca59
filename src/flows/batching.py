"""Messages of one tenant that arrive at the same moment share a statement, and with it the wait for the disk."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from uuid import UUID

from store.database import Database, Row
from store.messages import Arrival, store_in_open_conversations

_log = logging.getLogger(__name__)
_LANES = 2
"""Transactions of one tenant at once: while one waits for the disk, the other computes."""
_AT_MOST = 32
"""Messages in one transaction. More would hold their conversations for long."""


@dataclass(slots=True)
class _Waiting:
    arrival: Arrival
    done: asyncio.Future[Row | None]


@dataclass(slots=True)
class _Tenant:
    waiting: deque[_Waiting] = field(default_factory=deque)
    lanes: int = 0


class Batches:
    """Stores messages of known contacts. Nobody waits for company: what comes while all lanes are busy forms the next
    batch."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._tenants: dict[UUID, _Tenant] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def store(self, tenant_id: UUID, arrival: Arrival) -> Row | None:
        """The stored message's row (see store.messages), after the commit.

        None: it could not be stored this way, or not in this company (one that fails takes the others with it), or the
        database is away. Store it alone, which also tells why.
        """
        tenant = self._tenants.setdefault(tenant_id, _Tenant())
        waiting = _Waiting(arrival, asyncio.get_running_loop().create_future())
        tenant.waiting.append(waiting)
        if tenant.lanes < _LANES:
            tenant.lanes += 1
            task = asyncio.create_task(self._lane(tenant_id, tenant))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await waiting.done

    async def _lane(self, tenant_id: UUID, tenant: _Tenant) -> None:
        try:
            while tenant.waiting:
                taken = [tenant.waiting.popleft() for _ in range(min(_AT_MOST, len(tenant.waiting)))]
                # Who was cancelled gave up, and will come again or is noted elsewhere.
                batch = sorted(
                    (one for one in taken if not one.done.done()), key=lambda one: str(one.arrival.message.chat)
                )
                if batch:
                    await self._store(tenant_id, batch)
        finally:
            tenant.lanes -= 1
            if not tenant.lanes:
                self._tenants.pop(tenant_id, None)

    async def _store(self, tenant_id: UUID, batch: list[_Waiting]) -> None:
        rows: list[Row | None] = [None] * len(batch)
        try:
            async with self._db.transaction(tenant_id) as tx:
                found = await store_in_open_conversations(tx, tenant_id, [one.arrival for one in batch])
            rows = found
        except Exception as error:
            _log.debug("a batch of %d is taken apart: %r", len(batch), error)
        finally:  # also where the lane itself is ended: each then stores, or fails, alone
            for one, row in zip(batch, rows, strict=True):
                if not one.done.done():
                    one.done.set_result(row)
