"""What becomes of messages that we sent: receipts, late failures, and own messages of unclear origin."""

from __future__ import annotations

from uuid import UUID

from channels.base import ReceiptChanged, SendFailed
from domain.messages import ACK_ORDER, Address
from store import events
from store.database import Connection


async def apply_receipt(tx: Connection, tenant_id: UUID, session_id: UUID, event: ReceiptChanged) -> None:
    """Move acks forward, never back. A receipt that came before its send was recorded is held for it."""
    for provider_id in event.provider_ids:
        changed = await _advance(tx, tenant_id, session_id, provider_id, event.ack.value)
        if not changed and not await is_ours(tx, session_id, provider_id):
            await tx.execute(
                "INSERT INTO held_event (tenant_id, channel_session_id, kind, key, body) VALUES ($1, $2, $3, $4, $5)",
                tenant_id,
                session_id,
                "receipt",
                provider_id,
                {"ack": event.ack.value},
            )


async def apply_held_receipts(tx: Connection, tenant_id: UUID, session_id: UUID, provider_id: str) -> None:
    """Apply the receipts that came before the send call returned; drop the held echo of this message."""
    held = await tx.fetch(
        "DELETE FROM held_event WHERE channel_session_id = $1 AND key = $2 AND kind IN ('receipt', 'own_message') "
        "RETURNING kind, body",
        session_id,
        provider_id,
    )
    for row in held:
        if row["kind"] == "receipt":
            await _advance(tx, tenant_id, session_id, provider_id, row["body"]["ack"])


async def apply_failure(tx: Connection, tenant_id: UUID, session_id: UUID, event: SendFailed) -> None:
    """The provider gave up on messages that it had accepted."""
    rows = await tx.fetch(
        "UPDATE outbox_message SET state = 'failed', error = $3 WHERE channel_session_id = $1 "
        "AND provider_id = ANY ($2) AND ack IS DISTINCT FROM 'read' RETURNING id, conversation_id",
        session_id,
        list(event.provider_ids),
        event.detail or "the provider reported that it could not be delivered",
    )
    for row in rows:
        await events.append(
            tx,
            tenant_id,
            "message.status",
            conversation_id=row["conversation_id"],
            payload={"outbox_id": str(row["id"]), "state": "failed"},
        )


async def is_ours(tx: Connection, session_id: UUID, provider_id: str) -> bool:
    """Whether a message with this provider id was sent by us."""
    found = await tx.fetchval(
        "SELECT 1 FROM outbox_message WHERE channel_session_id = $1 AND provider_id = $2", session_id, provider_id
    )
    return found is not None


async def undecided_sends(tx: Connection, session_id: UUID, chat: Address) -> bool:
    """Whether a message of ours to this chat is on its way, or may have left, without a known provider id."""
    found = await tx.fetchval(
        """SELECT 1 FROM contact_address a
             JOIN conversation c ON c.contact_id = a.contact_id AND c.channel_session_id = $1
             JOIN outbox_message o ON o.conversation_id = c.id
            WHERE a.kind = $2 AND a.value = $3 AND o.state IN ('sending', 'unknown') AND o.provider_id IS NULL
            LIMIT 1""",
        session_id,
        chat.kind.value,
        chat.value,
    )
    return found is not None


async def _advance(tx: Connection, tenant_id: UUID, session_id: UUID, provider_id: str, ack: str) -> bool:
    row = await tx.fetchrow(
        """UPDATE outbox_message SET ack = $3, state = CASE WHEN state = 'unknown' THEN 'sent' ELSE state END
            WHERE channel_session_id = $1 AND provider_id = $2
              AND coalesce(array_position($4::text[], ack), 0) < array_position($4::text[], $3)
        RETURNING id, conversation_id, state""",
        session_id,
        provider_id,
        ack,
        [step.value for step in ACK_ORDER],
    )
    if row is None:
        return False
    await events.append(
        tx,
        tenant_id,
        "message.status",
        conversation_id=row["conversation_id"],
        payload={"outbox_id": str(row["id"]), "state": row["state"], "ack": ack},
    )
    return True
