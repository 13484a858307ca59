"""Conversations, suggestions and handoffs as programs see them: listed by filters, one page after the other.

Every function takes a connection inside ``Database.transaction(tenant_id)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.errors import NotFoundError
from store.database import Connection
from store.inbox import CONTACT_NAME


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """A conversation. ``fence`` changes with everything that happens to it."""

    id: UUID
    status: str
    session_id: UUID
    session: str
    contact_id: UUID
    contact: str
    address: str
    is_group: bool
    assignee_id: UUID | None
    assignee: str | None
    team_id: UUID | None
    team: str | None
    priority: int
    labels: list[str]
    unread: int
    language: str | None
    preview: str
    waiting_since: datetime | None
    snoozed_until: datetime | None
    closed_at: datetime | None
    closed_reason: str | None
    last_message_at: datetime
    created_at: datetime
    fence: int


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """Which conversations are listed; None: whatever it is.

    ``unassigned`` looks for those without an assignee; ``since``: a message or a change of status since then.
    """

    statuses: list[str] | None = None
    session_id: UUID | None = None
    contact_id: UUID | None = None
    assignee_id: UUID | None = None
    unassigned: bool = False
    team_id: UUID | None = None
    label: str | None = None
    priority: int | None = None
    unread: bool | None = None
    since: datetime | None = None


_CONVERSATION: Final = f"""
    SELECT c.id, c.status, c.channel_session_id AS session_id, n.name AS session, c.contact_id,
           {CONTACT_NAME} AS contact, c.address, p.is_group, c.assignee_id, u.name AS assignee, c.team_id,
           t.name AS team, c.priority, c.labels, c.unread, c.language, c.last_preview AS preview, c.waiting_since,
           c.snoozed_until, c.closed_at, c.closed_reason, c.last_message_at, c.created_at, c.fence
      FROM conversation c
      JOIN contact p ON p.id = c.contact_id
      JOIN channel_session n ON n.id = c.channel_session_id
      LEFT JOIN user_account u ON u.id = c.assignee_id
      LEFT JOIN team t ON t.id = c.team_id
