"""Messages in: one statement that stores, counts, logs and enqueues, or changes nothing at all."""

from __future__ import annotations

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


_STORE = """
WITH c AS (
    SELECT c.id, c.status, c.contact_id
      FROM contact_address a
      JOIN conversation c ON c.contact_id = a.contact_id AND c.channel_session_id = $2
     WHERE a.tenant_id = $1 AND a.kind = $3 AND a.value = $4 AND (c.status <> 'closed' OR $12)
       FOR UPDATE OF c
), m AS (
    INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, provider_id, author, kind, text,
                         content, sent_at, sender, historical, quoted_provider_id)
    SELECT $1, c.id, $2, c.contact_id, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM c
    ON CONFLICT (channel_session_id, contact_id, provider_id) WHERE provider_id IS NOT NULL DO NOTHING
    RETURNING id, conversation_id
), u AS (
    UPDATE conversation k
       SET fence = k.fence + CASE WHEN $16 THEN 1 ELSE 0 END,
           last_inbound_id = CASE WHEN $16 THEN m.id ELSE k.last_inbound_id END,
           unread = k.unread + CASE WHEN $6 = 'contact' THEN 1 ELSE 0 END,
           last_message_at = now(), last_preview = left($8, 120), address = $3 || ':' || $4
      FROM m WHERE k.id = m.conversation_id AND NOT $12
    RETURNING k.id, k.status
), e AS (
    INSERT INTO event (tenant_id, conversation_id, kind, payload, actor)
    SELECT $1, m.conversation_id, 'message.received',
           jsonb_build_object('message_id', m.id, 'author', $6::text, 'kind', $7::text), $6 FROM m
)
SELECT m.id, m.conversation_id, u.status,
       CASE WHEN u.status = 'bot' AND $16 THEN
           gate.enqueue_turn('turns', $1, m.conversation_id, $14, $15, 1)::text END AS job,
       (u.status = 'bot' AND $16) IS TRUE AS enqueued
  FROM m LEFT JOIN u ON true
"""


async def store_in_open_conversation(
    tx: Connection,
    tenant_id: UUID,
    channel_session_id: UUID,
    message: NewMessage,
    *,
    debounce: timedelta | None,
    cap: timedelta,
) -> Row | None:
    """Store a message of a known contact in its open conversation, count it, log it and enqueue the turn.

    One statement. Returns (id, conversation_id, status, enqueued); None where nothing was written: the message is
    known already, or there is no such contact, or its conversation is closed.
    """
    return await tx.fetchrow(
        _STORE,
        tenant_id,
        channel_session_id,
        message.chat.kind.value,
        message.chat.value,
        message.provider_id,
        message.author,
        message.kind,
        message.text,
        message.content,
        message.sent_at,
        message.sender,
        message.historical,
        message.quoted_provider_id,
        debounce,
        cap,
        message.starts_turn,
    )


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
