"""A person of the business who types on the paired phone: the conversation is theirs, for good or for a while."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.base import MessageReceived
from domain.conversation import Event, Status
from flows import autonomy
from flows.arriving import addresses
from flows.attendance_declaration import PhoneTakeoverDeclaration
from store import contacts, conversations, turns
from store.database import Connection
from store.jobs import enqueue_turn


async def take_over(tx: Connection, session_id: UUID, settings: Mapping[str, Any], event: MessageReceived) -> None:
    """The message, stored just now, makes its conversation a person's: nothing automatic leaves it any more.

    An operator who holds it keeps it. Every further message from the phone prolongs the time after which the agent gets
    it back, where the tenant (``settings``) says so.
    """
    names = addresses(event)
    conversation_id = await tx.fetchval(
        f"""SELECT m.conversation_id FROM {contacts.named_by("$3", "$4")} a
             JOIN message m ON m.channel_session_id = $1 AND m.contact_id = a.contact_id AND m.provider_id = $2
            ORDER BY m.id DESC LIMIT 1""",
        session_id,
        event.provider_id,
        [name.kind.value for name in names],
        [name.value for name in names],
    )
    conversation = await conversations.lock(tx, conversation_id)
    await autonomy.replaced(tx, conversation, event.text)
    if conversation["status"] != Status.HUMAN:
        await conversations.apply(tx, conversation_id, Event.TAKEN_OVER, actor="phone")
    else:
        await conversations.raise_fence(tx, conversation_id)
    lasts = PhoneTakeoverDeclaration.model_validate(settings.get("phone_takeover", {})).lasts
    if lasts is not None and (conversation["status"] != Status.HUMAN or conversation["assignee_id"] is None):
        await tx.execute("UPDATE conversation SET resumes_at = now() + $2 WHERE id = $1", conversation_id, lasts)
    await turns.void_stale(tx, conversation_id)
    await conversations.withdraw_drafts(tx, conversation_id)
    await conversations.mark_answered(tx, conversation_id)


async def release(tx: Connection, conversation_id: UUID, now: datetime) -> bool:
    """Give a conversation back to the agent if nobody has typed on the phone for as long as the tenant said.

    What the customer wrote after the person's last message still waits, and gets its turn. Whether it was given back.
    """
    conversation = await conversations.lock(tx, conversation_id)
    if conversation["status"] != Status.HUMAN or conversation["resumes_at"] is None:
        return False
    if conversation["resumes_at"] > now:
        return False
    await conversations.apply(tx, conversation_id, Event.RELEASED, actor="system")
    if await turns.waits(tx, conversation_id):
        await enqueue_turn(tx, conversation["tenant_id"], conversation_id)
    return True
