"""Suggestions: what became of one that is no longer on offer, and one put in place of another.

Every function takes a connection inside ``Database.transaction(tenant_id)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from store import events
from store.database import Connection, Row

Fate = Literal["newer_message", "answered", "on_phone", "accepted", "rejected", "asked_again", "moved", "replaced"]
"""Why a suggestion that a page still shows is off: the customer wrote again; somebody answered, in the inbox or on the
phone; somebody accepted or rejected it, or asked for another; the conversation was claimed, closed or returned; the
agent has a newer one."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A suggestion that is no longer on offer. ``who``: the person behind it, where there is one."""

    id: UUID
    text: str
    fate: Fate
    who: str | None = None
    who_id: UUID | None = None


async def withdrawn(tx: Connection, conversation_id: UUID, suggestion_id: UUID) -> Withdrawn | None:
    """What became of it; None: it is still on offer, or there is no such suggestion in the conversation."""
    row = await tx.fetchrow(
        """
        SELECT s.id, s.text, s.status, s.decided_by, u.name AS decider, s.fence = c.fence AS is_current,
               next.id IS NOT NULL AS asked_again, m.author, m.user_id AS writer_id, w.name AS writer,
               moved.kind AS moved, mover.id AS mover_id, mover.name AS mover
          FROM suggestion s
          JOIN conversation c ON c.id = s.conversation_id
          LEFT JOIN user_account u ON u.id = s.decided_by
          LEFT JOIN suggestion next ON next.conversation_id = s.conversation_id AND next.replaces_id = s.id
          LEFT JOIN LATERAL (SELECT m.author, m.user_id FROM message m
                              WHERE m.conversation_id = c.id AND m.received_at > s.created_at
                                AND m.author <> 'bot' AND NOT m.historical
                              ORDER BY m.id LIMIT 1) m ON true
          LEFT JOIN user_account w ON w.id = m.user_id
          LEFT JOIN LATERAL (SELECT e.kind, e.actor FROM event e
                              WHERE e.conversation_id = c.id AND e.tenant_id = c.tenant_id
                                AND e.kind LIKE 'conversation.%' AND e.created_at > s.created_at
                              ORDER BY e.id LIMIT 1) moved ON true
          LEFT JOIN user_account mover ON 'user:' || mover.id = moved.actor
         WHERE s.id = $2 AND s.conversation_id = $1
        """,
        conversation_id,
        suggestion_id,
    )
    if row is None or (row["status"] == "pending" and row["is_current"]):
        return None
    fate, who_id, who = _fate(row)
    return Withdrawn(row["id"], row["text"], fate, who, who_id)


def _fate(row: Row) -> tuple[Fate, UUID | None, str | None]:
    decider = (row["decided_by"], row["decider"])
    if row["status"] in {"approved", "edited"}:
        return "accepted", *decider
    if row["status"] == "rejected":
        return "rejected", *decider
    if row["asked_again"]:
        return "asked_again", *decider
    match row["author"]:
        case "contact":
            return "newer_message", None, None
        case "operator":
            return "answered", row["writer_id"], row["writer"]
        case "phone":
            return "on_phone", None, None
    return ("moved", row["mover_id"], row["mover"]) if row["moved"] is not None else ("replaced", None, None)


async def replace(
    tx: Connection,
    former: Row,
    text: str,
    *,
    user_id: UUID,
    instruction: str,
    unsupported: Sequence[Mapping[str, Any]],
    explanation: Mapping[str, Any],
    actor: str,
) -> UUID:
    """Offer ``text`` in place of ``former``, which is kept as superseded. The caller holds the conversation's lock."""
    await tx.execute(
        "UPDATE suggestion SET status = 'superseded', decided_by = $2, decided_at = now() WHERE id = $1",
        former["id"],
        user_id,
    )
    suggestion_id: UUID = await tx.fetchval(
        """INSERT INTO suggestion (tenant_id, conversation_id, turn_id, text, unsupported, fence, origin, explanation,
                                   replaces_id, instruction)
           SELECT $1, c.id, $3, $4, $5, c.fence, 'operator', $6, $7, $8 FROM conversation c WHERE c.id = $2
           RETURNING id""",
        former["tenant_id"],
        former["conversation_id"],
        former["turn_id"],
        text,
        list(unsupported),
        dict(explanation),
        former["id"],
        instruction,
    )
    await events.append(
        tx,
        former["tenant_id"],
        "suggestion.created",
        conversation_id=former["conversation_id"],
        payload={"suggestion_id": str(suggestion_id), "replaces": str(former["id"])},
        actor=actor,
    )
    return suggestion_id
