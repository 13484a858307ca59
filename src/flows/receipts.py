"""What becomes of messages that we sent: receipts, late failures, and own messages of unclear origin."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base import MessageReceived, ReceiptChanged, SendFailed
from domain.messages import ACK_ORDER, Address
from domain.text import storable
from store import contacts, events, outbox
from store.database import Connection, Row

SAME_TEXT = r"""btrim(regexp_replace(normalize(m.text), '\s+', ' ', 'g')) =
                btrim(regexp_replace(normalize({text}::text), '\s+', ' ', 'g'))"""
"""Whether message ``m`` has the words that a provider tells back; space at its ends may have been lost."""


async def apply_receipt(tx: Connection, tenant_id: UUID, session_id: UUID, event: ReceiptChanged) -> None:
    """Move acks forward, never back. A receipt that came before its send was recorded is held for it.

    Of what somebody typed on the phone nothing is kept: only our own sends have a status.
    """
    for provider_id in event.provider_ids:
        if await _advance(tx, tenant_id, session_id, provider_id, event.ack.value):
            continue
        if event.key and await _name(tx, session_id, event.key, provider_id, event.at):
            await apply_held_receipts(tx, tenant_id, session_id, provider_id)
        if await is_ours(tx, session_id, provider_id):
            # Not news; or its send was recorded between the two questions.
            await _advance(tx, tenant_id, session_id, provider_id, event.ack.value)
        elif event.chat is None or not await _typed_on_the_phone(tx, session_id, event.chat, provider_id):
            await _hold(tx, tenant_id, session_id, provider_id, {"ack": event.ack.value})


async def apply_held_receipts(tx: Connection, tenant_id: UUID, session_id: UUID, provider_id: str) -> None:
    """Apply the receipts that came before the send call returned; drop the held echo of this message.

    What housekeeping is just looking at is left to it: the two lock in another order.
    """
    held = await tx.fetch(
        "DELETE FROM held_event WHERE id IN ("
        "SELECT id FROM held_event WHERE channel_session_id = $1 AND key = $2 AND kind IN ('receipt', 'own_message') "
        "ORDER BY id FOR UPDATE SKIP LOCKED) RETURNING kind, body",
        session_id,
        provider_id,
    )
    for row in held:
        if row["kind"] == "receipt":
            await _apply_held(tx, tenant_id, session_id, provider_id, row["body"])


async def _apply_held(
    tx: Connection, tenant_id: UUID, session_id: UUID, provider_id: str, body: Mapping[str, Any]
) -> None:
    if "ack" in body:
        await _advance(tx, tenant_id, session_id, provider_id, body["ack"])
    else:
        await _fail(tx, tenant_id, session_id, provider_id, body["failed"])


async def settle_held(tx: Connection, held: Row) -> bool:
    """Apply a held receipt if its message is known by now; whether it was."""
    if not await is_ours(tx, held["channel_session_id"], held["key"]):
        return False
    await _apply_held(tx, held["tenant_id"], held["channel_session_id"], held["key"], held["body"])
    return True


async def apply_failure(tx: Connection, tenant_id: UUID, session_id: UUID, event: SendFailed) -> None:
    """The provider gave up on messages that it had accepted. What comes before its send is held, like a receipt."""
    detail = event.detail or "the provider reported that it could not be delivered"
    for provider_id in event.provider_ids:
        if event.key and not await is_ours(tx, session_id, provider_id):
            await _name(tx, session_id, event.key, provider_id, event.at)
        if await is_ours(tx, session_id, provider_id):
            await _fail(tx, tenant_id, session_id, provider_id, detail)
        else:
            await _hold(tx, tenant_id, session_id, provider_id, {"failed": storable(detail)[0]})


async def _name(tx: Connection, session_id: UUID, key: str, provider_id: str, at: datetime) -> bool:
    """Settle a send of unknown fate: the provider names its message by our ``key`` (the outbox id), so it has left.

    Also one that waits to be sent again: it need not be. Whether there was such a send.
    """
    try:
        outbox_id = UUID(key)
    except ValueError:
        return False  # somebody else's key: another system sends through the same number
    await tx.execute(
        "SELECT 1 FROM conversation WHERE id = (SELECT conversation_id FROM outbox_message WHERE id = $1) FOR UPDATE",
        outbox_id,
    )
    ours = await tx.fetchval(
        "SELECT 1 FROM outbox_message WHERE id = $1 AND channel_session_id = $2 AND provider_id IS NULL "
        "AND state IN ('sending', 'unknown', 'queued') AND attempts > 0 FOR UPDATE",
        outbox_id,
        session_id,
    )
    return ours is not None and await outbox.mark_sent(tx, outbox_id, provider_id=provider_id, at=at) is not None


async def _fail(tx: Connection, tenant_id: UUID, session_id: UUID, provider_id: str, detail: str) -> None:
    row = await tx.fetchrow(
        "UPDATE outbox_message SET state = 'failed', error = $3 WHERE channel_session_id = $1 AND provider_id = $2 "
        "AND state <> 'failed' AND (ack IS NULL OR ack = 'server') RETURNING id, conversation_id",
        session_id,
        provider_id,
        storable(detail)[0],
    )
    if row is not None:
        await events.append(
            tx,
            tenant_id,
            "message.status",
            conversation_id=row["conversation_id"],
            payload={"outbox_id": str(row["id"]), "state": "failed"},
        )


async def _hold(tx: Connection, tenant_id: UUID, session_id: UUID, provider_id: str, body: Mapping[str, Any]) -> None:
    await tx.execute(
        "INSERT INTO held_event (tenant_id, channel_session_id, kind, key, body) VALUES ($1, $2, 'receipt', $3, $4)",
        tenant_id,
        session_id,
        provider_id,
        dict(body),
    )


async def is_ours(tx: Connection, session_id: UUID, provider_id: str) -> bool:
    """Whether a message with this provider id was sent by us."""
    found = await tx.fetchval(
        "SELECT 1 FROM outbox_message WHERE channel_session_id = $1 AND provider_id = $2 "
        "UNION ALL SELECT 1 FROM outbox_alias WHERE channel_session_id = $1 AND provider_id = $2 LIMIT 1",
        session_id,
        provider_id,
    )
    return found is not None


async def _typed_on_the_phone(tx: Connection, session_id: UUID, chat: Address, provider_id: str) -> bool:
    found = await tx.fetchval(
        f"""SELECT 1 FROM {contacts.named_by("$3", "$4")} a
             JOIN message m ON m.channel_session_id = $1 AND m.contact_id = a.contact_id AND m.provider_id = $2
            WHERE m.author = 'phone' LIMIT 1""",
        session_id,
        provider_id,
        [chat.kind.value],
        [chat.value],
    )
    return found is not None


async def undecided_sends(tx: Connection, session_id: UUID, names: Collection[Address], text: str) -> bool:
    """Whether a message of ours to this contact is on its way, or may have left, without a known provider id.

    A gateway may name by LID whom we know by phone only: while anything at all is being sent, a contact whose names
    nobody knows may be the one that it is sent to. Of a send that a person settled, only one with this very ``text``
    counts: it may be told late.
    """
    found: bool = await tx.fetchval(
        f"""WITH k AS (SELECT contact_id FROM {contacts.named_by("$2", "$3")} a)
           SELECT EXISTS (
               SELECT 1 FROM k
                 JOIN conversation c ON c.contact_id = k.contact_id AND c.channel_session_id = $1
                 JOIN outbox_message o ON o.conversation_id = c.id
                WHERE (o.state IN ('sending', 'unknown') AND o.provider_id IS NULL)
                   OR (o.repeats > 0 AND EXISTS (
                        SELECT 1 FROM message m WHERE m.id = o.message_id AND {SAME_TEXT.format(text="$4")})))
            OR NOT EXISTS (SELECT 1 FROM k) AND EXISTS (
               SELECT 1 FROM outbox_message o
                WHERE o.channel_session_id = $1 AND o.state = 'sending' AND o.provider_id IS NULL)""",
        session_id,
        [name.kind.value for name in names],
        [name.value for name in names],
        text,
    )
    return found


async def settle_by_text(
    tx: Connection, tenant_id: UUID, session_id: UUID, event: MessageReceived, names: Collection[Address]
) -> bool | None:
    """Whether an own message of unknown id is one of ours whose fate was unknown: the one with the same words.

    It then has that id from now on. None: something of that chat is still being sent, so its id will tell.
    """
    rows = await tx.fetch(
        f"""SELECT o.id, o.state, o.provider_id FROM {contacts.named_by("$2", "$3")} a
             JOIN conversation c ON c.contact_id = a.contact_id AND c.channel_session_id = $1
             JOIN outbox_message o ON o.conversation_id = c.id
             JOIN message m ON m.id = o.message_id
            WHERE (o.state = 'sending' AND o.provider_id IS NULL)
               OR (o.repeats > 0 AND {SAME_TEXT.format(text="$4")}
                   AND ($4 <> '' OR m.kind = $5))
            ORDER BY o.message_id""",
        session_id,
        [name.kind.value for name in names],
        [name.value for name in names],
        storable(event.text)[0],
        event.kind.value,
    )
    if any(row["state"] == "sending" and row["provider_id"] is None for row in rows):
        return None
    for row in rows:
        if await outbox.mark_sent(tx, row["id"], provider_id=event.provider_id, at=event.sent_at) is None:
            await outbox.add_alias(tx, row["id"], event.provider_id)
        await apply_held_receipts(tx, tenant_id, session_id, event.provider_id)
        return True
    return False


async def _advance(tx: Connection, tenant_id: UUID, session_id: UUID, provider_id: str, ack: str) -> bool:
    """Move one message's ack forward. What reached a device has arrived, whatever was said of it before."""
    row = await tx.fetchrow(_FORWARD.format(which=_BY_ID), session_id, provider_id, ack, _STEPS)
    if row is None:
        row = await tx.fetchrow(_FORWARD.format(which=_BY_ALIAS), session_id, provider_id, ack, _STEPS)
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


_STEPS = [step.value for step in ACK_ORDER]
_FORWARD = """
    UPDATE outbox_message SET ack = $3,
           state = CASE WHEN state = 'unknown' OR (state = 'failed' AND $3 <> 'server') THEN 'sent' ELSE state END,
           error = CASE WHEN state = 'unknown' OR (state = 'failed' AND $3 <> 'server') THEN NULL ELSE error END
     WHERE {which} AND coalesce(array_position($4::text[], ack), 0) < array_position($4::text[], $3)
    RETURNING id, conversation_id, state"""
_BY_ID = "channel_session_id = $1 AND provider_id = $2"
_BY_ALIAS = "id = (SELECT a.outbox_id FROM outbox_alias a WHERE a.channel_session_id = $1 AND a.provider_id = $2)"
