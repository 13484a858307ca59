"""What was said before: a contact's earlier, closed conversations on any number, and the passages behind a suggestion.

Read-only; every function takes a connection inside ``Database.transaction(tenant_id)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from store.database import Connection, Row


@dataclass(frozen=True, slots=True)
class EarlierConversation:
    """One stretch of a conversation between two closings, or one that runs on another number."""

    conversation_id: UUID
    number: str
    began_at: datetime
    ended_at: datetime | None
    """None: it is still open (on another number)."""
    closed_by: str | None
    messages: int
    first_id: int
    last_id: int
    opening: str
    """The first thing that the customer wrote."""


async def conversations(tx: Connection, conversation_id: UUID, *, limit: int = 20) -> list[EarlierConversation]:
    """The earlier conversations with this one's contact, the latest first."""
    rows = await tx.fetch(
        """
        WITH own AS (
            SELECT c.id, n.name AS number FROM conversation c JOIN channel_session n ON n.id = c.channel_session_id
             WHERE c.contact_id = (SELECT contact_id FROM conversation WHERE id = $1)
        ), closings AS (
            SELECT own.id, own.number, e.created_at AS ended_at, e.actor,
                   lag(e.created_at, 1, '-infinity') OVER (PARTITION BY own.id ORDER BY e.id) AS after
              FROM own JOIN event e ON e.tenant_id = current_tenant() AND e.conversation_id = own.id
                                   AND e.kind = 'conversation.closed'
        ), stretches AS (
            SELECT * FROM closings
             UNION ALL
            SELECT own.id, own.number, NULL, NULL,
                   coalesce((SELECT max(k.ended_at) FROM closings k WHERE k.id = own.id), '-infinity')
              FROM own WHERE own.id <> $1
        )
        SELECT s.id AS conversation_id, s.number, found.began_at, s.ended_at, u.name AS closed_by,
               found.messages, found.first_id, found.last_id, coalesce(found.opening, '') AS opening
          FROM stretches s
          JOIN LATERAL (SELECT min(m.sent_at) AS began_at, count(*) AS messages, min(m.id) AS first_id,
                               max(m.id) AS last_id,
                               (array_agg(left(m.text, 160) ORDER BY m.id)
                                    FILTER (WHERE m.author = 'contact' AND m.text <> ''))[1] AS opening
                          FROM message m WHERE m.conversation_id = s.id AND m.received_at > s.after
                           AND (s.ended_at IS NULL OR m.received_at <= s.ended_at)) found ON found.messages > 0
          LEFT JOIN user_account u ON 'user:' || u.id = s.actor
         ORDER BY found.last_id DESC LIMIT $2
        """,
        conversation_id,
        limit,
    )
    return [EarlierConversation(**row) for row in rows]


async def messages(
    tx: Connection, conversation_id: UUID, other_id: UUID, first_id: int, last_id: int, *, limit: int = 200
) -> list[Row]:
    """The messages ``first_id`` to ``last_id`` of conversation ``other_id``, which must be the same contact's.

    Rows of (id, author, writer, kind, text, sent_at); empty for another contact's.
    """
    return list(
        await tx.fetch(
            """
            SELECT m.id, m.author, u.name AS writer, m.kind, CASE WHEN m.revoked THEN '' ELSE m.text END AS text,
                   m.sent_at
              FROM message_as_changed m
              JOIN conversation other ON other.id = m.conversation_id
              JOIN conversation c ON c.id = $1 AND c.contact_id = other.contact_id
              LEFT JOIN user_account u ON u.id = m.user_id
             WHERE m.conversation_id = $2 AND m.id >= $3 AND m.id <= $4 ORDER BY m.id LIMIT $5
            """,
            conversation_id,
            other_id,
            first_id,
            last_id,
            limit,
        )
    )


async def passages(tx: Connection, refs: Sequence[str]) -> list[tuple[str, str]]:
    """(reference, heading and text) of the pieces of knowledge that are named, as far as they are still there."""
    rows = await tx.fetch(
        "SELECT d.ref || '#' || c.ordinal AS ref, concat_ws(E'\\n', d.title, nullif(c.heading, ''), c.text) AS text "
        "FROM knowledge_chunk c JOIN knowledge_document d ON d.id = c.document_id "
        "WHERE d.ref = ANY ($2) AND d.ref || '#' || c.ordinal = ANY ($1)",
        list(refs),
        [ref.rpartition("#")[0] for ref in refs],
    )
    return [(row["ref"], row["text"]) for row in rows]


async def text_of(tx: Connection, conversation_id: UUID, message_id: int) -> str | None:
    """What a message of this conversation says, with its transcript; None: there is none, or it was taken back."""
    text: str | None = await tx.fetchval(
        "SELECT concat_ws(E'\\n', nullif(m.text, ''), m.transcript ->> 'text') FROM message_as_changed m "
        "WHERE m.conversation_id = $1 AND m.id = $2 AND NOT m.revoked",
        conversation_id,
        message_id,
    )
    return text
