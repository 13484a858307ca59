"""Tenants and the people who work for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Uuid
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel, UniqueConstraint

from store.tables.columns import counter, document, moment, reference, tenant_key, uuid_key, words


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
    closed_at: datetime | None = moment(nullable=True)
    """Closed by the platform: nobody signs in, nothing automatic happens. What customers write is still kept."""
    created_at: datetime = moment(now=True)


class UserAccount(SQLModel, table=True):
    """A person who can sign in; may belong to several tenants, so it stands above them (no tenant column)."""

    __tablename__ = "user_account"
    id: UUID = uuid_key()
    email: str = Field(unique=True)
    name: str = words()
    password_hash: str = words()
    locale: str | None = words(nullable=True)
    runs_platform: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    """Platform administrator: makes and closes tenants. Sees none of them without a membership."""
    totp_sealed: str | None = words(nullable=True)
    """The secret of the second factor, sealed (flows/second_factor.py); None: the password is enough."""
    totp_step: int = counter()
    """The last time step whose code was used: no code counts twice."""
    created_at: datetime = moment(now=True)


class Membership(SQLModel, table=True):
    """What a user is in one tenant, and how the person works there."""

    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("tenant_id", "user_id"),)
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    user_id: UUID = reference("user_account", index=True)
    role: str = words()
    """domain.roles.Role."""
    reach: str = words(default="all")
    """domain.roles.Reach: which conversations the person sees."""
    capacity: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """Conversations at once that assignment by turns gives the person; 0: no limit."""
    skills: list[str] = document("[]")
    away_at: datetime | None = moment(nullable=True)
    """Since when the person is away: gets nothing assigned."""
    seen_at: datetime | None = moment(nullable=True)
    """When a page of the person's was last open, to the minute."""
    assigned_at: datetime | None = moment(nullable=True)
    """When a conversation was last given to the person by turns."""
    created_at: datetime = moment(now=True)


class Invitation(SQLModel, table=True):
    """A one-time link: to join a tenant, or (``user_id``) to set a new password. Only the token's SHA-256 is kept."""

    __tablename__ = "invitation"
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    token_hash: str = Field(unique=True)
    user_id: UUID | None = reference("user_account", nullable=True)
    """Whose password it sets; None: it lets somebody join."""
    email: str = words()
    name: str = words()
    role: str = words(default="operator")
    reach: str = words(default="all")
    teams: list[str] = document("[]")
    """Ids of the teams that the person begins in."""
    created_by: str = words(default="system")
    created_at: datetime = moment(now=True)
    expires_at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)
    """Used, or taken back."""


class RecoveryCode(SQLModel, table=True):
    """What counts once instead of a code of the second factor. Only its SHA-256 is kept; used ones are deleted."""

    __tablename__ = "recovery_code"
    user_id: UUID = Field(sa_column=Column(Uuid(), ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True))
    code_hash: str = Field(primary_key=True)


class LoginAttempt(SQLModel, table=True):
    """How often somebody tried to sign in lately: by account, by address, by both. Shared by all processes."""

    __tablename__ = "login_attempt"
    key: str = Field(primary_key=True)
    """A digest: neither names nor addresses are kept."""
    attempts: int = Field(default=0)
    since: datetime = moment(now=True)


class LoginSession(SQLModel, table=True):
    """A signed-in browser or program. Only the SHA-256 of its cookie or of its newest refresh token is kept."""

    __tablename__ = "login_session"
    id: UUID = uuid_key()
    token_hash: str = Field(unique=True)
    user_id: UUID = reference("user_account", index=True)
    active_tenant_id: UUID | None = reference("tenant", index=True, nullable=True)
    """None: a platform administrator, in no business."""
    kind: str = words(default="browser")
    """browser (a cookie) or program (access and refresh tokens)."""
    name: str = words(default="")
    """What it says it is: the User-Agent's words."""
    created_at: datetime = moment(now=True)
    used_at: datetime = moment(now=True)
    """To the minute."""
    expires_at: datetime = moment()


class SpentToken(SQLModel, table=True):
    """A refresh token that was exchanged. Who comes with it once more has stolen it, or was stolen from."""

    __tablename__ = "spent_token"
    token_hash: str = Field(primary_key=True)
    login_session_id: UUID = reference("login_session", index=True)
    spent_at: datetime = moment(now=True)


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
