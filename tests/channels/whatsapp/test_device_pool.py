"""Many sockets of the library over few connections of the database, and what happens while that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psycopg
import pytest

from channels.whatsapp.device_pool import DevicePool
from store.embedded import EmbeddedPostgres
from tests.postgres import MEMORY, running_server

OPENED: list[psycopg.Connection] = []


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """One of its own: it is restarted."""
    with running_server(parent=MEMORY) as running:
        yield running


@pytest.fixture
async def pool(server: EmbeddedPostgres) -> AsyncIterator[DevicePool]:
    made = DevicePool(server.address.url(), "public", connections=2)
    await made.open()
    yield made
    for connection in OPENED:
        connection.close()
    OPENED.clear()
    await made.close()


class Client:
    """A driver that, like the library's, prepares nothing by name; its calls block, so they run in a thread."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    @classmethod
    async def of(cls, pool: DevicePool, name: str) -> Client:
        url = pool.library_url(name).replace("postgres://", "postgresql://")
        OPENED.append(await asyncio.to_thread(psycopg.connect, url, autocommit=True, prepare_threshold=None))
        return cls(OPENED[-1])

    async def ask(self, statement: str, *values: Any) -> Any:
        def run() -> Any:
            found = self._connection.execute(statement.encode(), values).fetchone()
            return found[0] if found else None

        return await asyncio.to_thread(run)

    async def within(self, work: Callable[[psycopg.Connection], Any]) -> Any:
        def run() -> Any:
            with self._connection.transaction():
                return work(self._connection)

        return await asyncio.to_thread(run)


async def test_that_many_clients_share_few_connections(pool: DevicePool) -> None:
    clients = [await Client.of(pool, f"client {n}") for n in range(10)]
    answers = await asyncio.gather(*(client.ask("SELECT %s::int * 2", n) for n, client in enumerate(clients)))
    assert answers == [n * 2 for n in range(10)]
    assert pool.most_used <= 2


async def test_that_a_transaction_keeps_its_connection_and_others_wait(pool: DevicePool) -> None:
    first, second, third = [await Client.of(pool, f"client {n}") for n in range(3)]

    def two_statements(connection: psycopg.Connection) -> bool:
        connection.execute("CREATE TEMP TABLE mine (n int) ON COMMIT DROP")
        connection.execute("INSERT INTO mine VALUES (%s)", [7])
        connection.execute("SELECT pg_sleep(0.2)")
        found = connection.execute("SELECT n FROM mine").fetchone()
        return found == (7,)

    results = await asyncio.gather(first.within(two_statements), second.within(two_statements), third.ask("SELECT 1"))
    assert list(results) == [True, True, 1]


async def test_that_an_error_is_the_asker_s_alone(pool: DevicePool) -> None:
    first, second = [await Client.of(pool, f"client {n}") for n in range(2)]
    with pytest.raises(psycopg.errors.DivisionByZero):
        await first.ask("SELECT 1 / %s::int", 0)
    with pytest.raises(psycopg.errors.SyntaxError):
        await first.ask("SELEC")
    assert [await first.ask("SELECT 1"), await second.ask("SELECT 2")] == [1, 2]


async def test_that_a_stopped_client_changes_nothing_any_more(pool: DevicePool) -> None:
    stopped, other = await Client.of(pool, "stopped"), await Client.of(pool, "other")
    sleeping = asyncio.create_task(stopped.ask("SELECT pg_sleep(5)"))
    await asyncio.sleep(0.2)
    pool.sever("stopped")
    with pytest.raises(psycopg.OperationalError):
        await sleeping
    with pytest.raises(psycopg.OperationalError):
        await Client.of(pool, "stopped")
    assert await other.ask("SELECT 1") == 1


async def test_that_questions_wait_while_the_database_is_away(pool: DevicePool, server: EmbeddedPostgres) -> None:
    told: list[bool] = []
    pool.on_outage = told.append
    client = await Client.of(pool, "client")
    assert await client.ask("SELECT 1") == 1
    await asyncio.to_thread(server.stop, "immediate")
    waiting = asyncio.create_task(client.ask("SELECT 2"))
    async with asyncio.timeout(30):
        while told != [True]:  # noqa: ASYNC110  # the pool has no event to wait for
            await asyncio.sleep(0.05)
    assert not waiting.done()
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(60):
        assert await waiting == 2
    assert told == [True, False]
