"""Tenants and the people who work for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel, UniqueConstraint

from store.tables.columns import document, moment, reference, tenant_key, uuid_key, words


class Tenant(SQLModel, table=True):
    """A business. ``settings`` holds reply policy, hours, texts, debounce: see flows/tenant_files.py for its shape."""

    __tablename__ = "tenant"
    id: UUID = uuid_key()
    slug: str = Field(unique=True)
    name: str = words()
    locale: str = words(default="pt")
    timezone: str = words(default="America/Sao_Paulo")
    settings: dict[str, Any] = document()
    profile_version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    """Bumped with every change of what the agent knows; worker processes reload the profile when it differs."""
    stopped_at: datetime | None = moment(nullable=True)
    """The kill switch: while set, nothing automatic leaves any of the tenant's numbers."""
    created_at: datetime = moment(now=True)


class UserAccount(SQLModel, table=True):
    """A person who can sign in; may belong to several tenants, so it stands above them (no tenant column)."""

    __tablename__ = "user_account"
    id: UUID = uuid_key()
    email: str = Field(unique=True)
    name: str = words()
    password_hash: str = words()
    locale: str | None = words(nullable=True)
    created_at: datetime = moment(now=True)


class Membership(SQLModel, table=True):
    """A user's role in one tenant: admin, manager or operator."""

    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("tenant_id", "user_id"),)
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    user_id: UUID = reference("user_account", index=True)
    role: str = words()
    created_at: datetime = moment(now=True)


class LoginSession(SQLModel, table=True):
    """A signed-in browser. Only the SHA-256 of the cookie's token is kept."""

    __tablename__ = "login_session"
    id: UUID = uuid_key()
    token_hash: str = Field(unique=True)
    user_id: UUID = reference("user_account", index=True)
    active_tenant_id: UUID = reference("tenant", index=True)
    created_at: datetime = moment(now=True)
    expires_at: datetime = moment()


class ApiKey(SQLModel, table=True):
    """A key with which a tenant's own programs call the API. Only its SHA-256 is kept; ``hint`` is its beginning."""

    __tablename__ = "api_key"
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    name: str = words()
    key_hash: str = Field(unique=True)
    hint: str = words()
    scopes: list[str] = document("[]")
    """What it may do: names of flows.api_keys.SCOPES."""
    created_at: datetime = moment(now=True)
    expires_at: datetime | None = moment(nullable=True)
    last_used_at: datetime | None = moment(nullable=True)
    """To the minute: more would be a write for every call."""
    revoked_at: datetime | None = moment(nullable=True)
