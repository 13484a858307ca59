"""Automatic messages that no turn decided: a receipt, a notice. They go through the outbox like all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from domain.content_words import message_kind
from domain.contents import Content, as_json
from domain.text import storable
from store import events, outbox
from store.database import Connection, Row


async def say(
    tx: Connection,
    conversation: Row,
    text: str,
    *,
    notices: Sequence[str] = (),
    purpose: Literal["reply", "proactive"] = "reply",
    content: Content | None = None,
) -> int:
    """Queue ``text``, in the caller's transaction. Nothing newer cancels it; the kill switch does. Returns its id.

    ``notices``: what it says that must be said only once (see agent.announcing). ``content``: what goes out with it.
    """
    carried = as_json(content) if content is not None else None
    message_id: int = await tx.fetchval(
        """INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text, content,
                                kind, sent_at)
           VALUES ($1, $2, $3, $4, 'bot', $5, $6, $7, now()) RETURNING id""",
        conversation["tenant_id"],
        conversation["id"],
        conversation["channel_session_id"],
        conversation["contact_id"],
        storable(text)[0],
        {**({"notices": list(notices)} if notices else {}), **({"carries": carried} if carried else {})},
        message_kind(content).value,
    )
    await outbox.add(
        tx,
        conversation=conversation,
        message_id=message_id,
        origin="bot",
        fence=None,
        purpose=purpose,
        content=carried,
    )
    await tx.execute(
        "UPDATE conversation SET last_message_at = now(), last_preview = left($2, 120) WHERE id = $1",
        conversation["id"],
        text,
    )
    await events.append(
        tx,
        conversation["tenant_id"],
        "message.queued",
        conversation_id=conversation["id"],
        payload={"message_id": message_id},
        actor="bot",
    )
    return message_id
