"""One conversation as a person reads it: messages, what happened in between, what waits, what explains a turn.

Read-only; every function takes a connection inside ``Database.transaction(tenant_id)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.errors import NotFoundError
from store.database import Connection
from store.inbox import CONTACT_NAME


@dataclass(frozen=True, slots=True)
class Head:
    """The conversation itself, its contact and its number."""

    id: UUID
    status: str
    contact_id: UUID
    contact: str
    is_group: bool
    opted_out_at: datetime | None
    tags: list[str]
    number: str
    number_account: str | None
    number_provider: str
    number_status: str
    assignee_id: UUID | None
    assignee: str | None
    unread: int
    language: str | None
    waiting_since: datetime | None
    created_at: datetime
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ThreadFile:
    """A message's file. ``state``: wanted, stored, too_large or failed."""

    id: UUID
    state: str
    mime_type: str
    file_name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """A message with what became of it. ``delivery`` is the outbox state, or the acknowledgement once it has one."""

    id: int
    author: str
    kind: str
    text: str
    content: dict[str, Any]
    edited: bool
    revoked: bool
    historical: bool
    writer: str | None
    turn_id: UUID | None
    sent_at: datetime
    outbox_id: UUID | None
    delivery: str | None
    error: str | None
    quoted_text: str | None
    quoted_author: str | None
    file: ThreadFile | None = None
    transcript: dict[str, Any] | None = None
    """What was read from the file (flows.transcripts): ``kind`` and ``text``, or ``error``."""


@dataclass(frozen=True, slots=True)
class SystemLine:
    """Something that happened to the conversation between messages."""

    id: int
    kind: str
    who: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class PendingSuggestion:
    """A reply that waits for an operator."""

    id: UUID
    text: str
    unsupported: list[dict[str, Any]]
    """Parts of ``text`` without a source: start, end (characters) and kind, in order."""
    turn_id: UUID | None
    confidence: float | None
    intent: str | None
    intent_title: str | None
    decision: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """A business function that waits for an operator, with its exact parameters."""

    id: UUID
    function: str
    arguments: dict[str, Any]
    turn_id: UUID
    expires_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OpenHandoff:
    """Why people hold the conversation."""

    reason: str
    summary: str
    collected: dict[str, Any]
    next_step: str
    announced: bool
    claimed_by: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TurnView:
    """One run of the agent with its explanation. ``decision`` and ``trace`` are JSON as the flow wrote them.

    ``intent_title`` is how the business describes the intent.
    """

    id: UUID
    status: str
    intent: str | None
    intent_title: str | None
    confidence: float | None
    language: str | None
    model: str | None
    prompt_bundle: str
    decision: dict[str, Any]
    trace: dict[str, Any]
    cost_micros: int
    latency_ms: float
    created_at: datetime


async def head(tx: Connection, conversation_id: UUID) -> Head:
    """The conversation; raises NotFoundError, also for another tenant's."""
    row = await tx.fetchrow(
        f"""
        SELECT c.id, c.status, c.contact_id, {CONTACT_NAME} AS contact, p.is_group, p.opted_out_at, p.tags,
               n.name AS number, n.account AS number_account, n.provider AS number_provider,
               n.status AS number_status, c.assignee_id, u.name AS assignee, c.unread, c.language, c.waiting_since,
               c.created_at,
               (SELECT coalesce(array_agg(a.kind || ':' || a.value ORDER BY a.kind DESC, a.value), '{{}}')
                  FROM contact_address a WHERE a.contact_id = c.contact_id) AS addresses
          FROM conversation c
          JOIN contact p ON p.id = c.contact_id
          JOIN channel_session n ON n.id = c.channel_session_id
          LEFT JOIN user_account u ON u.id = c.assignee_id
         WHERE c.id = $1
        """,
        conversation_id,
    )
    if row is None:
        raise NotFoundError("conversation", conversation_id)
    return Head(**{**row, "addresses": tuple(row["addresses"])})


