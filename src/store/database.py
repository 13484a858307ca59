"""Connections and transactions. Every transaction of a tenant carries its id, which row-level security checks."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import orjson

from domain.roles import Reach
from store.reach import Sight, current_sight
from store.roles import APP_ROLE, LIMITED_ROLE, QUEUE_ROLE, login_name, role_password

if TYPE_CHECKING:
    pass

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy"
"""A connection inside a transaction; what queries take as ``tx``."""

Row: TypeAlias = asyncpg.Record
Result = TypeVar("Result")
_DEADLOCKS_BORNE = 3
_JOINED: ContextVar[tuple[UUID, Connection, Sight | None] | None] = ContextVar("joined", default=None)


def login_url(owner_dsn: str, secret: bytes, role: str) -> str:
    """The same server and database, reached as this installation's log-in of ``role``."""
    parts = urlsplit(owner_dsn)
    host = parts.netloc.rpartition("@")[2]
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query) if k != "options"], quote_via=quote)
    user, password = login_name(secret, role), role_password(secret, role)
    return urlunsplit((parts.scheme, f"{user}:{quote(password)}@{host}", parts.path, query, ""))


class Database:
    """The application's way into PostgreSQL, as the role that row-level security binds.

    ``transaction`` gives a plain asyncpg connection (one round trip to begin, one to commit) and needs the tenant;
    ``gate`` asks the closed list of questions that may be asked without one. The SQLModel classes in store/tables are
    the schema (migrations are held to them); queries are plain SQL, since loading the ORM alone costs two seconds.
    """

    def __init__(self, pool: asyncpg.Pool, limited: asyncpg.Pool, queue_url: str) -> None:
        self._pool = pool
        self._limited = limited
        self.queue_url = queue_url

    @classmethod
    async def open(cls, owner_dsn: str, secret: bytes, *, max_connections: int = 10, lazy: bool = False) -> Database:
        """Connect. The database must have been migrated with the same ``secret``. ``lazy``: only when it is asked."""
        pool = await _pool(login_url(owner_dsn, secret, APP_ROLE), 0 if lazy else 1, max_connections)
        # Connections of their own instead of SET ROLE: a plan is made for one role, and would be made anew each time
        # that a connection changes sides. None is opened before the first limited person asks.
        limited = await _pool(login_url(owner_dsn, secret, LIMITED_ROLE), 0, max(1, max_connections // 2))
        return cls(pool, limited, login_url(owner_dsn, secret, QUEUE_ROLE))

    async def close(self) -> None:
        """Close all connections; waits for running transactions."""
        await self._pool.close()
        await self._limited.close()

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID, *, durable: bool = True) -> AsyncIterator[Connection]:
        """One transaction of one tenant. Commits at the end, rolls back on any exception.

        ``durable=False`` does not wait for the disk: only for what is harmless to lose when the server dies. On behalf
        of a person with a limited reach (store.reach) it sees, and so changes, only what that person may see.
        """
        sight = current_sight()
        # What shall see less than the transaction around it is no part of that one.
        if (around := _JOINED.get()) is not None and around[0] == tenant_id and sight in {None, around[2]}:
            async with _part_of(around[1]):
                yield around[1]
            return
        async with (self._pool if sight is None else self._limited).acquire() as connection:
            # One round trip instead of two; the UUID type is what makes the interpolation safe.
            begin = f"BEGIN; SET LOCAL app.tenant_id = '{UUID(str(tenant_id))}'"
            if sight is not None:
                person, reach = UUID(str(sight.user_id)), Reach(sight.reach).value
                begin += f"; SET LOCAL app.person_id = '{person}'; SET LOCAL app.reach = '{reach}'"
            await connection.execute(begin if durable else f"{begin}; SET LOCAL synchronous_commit = off")
            try:
                yield connection
            except BaseException:
                # A lost connection has rolled back by itself, and how it was lost is what the caller must hear.
                with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")

    @asynccontextmanager
    async def joined(self, tenant_id: UUID) -> AsyncIterator[Connection]:
        """One transaction around several flows: what they open inside for the same tenant is a part of it.

        All of it commits at the end, or nothing. Only for flows that run one after the other and wait for no other
        process: nobody sees what they wrote before the end.
        """
        async with self.transaction(tenant_id) as tx:
            token = _JOINED.set((tenant_id, tx, current_sight()))
            try:
                yield tx
            finally:
                _JOINED.reset(token)

    async def retried(self, tenant_id: UUID, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """``work`` in one transaction; again from the start where PostgreSQL broke a deadlock by ending it."""
        for _ in range(_DEADLOCKS_BORNE):
            with contextlib.suppress(asyncpg.DeadlockDetectedError):
                async with self.transaction(tenant_id) as tx:
                    return await work(tx)
        async with self.transaction(tenant_id) as tx:
            return await work(tx)

    async def gate(self, function: str, *arguments: Any) -> list[Row]:
        """Ask one of the questions of schema ``gate`` (see the migration that lists them)."""
        marks = ", ".join(f"${n + 1}" for n in range(len(arguments)))
        async with self._pool.acquire() as connection:
            return list(await connection.fetch(f"SELECT * FROM gate.{function}({marks})", *arguments))

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[Connection]:
        """A connection outside any tenant: sees no tenant's rows. For LISTEN and NOTIFY."""
        async with self._pool.acquire() as connection:
            yield connection


def leave_joined() -> None:
    """Transactions of this task stand on their own from here on: for a task that outlives the one that began it."""
    _JOINED.set(None)


async def _pool(url: str, at_least: int, at_most: int) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        url,
        min_size=at_least,
        max_size=at_most,
        init=_prepare,
        reset=_reset,
        # Our statements look rows up by key: one plan fits every parameter, and planning costs more than running.
        # A plan made while a table is small lives on as it grows: where reading an index costs no more than reading
        # the table's pages in a row, as on any SSD, the plan for a small table is already that for a large one.
        # Starting parallel workers takes longer than a statement of a page or a turn; reports ask for them.
        server_settings={
            "plan_cache_mode": "force_generic_plan",
            "random_page_cost": "1.0",
            "max_parallel_workers_per_gather": "0",
        },
    )


@asynccontextmanager
async def _part_of(tx: Connection) -> AsyncIterator[None]:
    await tx.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await tx.execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")
        raise
    await tx.execute("RELEASE SAVEPOINT part")


async def _prepare(connection: asyncpg.Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
        )


async def _reset(connection: asyncpg.Connection) -> None:
    # asyncpg's own reset costs a round trip for each release. Nothing outlives a transaction here but an aborted one.
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


__all__ = ["Connection", "Database", "Row", "login_url"]
