"""Own messages of unclear origin as rows: kept until it shows who wrote them (flows/housekeeping.py)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base import MessageReceived
from domain.messages import Address, MessageKind
from domain.text import storable, storable_json
from store.database import Connection


async def hold_own_message(tx: Connection, tenant_id: UUID, session_id: UUID, event: MessageReceived) -> None:
    """Keep an own message that cannot be applied now."""
    await tx.execute(
        "INSERT INTO held_event (tenant_id, channel_session_id, kind, key, body) "
        "VALUES ($1, $2, 'own_message', $3, $4)",
        tenant_id,
        session_id,
        storable(event.provider_id)[0],
        storable_json(own_message_body(event)),
    )


def own_message_body(event: MessageReceived) -> dict[str, Any]:
    """An own message as JSON, enough to apply it later (see ``own_message_event``)."""
    return {
        "provider_id": event.provider_id,
        "chat": str(event.chat),
        "alternates": [str(address) for address in event.alternates],
        "sent_at": event.sent_at.isoformat(),
        "kind": event.kind.value,
        "text": event.text,
        "raw": event.raw,
    }


def own_message_event(body: Mapping[str, Any]) -> MessageReceived:
    """The own message that ``own_message_body`` wrote down."""
    return MessageReceived(
        provider_id=body["provider_id"],
        chat=Address.parse(body["chat"]),
        alternates=tuple(Address.parse(text) for text in body["alternates"]),
        sent_at=datetime.fromisoformat(body["sent_at"]),
        kind=MessageKind(body["kind"]),
        text=body["text"],
        raw=body["raw"],
        from_me=True,
    )
