"""Column shapes that every table shares. Defaults live in the database, so that plain SQL needs none of Python."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field


def uuid_key() -> Any:
    """Random UUID primary key."""
    return Field(
        default=None,
        sa_column=Column(Uuid(), primary_key=True, server_default=text("gen_random_uuid()"), nullable=False),
    )


def sequence_key() -> Any:
    """Increasing 64-bit primary key; within one locked conversation its order is the order of writing."""
    return Field(default=None, sa_column=Column(BigInteger(), Identity(always=True), primary_key=True))


def tenant_key(*, primary: bool = False, index: bool = False) -> Any:
    """The owning tenant. Every table with this column is under row-level security (checked by a test)."""
    return Field(
        sa_column=Column(
            Uuid(), ForeignKey("tenant.id", ondelete="CASCADE"), nullable=False, primary_key=primary, index=index
        )
    )


def busy_tenant_key() -> Any:
    """The owning tenant, without a foreign key: for tables that every message writes.

    Checking the key locks the tenant's row, and transactions that do so at once leave a record of who shares the lock:
    30 % of what storing a message costs the database, and growing. What the row belongs to (its conversation) has the
    key; the event log goes with its tenant by a trigger.
    """
    return Field(sa_column=Column(Uuid(), nullable=False))


def reference(table: str, *, nullable: bool = False, index: bool = False, ondelete: str = "CASCADE") -> Any:
    """UUID reference to ``table``'s id."""
    return Field(
        default=None if nullable else ...,
        sa_column=Column(Uuid(), ForeignKey(f"{table}.id", ondelete=ondelete), nullable=nullable, index=index),
    )


def words(*, default: str | None = None, nullable: bool = False) -> Any:
    """Text without a length limit in the database; limits are checked where the text enters."""
    server_default = None if default is None else text("'" + default.replace("'", "''") + "'")
    return Field(
        default=None if nullable else (default if default is not None else ...),
        sa_column=Column(Text(), nullable=nullable, server_default=server_default),
    )


def moment(*, nullable: bool = False, now: bool = False) -> Any:
    """A point in time, stored with zone; ``now`` takes the transaction's time by default."""
    return Field(
        default=None,
        sa_column=Column(DateTime(timezone=True), nullable=nullable, server_default=text("now()") if now else None),
    )


def document(default: str = "{}") -> Any:
    """A JSON value."""
    return Field(
        default_factory=dict if default == "{}" else list,
        sa_column=Column(JSONB(), nullable=False, server_default=text(f"'{default}'::jsonb")),
    )


def counter() -> Any:
    """A 64-bit counter that starts at zero."""
    return Field(default=0, sa_column=Column(BigInteger(), nullable=False, server_default=text("0")))