"""


async def listed(
    tx: Connection, wanted: ConversationFilter, *, before: tuple[datetime, UUID] | None = None, limit: int
) -> list[ConversationRecord]:
    """The latest message first, from below ``before`` (its time, and the conversation's id)."""
    at, last_id = before or (None, None)
    rows = await tx.fetch(
        f"""{_CONVERSATION}
         WHERE ($1::timestamptz IS NULL OR (c.last_message_at, c.id) < ($1, $2::uuid))
           AND ($3::text[] IS NULL OR c.status = ANY ($3))
           AND ($4::uuid IS NULL OR c.channel_session_id = $4)
           AND ($5::uuid IS NULL OR c.contact_id = $5)
           AND ($6::uuid IS NULL OR c.assignee_id = $6) AND (NOT $7 OR c.assignee_id IS NULL)
           AND ($8::uuid IS NULL OR c.team_id = $8)
           AND ($9::text IS NULL OR c.labels ? $9)
           AND ($10::int IS NULL OR c.priority = $10)
           AND ($11::bool IS NULL OR (c.unread > 0) = $11)
           AND ($12::timestamptz IS NULL OR c.last_message_at >= $12
                OR EXISTS (SELECT 1 FROM event e WHERE e.conversation_id = c.id AND e.kind LIKE 'conversation.%'
                              AND e.tenant_id = c.tenant_id AND e.created_at >= $12))
         ORDER BY c.last_message_at DESC, c.id DESC LIMIT $13""",
        at,
        last_id,
        wanted.statuses,
        wanted.session_id,
        wanted.contact_id,
        wanted.assignee_id,
        wanted.unassigned,
        wanted.team_id,
        wanted.label,
        wanted.priority,
        wanted.unread,
        wanted.since,
        limit,
    )
    return [ConversationRecord(**row) for row in rows]


async def one(tx: Connection, conversation_id: UUID) -> ConversationRecord:
    """One conversation. Raises NotFoundError, also for another tenant's."""
    row = await tx.fetchrow(f"{_CONVERSATION} WHERE c.id = $1", conversation_id)
    if row is None:
        raise NotFoundError("conversation", conversation_id)
    return ConversationRecord(**row)


async def in_chat(tx: Connection, session_id: UUID, chat: str) -> UUID:
    """The conversation of a number that ``chat`` names: by its id, or by an address of its contact. Raises
    NotFoundError."""
    kind, _, value = chat.partition(":")
    found: UUID | None = await tx.fetchval(
        """SELECT c.id FROM conversation c
            WHERE c.channel_session_id = $1
              AND (c.id::text = $2 OR c.contact_id = (SELECT a.contact_id FROM contact_address a
                                                       WHERE a.kind = $3 AND a.value = $4)) LIMIT 1""",
        session_id,
        chat.lower(),
        kind,
        value,
    )
    if found is None:
        raise NotFoundError("chat", chat)
    return found


# Suggestions and handoffs --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SuggestionRecord:
    """A reply that waits for an operator, or what became of it. ``is_current``: it may still be approved."""

    id: UUID
    conversation_id: UUID
    status: str
    text: str
    final_text: str | None
    origin: str
    explanation: dict[str, Any]
    unsupported: list[dict[str, Any]]
    turn_id: UUID | None
    intent: str | None
    confidence: float | None
    reject_reason: str | None
    reject_note: str
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime
    is_current: bool


_SUGGESTION: Final = """
    SELECT s.id, s.conversation_id, s.status, s.text, s.final_text, s.origin, s.explanation, s.unsupported, s.turn_id,
           coalesce(s.intent, t.intent) AS intent, t.confidence, s.reject_reason, s.reject_note,
           u.name AS decided_by, s.decided_at, s.created_at,
           s.status = 'pending' AND s.fence = c.fence AS is_current
      FROM suggestion s
      JOIN conversation c ON c.id = s.conversation_id
      LEFT JOIN turn t ON t.id = s.turn_id
      LEFT JOIN user_account u ON u.id = s.decided_by
"""


async def suggestions(
    tx: Connection,
    *,
    status: str | None = None,
    conversation_id: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[SuggestionRecord]:
    """The newest first."""
    at, last_id = before or (None, None)
    rows = await tx.fetch(
        f"""{_SUGGESTION}
         WHERE ($1::text IS NULL OR s.status = $1) AND ($2::uuid IS NULL OR s.conversation_id = $2)
           AND ($3::timestamptz IS NULL OR (s.created_at, s.id) < ($3, $4::uuid))
         ORDER BY s.created_at DESC, s.id DESC LIMIT $5""",
        status,
        conversation_id,
        at,
        last_id,
        limit,
    )
    return [SuggestionRecord(**row) for row in rows]


async def suggestion(tx: Connection, suggestion_id: UUID) -> SuggestionRecord:
    """One suggestion. Raises NotFoundError."""
    row = await tx.fetchrow(f"{_SUGGESTION} WHERE s.id = $1", suggestion_id)
    if row is None:
        raise NotFoundError("suggestion", suggestion_id)
    return SuggestionRecord(**row)


@dataclass(frozen=True, slots=True)
class HandoffRecord:
    """A conversation given to people. ``state``: waiting, claimed or ended."""

    id: UUID
    conversation_id: UUID
    reason: str
    summary: str
    collected: dict[str, Any]
    next_step: str
    announcement: str
    announced: bool
    state: str
    claimed_by: str | None
    claimed_at: datetime | None
    ended_at: datetime | None
    created_at: datetime


_STATE: Final = """CASE WHEN h.ended_at IS NOT NULL THEN 'ended' WHEN h.claimed_at IS NOT NULL THEN 'claimed'
                        ELSE 'waiting' END"""
_HANDOFF: Final = f"""
    SELECT h.id, h.conversation_id, h.reason, h.summary, h.collected, h.next_step, h.announcement, h.announced,
           {_STATE} AS state, u.name AS claimed_by, h.claimed_at, h.ended_at, h.created_at
      FROM handoff h
      JOIN conversation c ON c.id = h.conversation_id
      LEFT JOIN user_account u ON u.id = h.claimed_by
"""


async def handoffs(
    tx: Connection,
    *,
    state: str | None = None,
    conversation_id: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[HandoffRecord]:
    """The newest first."""
    at, last_id = before or (None, None)
    rows = await tx.fetch(
        f"""{_HANDOFF}
         WHERE ($1::text IS NULL OR {_STATE} = $1) AND ($2::uuid IS NULL OR h.conversation_id = $2)
           AND ($3::timestamptz IS NULL OR (h.created_at, h.id) < ($3, $4::uuid))
         ORDER BY h.created_at DESC, h.id DESC LIMIT $5""",
        state,
        conversation_id,
        at,
        last_id,
        limit,
    )
    return [HandoffRecord(**row) for row in rows]


async def handoff(tx: Connection, handoff_id: UUID) -> HandoffRecord:
    """One handoff. Raises NotFoundError."""
    row = await tx.fetchrow(f"{_HANDOFF} WHERE h.id = $1", handoff_id)
    if row is None:
        raise NotFoundError("handoff", handoff_id)
    return HandoffRecord(**row)


# Notes, turns, events ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class NoteRecord:
    """A note for colleagues."""

    id: int
    text: str
    by: str | None
    created_at: datetime


async def notes(tx: Connection, conversation_id: UUID, *, before: int | None = None, limit: int) -> list[NoteRecord]:
    """The newest first."""
    rows = await tx.fetch(
        """SELECT n.id, n.text, u.name AS by, n.created_at FROM conversation_note n
             LEFT JOIN user_account u ON u.id = n.user_id
            WHERE n.conversation_id = $1 AND ($2::bigint IS NULL OR n.id < $2) ORDER BY n.id DESC LIMIT $3""",
        conversation_id,
        before,
        limit,
    )
    return [NoteRecord(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One run of the agent, in short; its trace tells the rest."""

    id: UUID
    status: str
    decision: str
    intent: str | None
    confidence: float | None
    language: str | None
    model: str | None
    cost_micros: int
    latency_ms: float
    created_at: datetime


async def turns(
    tx: Connection, conversation_id: UUID, *, before: tuple[datetime, UUID] | None = None, limit: int
) -> list[TurnRecord]:
    """The newest first."""
    at, last_id = before or (None, None)
    rows = await tx.fetch(
        """SELECT id, status, coalesce(decision ->> 'kind', '') AS decision, intent, confidence, language, model,
                  cost_micros, latency_ms, created_at
             FROM turn
            WHERE conversation_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
            ORDER BY created_at DESC, id DESC LIMIT $4""",
        conversation_id,
        at,
        last_id,
        limit,
    )
    return [TurnRecord(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened. Ids increase, and no event with a lower id comes later."""

    id: int
    kind: str
    conversation_id: UUID | None
    payload: dict[str, Any]
    actor: str
    created_at: datetime


async def events(
    tx: Connection,
    *,
    after: int,
    kinds: list[str] | None = None,
    conversation_id: UUID | None = None,
    limit: int,
) -> list[EventRecord]:
    """The tenant's events from after ``after``, oldest first; only as far as no open transaction can still write.

    ``kinds``: patterns of LIKE.
    """
    rows = await tx.fetch(
        """SELECT e.id, e.kind, e.conversation_id, e.payload, e.actor, e.created_at FROM event e
            WHERE e.tenant_id = current_tenant() AND e.id > $1 AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
              AND ($2::text[] IS NULL OR e.kind LIKE ANY ($2))
              AND ($3::uuid IS NULL OR e.conversation_id = $3)
            ORDER BY e.id LIMIT $4""",
        after,
        kinds,
        conversation_id,
        limit,
    )
    return [EventRecord(**row) for row in rows]
