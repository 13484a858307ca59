"""Own messages of unclear origin as rows: kept until it shows who wrote them (flows/housekeeping.py)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base import MessageReceived
from domain.messages import Address, MediaReference, MessageKind
from domain.text import storable_json
from flows.arriving import addresses
from store import contacts
from store.database import Connection


async def hold_own_message(tx: Connection, tenant_id: UUID, session_id: UUID, event: MessageReceived) -> None:
    """Keep an own message that cannot be applied now. Until it is, nothing automatic leaves in its chat."""
    names = addresses(event)
    await tx.execute(
        f"""INSERT INTO held_event (tenant_id, channel_session_id, kind, key, body, conversation_id)
           VALUES ($1, $2, 'own_message', $3, $4, (
               SELECT c.id FROM {contacts.named_by("$5", "$6")} a
                 JOIN conversation c ON c.contact_id = a.contact_id AND c.channel_session_id = $2 LIMIT 1))""",
        tenant_id,
        session_id,
        event.provider_id,
        storable_json(own_message_body(event)),
        [name.kind.value for name in names],
        [name.value for name in names],
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
        "quoted": event.quoted_provider_id,
        "media": dataclasses.asdict(event.media) if event.media is not None else None,
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
        quoted_provider_id=body.get("quoted"),
        media=MediaReference(**body["media"]) if body.get("media") else None,
        raw=body["raw"],
        from_me=True,
    )
