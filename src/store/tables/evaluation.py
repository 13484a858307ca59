"""Cases that people took from their work: a turn that should go otherwise, with personal data replaced."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel, UniqueConstraint

from store.tables.columns import document, moment, reference, tenant_key, uuid_key, words


class EvalCase(SQLModel, table=True):
    """One case of the review queue. It stays when the conversation it comes from is deleted."""

    __tablename__ = "eval_case"
    __table_args__ = (
        UniqueConstraint("tenant_id", "turn_id"),
        Index("ix_eval_case_state", "tenant_id", "state", "proposed_at"),
        Index(
            "ix_eval_case_due",
            "due_at",
            postgresql_where=sql("state = 'proposed' AND reproduction = 'waiting'"),
        ),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    conversation_id: UUID | None = reference("conversation", nullable=True, ondelete="SET NULL")
    turn_id: UUID | None = reference("turn", nullable=True, ondelete="SET NULL")
    origin: str = words()
    """edited, rejected or bad_turn."""
    content: dict[str, Any] = document()
    """The case as a suite holds it, and under ``happened`` what the agent and the operator did then."""
    replaced: dict[str, Any] = document()
    """How many values of each kind of personal data got a stand-in."""
    note: str = words(default="")
    """What the one who proposed it said was wrong."""
    state: str = words(default="proposed")
    """proposed, accepted or dropped."""
    revision: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    """Raised by every change of the case: what came of playing an older revision says nothing."""
    reproduction: str = words(default="waiting")
    """waiting, reproduced, not_reproduced or errored."""
    difference: list[dict[str, Any]] = document("[]")
    """The expectations that were looked at when it was played: name, passed, expected, got."""
    reproduction_note: str = words(default="")
    played_at: datetime | None = moment(nullable=True)
    due_at: datetime = moment(now=True)
    """When a worker may (again) play it; in the future while one does."""
    proposed_by: UUID | None = reference("user_account", nullable=True, ondelete="SET NULL")
    proposed_at: datetime = moment(now=True)
    decided_by: UUID | None = reference("user_account", nullable=True, ondelete="SET NULL")
    decided_at: datetime | None = moment(nullable=True)
    reason: str = words(default="")
    """Why it was accepted or dropped."""
    forced: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    """Accepted although it was not seen to reproduce the failure."""
