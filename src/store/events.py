"""The append-only event log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from store.database import Connection


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
