"""Webhooks that go out: where a tenant wants its events, and each delivery with its fate."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from store.tables.columns import counter, document, moment, reference, sequence_key, tenant_key, uuid_key, words


class WebhookEndpoint(SQLModel, table=True):
    """An address of the tenant's own systems. ``cursor_id``: events up to here have become deliveries."""

    __tablename__ = "webhook_endpoint"
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    url: str = words()
    description: str = words(default="")
    kinds: list[str] = document("[]")
    """Event kinds wanted: ``message.received``, ``message.*`` or ``*``."""
    secrets: list[dict[str, Any]] = document("[]")
    """``{"secret": "whsec_…", "until": ISO time or null}``, newest first; all that have not run out sign."""
    state: str = words(default="active")
    """active or disabled."""
    disabled_reason: str = words(default="")
    """"" while active; by_hand, gone (410), or failing."""
    failing_since: datetime | None = moment(nullable=True)
    cursor_id: int = counter()
    created_at: datetime = moment(now=True)


class WebhookDelivery(SQLModel, table=True):
    """One event on its way to one endpoint. ``key`` is its ``webhook-id``: the same in every attempt and replay."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_id"),
        Index("ix_webhook_due", "next_attempt_at", postgresql_where=sql("state = 'pending'")),
        Index("ix_webhook_order", "endpoint_id", "conversation_id", "id", postgresql_where=sql("state = 'pending'")),
        Index("ix_webhook_log", "endpoint_id", "id"),
        Index("ix_webhook_ended", "ended_at", postgresql_where=sql("ended_at IS NOT NULL")),
    )
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    endpoint_id: UUID = reference("webhook_endpoint")
    event_id: int = Field(sa_column=Column(BigInteger(), nullable=False))
    """0 and less: a test, which belongs to no event."""
    key: str = words()
    conversation_id: UUID | None = Field(default=None, nullable=True)
    kind: str = words()
    body: str = words()
    """The JSON text exactly as it is signed and sent."""
    state: str = words(default="pending")
    """pending, delivered or failed."""
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    next_attempt_at: datetime = moment(now=True)
    claimed_until: datetime | None = moment(nullable=True)
    last_status: int | None = Field(default=None, nullable=True)
    last_error: str | None = words(nullable=True)
    duration_ms: float | None = Field(default=None, nullable=True)
    created_at: datetime = moment(now=True)
    ended_at: datetime | None = moment(nullable=True)
