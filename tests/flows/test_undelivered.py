"""A number whose messages are accepted and reach nobody is told of, once; a phone that is off is no reason."""

from __future__ import annotations

from datetime import timedelta

from domain.messages import Address, AddressKind
from flows.undelivered import report_undelivered
from store.wakeup import Wakeup
from tests.flows.door import Door

_SENT = """
WITH m AS (
    INSERT INTO message (tenant_id, conversation_id, contact_id, channel_session_id, author, kind, text, sent_at)
    SELECT tenant_id, id, contact_id, channel_session_id, 'bot', 'text', 'oi', now()
      FROM conversation WHERE address = $1
    RETURNING id, tenant_id, conversation_id, channel_session_id
)
INSERT INTO outbox_message (tenant_id, conversation_id, channel_session_id, message_id, origin, state, ack, sent_at,
                            queued_at)
SELECT tenant_id, conversation_id, channel_session_id, id, 'bot', 'sent', $3, now() - $2::interval,
       now() - $2::interval FROM m
"""


async def test_that_a_number_that_reaches_nobody_is_told_of_once_until_it_does_again(door: Door) -> None:
    chats = [Address(AddressKind.PHONE, f"553190000000{n}") for n in range(4)]
    for chat in chats:
        await door.take(door.message(chat))
    tenant, wakeup = door.session.tenant_id, Wakeup(door.db)
    async with door.db.transaction(tenant) as tx:
        await tx.execute("UPDATE membership SET role = 'admin'")
        await tx.execute("UPDATE channel_session SET status = 'connected'")

    async def sent(chat: Address, minutes: float, ack: str) -> None:
        async with door.db.transaction(tenant) as tx:
            await tx.execute(_SENT, str(chat), timedelta(minutes=minutes), ack)

    async def told() -> list[str]:
        await report_undelivered(door.db, wakeup)
        rows = await door.fetch("SELECT payload ->> 'state' AS state FROM notification WHERE kind LIKE 'session.%'")
        return [row["state"] for row in rows]

    for chat in chats[:3]:
        await sent(chat, 30, "server")
    assert await told() == []  # its provider never told of a phone: nothing can be said
    await sent(chats[3], 120, "read")
    assert await told() == ["undelivered"]
    assert await told() == ["undelivered"]
    kinds = await door.fetch("SELECT payload FROM event WHERE kind = 'session.undelivered'")
    assert [(row["payload"]["chats"], row["payload"]["messages"]) for row in kinds] == [(3, 3)]
    async with door.db.transaction(tenant) as tx:
        await tx.execute("DELETE FROM notification")
    await sent(chats[3], 20, "device")  # one phone has it: the other three are off
    assert await told() == []


async def test_that_few_chats_and_fresh_messages_are_no_alarm(door: Door) -> None:
    chats = [Address(AddressKind.PHONE, f"553190000000{n}") for n in range(3)]
    for chat in chats:
        await door.take(door.message(chat))
    async with door.db.transaction(door.session.tenant_id) as tx:
        await tx.execute("UPDATE membership SET role = 'admin'")
        await tx.execute("UPDATE channel_session SET status = 'connected'")
        await tx.execute(_SENT, str(chats[0]), timedelta(hours=3), "read")
        for chat in chats[:2]:
            for _ in range(5):
                await tx.execute(_SENT, str(chat), timedelta(minutes=30), "server")
        await tx.execute(_SENT, str(chats[2]), timedelta(minutes=3), "server")
    assert await report_undelivered(door.db, Wakeup(door.db)) == 0
