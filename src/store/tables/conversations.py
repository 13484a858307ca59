"""Channel sessions, contacts, conversations and their messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel, UniqueConstraint

from store.tables.columns import (
    busy_tenant_key,
    counter,
    document,
    moment,
    reference,
    sequence_key,
    tenant_key,
    uuid_key,
    words,
)


class ChannelSession(SQLModel, table=True):
    """A paired number. ``lease_*`` name the session host that owns its connection, where it needs one."""

    __tablename__ = "channel_session"
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    provider: str = words()
    name: str = words()
    account: str | None = words(nullable=True)
    status: str = words(default="unknown")
    status_detail: str = words(default="")
    status_at: datetime = moment(now=True)
    wanted: bool = Field(default=True, sa_column_kwargs={"server_default": sql("true")})
    """Whether a person wants it connected: hosts start and keep only these."""
    qr: str | None = words(nullable=True)
    qr_expires_at: datetime | None = moment(nullable=True)
    config: dict[str, Any] = document()
    stopped_at: datetime | None = moment(nullable=True)
    """The kill switch of this number alone; see Tenant."""
    next_send_at: datetime = moment(now=True)
    """Pacing: nothing leaves this number earlier. Kept here so that all processes share it."""
    lease_owner: str | None = words(nullable=True)
    lease_until: datetime | None = moment(nullable=True)
    created_at: datetime = moment(now=True)


class Contact(SQLModel, table=True):
    """A person (or a group) who writes to the tenant. Never keyed by phone number: see ContactAddress."""

    __tablename__ = "contact"
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    name: str | None = words(nullable=True)
    push_name: str | None = words(nullable=True)
    is_group: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    opted_out_at: datetime | None = moment(nullable=True)
    """Since when the contact wants no messages on the business's initiative; ConsentEntry has the history."""
    tags: list[str] = document("[]")
    """What operators call the contact (vip …); the reply policy and handoffs ask for them."""
    created_at: datetime = moment(now=True)


class ContactAddress(SQLModel, table=True):
    """One name of a contact on WhatsApp: its LID, its phone as WhatsApp returned it …"""

    __tablename__ = "contact_address"
    tenant_id: UUID = tenant_key(primary=True)
    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    contact_id: UUID = reference("contact", index=True)
    created_at: datetime = moment(now=True)


