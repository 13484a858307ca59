"""Messages in: one statement that stores, counts, logs and enqueues, or changes nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.messages import Address
from store.database import Connection, Row


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message as the inbound flow cleaned it, ready to store. ``author`` is contact or phone."""

    provider_id: str
    chat: Address
    author: str
    kind: str
    text: str
    content: dict[str, Any]
    sent_at: datetime
    sender: str | None = None
    quoted_provider_id: str | None = None
    historical: bool = False
    starts_turn: bool = True
    """Whether the agent should look at it. Reactions, empty texts, own and historical messages start nothing."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message with what is needed to store it at once, if all that names its contact is known already."""

    channel_session_id: UUID
    message: NewMessage
    wait: timedelta | None
    """How long the turn waits that it starts, and at most since the first message (``cap``)."""
    cap: timedelta
    alternates: tuple[Address, ...] = ()
    push_name: str | None = None


# LATERAL with LIMIT and the subqueries keep PostgreSQL from planning for arrays of any length, which would read whole
# tables. Rows are locked in the order of the arrays, so two batches in the same order never wait for each other.
_STORE = """
WITH c AS (
    SELECT i.*, c.id AS conversation_id, a.contact_id, c.snoozed_until
      FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[],
                  $10::timestamptz[], $11::text[], $12::bool[], $13::text[], $14::interval[], $15::interval[],
                  $16::bool[], $17::text[])
           WITH ORDINALITY i(session_id, address_kind, address, provider_id, author, kind, text, content, sent_at,
                             sender, historical, quoted, wait, cap, starts_turn, push_name, n)
     CROSS JOIN LATERAL (
           SELECT x.contact_id FROM contact_address x
            WHERE x.tenant_id = $1 AND x.kind = i.address_kind AND x.value = i.address LIMIT 1) a
     CROSS JOIN LATERAL (
           SELECT x.id, x.snoozed_until FROM conversation x
            WHERE x.contact_id = a.contact_id AND x.channel_session_id = i.session_id
              AND (x.status <> 'closed' OR i.historical)
            LIMIT 1 FOR UPDATE) c
     WHERE (i.push_name IS NULL OR i.push_name = (SELECT t.push_name FROM contact t WHERE t.id = a.contact_id))
       AND NOT EXISTS (
           SELECT 1 FROM unnest($18::bigint[], $19::text[], $20::text[]) w(n, kind, value)
            WHERE w.n = i.n AND a.contact_id IS DISTINCT FROM (
                  SELECT x.contact_id FROM contact_address x
                   WHERE x.tenant_id = $1 AND x.kind = w.kind AND x.value = w.value LIMIT 1))
), first AS (
    SELECT DISTINCT ON (conversation_id) * FROM c ORDER BY conversation_id, n
), m AS (
    INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, provider_id, author, kind, text,
                         content, sent_at, sender, historical, quoted_provider_id)
    SELECT $1, conversation_id, session_id, contact_id, provider_id, author, kind, text, content, sent_at, sender,
           historical, quoted
      FROM first ORDER BY n
    ON CONFLICT (channel_session_id, contact_id, provider_id) WHERE provider_id IS NOT NULL DO NOTHING
    RETURNING id, conversation_id
), s AS (
    SELECT m.id, first.* FROM m JOIN first USING (conversation_id)
), u AS (
    UPDATE conversation k
       SET fence = k.fence + CASE WHEN s.starts_turn THEN 1 ELSE 0 END,
           last_inbound_id = CASE WHEN s.starts_turn THEN s.id ELSE k.last_inbound_id END,
           unread = k.unread + CASE WHEN s.author = 'contact' THEN 1 ELSE 0 END,
           last_message_at = now(), last_preview = left(s.text, 120), address = s.address_kind || ':' || s.address,
           snoozed_until = CASE WHEN s.author <> 'contact' THEN k.snoozed_until END
      FROM s WHERE k.id = s.conversation_id AND NOT s.historical
    RETURNING k.id, k.status
), e AS (
    INSERT INTO event (tenant_id, conversation_id, kind, payload, actor)
    SELECT $1, s.conversation_id, 'message.received',
           jsonb_build_object('message_id', s.id, 'author', s.author, 'kind', s.kind), s.author FROM s
    UNION ALL
    SELECT $1, s.conversation_id, 'conversation.unsnoozed', '{"by": "message"}'::jsonb, s.author FROM s
     WHERE s.snoozed_until IS NOT NULL AND s.author = 'contact' AND NOT s.historical
)
SELECT s.n, s.id, s.conversation_id, u.status,
       CASE WHEN u.status = 'bot' AND s.starts_turn THEN
           gate.enqueue_turn('turns', $1, s.conversation_id, s.wait, s.cap, 1)::text END AS job,
       (u.status = 'bot' AND s.starts_turn) IS TRUE AS enqueued
  FROM s LEFT JOIN u ON u.id = s.conversation_id
"""


