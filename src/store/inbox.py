"""What the inbox shows: conversations, their messages, and what explains them. Read-only.

Every function takes a connection inside ``Database.transaction(tenant_id)``: row-level security binds all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from domain.errors import NotFoundError
from store.database import Connection

View = Literal["open", "attention", "mine", "closed"]

_VIEWS: dict[View, str] = {
    "open": "c.status <> 'closed'",
    "attention": """c.status <> 'closed' AND (c.status = 'waiting' OR s.id IS NOT NULL OR a.id IS NOT NULL
                    OR trouble.id IS NOT NULL)""",
    "mine": "c.status <> 'closed' AND c.assignee_id = $1",
    "closed": "c.status = 'closed'",
}

_PENDING = """
    LEFT JOIN suggestion s ON s.conversation_id = c.id AND s.status = 'pending'
    LEFT JOIN LATERAL (SELECT a.id FROM approval a
                        WHERE a.conversation_id = c.id AND a.status = 'pending' LIMIT 1) a ON true
    LEFT JOIN LATERAL (SELECT o.id FROM outbox_message o
                        WHERE o.conversation_id = c.id AND o.state = 'unknown' LIMIT 1) trouble ON true
"""
CONTACT_NAME = "coalesce(nullif(p.name, ''), nullif(p.push_name, ''), split_part(c.address, ':', 2))"


"""What to call the contact ``p`` of conversation ``c``."""


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """One line of the list."""

    id: UUID
    status: str
    contact: str
    address: str
    is_group: bool
    number: str
    assignee: str | None
    unread: int
    preview: str
    last_author: str | None
    last_message_at: datetime
    waiting_since: datetime | None
    suggestion: bool
    approval: bool
    trouble: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """How many open conversations there are, and how many of them need a person."""

    open: int
    attention: int
    mine: int


@dataclass(frozen=True, slots=True)
class Workspace:
    """The tenant as its pages need it."""

    name: str
    timezone: str
    simulators: tuple[tuple[UUID, str], ...]
    """Channel sessions of simulated phones: id and name."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of the log, without its content."""

    id: int
    kind: str
    conversation_id: UUID | None


async def workspace(tx: Connection) -> Workspace:
    """The tenant of this transaction."""
    tenant = await tx.fetchrow("SELECT name, timezone FROM tenant WHERE id = current_tenant()")
    if tenant is None:
        raise NotFoundError("tenant", "")
    sessions = await tx.fetch(
        "SELECT id, name FROM channel_session WHERE provider = 'simulator' ORDER BY created_at, name"
    )
    return Workspace(tenant["name"], tenant["timezone"], tuple((row["id"], row["name"]) for row in sessions))


async def conversations(
    tx: Connection, view: View, user_id: UUID, *, before: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[ConversationRow]:
    """Conversations of a view, the latest message first. ``before`` is time and id of the last line already shown."""
    at, last_id = before or (None, None)
    rows = await tx.fetch(
        f"""
        SELECT c.id, c.status, {CONTACT_NAME} AS contact, c.address, p.is_group, n.name AS number,
               u.name AS assignee, c.unread,
               c.last_preview AS preview, m.author AS last_author, c.last_message_at, c.waiting_since,
               s.id IS NOT NULL AS suggestion, a.id IS NOT NULL AS approval, trouble.id IS NOT NULL AS trouble
          FROM conversation c
          JOIN contact p ON p.id = c.contact_id
          JOIN channel_session n ON n.id = c.channel_session_id
          LEFT JOIN user_account u ON u.id = c.assignee_id
          LEFT JOIN LATERAL (SELECT m.author FROM message m
                              WHERE m.conversation_id = c.id ORDER BY m.id DESC LIMIT 1) m ON true
          {_PENDING}
         WHERE {_VIEWS[view]} AND ($1::uuid IS NOT NULL)
           AND ($2::timestamptz IS NULL OR (c.last_message_at, c.id) < ($2, $3::uuid))
         ORDER BY c.last_message_at DESC, c.id DESC LIMIT $4
        """,
        user_id,
        at,
        last_id,
        limit,
    )
    return [ConversationRow(**row) for row in rows]


async def counts(tx: Connection, user_id: UUID) -> Counts:
    """Figures beside the views' names."""
    row = await tx.fetchrow(
        f"""
        SELECT count(*) AS open, count(*) FILTER (WHERE {_VIEWS["attention"]}) AS attention,
               count(*) FILTER (WHERE {_VIEWS["mine"]}) AS mine
          FROM conversation c {_PENDING} WHERE c.status <> 'closed'
        """,
        user_id,
    )
    return Counts(**row) if row else Counts(0, 0, 0)


async def events_between(tx: Connection, after: int, upto: int, limit: int) -> list[EventRow]:
    """The tenant's events with ``after < id <= upto``, in order."""
    rows = await tx.fetch(
        "SELECT id, kind, conversation_id FROM event WHERE tenant_id = current_tenant() AND id > $1 AND id <= $2 "
        "ORDER BY id LIMIT $3",
        after,
        upto,
        limit,
    )
    return [EventRow(**row) for row in rows]
