"""Channel sessions, conversations and their messages."""

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
    ended_at: datetime | None = moment(nullable=True)
    """Since when only a person can bring it back: nobody scanned the code, or the phone unlinked the device."""
    qr: str | None = words(nullable=True)
    qr_expires_at: datetime | None = moment(nullable=True)
    config: dict[str, Any] = document()
    team_id: UUID | None = reference("team", nullable=True, ondelete="SET NULL")
    """Whose queue its conversations start in."""
    stopped_at: datetime | None = moment(nullable=True)
    """The kill switch of this number alone; see Tenant."""
    lease_owner: str | None = words(nullable=True)
    lease_until: datetime | None = moment(nullable=True)
    restricted_until: datetime | None = moment(nullable=True)
    """WhatsApp lets it begin no new chats, presumably until then: the next host of the number must know."""
    alive_at: datetime | None = moment(nullable=True)
    """When its connection last proved to work, to within some twenty seconds; a session host notes it."""
    created_at: datetime = moment(now=True)


class SessionRequest(SQLModel, table=True):
    """What a person wants done to a number's connection at once, by the session host that holds it."""

    __tablename__ = "session_request"
    __table_args__ = (Index("ix_session_request", "channel_session_id", "state"),)
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    channel_session_id: UUID = reference("channel_session")
    kind: str = words()
    """pair_code, stop, restart, logout or delete."""
    argument: dict[str, Any] = document()
    state: str = words(default="waiting")
    """waiting, done or failed."""
    result: dict[str, Any] = document()
    """What came of it; of a failed one ``error`` and ``hint``."""
    actor: str = words(default="system")
    created_at: datetime = moment(now=True)


class Conversation(SQLModel, table=True):
    """One contact on one number.

    ``fence`` grows with everything that makes a running turn stale: an inbound message, a person's message, a change
    of status. A decision is written only if the fence is still the one that the turn read.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        UniqueConstraint("channel_session_id", "contact_id"),
        Index(
            "ix_conversation_inbox",
            "tenant_id",
            sql("(status = 'closed')"),
            sql("last_message_at DESC"),
            sql("id DESC"),
        ),
        # PostgreSQL turns (status = 'closed') = false into <>, which the index above cannot answer.
        Index(
            "ix_conversation_open",
            "tenant_id",
            sql("last_message_at DESC"),
            sql("id DESC"),
            postgresql_where=sql("status <> 'closed'"),
        ),
        Index("ix_conversation_labelled", "tenant_id", postgresql_where=sql("labels <> '[]' AND status <> 'closed'")),
        Index(
            "ix_conversation_assignee",
            "assignee_id",
            sql("last_message_at DESC"),
            sql("id DESC"),
            postgresql_where=sql("assignee_id IS NOT NULL"),
        ),
        Index("ix_conversation_waiting", "tenant_id", postgresql_where=sql("status IN ('waiting', 'human')")),
        Index("ix_conversation_resumes", "resumes_at", postgresql_where=sql("resumes_at IS NOT NULL")),
        Index("ix_conversation_snoozed", "snoozed_until", postgresql_where=sql("snoozed_until IS NOT NULL")),
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
    summary: str = words(default="")
    """Of the window's messages up to ``summary_upto_id``, by a language model. Untrusted, like what it sums up."""
    summary_upto_id: int = counter()
    summary_change_id: int = counter()
    """The last MessageChange that it knows of: one that came later makes it void."""
    last_inbound_id: int = counter()
    answered_upto_id: int = counter()
    """Inbound messages up to here are answered (by a turn in force or by a person)."""
    drafts_upto_id: int = counter()
    """Of what answers inbound messages up to here, nothing goes out by itself: a suggestion was asked for."""
    last_message_at: datetime = moment(now=True)
    last_preview: str = words(default="")
    waiting_since: datetime | None = moment(nullable=True)
    resumes_at: datetime | None = moment(nullable=True)
    """While a person holds it from the paired phone: when it goes back to the agent by itself."""
    team_id: UUID | None = reference("team", nullable=True, ondelete="SET NULL")
    """Whose queue it is in; None: everybody's."""
    priority: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """0 normal, 1 high, 2 urgent; -1 low."""
    labels: list[str] = document("[]")
    snoozed_until: datetime | None = moment(nullable=True)
    """Out of the queues until then; a message of the contact brings it back at once."""
    closed_at: datetime | None = moment(nullable=True)
    closed_reason: str | None = words(nullable=True)
    undo: dict[str, Any] = document()
    """What the last closing changed, for as long as it may be taken back (flows.desk_closing)."""
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
        Index(
            "ix_message_words",
            sql("message_words(tenant_id, id, text)"),
            postgresql_using="gin",
            # Little waits to be sorted in: who writes the message that fills it up does the sorting.
            postgresql_with={"gin_pending_list_limit": 512},
        ),
        # Few messages are a person's: who took part in a conversation is known without reading the others.
        Index("ix_message_person", "conversation_id", "id", postgresql_where=sql("author IN ('operator', 'phone')")),
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
    (opt_out, opt_in), which was carried out when it came and is nothing for the agent. In a group ``aside``, of what
    was not meant for us, and ``sender_name``, who said it.
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
    __table_args__ = (
        Index("ix_message_change", "channel_session_id", "provider_id"),
        Index(
            "ix_message_change_words",
            sql("tenant_words(tenant_id, coalesce(content ->> 'text', ''))"),
            postgresql_using="gin",
            postgresql_where=sql("kind IN ('edit', 'transcript')"),
        ),
    )
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
        Index("ix_outbox_unknown", "tenant_id", "conversation_id", postgresql_where=sql("state = 'unknown'")),
        Index("ix_outbox_queued", "queued_at", postgresql_using="brin"),
        Index("ix_outbox_repeated", "conversation_id", "message_id", postgresql_where=sql("repeats > 0")),
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
    urgent: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    """A person wrote it, or wrote after it in its conversation: served first where the number's pace is short."""
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
    waits_for: str | None = words(nullable=True)
    """Why not earlier (domain.sending_pace.Waits); what can be read elsewhere (order, offline) is not here."""
    waits_until: datetime | None = moment(nullable=True)
    """When that is expected to end. ``not_before`` may be earlier: the reason is then looked at anew."""
    sending_until: datetime | None = moment(nullable=True)
    """While sending: after this time the attempt is taken for dead and the row becomes ``unknown``."""
    queued_at: datetime = moment(now=True)
    sent_at: datetime | None = moment(nullable=True)
    settled: str | None = words(nullable=True)
    """What a person said of its unknown outcome: arrived or send_again."""
    settled_by: UUID | None = Field(default=None, nullable=True)
    repeats: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """Attempts of unknown outcome whose provider id never came: as many messages of ours may yet be told to us."""


class HeldEvent(SQLModel, table=True):
    """A channel event that cannot be applied yet (own message of unclear origin, early receipt) or is unknown to us."""

    __tablename__ = "held_event"
    __table_args__ = (
        Index("ix_held_event", "channel_session_id", "kind", "key"),
        Index("ix_held_conversation", "conversation_id", postgresql_where=sql("conversation_id IS NOT NULL")),
    )
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    channel_session_id: UUID = reference("channel_session")
    kind: str = words()
    key: str = words(default="")
    conversation_id: UUID | None = Field(default=None, nullable=True)
    """Of an own message, where its chat is known: nothing automatic leaves there until it is settled."""
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
