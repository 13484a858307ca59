"""What sending keeps beside the outbox: a number's used limits, first contacts, and further names of a message."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Float, ForeignKey, Index, Uuid
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from store.tables.columns import busy_tenant_key, moment, reference, tenant_key, words


class OutboxAlias(SQLModel, table=True):
    """A further provider id of a message of ours: an attempt of unknown outcome that had arrived after all."""

    __tablename__ = "outbox_alias"
    tenant_id: UUID = tenant_key(primary=True)
    channel_session_id: UUID = Field(primary_key=True)
    provider_id: str = Field(primary_key=True)
    outbox_id: UUID = reference("outbox_message", index=True)
    created_at: datetime = moment(now=True)


class NumberPace(SQLModel, table=True):
    """What a number has used of its limits (domain.sending_pace). A row of its own, because every send writes it."""

    __tablename__ = "number_pace"
    channel_session_id: UUID = Field(
        sa_column=Column(Uuid(), ForeignKey("channel_session.id", ondelete="CASCADE"), primary_key=True)
    )
    tenant_id: UUID = busy_tenant_key()
    tokens: float = Field(default=0, sa_column=Column(Float(), nullable=False, server_default=sql("0")))
    refilled_at: datetime = moment(now=True)
    next_first_contact_at: datetime = moment(now=True)
    phone: str = words(default="")
    """The number that is paired; with another one the warm-up begins anew."""
    new_since: datetime = moment(now=True)


class FirstContact(SQLModel, table=True):
    """A conversation that the business began with somebody who had never written: what the cap counts."""

    __tablename__ = "first_contact"
    __table_args__ = (Index("ix_first_contact", "channel_session_id", "at"),)
    conversation_id: UUID = Field(
        sa_column=Column(Uuid(), ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True)
    )
    tenant_id: UUID = tenant_key()
    channel_session_id: UUID = Field()
    at: datetime = moment(now=True)
