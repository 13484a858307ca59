"""No event is passed over because a later one was committed before it."""

from __future__ import annotations

from typing import Any

import asyncpg

from store.database import Database
from store.event_order import EventOrder
from tests.database import Number

INSERT = "INSERT INTO event (tenant_id, kind) VALUES ($1, 'x.y') RETURNING id"


async def _writers(owner_dsn: str) -> tuple[asyncpg.Connection, asyncpg.Connection]:
    """Two open transactions: the first has the lower transaction id, the second will have drawn the lower event id."""
    first, second = await asyncpg.connect(owner_dsn), await asyncpg.connect(owner_dsn)
    for one in (first, second):
        await one.execute("BEGIN")
        await one.fetchval("SELECT pg_current_xact_id()::text")
    return first, second


async def _look_until(order: EventOrder, wanted: int) -> int:
    """Where it stands as soon as it is there; a few looks at most."""
    found = 0
    for _ in range(5):
        if (found := await order.look()) >= wanted:
            break
    return found


async def test_that_a_reader_waits_for_a_lower_id_that_is_not_committed_yet(
    db: Database, owner_dsn: str, number: Number
) -> None:
    order = EventOrder(db)
    before = await order.look()
    first, second = await _writers(owner_dsn)
    try:
        low = await second.fetchval(INSERT, number.tenant_id)
        high = await first.fetchval(INSERT, number.tenant_id)
        await first.execute("COMMIT")
        assert low < high
        assert [await order.look() for _ in range(3)] == [before] * 3
        assert order.has_gap
        await second.execute("COMMIT")
        assert await _look_until(order, high) == high
        assert not order.has_gap
    finally:
        await first.close()
        await second.close()


async def test_that_an_id_that_was_rolled_back_holds_nobody_up(db: Database, owner_dsn: str, number: Number) -> None:
    order = EventOrder(db)
    await order.look()
    first, second = await _writers(owner_dsn)
    try:
        await second.fetchval(INSERT, number.tenant_id)
        high = await first.fetchval(INSERT, number.tenant_id)
        await first.execute("COMMIT")
        await second.execute("ROLLBACK")
        assert await _look_until(order, high) == high
    finally:
        await first.close()
        await second.close()


async def test_that_a_long_transaction_that_wrote_no_event_holds_nobody_up(
    db: Database, owner_dsn: str, number: Number
) -> None:
    order = EventOrder(db)
    await order.look()
    first, second = await _writers(owner_dsn)
    try:
        high: Any = await first.fetchval(INSERT, number.tenant_id)
        await first.execute("COMMIT")
        assert await order.look() == high
    finally:
        await first.close()
        await second.close()


async def test_that_the_transaction_id_is_drawn_before_the_events_own(db: Database) -> None:
    async with db.raw() as connection:
        rows = await connection.fetch(
            "SELECT attname::text FROM pg_attribute "
            "WHERE attrelid = 'public.event'::regclass AND attnum > 0 ORDER BY attnum"
        )
    names = [row["attname"] for row in rows]
    assert names.index("xid") < names.index("id")
