"""What our own number says: a person on the paired phone, echoes of what we sent, and receipts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from channels.base import ReceiptChanged
from domain.messages import Ack
from tests.flows.backroom import Backroom, Gateway, until
from tests.flows.shop import Shop

LOOK_UP = "faz a consulta lenta"


# Our own number --------------------------------------------------------------------------------------------------


async def test_that_writing_on_the_paired_phone_takes_the_conversation_over(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", LOOK_UP)
    async with shop.db.transaction(shop.tenant_id) as tx:
        conversation_id = await tx.fetchval(
            "INSERT INTO suggestion (tenant_id, conversation_id, text, fence) "
            "SELECT tenant_id, id, 'oferta', fence FROM conversation RETURNING conversation_id"
        )
    await shop.write("maria", "deixa que eu atendo", from_me=True)
    await backroom.rest()
    assert await shop.got("maria") == []
    (conversation,) = await shop.fetch("SELECT * FROM conversation WHERE id = $1", conversation_id)
    assert conversation["status"] == "human"
    assert conversation["answered_upto_id"] == conversation["last_inbound_id"]
    assert [row["status"] for row in await shop.fetch("SELECT status FROM suggestion")] == ["superseded"]
    assert await shop.fetch("SELECT 1 FROM turn") == []
    authors = await shop.fetch("SELECT author FROM message ORDER BY id")
    assert [row["author"] for row in authors] == ["contact", "phone"]


async def test_that_writing_on_the_paired_phone_stops_a_reply_that_waits_to_be_sent(
    shop: Shop, backroom: Backroom
) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    await shop.write("maria", "deixa que eu atendo", from_me=True)
    await backroom.rest()
    assert await shop.got("maria") == []
    (conversation,) = await shop.fetch("SELECT * FROM conversation")
    assert (conversation["status"], conversation["answered_upto_id"]) == ("human", conversation["last_inbound_id"])


@pytest.mark.parametrize("when", ["before the send returned", "after"])
async def test_that_the_echo_of_our_own_message_is_not_a_person(shop: Shop, backroom: Backroom, when: str) -> None:
    backroom = backroom.with_sender(gateway := Gateway())
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    gateway.open.clear()
    await backroom.delivery.run_due()
    await until(lambda: len(gateway.taken) == 1)

    async def echo() -> str:
        return await shop.write("maria", gateway.texts[0], provider_id=f"sent-{gateway.taken[0].key}", from_me=True)

    if when == "after":
        gateway.open.set()
        await backroom.delivery.wait_idle()
        assert await echo() == "duplicate"
    else:
        assert await echo() == "held"
        gateway.open.set()
        await backroom.delivery.wait_idle()
    assert await shop.fetch("SELECT 1 FROM held_event") == []
    (conversation,) = await shop.fetch("SELECT status FROM conversation")
    assert conversation["status"] == "bot"
    assert len(await shop.fetch("SELECT 1 FROM message")) == 2


@pytest.mark.parametrize("who", ["ours", "a person's"])
async def test_that_an_own_message_beside_a_send_of_unknown_outcome_is_told_apart_by_its_text(
    shop: Shop, backroom: Backroom, who: str
) -> None:
    backroom = backroom.with_sender(Gateway(mishaps=[TimeoutError()]))
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    text = "A consulta terminou." if who == "ours" else "oi, aqui é o Rui"
    assert await shop.write("maria", text, provider_id="own", from_me=True) == "held"
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE held_event SET created_at = now() - interval '5 minutes'")
    assert await backroom.keep_house() == 1
    (row,) = await shop.fetch("SELECT o.state, o.provider_id, c.status FROM outbox_message o, conversation c")
    assert tuple(row) == (("sent", "own", "bot") if who == "ours" else ("unknown", None, "human"))


async def test_that_an_echo_that_comes_while_its_send_is_being_recorded_is_not_a_person(
    owner_dsn: str, shop: Shop, backroom: Backroom
) -> None:
    backroom = backroom.with_sender(gateway := Gateway())
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    gateway.open.clear()
    await backroom.delivery.run_due()
    await until(lambda: len(gateway.taken) == 1)
    owner = await asyncpg.connect(owner_dsn)
    try:
        # Makes the echo wait where it asks which conversation it belongs to, until the send has been recorded.
        waiting = owner.transaction()
        await waiting.start()
        await owner.execute("LOCK TABLE contact_address IN ACCESS EXCLUSIVE MODE")
        echo = asyncio.create_task(
            shop.write("maria", gateway.texts[0], provider_id=f"sent-{gateway.taken[0].key}", from_me=True)
        )
        await asyncio.sleep(0.2)
        gateway.open.set()
        await backroom.delivery.wait_idle()
        await waiting.commit()
        assert await echo == "duplicate"
    finally:
        await owner.close()
    (conversation,) = await shop.fetch("SELECT status FROM conversation")
    assert conversation["status"] == "bot"


# Receipts --------------------------------------------------------------------------------------------------------


async def test_that_receipts_that_come_before_the_send_returned_are_applied_and_acks_never_go_back(
    shop: Shop, backroom: Backroom
) -> None:
    backroom = backroom.with_sender(gateway := Gateway())
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    gateway.open.clear()
    await backroom.delivery.run_due()
    await until(lambda: len(gateway.taken) == 1)
    provider_id = f"sent-{gateway.taken[0].key}"

    async def receipt(ack: Ack) -> str | None:
        await shop.inbound.receive(shop.session, ReceiptChanged((provider_id, "of another"), ack, datetime.now(UTC)))
        (row,) = await shop.fetch("SELECT ack FROM outbox_message")
        found: str | None = row["ack"]
        return found

    assert await receipt(Ack.READ) is None
    assert await receipt(Ack.DEVICE) is None
    gateway.open.set()
    await backroom.delivery.wait_idle()
    (row,) = await shop.fetch("SELECT state, ack FROM outbox_message")
    assert tuple(row) == ("sent", "read")
    assert [await receipt(ack) for ack in (Ack.SERVER, Ack.DEVICE, Ack.PLAYED, Ack.READ)] == [
        "read",
        "read",
        "played",
        "played",
    ]
