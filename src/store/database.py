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

from store.roles import APP_ROLE, QUEUE_ROLE, role_password

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlmodel.ext.asyncio.session import AsyncSession

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy"
"""A connection inside a transaction; what queries take as ``tx``."""

Row: TypeAlias = asyncpg.Record
Result = TypeVar("Result")
_DEADLOCKS_BORNE = 3


def role_url(owner_dsn: str, role: str, password: str) -> str:
    """The same server and database, reached as another role."""
    parts = urlsplit(owner_dsn)
    host = parts.netloc.rpartition("@")[2]
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query) if k != "options"], quote_via=quote)
    return urlunsplit((parts.scheme, f"{role}:{quote(password)}@{host}", parts.path, query, ""))


class Database:
    """The application's way into PostgreSQL, as the role that row-level security binds.

    ``transaction`` gives a plain asyncpg connection (the hot path: one round trip to begin, one to commit);
    ``session`` a SQLModel session for the rest. Both need the tenant; ``gate`` asks the closed list of questions that
    may be asked without one.
    """

    def __init__(self, pool: asyncpg.Pool, url: str, queue_url: str) -> None:
        self._pool = pool
        self._url = url
        self._engine: AsyncEngine | None = None
        self.queue_url = queue_url

    @classmethod
    async def open(cls, owner_dsn: str, secret: bytes, *, max_connections: int = 10) -> Database:
        """Connect. The database must have been migrated with the same ``secret``."""
        url = role_url(owner_dsn, APP_ROLE, role_password(secret, APP_ROLE))
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=max_connections,
            init=_prepare,
            reset=_reset,
            # Our statements look rows up by key: one plan fits every parameter, and planning costs more than running.
            server_settings={"plan_cache_mode": "force_generic_plan"},
        )
        return cls(pool, url, role_url(owner_dsn, QUEUE_ROLE, role_password(secret, QUEUE_ROLE)))

    async def close(self) -> None:
        """Close all connections; waits for running transactions."""
        if self._engine is not None:
            await self._engine.dispose()
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

    @asynccontextmanager
    async def session(self, tenant_id: UUID) -> AsyncIterator[AsyncSession]:
        """One SQLModel session in one transaction of one tenant. Commits at the end, rolls back on any exception."""
        # SQLAlchemy takes longer to load than the rest of a process together: only where a session is used.
        from sqlalchemy import text  # noqa: PLC0415
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
        from sqlmodel.ext.asyncio.session import AsyncSession  # noqa: PLC0415

        if self._engine is None:
            self._engine = create_async_engine(
                "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(self._url), pool_size=2, max_overflow=8
            )
        async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            await session.execute(
                text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": str(UUID(str(tenant_id)))}
            )
            yield session

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


__all__ = ["Connection", "Database", "Row", "role_url"]