async def messages(
    tx: Connection, conversation_id: UUID, *, before: int | None = None, since: int | None = None, limit: int = 60
) -> list[ThreadMessage]:
    """The last ``limit`` messages (older than message ``before``, not older than ``since``), oldest first."""
    rows = await tx.fetch(
        """
        SELECT m.id, m.author, m.kind, m.text, m.transcript, m.content, m.edited, m.revoked, m.historical,
               u.name AS writer,
               m.turn_id, m.sent_at, o.id AS outbox_id,
               CASE WHEN o.state = 'sent' THEN coalesce(nullif(o.ack, 'server'), 'sent') ELSE o.state END AS delivery,
               o.error, q.text AS quoted_text, q.author AS quoted_author,
               (SELECT jsonb_build_object('id', f.id, 'state', f.state, 'mime_type', f.mime_type,
                                          'file_name', f.file_name, 'size_bytes', f.size_bytes)
                  FROM media_file f WHERE f.message_id = m.id LIMIT 1) AS file
          FROM (SELECT * FROM message_as_changed m
                 WHERE m.conversation_id = $1 AND ($2::bigint IS NULL OR m.id < $2)
                   AND ($4::bigint IS NULL OR m.id >= $4) ORDER BY m.id DESC LIMIT $3) m
          LEFT JOIN user_account u ON u.id = m.user_id
          LEFT JOIN outbox_message o ON o.message_id = m.id
          LEFT JOIN LATERAL (SELECT q.text, q.author FROM message q
                              WHERE q.conversation_id = $1 AND q.provider_id = m.quoted_provider_id LIMIT 1) q
                 ON m.quoted_provider_id IS NOT NULL
         ORDER BY m.id
        """,
        conversation_id,
        before,
        limit,
        since,
    )
    return [ThreadMessage(**{**row, "file": _file(row["file"])}) for row in rows]


def _file(found: dict[str, Any] | None) -> ThreadFile | None:
    return ThreadFile(**{**found, "id": UUID(found["id"])}) if found else None


async def sent_at(tx: Connection, conversation_id: UUID, message_id: int) -> datetime | None:
    """When a message of this conversation was sent; None if it has no such message."""
    at: datetime | None = await tx.fetchval(
        "SELECT sent_at FROM message WHERE conversation_id = $1 AND id = $2", conversation_id, message_id
    )
    return at


async def system_lines(
    tx: Connection, conversation_id: UUID, *, since: datetime, until: datetime | None = None
) -> list[SystemLine]:
    """What happened to the conversation's status from ``since`` (to before ``until``), oldest first."""
    rows = await tx.fetch(
        """
        SELECT e.id, e.kind, u.name AS who, e.created_at AS at
          FROM event e
          LEFT JOIN user_account u ON 'user:' || u.id = e.actor
         WHERE e.tenant_id = current_tenant() AND e.conversation_id = $1 AND e.kind LIKE 'conversation.%'
           AND e.created_at >= $2 AND ($3::timestamptz IS NULL OR e.created_at < $3)
         ORDER BY e.id
        """,
        conversation_id,
        since,
        until,
    )
    return [SystemLine(**row) for row in rows]


async def pending_suggestion(tx: Connection, conversation_id: UUID) -> PendingSuggestion | None:
    """The suggestion that waits, if any."""
    row = await tx.fetchrow(
        """
        SELECT s.id, s.text, s.unsupported, s.turn_id, t.confidence, t.intent,
               i.declaration ->> 'description' AS intent_title,
               coalesce(t.decision, '{}'::jsonb) AS decision,
               s.created_at
          FROM suggestion s
          LEFT JOIN turn t ON t.id = s.turn_id
          LEFT JOIN intent i ON i.name = t.intent
         WHERE s.conversation_id = $1 AND s.status = 'pending'
        """,
        conversation_id,
    )
    return PendingSuggestion(**row) if row else None


async def pending_approvals(tx: Connection, conversation_id: UUID) -> list[PendingApproval]:
    """The calls that wait for a person, oldest first."""
    rows = await tx.fetch(
        """
        SELECT id, function, arguments, turn_id, expires_at, created_at FROM approval
         WHERE conversation_id = $1 AND status = 'pending' ORDER BY created_at
        """,
        conversation_id,
    )
    return [PendingApproval(**row) for row in rows]


async def open_handoff(tx: Connection, conversation_id: UUID) -> OpenHandoff | None:
    """The handoff in force, if any."""
    row = await tx.fetchrow(
        """
        SELECT h.reason, h.summary, h.collected, h.next_step, h.announced, u.name AS claimed_by, h.created_at
          FROM handoff h LEFT JOIN user_account u ON u.id = h.claimed_by
         WHERE h.conversation_id = $1 AND h.ended_at IS NULL ORDER BY h.created_at DESC LIMIT 1
        """,
        conversation_id,
    )
    return OpenHandoff(**row) if row else None


_TURN = """
    SELECT t.id, t.status, t.intent, i.declaration ->> 'description' AS intent_title, t.confidence, t.language, t.model,
           t.prompt_bundle, t.decision, t.trace, t.cost_micros, t.latency_ms, t.created_at
      FROM turn t LEFT JOIN intent i ON i.name = t.intent
"""


async def last_turn(tx: Connection, conversation_id: UUID) -> TurnView | None:
    """The agent's latest run in this conversation."""
    row = await tx.fetchrow(
        f"{_TURN} WHERE t.conversation_id = $1 ORDER BY t.upto_message_id DESC, t.created_at DESC LIMIT 1",
        conversation_id,
    )
    return TurnView(**row) if row else None
