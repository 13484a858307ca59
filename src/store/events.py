"""The append-only event log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from store.database import Connection

STILL_LOST = """e.kind = 'message.lost'
           AND (SELECT l.id FROM message l WHERE l.provider_id = e.payload ->> 'provider_id'
                   AND l.channel_session_id = (e.payload ->> 'channel_session_id')::uuid LIMIT 1) IS NULL"""
"""Whether event ``e`` tells of a message that a provider's library lost, and that did not come after all.

Not as NOT EXISTS: that becomes a join, for which all messages are read even where no message was lost."""


async def append(
    tx: Connection,
    tenant_id: UUID,
    kind: str,
    *,
    conversation_id: UUID | None = None,
    payload: dict[str, Any] | None = None,
    actor: str = "system",
) -> None:
    """Record that something happened, in the transaction of the change. ``kind`` is dotted: ``suggestion.created``."""
    await tx.execute(
        "INSERT INTO event (tenant_id, conversation_id, kind, payload, actor) VALUES ($1, $2, $3, $4, $5)",
        tenant_id,
        conversation_id,
        kind,
        payload or {},
        actor,
    )
