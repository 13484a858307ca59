"""Leases of numbers: a host keeps what it has whatever else happens to the row, and takes only what is free."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from store.database import Database
from tests.database import make_number


async def lease(db: Database, host: str, *, seconds: float = 60, capacity: int = 10) -> set[UUID]:
    rows = await db.gate("lease_sessions", host, "neonize", timedelta(seconds=seconds), capacity)
    return {row["id"] for row in rows}


@pytest.mark.parametrize(
    "meanwhile",
    [
        "INSERT INTO held_event (tenant_id, channel_session_id, kind) VALUES ($1, $2, 'receipt')",
        "UPDATE channel_session SET next_send_at = now() WHERE tenant_id = $1 AND id = $2",
    ],
    ids=["an event arrives", "a message is paced"],
)
async def test_that_a_lease_is_renewed_although_the_number_is_in_use(
    owner_dsn: str, db: Database, meanwhile: str
) -> None:
    number = await make_number(owner_dsn, provider="neonize")
    assert await lease(db, "a") == {number.session_id}
    owner = await asyncpg.connect(owner_dsn)
    try:
        transaction = owner.transaction()
        await transaction.start()
        await owner.execute(meanwhile, number.tenant_id, number.session_id)
        renewing = asyncio.create_task(lease(db, "a"))
        await asyncio.sleep(0.2)
        await transaction.commit()
        assert await renewing == {number.session_id}
    finally:
        await owner.close()


async def test_that_a_number_has_one_host_until_its_lease_runs_out(owner_dsn: str, db: Database) -> None:
    numbers = {(await make_number(owner_dsn, f"shop{n}", provider="neonize")).session_id for n in range(3)}
    first = await lease(db, "a", capacity=2)
    assert len(first) == 2
    assert await lease(db, "b") == numbers - first
    assert await lease(db, "a", seconds=-1, capacity=2) == first
    assert await lease(db, "b") == numbers
    assert await lease(db, "a") == set()
