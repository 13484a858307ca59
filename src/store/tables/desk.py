"""How people share the work: teams, notes, tasks, canned replies, what they are told, what customers say of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel, UniqueConstraint

from store.tables.columns import document, moment, reference, sequence_key, tenant_key, uuid_key, words


class Team(SQLModel, table=True):
    """People who share a queue (sales, support). Numbers and conversations may belong to one."""

    __tablename__ = "team"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    name: str = words()
    description: str = words(default="")
    assignment: str = words(default="by_hand")
    """by_hand or round_robin."""
    created_at: datetime = moment(now=True)


class TeamMember(SQLModel, table=True):
    """A person in a team."""

    __tablename__ = "team_member"
    __table_args__ = (UniqueConstraint("team_id", "user_id"),)
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    team_id: UUID = reference("team")
    user_id: UUID = reference("user_account", index=True)


class ConversationNote(SQLModel, table=True):
    """A private note in a conversation's thread: for colleagues, never for the contact nor the agent."""

    __tablename__ = "conversation_note"
    __table_args__ = (Index("ix_conversation_note", "conversation_id", "id"),)
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    conversation_id: UUID = reference("conversation")
    user_id: UUID | None = reference("user_account", nullable=True, ondelete="SET NULL")
    text: str = words()
    created_at: datetime = moment(now=True)


class Task(SQLModel, table=True):
    """Something to be done for a contact by a certain time."""

    __tablename__ = "task"
    __table_args__ = (
        Index("ix_task_due", "tenant_id", "due_at", postgresql_where=sql("done_at IS NULL")),
        Index("ix_task_told", "due_at", postgresql_where=sql("done_at IS NULL AND told_at IS NULL")),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    contact_id: UUID = reference("contact", index=True)
    conversation_id: UUID | None = reference("conversation", nullable=True, ondelete="SET NULL")
    assignee_id: UUID | None = reference("user_account", nullable=True, ondelete="SET NULL")
    title: str = words()
    due_at: datetime | None = moment(nullable=True)
    done_at: datetime | None = moment(nullable=True)
    told_at: datetime | None = moment(nullable=True)
    """When its assignee was reminded of it."""
    created_by: str = words(default="system")
    created_at: datetime = moment(now=True)


class CannedReply(SQLModel, table=True):
    """A text that operators insert by its shortcut; ``{{contact.name}}`` and the like are filled in."""

    __tablename__ = "canned_reply"
    __table_args__ = (
        Index("uq_canned_reply", "tenant_id", sql("coalesce(user_id, tenant_id)"), "shortcut", unique=True),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    user_id: UUID | None = reference("user_account", nullable=True)
    """Whose own it is; None: everybody's."""
    shortcut: str = words()
    """Without the slash."""
    text: str = words()
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    updated_at: datetime = moment(now=True)


class OperatorSend(SQLModel, table=True):
    """Something that a page sent, under the key that the page made: sent again, it is the same sending."""

    __tablename__ = "operator_send"
    __table_args__ = (
        UniqueConstraint("user_id", "key"),
        Index("ix_operator_send_age", "user_id", "created_at"),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    user_id: UUID = reference("user_account")
    key: str = words()
    conversation_id: UUID = reference("conversation", index=True)
    message_id: int | None = Field(default=None, sa_column=Column(BigInteger(), nullable=True))
    created_at: datetime = moment(now=True)


class Notification(SQLModel, table=True):
    """Something that one person is to learn, kept until read."""

    __tablename__ = "notification"
    __table_args__ = (
        Index("ix_notification_unread", "user_id", "id", postgresql_where=sql("read_at IS NULL")),
        Index("ix_notification_read", "read_at", postgresql_where=sql("read_at IS NOT NULL")),
    )
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    user_id: UUID = reference("user_account")
    kind: str = words()
    """As an event's kind: lead.created, session.status …"""
    conversation_id: UUID | None = reference("conversation", nullable=True)
    payload: dict[str, Any] = document()
    created_at: datetime = moment(now=True)
    read_at: datetime | None = moment(nullable=True)


class SatisfactionAnswer(SQLModel, table=True):
    """The question after closing (1 to 5), and its answer once it came."""

    __tablename__ = "satisfaction_answer"
    __table_args__ = (
        Index("ix_satisfaction_answer", "conversation_id", "asked_at"),
        Index("ix_satisfaction_answer_asked", "tenant_id", "asked_at"),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    conversation_id: UUID = reference("conversation")
    user_id: UUID | None = reference("user_account", nullable=True, ondelete="SET NULL")
    """Who had served; None: the agent alone."""
    asked_at: datetime = moment(now=True)
    answered_at: datetime | None = moment(nullable=True)
    score: int | None = Field(default=None, nullable=True)
    comment: str = words(default="")