class Conversation(SQLModel, table=True):
    """One contact on one number.

    ``fence`` grows with everything that makes a running turn stale: an inbound message, a person's message, a change
    of status. A decision is written only if the fence is still the one that the turn read.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        UniqueConstraint("channel_session_id", "contact_id"),
        Index("ix_conversation_inbox", "tenant_id", "status", sql("last_message_at DESC")),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    channel_session_id: UUID = reference("channel_session")
    contact_id: UUID = reference("contact", index=True)
    address: str = words()
    """``kind:value`` to answer to: the address that wrote last."""
    status: str = words(default="bot")
    fence: int = counter()
    assignee_id: UUID | None = reference("user_account", nullable=True, ondelete="SET NULL")
    language: str | None = words(nullable=True)
    unread: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    window_start_id: int = counter()
    """Messages with a lower id belong to an earlier, closed context window."""
    last_inbound_id: int = counter()
    answered_upto_id: int = counter()
    """Inbound messages up to here are answered (by a turn in force or by a person)."""
    last_message_at: datetime = moment(now=True)
    last_preview: str = words(default="")
    waiting_since: datetime | None = moment(nullable=True)
    created_at: datetime = moment(now=True)


class Message(SQLModel, table=True):
    """A message as it was written. Immutable: edits, revokes and receipts are MessageChange rows."""

    __tablename__ = "message"
    __table_args__ = (
        Index(
            "uq_message_provider",
            "channel_session_id",
            "contact_id",
            "provider_id",
            unique=True,
            postgresql_where=sql("provider_id IS NOT NULL"),
        ),
        Index("ix_message_conversation", "conversation_id", "id"),
        Index("ix_message_notices", "conversation_id", "id", postgresql_where=sql("content ? 'notices'")),
    )
    id: int = sequence_key()
    tenant_id: UUID = busy_tenant_key()
    conversation_id: UUID = reference("conversation")
    channel_session_id: UUID = Field()
    contact_id: UUID = Field()
    sender: str | None = words(nullable=True)
    provider_id: str | None = words(nullable=True)
    author: str = words()
    kind: str = words(default="text")
    text: str = words(default="")
    content: dict[str, Any] = document()
    """What typed columns do not hold: media reference, raw content, ``problems`` found on the way in.

    Of an automatic message ``notices``, what it says besides (disclosure, outside_hours); of a contact's ``command``
    (opt_out, opt_in), which was carried out when it came and is nothing for the agent.
    """
    quoted_provider_id: str | None = words(nullable=True)
    user_id: UUID | None = Field(default=None, nullable=True)
    turn_id: UUID | None = Field(default=None, nullable=True)
    historical: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    sent_at: datetime = moment()
    received_at: datetime = moment(now=True)


class MessageChange(SQLModel, table=True):
    """Something that happened to a message later: edit, revoke, or other content under the same id."""

    __tablename__ = "message_change"
    __table_args__ = (Index("ix_message_change", "channel_session_id", "provider_id"),)
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    channel_session_id: UUID = reference("channel_session")
    contact_id: UUID = Field()
    provider_id: str = words()
    kind: str = words()
    content: dict[str, Any] = document()
    at: datetime = moment()


class OutboxMessage(SQLModel, table=True):
    """A message on its way out. ``fence`` is set on automatic ones: a different fence at sending time cancels them."""

    __tablename__ = "outbox_message"
    __table_args__ = (
        Index(
            "ix_outbox_due", "channel_session_id", "message_id", postgresql_where=sql("state IN ('queued','sending')")
        ),
        Index("ix_outbox_conversation", "conversation_id", "message_id"),
        Index("ix_outbox_turn", "turn_id"),
        Index(
            "uq_outbox_provider",
            "channel_session_id",
            "provider_id",
            unique=True,
            postgresql_where=sql("provider_id IS NOT NULL"),
        ),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = busy_tenant_key()
    conversation_id: UUID = reference("conversation")
    channel_session_id: UUID = Field()
    message_id: int = Field(unique=True)
    turn_id: UUID | None = Field(default=None, nullable=True)
    origin: str = words()
    """bot or operator."""
    purpose: str = words(default="reply")
    """reply, or ``proactive``: begun by the business, and so not sent to a contact who has opted out."""
    state: str = words(default="queued")
    fence: int | None = Field(default=None, nullable=True)
    content: dict[str, Any] = document()
    """What goes out beside the message's text (domain.contents as JSON); empty: the text alone."""
    provider_id: str | None = words(nullable=True)
    ack: str | None = words(nullable=True)
    error: str | None = words(nullable=True)
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    not_before: datetime = moment(now=True)
    sending_until: datetime | None = moment(nullable=True)
    """While sending: after this time the attempt is taken for dead and the row becomes ``unknown``."""
    queued_at: datetime = moment(now=True)
    sent_at: datetime | None = moment(nullable=True)


class HeldEvent(SQLModel, table=True):
    """A channel event that cannot be applied yet (own message of unclear origin, early receipt) or is unknown to us."""

    __tablename__ = "held_event"
    __table_args__ = (Index("ix_held_event", "channel_session_id", "kind", "key"),)
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    channel_session_id: UUID = reference("channel_session")
    kind: str = words()
    key: str = words(default="")
    body: dict[str, Any] = document()
    created_at: datetime = moment(now=True)


class SimulatorDelivery(SQLModel, table=True):
    """What a simulated phone received. The outbox id is unique: sending twice is a no-op."""

    __tablename__ = "simulator_delivery"
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    channel_session_id: UUID = reference("channel_session", index=True)
    key: str = Field(unique=True)
    contact: str = words()
    text: str = words()
    at: datetime = moment(now=True)


class ConsentEntry(SQLModel, table=True):
    """The ledger of consent: what a contact allowed or stopped, in which words, and which text was shown."""

    __tablename__ = "consent_entry"
    __table_args__ = (Index("ix_consent_entry_contact", "contact_id", "id"),)
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    contact_id: UUID = reference("contact")
    purpose: str = words()
    granted: bool = Field()
    said: str = words()
    """The contact's own word, folded."""
    text_version: str = words()
    """Key and digest of the text that the contact was shown."""
    channel: str = words()
    """The provider it came by."""
    channel_session_id: UUID = Field()
    message_id: int = counter()
    at: datetime = moment()
    """When the contact said so."""
    created_at: datetime = moment(now=True)
