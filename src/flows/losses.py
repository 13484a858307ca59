"""Messages that a provider's library lost: said plainly, since nobody can read them any more."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from channels.base import MessageLost
from channels.whatsapp.ids import parse_jid
from domain.errors import InvalidInputError
from domain.messages import Address
from domain.text import storable, storable_key
from store import events
from store.database import Connection


def _address(chat: str) -> Address | None:
    """Whose chat it was; None for what is neither a person's nor a group's."""
    try:
        return parse_jid(chat).bare().address()
    except InvalidInputError:
        return None


async def report(
    tx: Connection, tenant_id: UUID, session_id: UUID, lost: MessageLost
) -> Literal["changed", "duplicate"]:
    """Tell of it once, unless the message is known after all or was one of ours."""
    provider_id = storable_key(lost.provider_id)
    is_known = await tx.fetchval(
        """SELECT EXISTS (SELECT 1 FROM message WHERE channel_session_id = $1 AND provider_id = $2)
               OR EXISTS (SELECT 1 FROM message_change WHERE channel_session_id = $1 AND provider_id = $2)
               OR EXISTS (SELECT 1 FROM outbox_message WHERE channel_session_id = $1 AND provider_id = $2)
               OR EXISTS (SELECT 1 FROM held_event WHERE channel_session_id = $1 AND key = $2)
               OR EXISTS (SELECT 1 FROM event WHERE kind = 'message.lost' AND created_at > now() - interval '7 days'
                             AND payload ->> 'provider_id' = $2 AND payload ->> 'channel_session_id' = $1::text)""",
        session_id,
        provider_id,
    )
    if is_known:
        return "duplicate"
    address = _address(lost.chat)
    conversation_id: UUID | None = None
    if address is not None:
        conversation_id = await tx.fetchval(
            """SELECT c.id FROM contact_address a JOIN conversation c ON c.contact_id = a.contact_id
                WHERE a.kind = $1 AND a.value = $2 AND c.channel_session_id = $3""",
            address.kind.value,
            address.value,
            session_id,
        )
    payload = {
        "channel_session_id": str(session_id),
        "provider_id": provider_id,
        "chat": storable(lost.chat)[0][:200],
        "address": storable(str(address))[0][:200] if address else None,
        "at": lost.at.isoformat(),
    }
    await events.append(tx, tenant_id, "message.lost", conversation_id=conversation_id, payload=payload)
    return "changed"
