"""The latest turns, for those who look at what the assistant did. Read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from store.database import Connection, Row


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which turns; None or empty: whatever it is."""

    intent: str = ""
    decision: str = ""
    """reply, suggest, ask_approval, hand_off or stay_silent."""
    status: str = ""
    """decided, voided or failed."""
    number: UUID | None = None
    bundle: str = ""
    """The beginning of a prompt bundle's hash."""
    unsure: bool = False
    """Only those whose confidence is below 0.8."""


async def recent(
    tx: Connection, wanted: Wanted, *, before: tuple[datetime, UUID] | None = None, limit: int = 50
) -> Sequence[Row]:
    """The last turns first, each with what the customer had said last and what the contact is called.

    ``before``: time and id of the last one already shown.
    """
    at, last_id = before or (None, None)
    rows: Sequence[Row] = await tx.fetch(
        """
        SELECT t.id, t.created_at, t.status, t.intent, i.declaration ->> 'description' AS intent_title, t.confidence,
               t.language, t.decision ->> 'kind' AS decision, t.decision ->> 'reason' AS reason, t.model,
               t.cost_micros, t.latency_ms, t.prompt_bundle, t.conversation_id, n.name AS number,
               p.name AS contact, p.push_name, m.text, m.kind
          FROM turn t
          JOIN conversation c ON c.id = t.conversation_id
          JOIN contact p ON p.id = c.contact_id
          JOIN channel_session n ON n.id = c.channel_session_id
          LEFT JOIN intent i ON i.name = t.intent
          LEFT JOIN LATERAL (
              SELECT concat_ws(E'\\n', nullif(a.text, ''), a.transcript ->> 'text') AS text, a.kind
                FROM message_as_changed a WHERE a.id = t.upto_message_id AND a.conversation_id = t.conversation_id
          ) m ON true
         WHERE ($1 = '' OR t.intent = $1) AND ($2 = '' OR t.decision ->> 'kind' = $2) AND ($3 = '' OR t.status = $3)
           AND ($4::uuid IS NULL OR c.channel_session_id = $4)
           AND ($5 = '' OR starts_with(t.prompt_bundle, $5)) AND (NOT $6 OR t.confidence < 0.8)
           AND ($7::timestamptz IS NULL OR (t.created_at, t.id) < ($7, $8::uuid))
         ORDER BY t.created_at DESC, t.id DESC LIMIT $9
        """,
        wanted.intent,
        wanted.decision,
        wanted.status,
        wanted.number,
        wanted.bundle,
        wanted.unsure,
        at,
        last_id,
        limit,
    )
    return rows


async def choices(tx: Connection) -> tuple[list[str], list[tuple[UUID, str]]]:
    """What may be filtered by: the tenant's intents, and its numbers with their names."""
    intents = await tx.fetch("SELECT name FROM intent ORDER BY name")
    numbers = await tx.fetch("SELECT id, name FROM channel_session ORDER BY created_at, name")
    return [row["name"] for row in intents], [(row["id"], row["name"]) for row in numbers]
