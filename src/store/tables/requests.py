"""What is asked of numbers' connections, and what programs asked of us once already."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from store.tables.columns import document, moment, reference, tenant_key, uuid_key, words


class ChannelRequest(SQLModel, table=True):
    """Something that only the process with a number's connection can do: answered by its session host."""

    __tablename__ = "channel_request"
    __table_args__ = (
        Index("ix_channel_request_due", "channel_session_id", "created_at", postgresql_where=sql("state = 'wanted'")),
        Index("ix_channel_request_known", "channel_session_id", "kind", "created_at"),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    channel_session_id: UUID = reference("channel_session")
    kind: str = words()
    """check_number, typing or read."""
    payload: dict[str, Any] = document()
    state: str = words(default="wanted")
    """wanted, done or failed."""
    answer: dict[str, Any] = document()
    created_at: datetime = moment(now=True)


class IdempotentRequest(SQLModel, table=True):
    """A program's request that was carried out, under the key that it chose: asked again, it gets the same answer."""

    __tablename__ = "idempotent_request"
    __table_args__ = (Index("ix_idempotent_request_age", "created_at"),)
    tenant_id: UUID = tenant_key(primary=True)
    key: str = Field(primary_key=True)
    digest: str = words()
    """SHA-256 of what was asked: the same key with another request is a mistake."""
    answer: dict[str, Any] = document()
    created_at: datetime = moment(now=True)
