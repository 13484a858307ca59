"""What the agent and the people did: turns, calls, approvals, suggestions, handoffs, and the event log."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Float, Index
from sqlalchemy import text as sql
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel, UniqueConstraint

from store.event_families import AUDITED
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


class TransactionId(UserDefinedType[int]):
    """PostgreSQL's xid8."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Turn(SQLModel, table=True):
    """One run of the agent with all that explains it."""

    __tablename__ = "turn"
    __table_args__ = (
        Index("ix_turn_conversation", "conversation_id", "upto_message_id"),
        # Rows come in the order of time: blocks' least and greatest times are enough for reports, and cost no write.
        Index("ix_turn_created", "created_at", postgresql_using="brin"),
        Index("ix_turn_recent", "tenant_id", "created_at", "id"),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = busy_tenant_key()
    conversation_id: UUID = reference("conversation")
    upto_message_id: int = counter()
    """The last inbound message it read; messages up to here count as answered while ``status`` is decided."""
    answered_before: int = counter()
    """The conversation's ``answered_upto_id`` before this turn: what it falls back to when the turn is voided."""
    fence: int = counter()
    status: str = words()
    """decided, voided (its reply was cancelled before it left) or failed."""
    attempt: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    decision: dict[str, Any] = document()
    intent: str | None = words(nullable=True)
    confidence: float | None = Field(default=None, sa_column=Column(Float(), nullable=True))
    language: str | None = words(nullable=True)
    prompt_bundle: str = words(default="")
    model: str | None = words(nullable=True)
    trace: dict[str, Any] = document()
    dialogue: dict[str, Any] = document()
    """The agent's memory after this turn."""
    cost_micros: int = counter()
    latency_ms: float = Field(default=0, sa_column=Column(Float(), nullable=False, server_default=sql("0")))
    created_at: datetime = moment(now=True)


class FunctionCall(SQLModel, table=True):
    """A business function call that writes, recorded before it runs. A repeated turn finds the row and reuses it."""

    __tablename__ = "function_call"
    __table_args__ = (UniqueConstraint("conversation_id", "trigger_message_id", "function", "ordinal"),)
    id: UUID = uuid_key()
    tenant_id: UUID = busy_tenant_key()
    conversation_id: UUID = reference("conversation")
    trigger_message_id: int = counter()
    function: str = words()
    ordinal: int = Field(default=0)
    arguments: dict[str, Any] = document()
    status: str = words(default="started")
    """started, succeeded, business_error, failed (certainly without effect) or unknown."""
    result: dict[str, Any] = document()
    started_at: datetime = moment(now=True)
    finished_at: datetime | None = moment(nullable=True)


class Approval(SQLModel, table=True):
    """A business function that waits for a person, with its exact parameters. ``id`` is the durable graph's thread."""

    __tablename__ = "approval"
    __table_args__ = (
        Index("ix_approval_conversation", "conversation_id", "status"),
        Index("ix_approval_pending", "tenant_id", "conversation_id", postgresql_where=sql("status = 'pending'")),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    conversation_id: UUID = reference("conversation")
    turn_id: UUID = reference("turn")
    function: str = words()
    arguments: dict[str, Any] = document()
    upto_message_id: int = counter()
    """The last inbound message the agent had read when it (last) stood by this call; a newer one blocks approving."""
    call: dict[str, Any] = document()
    """What the durable graph was started with, to start it again should its own memory be lost."""
    status: str = words(default="pending")
    """pending, approved, rejected, expired, executed or failed."""
    decided_by: UUID | None = reference("user_account", nullable=True, ondelete="SET NULL")
    decided_at: datetime | None = moment(nullable=True)
    expires_at: datetime | None = moment(nullable=True)
    settled_at: datetime | None = moment(nullable=True)
    """When its outcome was written and told; until then a decided approval is run again after a crash."""
    created_at: datetime = moment(now=True)


class Suggestion(SQLModel, table=True):
    """A reply that waits for an operator: pending, approved, edited, rejected, superseded or expired."""

    __tablename__ = "suggestion"
    __table_args__ = (
        Index("ix_suggestion_conversation", "conversation_id", "status"),
        Index("ix_suggestion_offered", "tenant_id", "conversation_id", postgresql_where=sql("status = 'pending'")),
        Index("ix_suggestion_created", "created_at", postgresql_using="brin"),
        Index("ix_suggestion_rejected", "tenant_id", "decided_at", postgresql_where=sql("status = 'rejected'")),
        Index(
            "uq_suggestion_pending",
            "conversation_id",
            unique=True,
            postgresql_where=sql("status = 'pending'"),
        ),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = busy_tenant_key()
    conversation_id: UUID = reference("conversation")
    turn_id: UUID | None = reference("turn", nullable=True)
    text: str = words()
    intent: str | None = words(nullable=True)
    """The intent whose record (IntentAutonomy) the verdict on this suggestion adds to."""
    unsupported: list[dict[str, Any]] = document("[]")
    """Parts of ``text`` that no source of its turn supports: start, end (characters) and kind of each."""
    status: str = words(default="pending")
    fence: int = counter()
    final_text: str | None = words(nullable=True)
    reject_reason: str | None = words(nullable=True)
    """A code (domain.suggestions.RejectReason); ``reject_note`` says more."""
    reject_note: str = words(default="")
    origin: str = words(default="agent")
    """agent, ``operator`` (asked for in place of another one), or the name of the program that proposed it."""
    explanation: dict[str, Any] = document()
    """Of one that no turn explains by itself: confidence, intent, reasons and sources, as a decision has them."""
    replaces_id: UUID | None = Field(default=None, nullable=True)
    """The suggestion in whose place an operator asked for this one …"""
    instruction: str | None = words(nullable=True)
    """… and how it was to be: domain.suggestions.Wanted, or the operator's own words."""
    decided_by: UUID | None = reference("user_account", nullable=True, ondelete="SET NULL")
    decided_at: datetime | None = moment(nullable=True)
    created_at: datetime = moment(now=True)


class Handoff(SQLModel, table=True):
    """A conversation given to people: why, with a summary, and who took it."""

    __tablename__ = "handoff"
    __table_args__ = (
        Index("ix_handoff_conversation", "conversation_id", "created_at"),
        Index("ix_handoff_created", "tenant_id", "created_at"),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    conversation_id: UUID = reference("conversation")
    turn_id: UUID | None = reference("turn", nullable=True)
    reason: str = words()
    summary: str = words(default="")
    collected: dict[str, Any] = document()
    """The parameters that the customer had given."""
    next_step: str = words(default="")
    announcement: str = words(default="")
    announced: bool = Field(default=True, sa_column_kwargs={"server_default": sql("true")})
    """Whether the announcement went out by itself; else the policy kept it back, and it was offered to operators."""
    claimed_by: UUID | None = reference("user_account", nullable=True, ondelete="SET NULL")
    claimed_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)
    created_at: datetime = moment(now=True)


class IntentAutonomy(SQLModel, table=True):
    """Whether an intent has earned ``auto``: the operators' verdicts on its suggestions. See domain/autonomy.py."""

    __tablename__ = "intent_autonomy"
    tenant_id: UUID = tenant_key(primary=True)
    intent: str = Field(primary_key=True)
    state: str = words(default="earning")
    """earning, promoted or vetoed."""
    approved: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    other: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    epoch: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    drop_evidence: float = Field(default=0, sa_column=Column(Float(), nullable=False, server_default=sql("0")))
    changed_at: datetime = moment(now=True)


class Event(SQLModel, table=True):
    """Append-only log written in the transaction of the change.

    Ids commit out of order, so readers stop where an open transaction may still write (store.event_order). That rests
    on ``xid`` standing first: whoever draws an id has a transaction id by then.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_tenant", "tenant_id", "id"),
        Index(
            "ix_event_conversation",
            "conversation_id",
            "id",
            postgresql_where=sql("kind LIKE 'conversation.%' OR kind = 'function.called'"),
        ),
        Index(
            "ix_event_session",
            sql("(payload ->> 'channel_session_id')"),
            "id",
            postgresql_where=sql("kind LIKE 'session.%'"),
        ),
        Index(
            "ix_event_policy",
            "tenant_id",
            "id",
            postgresql_where=sql("kind LIKE 'policy.%' OR kind LIKE 'autonomy.%'"),
        ),
        Index("ix_event_audit", "tenant_id", "id", postgresql_where=sql(AUDITED)),
        Index(
            "ix_event_lost",
            "tenant_id",
            sql("(payload ->> 'channel_session_id')"),
            "created_at",
            postgresql_where=sql("kind = 'message.lost'"),
        ),
    )
    xid: int = Field(
        default=None,
        sa_column=Column(TransactionId(), nullable=False, server_default=sql("pg_current_xact_id()")),
    )
    id: int = sequence_key()
    tenant_id: UUID = busy_tenant_key()
    conversation_id: UUID | None = Field(default=None, nullable=True)
    kind: str = words()
    payload: dict[str, Any] = document()
    actor: str = words(default="system")
    created_at: datetime = moment(now=True)
