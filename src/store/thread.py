"""One conversation as a person reads it: messages, what happened in between, what waits, what explains a turn.

Read-only; every function takes a connection inside ``Database.transaction(tenant_id)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.errors import NotFoundError
from store.database import Connection
from store.events import STILL_LOST
from store.inbox import CONTACT_NAME, PICTURE, SCORE
from store.outbox import WITHDRAWN
from store.pacing import WAITS_FOR, WAITS_UNTIL


@dataclass(frozen=True, slots=True)
class Head:
    """The conversation itself, its contact and its number."""

    id: UUID
    status: str
    contact_id: UUID
    contact: str
    is_group: bool
    picture: str | None
    """What names the contact's picture as it is now; None: there is none."""
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
    team_id: UUID | None
    team: str | None
    priority: int
    labels: list[str]
    snoozed_until: datetime | None
    closed_reason: str | None
    own_name: str | None
    """What people call the contact; else WhatsApp's name is shown."""
    fields: dict[str, Any]
    lead_status: str | None
    lead_score: int
    lead_source: str
    score: int | None
    """What the customer said of the service when asked last (1 to 5)."""
    score_asked_at: datetime | None
    """When the customer was asked last; None: never."""
    score_comment: str | None

    @property
    def seen(self) -> str:
        """What a page shows of status and holder (flows.desk_assignment.standing)."""
        return f"{self.status}/{self.assignee_id or ''}"


@dataclass(frozen=True, slots=True)
class ThreadFile:
    """A message's file. ``state``: wanted, stored, too_large or failed."""

    id: UUID
    state: str
    mime_type: str
    file_name: str
    size_bytes: int
    has_preview: bool = False
    pages: int | None = None


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
    waits_for: str | None = None
    """Why it is not sent yet (domain.sending_pace.Waits); None: it is about to be."""
    waits_until: datetime | None = None
    file: ThreadFile | None = None
    transcript: dict[str, Any] | None = None
    """What was read from the file (flows.transcripts): ``kind`` and ``text``, or ``error``."""
    sender: str | None = None  # who of a group said it
    reactions: tuple[str, ...] = ()
    """Emoji that people answered it with, each person's latest."""
    former: str | None = None
    """Of an edited message: its text as it was sent."""
    may_withdraw: bool = False
    """Its writer may still take it back."""

    @property
    def late(self) -> bool:
        """It came after newer ones, which had waited nowhere."""
        return bool(self.content.get("late"))


@dataclass(frozen=True, slots=True)
class SystemLine:
    """Something that happened to the conversation between messages."""

    id: int
    kind: str
    who: str | None
    at: datetime
    payload: dict[str, Any] = field(default_factory=dict)


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
    """With its reasons and sources: the turn's, or what came with a suggestion that has none."""
    created_at: datetime
    is_current: bool = True
    """Nothing newer happened since: it may be sent."""
    origin: str = "agent"
    """See tables.work.Suggestion."""
    instruction: str | None = None
    former: str | None = None
    """The text in whose place it was asked for."""


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """A business function that waits for an operator, with its exact parameters."""

    id: UUID
    function: str
    arguments: dict[str, Any]
    turn_id: UUID
    intent: str | None
    intent_title: str | None  # what the customer wants by it, as the business says it
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
    """One run of the agent with its explanation. ``decision`` and ``trace`` are JSON as the flow wrote them."""

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
    rejected: bool


