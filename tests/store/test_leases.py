"""Leases of numbers: a host keeps what it has whatever else happens to the row, and takes only what is free."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from channels.base import SessionChanged, SessionStatus
from flows.sessions import record_status
from store.database import Database
from tests.database import make_number


async def lease(
    db: Database, host: str, *, capacity: int = 10, hosts: int = 1, alive: Collection[UUID] = ()
) -> set[UUID]:
    lasts = timedelta(seconds=60)
    rows = await db.gate("lease_sessions", host, "neonize", lasts, capacity, hosts, list(alive))
    return {row["id"] for row in rows}


async def pass_time(owner_dsn: str, seconds: float) -> None:
    owner = await asyncpg.connect(owner_dsn)
    try:
        await owner.execute(
            "UPDATE channel_session SET lease_until = lease_until - $1::interval, alive_at = alive_at - $1::interval",
            timedelta(seconds=seconds),
        )
    finally:
        await owner.close()


@pytest.mark.parametrize(
    "meanwhile",
    [
        "INSERT INTO held_event (tenant_id, channel_session_id, kind) VALUES ($1, $2, 'receipt')",
        "UPDATE channel_session SET status_at = now() WHERE tenant_id = $1 AND id = $2",
    ],
    ids=["an event arrives", "its state changes"],
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
    assert await lease(db, "a", capacity=2) == first
    await pass_time(owner_dsn, 61)
    assert await lease(db, "b") == numbers
    assert await lease(db, "a") == set()


async def test_that_numbers_spread_over_the_hosts_and_one_that_is_alone_takes_all(owner_dsn: str, db: Database) -> None:
    numbers = {(await make_number(owner_dsn, f"shop{n}", provider="neonize")).session_id for n in range(5)}
    first = await lease(db, "here/a", hosts=2)
    assert len(first) == 3
    second = await lease(db, "here/b", hosts=2)
    assert second == numbers - first
    await db.gate("release_sessions", "here/a")
    assert await lease(db, "there/c", hosts=1) <= first  # of two machines, each one has its share
    await db.gate("release_sessions", "there/c")
    assert await lease(db, "here/b", hosts=1) == numbers


async def test_that_a_lease_always_has_most_of_its_time_left_and_a_live_connection_is_noted_now_and_then(
    owner_dsn: str, db: Database
) -> None:
    number = (await make_number(owner_dsn, provider="neonize")).session_id
    owner = await asyncpg.connect(owner_dsn)

    async def left() -> tuple[float, float | None]:
        row = await owner.fetchrow(
            "SELECT extract(epoch FROM lease_until - now())::float, extract(epoch FROM now() - alive_at)::float "
            "FROM channel_session"
        )
        return tuple(row)

    try:
        await lease(db, "a")
        assert (await left())[1] is None
        for passed in (10, 10, 30):
            await pass_time(owner_dsn, passed)
            await lease(db, "a")
            assert (await left())[0] > 40
        await lease(db, "a", alive=[number])
        await pass_time(owner_dsn, 5)
        await lease(db, "a", alive=[number])
        _, age = await left()
        assert age is not None
        assert age > 4  # coarse: a row is not written for every sign of life
        await pass_time(owner_dsn, 30)
        await lease(db, "a", alive=[number])
        _, age = await left()
        assert age is not None
        assert age < 30
    finally:
        await owner.close()


async def test_that_whoever_leases_a_number_next_is_told_until_when_it_may_begin_no_chats(
    owner_dsn: str, db: Database
) -> None:
    number = await make_number(owner_dsn, provider="neonize")
    now = datetime.now(UTC)
    until = now + timedelta(hours=1)

    async def config(host: str) -> dict[str, object]:
        rows = await db.gate("lease_sessions", host, "neonize", timedelta(seconds=60), 10, 1, [])
        return dict(rows[0]["config"])

    async def told(status: SessionStatus, restricted_until: datetime | None = None) -> None:
        async with db.transaction(number.tenant_id) as tx:
            change = SessionChanged(status, now, restricted_until=restricted_until)
            await record_status(tx, number.tenant_id, number.session_id, change)

    await told(SessionStatus.RESTRICTED, until)
    await told(SessionStatus.CONNECTING)  # the next host begins
    assert (await config("a"))["restricted_until"] == pytest.approx(until.timestamp())
    assert (await config("a"))["restricted_until"] == pytest.approx(until.timestamp())  # also while it stays leased
    await told(SessionStatus.CONNECTED)  # the restriction was over
    assert "restricted_until" not in await config("a")


async def test_that_a_host_of_one_kind_takes_only_numbers_of_that_kind_and_passes_one_on(
    owner_dsn: str, db: Database
) -> None:
    new, known = [await make_number(owner_dsn, f"shop{n}", provider="neonize") for n in range(2)]

    async def take(host: str, holds: str) -> set[UUID]:
        rows = await db.gate("lease_sessions", host, "neonize", timedelta(seconds=60), 10, 1, [], holds)
        return {row["id"] for row in rows}

    async def pair(number: UUID, account: str | None) -> None:
        owner = await asyncpg.connect(owner_dsn)
        try:
            await owner.execute("UPDATE channel_session SET account = $2 WHERE id = $1", number, account)
        finally:
            await owner.close()

    await pair(known.session_id, "5511990001111:1@s.whatsapp.net")
    assert await take("here/b", "unpaired") == {new.session_id}
    assert await take("here/a", "paired") == {known.session_id}
    await pair(new.session_id, "5511990003333:1@s.whatsapp.net")
    assert await take("here/b", "unpaired") == {new.session_id}  # it has been paired a moment ago, and is online there
    assert await take("here/a", "paired") == {known.session_id}
    await db.gate("pass_session_on", "here/c", new.session_id)  # not that one's to pass on
    assert await take("here/a", "paired") == {known.session_id}
    await db.gate("pass_session_on", "here/b", new.session_id)
    assert await take("here/a", "paired") == {known.session_id, new.session_id}
    assert await take("here/b", "unpaired") == set()
