"""What colleagues note on a conversation, and what is to be done for its contact. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from store.database import Connection


@dataclass(frozen=True, slots=True)
class Note:
    """A note for colleagues."""

    id: int
    text: str
    who: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class TaskLine:
    """Something to be done for the contact."""

    id: UUID
    title: str
    due_at: datetime | None
    done_at: datetime | None
    assignee: str | None


async def notes(tx: Connection, conversation_id: UUID, *, since: datetime, until: datetime | None = None) -> list[Note]:
    """Colleagues' notes from ``since`` (to before ``until``), oldest first."""
    rows = await tx.fetch(
        """SELECT n.id, n.text, u.name AS who, n.created_at AS at
             FROM conversation_note n LEFT JOIN user_account u ON u.id = n.user_id
            WHERE n.conversation_id = $1 AND n.created_at >= $2 AND ($3::timestamptz IS NULL OR n.created_at < $3)
            ORDER BY n.id""",
        conversation_id,
        since,
        until,
    )
    return [Note(**row) for row in rows]


async def tasks(tx: Connection, contact_id: UUID, limit: int = 30) -> list[TaskLine]:
    """What is to be done for the contact, and what was done within the last day."""
    rows = await tx.fetch(
        """SELECT t.id, t.title, t.due_at, t.done_at, u.name AS assignee
             FROM task t LEFT JOIN user_account u ON u.id = t.assignee_id
            WHERE t.contact_id = $1 AND (t.done_at IS NULL OR t.done_at > now() - interval '1 day')
            ORDER BY t.done_at IS NOT NULL, t.due_at NULLS LAST, t.created_at LIMIT $2""",
        contact_id,
        limit,
    )
    return [TaskLine(**row) for row in rows]
