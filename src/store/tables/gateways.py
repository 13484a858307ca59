"""What gateways bring along: files, deliveries that nobody understood, and how far their history was read."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Uuid
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel, UniqueConstraint

from store.tables.columns import counter, document, moment, reference, tenant_key, uuid_key, words


class MediaFile(SQLModel, table=True):
    """A file that came in or goes out. Its bytes lie in the media store under ``sha256``, once for each tenant."""

    __tablename__ = "media_file"
    __table_args__ = (
        Index("ix_media_file_message", "message_id"),
        Index("ix_media_file_unsent", "created_at", postgresql_where=sql("message_id IS NULL")),
        Index("ix_media_file_due", "next_attempt_at", postgresql_where=sql("state = 'wanted'")),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    channel_session_id: UUID = reference("channel_session", index=True)
    message_id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger(), ForeignKey("message.id", ondelete="CASCADE"), nullable=True),
    )
    state: str = words(default="wanted")
    """wanted (to be fetched from the gateway), stored, too_large or failed (given up)."""
    sha256: str | None = words(nullable=True)
    mime_type: str = words(default="")
    """What the bytes are, once they are here; until then what the sender says."""
    file_name: str = words(default="")
    size_bytes: int = counter()
    preview: str = words(default="")
    """The sender's own miniature of a document or a film, a JPEG as base64; "" for none."""
    pages: int | None = Field(default=None)
    """Of a document, as its sender says."""
    reference: dict[str, Any] = document()
    """Where the gateway keeps it (MediaReference as JSON)."""
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    next_attempt_at: datetime = moment(now=True)
    error: str | None = words(nullable=True)
    created_at: datetime = moment(now=True)


class QuarantinedEvent(SQLModel, table=True):
    """Authentic deliveries that this version does not understand. The same body again is counted, not kept again."""

    __tablename__ = "quarantined_event"
    __table_args__ = (UniqueConstraint("channel_session_id", "name", "digest"),)
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    channel_session_id: UUID = reference("channel_session")
    provider: str = words()
    name: str = words()
    """The event's name at the gateway, or why it could not be read."""
    digest: str = words()
    """SHA-256 of the body; empty for the row that counts what came when enough different ones were kept."""
    count: int = Field(default=1, sa_column=Column(BigInteger(), nullable=False, server_default=sql("1")))
    body: bytes = Field(default=b"", sa_column=Column(LargeBinary(), nullable=False, server_default=sql("''::bytea")))
    is_whole: bool = Field(default=True, sa_column_kwargs={"server_default": sql("true")})
    """Whether ``body`` is the delivery as it came, so that it can be replayed."""
    error: str | None = words(nullable=True)
    first_seen_at: datetime = moment(now=True)
    last_seen_at: datetime = moment(now=True)


class Reconciliation(SQLModel, table=True):
    """How far a gateway number's history was read, and what came of it the last time."""

    __tablename__ = "reconciliation"
    channel_session_id: UUID = Field(
        sa_column=Column(Uuid(), ForeignKey("channel_session.id", ondelete="CASCADE"), primary_key=True)
    )
    tenant_id: UUID = tenant_key(index=True)
    cursor: datetime = moment(now=True)
    """Everything up to here has been asked for."""
    polled_at: datetime = moment(now=True)
    recovered: int = counter()
    """Messages that no webhook had brought."""
    error: str | None = words(nullable=True)