async def head(tx: Connection, conversation_id: UUID) -> Head:
    """The conversation; raises NotFoundError, also for another tenant's."""
    row = await tx.fetchrow(
        f"""
        SELECT c.id, c.status, c.contact_id, {CONTACT_NAME} AS contact, p.is_group, {PICTURE} AS picture,
               p.opted_out_at, p.tags,
               n.name AS number, n.account AS number_account, n.provider AS number_provider,
               n.status AS number_status, c.assignee_id, u.name AS assignee, c.unread, c.language, c.waiting_since,
               c.created_at, c.team_id, t.name AS team, c.priority, c.labels, c.snoozed_until, c.closed_reason,
               p.name AS own_name, p.fields, p.lead_status, p.lead_score, p.lead_source,
               {SCORE} AS score, asked.asked_at AS score_asked_at, asked.comment AS score_comment,
               (SELECT coalesce(array_agg(a.kind || ':' || a.value ORDER BY a.kind DESC, a.value), '{{}}')
                  FROM contact_address a WHERE a.contact_id = c.contact_id) AS addresses
          FROM conversation c
          JOIN contact p ON p.id = c.contact_id
          JOIN channel_session n ON n.id = c.channel_session_id
          LEFT JOIN contact_profile f ON f.contact_id = c.contact_id
          LEFT JOIN user_account u ON u.id = c.assignee_id
          LEFT JOIN team t ON t.id = c.team_id
          LEFT JOIN LATERAL (SELECT a.asked_at, a.comment FROM satisfaction_answer a
                              WHERE a.conversation_id = c.id ORDER BY a.asked_at DESC LIMIT 1) asked ON true
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
        f"""
        SELECT m.id, m.author, m.kind, m.text, m.transcript, m.content, m.edited, m.revoked, m.historical,
               u.name AS writer,
               m.turn_id, m.sent_at, o.id AS outbox_id,
               CASE WHEN o.state = 'sent' THEN coalesce(nullif(o.ack, 'server'), 'sent') ELSE o.state END AS delivery,
               CASE WHEN m.author = 'contact' AND m.sender IS NOT NULL
                    THEN coalesce(m.content ->> 'sender_name', split_part(m.sender, ':', 2)) END AS sender,
               o.error, {WAITS_FOR} AS waits_for, {WAITS_UNTIL} AS waits_until,
               q.text AS quoted_text, q.author AS quoted_author,
               ARRAY(SELECT r.text FROM (
                         SELECT DISTINCT ON (r.author, r.sender) r.text, r.id FROM message r
                          WHERE r.conversation_id = $1 AND r.kind = 'reaction'
                            AND r.quoted_provider_id = coalesce(m.provider_id, o.provider_id)
                          ORDER BY r.author, r.sender, r.id DESC) r WHERE r.text <> '' ORDER BY r.id) AS reactions,
               CASE WHEN m.edited THEN (SELECT w.text FROM message w WHERE w.id = m.id) END AS former,
               (o.state = 'queued' AND o.attempts = 0 AND m.content ? 'undo' AND o.not_before > now()) IS TRUE
                   AS may_withdraw,
               (SELECT jsonb_build_object('id', f.id, 'state', f.state, 'mime_type', f.mime_type,
                                          'file_name', f.file_name, 'size_bytes', f.size_bytes,
                                          'has_preview', f.preview <> '', 'pages', f.pages)
                  FROM media_file f WHERE f.message_id = m.id LIMIT 1) AS file
          FROM (SELECT * FROM message_as_changed m
                 WHERE m.conversation_id = $1 AND m.kind <> 'reaction'
                   AND NOT (m.content ? 'undo' AND EXISTS (
                       SELECT 1 FROM outbox_message w
                        WHERE w.message_id = m.id AND w.state = 'cancelled' AND w.error = $5))
                   AND ($2::bigint IS NULL OR m.id < $2)
                   AND ($4::bigint IS NULL OR m.id >= $4) ORDER BY m.id DESC LIMIT $3) m
          LEFT JOIN user_account u ON u.id = m.user_id
          LEFT JOIN outbox_message o ON o.message_id = m.id
          LEFT JOIN channel_session n ON n.id = o.channel_session_id
          LEFT JOIN LATERAL (SELECT q.text, q.author FROM message q
                              WHERE q.conversation_id = $1 AND q.provider_id = m.quoted_provider_id LIMIT 1) q
                 ON m.quoted_provider_id IS NOT NULL
         ORDER BY m.id
        """,
        conversation_id,
        before,
        limit,
        since,
        WITHDRAWN,
    )
    return [ThreadMessage(**{**row, "file": _file(row["file"]), "reactions": tuple(row["reactions"])}) for row in rows]


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
    """What happened to the conversation's status from ``since`` (to before ``until``), and which of its messages were
    lost, oldest first.

    A lost message is found by the contact's addresses: it may be the very first, so that no conversation was there.
    """
    rows = await tx.fetch(
        f"""
        SELECT e.id, CASE WHEN e.kind = 'conversation.claimed' AND e.payload ->> 'from' = 'closed'
                          THEN 'conversation.taken_up' ELSE e.kind END AS kind,
               u.name AS who, e.created_at AS at, e.payload
          FROM event e
          LEFT JOIN user_account u ON 'user:' || u.id = e.actor
         WHERE e.tenant_id = current_tenant() AND e.conversation_id = $1
           AND (e.kind LIKE 'conversation.%' OR (e.kind = 'function.called' AND e.actor LIKE 'user:%'))
           AND e.kind NOT IN ('conversation.noted', 'conversation.marked_unread')
           AND e.created_at >= $2 AND ($3::timestamptz IS NULL OR e.created_at < $3)
        UNION ALL
        SELECT e.id, e.kind, NULL, e.created_at, '{{}}'
          FROM conversation c
          JOIN event e ON e.tenant_id = c.tenant_id AND e.payload ->> 'channel_session_id' = c.channel_session_id::text
         WHERE c.id = $1 AND {STILL_LOST} AND e.created_at >= $2 AND ($3::timestamptz IS NULL OR e.created_at < $3)
           AND e.payload ->> 'address' IN (SELECT a.kind || ':' || a.value FROM contact_address a
                                            WHERE a.contact_id = c.contact_id)
         ORDER BY id
        """,
        conversation_id,
        since,
        until,
    )
    return [SystemLine(**row) for row in rows]


async def suggestion_exists(tx: Connection, suggestion_id: UUID) -> None:
    """Raise NotFoundError where the tenant has no such suggestion, decided or not."""
    if await tx.fetchval("SELECT 1 FROM suggestion WHERE id = $1", suggestion_id) is None:
        raise NotFoundError("suggestion", suggestion_id)


async def pending_suggestion(tx: Connection, conversation_id: UUID) -> PendingSuggestion | None:
    """The suggestion that waits, if any."""
    row = await tx.fetchrow(
        """
        SELECT s.id, s.text, s.unsupported, s.turn_id,
               CASE WHEN s.turn_id IS NULL THEN (s.explanation ->> 'confidence')::float8 ELSE t.confidence END
                   AS confidence,
               coalesce(t.intent, s.explanation ->> 'intent') AS intent,
               i.declaration ->> 'description' AS intent_title,
               coalesce(t.decision, '{}') || (s.explanation - '{confidence,intent}'::text[]) AS decision,
               s.created_at, s.fence = c.fence AS is_current, s.origin, s.instruction, former.text AS former
          FROM suggestion s
          JOIN conversation c ON c.id = s.conversation_id
          LEFT JOIN turn t ON t.id = s.turn_id
          LEFT JOIN suggestion former ON former.id = s.replaces_id
          LEFT JOIN intent i ON i.name = coalesce(t.intent, s.explanation ->> 'intent')
         WHERE s.conversation_id = $1 AND s.status = 'pending'
        """,
        conversation_id,
    )
    return PendingSuggestion(**row) if row else None


async def pending_approvals(tx: Connection, conversation_id: UUID) -> list[PendingApproval]:
    """The calls that wait for a person, oldest first."""
    rows = await tx.fetch(
        """
        SELECT a.id, a.function, a.arguments, a.turn_id, a.expires_at, a.created_at, t.intent,
               i.declaration ->> 'description' AS intent_title
          FROM approval a LEFT JOIN turn t ON t.id = a.turn_id LEFT JOIN intent i ON i.name = t.intent
         WHERE a.conversation_id = $1 AND a.status = 'pending' ORDER BY a.created_at
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


async def last_turn(tx: Connection, conversation_id: UUID) -> TurnView | None:
    """The agent's latest run in this conversation."""
    row = await tx.fetchrow(
        """SELECT t.id, t.status, t.intent, i.declaration ->> 'description' AS intent_title, t.confidence, t.language,
                  t.model, t.prompt_bundle, t.decision, t.trace, t.cost_micros, t.latency_ms, t.created_at,
                  EXISTS (SELECT 1 FROM suggestion s WHERE s.turn_id = t.id AND s.status = 'rejected') AS rejected
             FROM turn t LEFT JOIN intent i ON i.name = t.intent
            WHERE t.conversation_id = $1 ORDER BY t.upto_message_id DESC, t.created_at DESC LIMIT 1""",
        conversation_id,
    )
    return TurnView(**row) if row else None
