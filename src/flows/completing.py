"""Content that comes after its message: WhatsApp told of a message that it could not show yet, then what it says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from store import events, messages
from store.database import Connection, Row
from store.jobs import enqueue_turn
from store.messages import NewMessage


async def complete(tx: Connection, message_id: int, message: NewMessage) -> Row | None:
    """Fill a message that was stored without content, once; None where it has its content already."""
    row = await tx.fetchrow(
        """UPDATE message SET kind = $2, text = $3, content = $4, quoted_provider_id = coalesce($5, quoted_provider_id)
            WHERE id = $1 AND content ? 'awaiting'
        RETURNING id, tenant_id, conversation_id, author, historical""",
        message_id,
        message.kind,
        message.text,
        message.content,
        message.quoted_provider_id,
    )
    if row is not None:
        await events.append(
            tx,
            row["tenant_id"],
            "message.completed",
            conversation_id=row["conversation_id"],
            payload={"message_id": message_id, "kind": message.kind},
        )
    return row


async def begin_turn(
    tx: Connection, completed: Row, message: NewMessage, *, wait: timedelta | None, cap: timedelta
) -> bool:
    """Show the conversation's newest words, and let the agent look unless the message was answered meanwhile.

    Whether a turn was enqueued.
    """
    found = await tx.fetchrow(
        """UPDATE conversation
              SET fence = fence + CASE WHEN $3 THEN 1 ELSE 0 END,
                  last_inbound_id = CASE WHEN $3 THEN greatest(last_inbound_id, $2) ELSE last_inbound_id END,
                  last_preview = CASE WHEN EXISTS (SELECT 1 FROM message m
                                                    WHERE m.conversation_id = $1 AND m.id > $2 AND NOT m.historical)
                                      THEN last_preview ELSE left($4, 120) END
            WHERE id = $1 RETURNING status, answered_upto_id""",
        completed["conversation_id"],
        completed["id"],
        message.starts_turn,
        message.text,
    )
    due = message.starts_turn and found["status"] == "bot" and found["answered_upto_id"] < completed["id"]
    if due:
        await enqueue_turn(tx, completed["tenant_id"], completed["conversation_id"], wait=wait, cap=cap)
    return bool(due)


async def keep_other_content(
    tx: Connection, tenant_id: UUID, session_id: UUID, message: NewMessage, known: Mapping[str, Any]
) -> bool:
    """The id of a message that has its content came again. The same content changes nothing; other content is kept
    beside the first, which stays. Whether it was news."""
    same = known["kind"] == message.kind and known["text"] == message.text
    if same or "awaiting" in message.content or not (message.text or message.content):
        return False
    content = {"kind": message.kind, "text": message.text}
    if not await messages.add_change(
        tx,
        tenant_id,
        session_id,
        known["contact_id"],
        message.provider_id,
        kind="other_content",
        content=content,
        at=None,
    ):
        return False
    await events.append(
        tx,
        tenant_id,
        "message.other_content",
        conversation_id=known["conversation_id"],
        payload={"message_id": known["id"]},
    )
    return True
