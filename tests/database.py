"""Databases for tests: built once by the real migrations, then copied."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from store.database import Database
from store.embedded import EmbeddedPostgres
from store.migrate import migrate

SECRET = b"a secret for tests only"
_TEMPLATE = "migrated"


def migrated_template(server: EmbeddedPostgres) -> None:
    """Build the database that all others are copied from."""
    migrate(server.create_database(_TEMPLATE), SECRET)


@contextmanager
def new_database(server: EmbeddedPostgres) -> Iterator[str]:
    """The owner's URL of a fresh migrated database, dropped at the end."""
    import psycopg  # noqa: PLC0415  only the tests that want a database pay for it

    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.address.url(), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY".encode())
    try:
        yield server.address.url(name)
    finally:
        with psycopg.connect(server.address.url(), autocommit=True) as db:
            db.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@asynccontextmanager
async def opened(owner_dsn: str, *, max_connections: int = 10) -> AsyncIterator[Database]:
    """The application's handle on a test database."""
    db = await Database.open(owner_dsn, SECRET, max_connections=max_connections)
    try:
        yield db
    finally:
        await db.close()


@dataclass(frozen=True, slots=True)
class Number:
    """A tenant with one simulated number, as tests need it."""

    tenant_id: UUID
    session_id: UUID
    user_id: UUID


async def make_number(
    owner_dsn: str, slug: str = "shop", *, provider: str = "simulator", settings: dict[str, Any] | None = None
) -> Number:
    """A tenant with an operator and one number, made as the command line makes them."""
    owner = await asyncpg.connect(owner_dsn)
    try:
        tenant_id = await owner.fetchval("SELECT gate.put_tenant($1, $1, 'pt', 'America/Sao_Paulo')", slug)
        user_id = await owner.fetchval("SELECT gate.put_user($1, 'Ana', 'x', 'pt')", f"ana@{slug}.example")
        await owner.execute("SELECT gate.put_member($1, $2, 'operator')", tenant_id, user_id)
    finally:
        await owner.close()
    async with opened(owner_dsn, max_connections=1) as db, db.transaction(tenant_id) as tx:
        await tx.execute(
            "UPDATE tenant SET settings = $2 WHERE id = $1", tenant_id, settings or {"debounce": {"seconds": 0}}
        )
        session_id = await tx.fetchval(
            "INSERT INTO channel_session (tenant_id, provider, name) VALUES ($1, $2, 'Sales') RETURNING id",
            tenant_id,
            provider,
        )
    return Number(tenant_id, session_id, user_id)
