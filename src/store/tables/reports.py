"""What reports are counted from, beside the rows of the work itself."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from store.tables.columns import counter, document, moment, reference, sequence_key, tenant_key, words


class ConversationEpisode(SQLModel, table=True):
    """A conversation from one opening to its closing. Written with each change of status, see store/episodes.py.

    ``first_message_id`` to ``last_message_id`` are its messages. What the answers say (``asked_at`` to
    ``first_person_at``) holds once ``settled``; until then it is read from the messages.
    """

    __tablename__ = "conversation_episode"
    __table_args__ = (
        Index(
            "uq_conversation_episode_open",
            "conversation_id",
            unique=True,
            postgresql_where=sql("closed_at IS NULL"),
        ),
        Index("ix_conversation_episode", "conversation_id", "id"),
        Index("ix_conversation_episode_opened", "tenant_id", "opened_at"),
        Index("ix_conversation_episode_closed", "tenant_id", "closed_at"),
        Index(
            "ix_conversation_episode_unsettled",
            "closed_at",
            postgresql_where=sql("NOT settled AND closed_at IS NOT NULL"),
        ),
    )
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    conversation_id: UUID = reference("conversation")
    channel_session_id: UUID = Field()
    team_id: UUID | None = Field(default=None, nullable=True)
    """Whose queue it was in when it closed."""
    opened_at: datetime = moment(now=True)
    first_message_id: int = counter()
    last_message_id: int | None = Field(default=None, nullable=True)
    handed_off_at: datetime | None = moment(nullable=True)
    """When it first waited for a person."""
    taken_at: datetime | None = moment(nullable=True)
    """When a person first had it."""
    closed_at: datetime | None = moment(nullable=True)
    closed_by: str | None = words(nullable=True)
    """The actor, as in events: ``user:…`` or ``system``."""
    closed_reason: str | None = words(nullable=True)
    """Once it was reopened; until then it stands on the conversation."""
    reopened_at: datetime | None = moment(nullable=True)
    """When the next episode began."""
    persons: list[str] = document("[]")
    """Ids of the people who had it, wrote in it or decided in it; complete once it is closed."""
    by_person: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    """Whether any person took part, on the paired phone too; complete once it is closed."""
    asked_at: datetime | None = moment(nullable=True)
    """When the contact first wrote."""
    first_answer_at: datetime | None = moment(nullable=True)
    """When the first answer left."""
    first_answer_by: str | None = words(nullable=True)
    """bot or person."""
    first_person_at: datetime | None = moment(nullable=True)
    """When the first answer that a person wrote or approved left."""
    settled: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
