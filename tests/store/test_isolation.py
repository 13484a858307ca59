"""No tenant sees another's rows, in any table, by any way the application has into the database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from store.database import Database
from store.tables import ABOVE_TENANTS, metadata
from tests.database import make_number

TENANT_TABLES = sorted(name for name, table in metadata.tables.items() if "tenant_id" in table.columns)


async def _sample(
    owner: asyncpg.Connection, table: str, tenant: UUID, made: dict[tuple[str, UUID], dict[str, Any]]
) -> dict[str, Any]:
    """Insert one row of ``table`` for ``tenant`` with what it refers to, as a superuser who is under no policy."""
    if (table, tenant) in made:
        return made[table, tenant]
    values: dict[str, Any] = {}
    for column in metadata.tables[table].columns:
        if column.name == "tenant_id":
            values[column.name] = tenant
        elif column.foreign_keys:
            target = next(iter(column.foreign_keys)).column.table.name
            values[column.name] = (await _sample(owner, target, tenant, made))["id"]
        elif column.identity or column.computed or column.server_default is not None or column.nullable:
            continue
        else:
            values[column.name] = _value(column, tenant)
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(f"${n + 1}" for n in range(len(values)))
    row = await owner.fetchrow(f'INSERT INTO "{table}" ({names}) VALUES ({marks}) RETURNING *', *values.values())
    made[table, tenant] = dict(row)
    return made[table, tenant]


def _value(column: sa.Column[Any], tenant: UUID) -> Any:
    match column.type:
        case sa.Uuid():
            return tenant
        case sa.Integer() | sa.BigInteger():
            return tenant.int % 1_000_000
        case sa.Boolean():
            return True
        case sa.DateTime():
            return datetime.now(UTC)
        case _:
            return f"{column.name} of {tenant}"


async def test_that_every_table_is_either_under_a_tenant_or_named_as_standing_above(db: Database) -> None:
    async with db.raw() as tx:
        found = {
            row["relname"]: (row["relrowsecurity"], row["relforcerowsecurity"])
            for row in await tx.fetch(
                "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class c "
                "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'alembic_version'"
            )
        }
    assert set(found) == set(TENANT_TABLES) | ABOVE_TENANTS
    assert [name for name, state in found.items() if state != (True, True)] == []


async def test_that_no_row_of_one_tenant_can_be_read_changed_or_forged_by_another(owner_dsn: str, db: Database) -> None:
    ours, theirs = await make_number(owner_dsn, "ours"), await make_number(owner_dsn, "theirs")
    owner = await asyncpg.connect(owner_dsn)
    await owner.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    made: dict[tuple[str, UUID], dict[str, Any]] = {}
    for number in (ours, theirs):
        made["tenant", number.tenant_id] = {"id": number.tenant_id}
        made["user_account", number.tenant_id] = {"id": number.user_id}
        for table in ("channel_session", "membership"):
            row = await owner.fetchrow(f"SELECT * FROM {table} WHERE tenant_id = $1", number.tenant_id)
            made[table, number.tenant_id] = dict(row)
    for table in TENANT_TABLES:
        for number in (ours, theirs):
            await _sample(owner, table, number.tenant_id, made)
    for table in TENANT_TABLES:
        async with db.transaction(ours.tenant_id) as tx:
            seen = {row["tenant_id"] for row in await tx.fetch(f'SELECT tenant_id FROM "{table}"')}
            assert seen == {ours.tenant_id}, table
        async with db.raw() as tx:
            assert await tx.fetchval(f'SELECT count(*) FROM "{table}"') == 0, f"{table} is open without a tenant"
        row = made[table, theirs.tenant_id]
        forged = {
            name: value for name, value in row.items() if name not in {"id", "xid", "words"} and value is not None
        }
        forged.pop("embedding", None)
        names = ", ".join(f'"{name}"' for name in forged)
        marks = ", ".join(f"${n + 1}" for n in range(len(forged)))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(ours.tenant_id) as tx:
                await tx.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', *forged.values())
        if table not in {"event", "bundle_release"}:  # these can only grow
            async with db.transaction(ours.tenant_id) as tx:
                assert await tx.execute(f'DELETE FROM "{table}" WHERE tenant_id = $1', theirs.tenant_id) == "DELETE 0"
    await owner.execute("DELETE FROM tenant WHERE id = $1", theirs.tenant_id)
    for table in TENANT_TABLES:
        left = {row["tenant_id"] for row in await owner.fetch(f'SELECT tenant_id FROM "{table}"')}
        assert left == {ours.tenant_id}, f"{table} does not go with its tenant"
    await owner.close()


async def test_that_the_logs_of_what_happened_can_only_grow(db: Database, number: Any) -> None:
    for statement in (
        "DELETE FROM event",
        "UPDATE event SET kind = 'forged'",
        "TRUNCATE event",
        "DELETE FROM bundle_release",
        "UPDATE bundle_release SET kind = 'forged'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(number.tenant_id) as tx:
                await tx.execute(statement)


async def test_that_the_application_cannot_escape_its_role(db: Database) -> None:
    async with db.raw() as tx:
        role = await tx.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        owned = await tx.fetchval("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
    assert (*role, owned) == (False, False, False, False, 0)
    for forbidden in (
        "SET ROLE atende_gate",
        "SELECT password_hash FROM user_account",
        "SELECT * FROM login_session",
        "SELECT * FROM queue.procrastinate_jobs",
        "SELECT * FROM approvals.checkpoints",
        "SELECT gate.put_tenant('x', 'x', 'pt', 'UTC')",
        "SELECT gate.put_user('x', 'x', 'x', 'pt')",
    ):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError)):
            async with db.raw() as tx:
                await tx.execute(forbidden)


async def test_that_a_turn_cannot_be_enqueued_for_another_tenant(owner_dsn: str, db: Database) -> None:
    ours, theirs = await make_number(owner_dsn, "ours"), await make_number(owner_dsn, "theirs")
    async with db.transaction(ours.tenant_id) as tx:
        await tx.execute(
            "SELECT gate.enqueue_turn('turns', $1, gen_random_uuid(), NULL, interval '1 s', 1)", theirs.tenant_id
        )
    owner = await asyncpg.connect(owner_dsn)
    assert await owner.fetchval("SELECT count(*) FROM queue.procrastinate_jobs") == 0
    await owner.close()


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
async def test_that_the_migrations_build_exactly_the_declared_tables(owner_dsn: str) -> None:
    import psycopg  # noqa: PLC0415

    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(owner_dsn))
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    engine.dispose()
    assert differences == []
