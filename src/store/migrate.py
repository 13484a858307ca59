"""Brings a database to this version: extension, roles, migrations."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from langgraph.checkpoint.postgres import PostgresSaver
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy import create_engine, pool

from store.roles import (
    APP_ROLE,
    GATE_ROLE,
    GROUPS,
    LIMITED_ROLE,
    LOGINS,
    QUEUE_ROLE,
    SESSIONS_ROLE,
    login_name,
    role_password,
)

MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x4174656E6465  # "Atende": two processes that start at once must not migrate at once


def migrate(owner_dsn: str, secret: bytes) -> None:
    """Make extension and roles, then run all migrations. Safe to call at every start and from several processes.

    ``owner_dsn`` is a ``postgresql://`` URL of a role that may create roles and extensions in this database.
    Blocks; call it through ``asyncio.to_thread`` from a running loop.
    """
    with psycopg.connect(owner_dsn, autocommit=True) as guard:
        guard.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
        _roles(guard, secret)
        guard.execute("CREATE EXTENSION IF NOT EXISTS vector")
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(owner_dsn), poolclass=pool.NullPool
        )
        with engine.begin() as connection:
            command.upgrade(alembic_config(connection), "head")
        engine.dispose()
    _approval_tables(owner_dsn)
    _device_schema(owner_dsn)


def _approval_tables(owner_dsn: str) -> None:
    """The LangGraph saver's own tables, in a schema that only the queue role may enter. What they hold is encrypted."""
    with psycopg.connect(owner_dsn, autocommit=True, row_factory=dict_row) as db:
        db.execute("CREATE SCHEMA IF NOT EXISTS approvals")
        db.execute("SET search_path = approvals")
        PostgresSaver(db).setup()
        db.execute(sql.SQL("GRANT USAGE ON SCHEMA approvals TO {}").format(sql.Identifier(QUEUE_ROLE)))
        db.execute(
            sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA approvals TO {}").format(
                sql.Identifier(QUEUE_ROLE)
            )
        )
        # The gate may forget threads, of contacts that are erased; it cannot read them.
        db.execute(sql.SQL("GRANT USAGE ON SCHEMA approvals TO {}").format(sql.Identifier(GATE_ROLE)))
        db.execute(
            sql.SQL(
                "GRANT DELETE, SELECT (thread_id) ON checkpoints, checkpoint_blobs, checkpoint_writes TO {}"
            ).format(sql.Identifier(GATE_ROLE))
        )


def _device_schema(owner_dsn: str) -> None:
    """Room for the keys of paired devices: whatsmeow (neonize's core) makes its tables there by itself."""
    owner = sql.Identifier(SESSIONS_ROLE)
    with psycopg.connect(owner_dsn, autocommit=True) as db:
        db.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))
        db.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS whatsmeow AUTHORIZATION {}").format(owner))


def alembic_config(connection: object) -> Config:
    """Alembic's configuration for a connection of ours; there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _roles(db: psycopg.Connection[tuple[object, ...]], secret: bytes) -> None:
    """Groups that carry the rights, and this installation's log-ins as their members."""
    # Roles belong to the whole server, the lock only to this database: a twin may create them at the same moment.
    for group in GROUPS:
        _create_role(db, group, sql.SQL("NOLOGIN"))
    if not db.execute("SELECT 1 WHERE pg_has_role(%s, %s, 'USAGE')", [LIMITED_ROLE, APP_ROLE]).fetchone():
        with contextlib.suppress(psycopg.errors.UniqueViolation):
            db.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(APP_ROLE), sql.Identifier(LIMITED_ROLE)))
    database = sql.Identifier(db.info.dbname)
    # Members of the groups exist for every installation of this server; each enters its own database only.
    db.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(database))
    for group in LOGINS:
        login, password = login_name(secret, group), role_password(secret, group)
        _create_role(db, login, sql.SQL("LOGIN PASSWORD {}").format(password))
        db.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(login)))
        db.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(login)))
    db.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(GATE_ROLE)))


def _create_role(db: psycopg.Connection[tuple[object, ...]], name: str, options: sql.Composable) -> None:
    if db.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
        return
    # A twin may be quicker; a log-in's name and password come from the same secret.
    with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        db.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(name), options))
