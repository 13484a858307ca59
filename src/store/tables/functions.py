"""What a tenant's agent may do: its functions, the secrets they need, and the private hosts they may reach."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from store.tables.columns import document, moment, tenant_key, uuid_key, words


class BusinessFunctionDeclaration(SQLModel, table=True):
    """A business function that the tenant may use. ``name`` is unique whatever kind of function it is."""

    __tablename__ = "business_function"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    name: str = words()
    kind: str = words(default="python")
    """What calls it: python (code of a tenant folder), http (a described request) or mcp (a tool of an MCP server)."""
    effect: str = words()
    source: str = words()
    """Where the declaration came from: ``folder:PATH``, ``openapi:TITLE``, ``tools:ENDPOINT``, ``mcp:SERVER``. An
    import replaces what the same source brought earlier and never touches another source's functions."""
    declaration: dict[str, Any] = document()
    """``name``, ``description``, ``parameters`` (JSON Schema, as a language model sees it), ``timeout_seconds``, and
    under the kind's name whatever that kind needs to make the call."""
    trusted: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    """A write acts without a person's approval."""
    trusted_for: list[str] = document("[]")
    """Where trusted: the intents it is trusted for; none named: whichever intent it serves."""
    enabled: bool = Field(default=True, sa_column_kwargs={"server_default": sql("true")})
    updated_at: datetime = moment(now=True)


class TenantSecret(SQLModel, table=True):
    """A key or password of the tenant's systems, sealed with a key that the database does not hold."""

    __tablename__ = "tenant_secret"
    tenant_id: UUID = tenant_key(primary=True)
    name: str = Field(primary_key=True)
    sealed: str = words()
    updated_at: datetime = moment(now=True)


class AllowedHost(SQLModel, table=True):
    """A host without a public address that the tenant's functions may reach. Only the installation's owner adds one."""

    __tablename__ = "allowed_host"
    tenant_id: UUID = tenant_key(primary=True)
    host: str = Field(primary_key=True)
    """``name``, or ``name:port`` for that port alone."""
    created_at: datetime = moment(now=True)
