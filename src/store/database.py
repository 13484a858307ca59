"""Connections and transactions. Every transaction of a tenant carries its id, which row-level security checks."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import orjson

from store.roles import APP_ROLE, QUEUE_ROLE, login_name, role_password

if TYPE_CHECKING:
    pass

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy"
"""A connection inside a transaction; what queries take as ``tx``."""

Row: TypeAlias = asyncpg.Record
Result = TypeVar("Result")
_DEADLOCKS_BORNE = 3


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

    def __init__(self, pool: asyncpg.Pool, queue_url: str) -> None:
        self._pool = pool
        self.queue_url = queue_url

    @classmethod
    async def open(cls, owner_dsn: str, secret: bytes, *, max_connections: int = 10, lazy: bool = False) -> Database:
        """Connect. The database must have been migrated with the same ``secret``. ``lazy``: only when it is asked."""
        url = login_url(owner_dsn, secret, APP_ROLE)
        pool = await asyncpg.create_pool(
            url,
            min_size=0 if lazy else 1,
            max_size=max_connections,
            init=_prepare,
            reset=_reset,
            # Our statements look rows up by key: one plan fits every parameter, and planning costs more than running.
            server_settings={"plan_cache_mode": "force_generic_plan"},
        )
        return cls(pool, login_url(owner_dsn, secret, QUEUE_ROLE))

    async def close(self) -> None:
        """Close all connections; waits for running transactions."""
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID, *, durable: bool = True) -> AsyncIterator[Connection]:
        """One transaction of one tenant. Commits at the end, rolls back on any exception.

        ``durable=False`` does not wait for the disk: only for what is harmless to lose when the server dies.
        """
        async with self._pool.acquire() as connection:
            # One round trip instead of two; the UUID type is what makes the interpolation safe.
            begin = f"BEGIN; SET LOCAL app.tenant_id = '{UUID(str(tenant_id))}'"
            await connection.execute(begin if durable else f"{begin}; SET LOCAL synchronous_commit = off")
            try:
                yield connection
            except BaseException:
                # A lost connection has rolled back by itself, and how it was lost is what the caller must hear.
                with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")

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
