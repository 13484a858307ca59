"""Everything that explains a turn, gathered from where it was written: the turn, what people did, what was sent.

Read-only; every function takes a connection inside ``Database.transaction(tenant_id)``.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from store.database import Connection, Row
from store.inbox import CONTACT_NAME

_TURN = f"""
SELECT t.*, i.declaration ->> 'description' AS intent_title, {CONTACT_NAME} AS contact,
       n.name AS number, n.provider AS number_provider, w.name AS tenant
  FROM turn t
  JOIN conversation c ON c.id = t.conversation_id
  JOIN contact p ON p.id = c.contact_id
  JOIN channel_session n ON n.id = c.channel_session_id
  JOIN tenant w ON w.id = t.tenant_id
  LEFT JOIN intent i ON i.name = t.intent
 WHERE t.id = $1
"""

_RECEIVED = """
SELECT m.id, m.kind, concat_ws(E'\\n', nullif(m.text, ''), m.transcript ->> 'text') AS text, m.edited, m.revoked,
       m.sent_at, m.received_at
  FROM message_as_changed m
 WHERE m.conversation_id = $1 AND m.id > $2 AND m.id <= $3 AND m.author = 'contact' AND NOT m.historical
 ORDER BY m.id
"""

_SENT = """
SELECT m.id AS message_id, m.author, u.name AS by, m.text, o.id AS outbox_id, o.state, o.ack, o.attempts, o.error,
       o.queued_at, o.sent_at, o.provider_id
  FROM message m
  LEFT JOIN outbox_message o ON o.message_id = m.id
  LEFT JOIN user_account u ON u.id = m.user_id
 WHERE m.conversation_id = $1 AND m.turn_id = $2
 ORDER BY m.id
"""

_SUGGESTIONS = """
SELECT s.id, s.text, s.status, s.final_text, s.reject_reason, s.reject_note, s.origin, s.instruction,
       u.name AS by, s.decided_at, s.created_at
  FROM suggestion s LEFT JOIN user_account u ON u.id = s.decided_by
 WHERE s.conversation_id = $1 AND s.turn_id = $2
 ORDER BY s.created_at
"""

_APPROVALS = """
SELECT a.id, a.turn_id AS asked_by_turn, a.function, a.arguments, a.status, u.name AS by, a.decided_at, a.expires_at,
       a.settled_at, a.created_at
  FROM approval a LEFT JOIN user_account u ON u.id = a.decided_by
 WHERE a.conversation_id = $1 AND (a.turn_id = $2 OR a.id = $3)
 ORDER BY a.created_at
"""

_WRITES = """
SELECT f.id, f.function, f.ordinal, f.arguments, f.status, f.result -> 'value' AS result,
       f.result ->> 'error_code' AS error_code, f.started_at, f.finished_at
  FROM function_call f
 WHERE f.conversation_id = $1
   AND (f.trigger_message_id > $2 AND f.trigger_message_id <= $3
        OR f.trigger_message_id = (SELECT asked.upto_message_id
                                     FROM approval a JOIN turn asked ON asked.id = a.turn_id WHERE a.id = $4))
 ORDER BY f.started_at
"""

_HANDOFFS = """
SELECT h.reason, h.summary, h.collected, h.next_step, h.announcement, h.announced,
       u.name AS by, h.claimed_at, h.ended_at, h.created_at
  FROM handoff h LEFT JOIN user_account u ON u.id = h.claimed_by
 WHERE h.conversation_id = $1 AND h.turn_id = $2
 ORDER BY h.created_at
"""


async def turn(tx: Connection, turn_id: UUID) -> Row | None:
    """The turn with the names of its contact, number and business; None where this tenant has no such turn."""
    return await tx.fetchrow(_TURN, turn_id)


async def around(tx: Connection, turn: Row) -> dict[str, list[dict[str, Any]]]:
    """What was received before the turn, and what came of it: sent, suggestions, approvals, writes, handoffs."""
    conversation_id, turn_id = turn["conversation_id"], turn["id"]
    approval = turn["trace"].get("approval_id")
    approval_id = UUID(approval) if approval else None
    upto, before = turn["upto_message_id"], turn["answered_before"]
    rows = {
        "received": await tx.fetch(_RECEIVED, conversation_id, before, upto),
        "sent": await tx.fetch(_SENT, conversation_id, turn_id),
        "suggestions": await tx.fetch(_SUGGESTIONS, conversation_id, turn_id),
        "approvals": await tx.fetch(_APPROVALS, conversation_id, turn_id, approval_id),
        "writes": await tx.fetch(_WRITES, conversation_id, before, upto, approval_id),
        "handoffs": await tx.fetch(_HANDOFFS, conversation_id, turn_id),
    }
    return {name: [dict(row) for row in found] for name, found in rows.items()}


async def turns_by_id(tx: Connection, beginning: str, *, limit: int = 5) -> list[UUID]:
    """Turns whose id begins so (hexadecimal digits, dashes left out)."""
    rows = await tx.fetch(
        "SELECT id FROM turn WHERE replace(id::text, '-', '') LIKE $1 || '%' ORDER BY created_at DESC LIMIT $2",
        beginning,
        limit,
    )
    return [row["id"] for row in rows]


async def conversations_by_id(tx: Connection, beginning: str, *, limit: int = 5) -> list[UUID]:
    """Conversations whose id begins so."""
    rows = await tx.fetch(
        "SELECT id FROM conversation WHERE replace(id::text, '-', '') LIKE $1 || '%' ORDER BY created_at DESC LIMIT $2",
        beginning,
        limit,
    )
    return [row["id"] for row in rows]


async def turns_of_message(tx: Connection, message_id: int) -> list[UUID] | None:
    """The turn that wrote a message, or those that answered it, the effective one last; None: no such message."""
    message = await tx.fetchrow("SELECT conversation_id, author, turn_id FROM message WHERE id = $1", message_id)
    if message is None:
        return None
    if message["turn_id"] is not None:
        return [message["turn_id"]]
    rows = await tx.fetch(
        "SELECT id FROM turn WHERE conversation_id = $1 AND answered_before < $2 AND upto_message_id >= $2 "
        "ORDER BY upto_message_id, created_at",
        message["conversation_id"],
        message_id,
    )
    return [row["id"] for row in rows]


async def turns_of_conversation(tx: Connection, conversation_id: UUID, *, limit: int) -> list[UUID]:
    """The last turns of a conversation, oldest first."""
    rows = await tx.fetch(
        "SELECT id FROM turn WHERE conversation_id = $1 ORDER BY upto_message_id DESC, created_at DESC LIMIT $2",
        conversation_id,
        limit,
    )
    return [row["id"] for row in reversed(rows)]