async def store_in_open_conversations(tx: Connection, tenant_id: UUID, arrivals: Sequence[Arrival]) -> list[Row | None]:
    """Store messages of known contacts in their open conversations, count them, log them and enqueue the turns.

    One statement. For each arrival (id, conversation_id, status, enqueued), or None where nothing was written: the
    message is known already, something about its contact is not, its conversation is closed, or another arrival came
    before it for the same conversation. Give them sorted by address.
    """
    messages = [arrival.message for arrival in arrivals]
    other = [(n, address) for n, arrival in enumerate(arrivals, 1) for address in arrival.alternates]
    rows = await tx.fetch(
        _STORE,
        tenant_id,
        [arrival.channel_session_id for arrival in arrivals],
        [message.chat.kind.value for message in messages],
        [message.chat.value for message in messages],
        [message.provider_id for message in messages],
        [message.author for message in messages],
        [message.kind for message in messages],
        [message.text for message in messages],
        [message.content for message in messages],
        [message.sent_at for message in messages],
        [message.sender for message in messages],
        [message.historical for message in messages],
        [message.quoted_provider_id for message in messages],
        [arrival.wait for arrival in arrivals],
        [arrival.cap for arrival in arrivals],
        [message.starts_turn for message in messages],
        [arrival.push_name for arrival in arrivals],
        [n for n, _ in other],
        [address.kind.value for _, address in other],
        [address.value for _, address in other],
    )
    found = {row["n"]: row for row in rows}
    return [found.get(n) for n in range(1, len(arrivals) + 1)]


async def delay_turn(
    tx: Connection, tenant_id: UUID, channel_session_id: UUID, chat: Address, *, wait: timedelta, cap: timedelta
) -> None:
    """Move the chat's waiting turn to ``wait`` from now, never earlier than it was and at most to ``cap`` after its
    first message. Without a turn that waits for its time: nothing."""
    await tx.execute(
        """SELECT gate.delay_turn($1, c.id, $5, $6)
             FROM contact_address a
             JOIN conversation c ON c.contact_id = a.contact_id AND c.channel_session_id = $2 AND c.status = 'bot'
            WHERE a.tenant_id = $1 AND a.kind = $3 AND a.value = $4""",
        tenant_id,
        channel_session_id,
        chat.kind.value,
        chat.value,
        wait,
        cap,
    )


async def known(tx: Connection, channel_session_id: UUID, contact_id: UUID, provider_id: str) -> Row | None:
    """The stored message with this id in this chat, if any."""
    return await tx.fetchrow(
        "SELECT id, conversation_id, contact_id, kind, text FROM message "
        "WHERE channel_session_id = $1 AND contact_id = $2 AND provider_id = $3",
        channel_session_id,
        contact_id,
        provider_id,
    )


async def known_in_chat(tx: Connection, channel_session_id: UUID, chat: Address, provider_id: str) -> Row | None:
    """The same, by one of the chat's addresses."""
    return await tx.fetchrow(
        "SELECT m.id, m.conversation_id, m.contact_id, m.kind, m.text FROM contact_address a "
        "JOIN message m ON m.contact_id = a.contact_id AND m.channel_session_id = $1 AND m.provider_id = $4 "
        "WHERE a.kind = $2 AND a.value = $3",
        channel_session_id,
        chat.kind.value,
        chat.value,
        provider_id,
    )


async def add_transcript(tx: Connection, message_id: int, content: dict[str, Any]) -> bool:
    """Keep what was read from a message's file, once: whether it was news. The first reading stands."""
    added = await tx.fetchval(
        """INSERT INTO message_change (tenant_id, channel_session_id, contact_id, provider_id, kind, content, at)
           SELECT m.tenant_id, m.channel_session_id, m.contact_id, m.provider_id, 'transcript', $2, now()
             FROM message m
            WHERE m.id = $1 AND m.provider_id IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM message_change x
                               WHERE x.channel_session_id = m.channel_session_id AND x.contact_id = m.contact_id
                                 AND x.provider_id = m.provider_id AND x.kind = 'transcript')
           RETURNING 1""",
        message_id,
        content,
    )
    return added is not None


async def add_change(
    tx: Connection,
    tenant_id: UUID,
    channel_session_id: UUID,
    contact_id: UUID,
    provider_id: str,
    *,
    kind: str,
    content: dict[str, Any],
    at: datetime | None,
) -> bool:
    """Record an edit, a revoke or other content for a message, known already or not. Whether it was news.

    ``at`` None: whenever it came, the same content is no news.
    """
    added = await tx.fetchval(
        """INSERT INTO message_change (tenant_id, channel_session_id, contact_id, provider_id, kind, content, at)
           SELECT $1, $2, $3, $4, $5, $6, coalesce($7, now())
            WHERE NOT EXISTS (SELECT 1 FROM message_change
                               WHERE channel_session_id = $2 AND contact_id = $3 AND provider_id = $4 AND kind = $5
                                 AND content = $6 AND ($7::timestamptz IS NULL OR at = $7))
           RETURNING 1""",
        tenant_id,
        channel_session_id,
        contact_id,
        provider_id,
        kind,
        content,
        at,
    )
    return added is not None


async def mark_if_late(tx: Connection, message_id: int) -> None:
    """Note on a message just stored that its contact had written newer ones that were stored before it."""
    await tx.execute(
        """UPDATE message m SET content = content || '{"late": true}'
            WHERE id = $1 AND EXISTS (SELECT 1 FROM message n
                                       WHERE n.conversation_id = m.conversation_id AND n.author = 'contact'
                                         AND n.id < m.id AND n.sent_at > m.sent_at)""",
        message_id,
    )
