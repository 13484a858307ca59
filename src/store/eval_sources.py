"""What a case is made from: a turn, the conversation as it was then, and what people did with the turn's decision.

Read-only; every function takes a connection inside ``Database.transaction(tenant_id)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from store.database import Connection, Row
from store.turns import HISTORY_LENGTH

_WORDS = "concat_ws(E'\\n', nullif(m.text, ''), m.transcript ->> 'text')"

_TURN = """
SELECT t.*, p.name AS contact_name, p.push_name, p.tags, c.address, n.config ->> 'key' AS number_key, n.id AS number_id,
       w.name AS tenant_name, w.timezone,
       (SELECT array_agg(a.kind || ':' || a.value ORDER BY a.kind DESC, a.value)
          FROM contact_address a WHERE a.contact_id = c.contact_id) AS addresses,
       -- Where the conversation began anew for this turn: after the last reopening before it.
       coalesce((SELECT max(m.id) FROM message m
                  WHERE m.conversation_id = t.conversation_id
                    AND m.received_at < (SELECT max(e.created_at) FROM event e
                                          WHERE e.conversation_id = t.conversation_id
                                            AND e.kind = 'conversation.reopened' AND e.created_at <= t.created_at)),
                0) AS before_window
  FROM turn t
  JOIN conversation c ON c.id = t.conversation_id
  JOIN contact p ON p.id = c.contact_id
  JOIN channel_session n ON n.id = c.channel_session_id
  JOIN tenant w ON w.id = t.tenant_id
 WHERE t.id = $1
"""

_HISTORY = f"""
SELECT * FROM (
    SELECT m.id, m.author, m.kind, {_WORDS} AS text, m.sent_at,
           coalesce((m.content #>> '{{raw,forwarded}}')::boolean, false) AS forwarded, m.content -> 'notices' AS notices
      FROM message_as_changed m
      LEFT JOIN outbox_message o ON o.message_id = m.id
     WHERE m.conversation_id = $1 AND m.id > $2 AND NOT m.revoked AND m.received_at <= $5
       AND (m.author = 'contact' AND m.id <= $3 OR m.author <> 'contact' AND m.turn_id IS DISTINCT FROM $4)
       AND (o.state IS NULL OR o.state NOT IN ('cancelled', 'failed'))
     ORDER BY m.id DESC LIMIT {HISTORY_LENGTH}) h
 ORDER BY id
"""

_ASKED = f"""
SELECT m.id, m.kind, {_WORDS} AS text, m.sent_at,
       coalesce((m.content #>> '{{raw,forwarded}}')::boolean, false) AS forwarded
  FROM message_as_changed m
 WHERE m.conversation_id = $1 AND m.id > $2 AND m.id <= $3 AND m.author = 'contact' AND NOT m.historical
   AND NOT m.revoked AND m.kind NOT IN ('reaction', 'system', 'poll_vote', 'call')
   AND (m.kind <> 'text' OR btrim(m.text) <> '')
 ORDER BY m.id
"""

_EARLIER_TURNS = """
SELECT t.dialogue, t.language, t.trace -> 'tool_calls' AS tool_calls
  FROM turn t
 WHERE t.conversation_id = $1 AND t.id <> $2 AND t.status = 'decided' AND t.upto_message_id > $3
   AND t.upto_message_id <= $4 AND t.created_at <= $5
 ORDER BY t.upto_message_id, t.created_at
"""

_SUGGESTION = """
SELECT first_value(s.text) OVER (ORDER BY s.created_at, s.replaces_id NULLS FIRST) AS text,
       -- One that an operator had written anew is not what the agent proposed, accepted as it is or not.
       CASE WHEN s.replaces_id IS NOT NULL AND s.status = 'approved' THEN 'edited' ELSE s.status END AS status,
       s.final_text, concat_ws(': ', s.reject_reason, nullif(s.reject_note, '')) AS reject_reason, s.decided_at,
       u.name AS decided_by
  FROM suggestion s LEFT JOIN user_account u ON u.id = s.decided_by
 WHERE s.conversation_id = $1 AND s.turn_id = $2 ORDER BY s.created_at DESC LIMIT 1
"""

_ANSWERED_BY_PEOPLE = """
SELECT m.text FROM message m
 WHERE m.conversation_id = $1 AND m.author IN ('operator', 'phone') AND m.id > $2 AND btrim(m.text) <> ''
   AND m.id < coalesce((SELECT min(n.id) FROM message n
                         WHERE n.conversation_id = $1 AND n.author = 'contact' AND n.id > $2), 9223372036854775807)
 ORDER BY m.id
"""

_RECORDS = """
SELECT collection, key, value FROM business_record
 WHERE key = ANY($1) OR EXISTS (SELECT 1 FROM jsonb_each_text(value) f WHERE f.value = ANY($1))
 ORDER BY collection, key LIMIT $2
"""

MOST_RECORDS = 40


async def turn(tx: Connection, turn_id: UUID) -> Row | None:
    """The turn with its conversation, contact, number and business; None where this tenant has no such turn."""
    return await tx.fetchrow(_TURN, turn_id)


async def around(tx: Connection, turn: Row) -> dict[str, Any]:
    """What the turn read and what came of it: ``history``, ``asked``, ``earlier`` turns, ``suggestion``, ``people``."""
    conversation, upto, at = turn["conversation_id"], turn["upto_message_id"], turn["created_at"]
    before, window = turn["answered_before"], turn["before_window"]
    return {
        "history": await tx.fetch(_HISTORY, conversation, window, before, turn["id"], at),
        "asked": await tx.fetch(_ASKED, conversation, before, upto),
        "earlier": await tx.fetch(_EARLIER_TURNS, conversation, turn["id"], window, upto, at),
        "suggestion": await tx.fetchrow(_SUGGESTION, conversation, turn["id"]),
        "people": [row["text"] for row in await tx.fetch(_ANSWERED_BY_PEOPLE, conversation, upto)],
    }


async def records(tx: Connection, values: Sequence[str]) -> list[Row]:
    """The tenant's own records that are kept under one of these values, or have one as a field."""
    return await tx.fetch(_RECORDS, list(values), MOST_RECORDS) if values else []


async def names_of_people(tx: Connection) -> list[str]:
    """Everybody who works for the tenant: they sign what they write."""
    rows = await tx.fetch("SELECT DISTINCT u.name FROM user_account u JOIN membership m ON m.user_id = u.id")
    return [row["name"] for row in rows]


async def turns_between(tx: Connection, since: datetime, until: datetime, *, limit: int) -> list[UUID]:
    """Turns of that time that stand, by conversation and in order; ``until`` is not part of it."""
    rows = await tx.fetch(
        "SELECT t.id FROM turn t WHERE t.created_at >= $1 AND t.created_at < $2 AND t.status = 'decided' "
        "ORDER BY t.conversation_id, t.upto_message_id, t.created_at LIMIT $3",
        since,
        until,
        limit,
    )
    return [row["id"] for row in rows]
