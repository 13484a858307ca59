"""From the outbox to the provider: in order, at the number's pace, never twice, never stale."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from channels.base import SendRejectedError, SendRetryableError, SendUncertainError
from domain.errors import OutdatedError
from store.database import Row
from tests.flows.backroom import Backroom, Gateway, until
from tests.flows.shop import Shop

LOOK_UP = "faz a consulta lenta"
DONE = "A consulta terminou."


async def conversation_with(shop: Shop, contact: str) -> UUID:
    """A conversation that a person holds already."""
    await shop.write(contact, "obrigado")
    rows = await shop.fetch("SELECT id FROM conversation WHERE address = $1", f"simulator:{contact}")
    await shop.desk.claim(shop.operator, rows[0]["id"])
    found: UUID = rows[0]["id"]
    return found


async def outbox(shop: Shop) -> list[Row]:
    return await shop.fetch(
        "SELECT o.*, m.text FROM outbox_message o JOIN message m ON m.id = o.message_id ORDER BY o.message_id"
    )


async def states(shop: Shop) -> list[str]:
    return [row["state"] for row in await outbox(shop)]


async def lose_sender(backroom: Backroom, gateway: Gateway) -> None:
    """The process dies after the message left and before its answer came, and its lease runs out."""
    gateway.open.clear()
    await backroom.delivery.run_due()
    await until(lambda: len(gateway.taken) == 1)
    for task in asyncio.all_tasks():
        if task.get_name() == "deliver":
            task.cancel()
    await backroom.delivery.wait_idle()
    gateway.open.set()
    async with backroom.shop.db.transaction(backroom.shop.tenant_id) as tx:
        await tx.execute("UPDATE outbox_message SET sending_until = now() - interval '1 s' WHERE state = 'sending'")


async def test_that_messages_of_a_conversation_leave_in_order_although_the_first_must_wait(
    shop: Shop, backroom: Backroom
) -> None:
    gateway = Gateway(mishaps=[SendRetryableError("busy", after_seconds=0.2)])
    backroom = backroom.with_sender(gateway)
    conversation_id = await conversation_with(shop, "maria")
    for text in ("um", "dois", "três"):
        await shop.desk.reply(shop.operator, conversation_id, text)
    await backroom.deliver()
    assert gateway.texts == []
    assert await states(shop) == ["queued"] * 3
    second = (await outbox(shop))[1]["id"]
    backroom.delivery.start(shop.tenant_id, conversation_id, shop.session.id, second)  # as if it were its turn
    await backroom.delivery.wait_idle()
    assert gateway.texts == []
    await asyncio.sleep(0.25)
    await backroom.deliver()
    assert gateway.texts == ["um", "dois", "três"]
    assert await states(shop) == ["sent"] * 3


async def test_that_a_message_is_given_up_after_many_certain_failures(shop: Shop, backroom: Backroom) -> None:
    gateway = Gateway(mishaps=[SendRetryableError("down", after_seconds=0)] * 20)
    await shop.desk.reply(shop.operator, await conversation_with(shop, "maria"), "um")
    await backroom.with_sender(gateway).deliver()
    (row,) = await outbox(shop)
    assert row["state"] == "failed"
    assert row["attempts"] == gateway.attempts == 8
    assert "down" in row["error"]


async def test_that_a_refused_message_fails_and_does_not_hold_up_the_next(shop: Shop, backroom: Backroom) -> None:
    gateway = Gateway(mishaps=[SendRejectedError("No such number.")])
    conversation_id = await conversation_with(shop, "maria")
    for text in ("um", "dois"):
        await shop.desk.reply(shop.operator, conversation_id, text)
    await backroom.with_sender(gateway).deliver()
    assert gateway.texts == ["dois"]
    assert await states(shop) == ["failed", "sent"]


@pytest.mark.parametrize("mishap", ["connection lost", "no answer in time", "a bug"])
async def test_that_a_message_of_unknown_outcome_is_never_sent_again_by_itself(
    shop: Shop, backroom: Backroom, mishap: str
) -> None:
    gateway = Gateway(send_timeout_seconds=0.1)
    if mishap == "no answer in time":
        gateway.open.clear()
    else:
        gateway.mishaps = [SendUncertainError("lost") if mishap == "connection lost" else KeyError("id")]
    backroom = backroom.with_sender(gateway)
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    gateway.open.set()
    for _ in range(3):
        await backroom.delivery.settle_overdue()
        await backroom.rest()
    assert gateway.attempts == 1
    assert await states(shop) == ["unknown"]
    # It may have arrived, so a newer message neither cancels it nor has it answered again.
    await shop.write("maria", "quero a consulta lenta por favor")
    await backroom.rest()
    assert await states(shop) == ["unknown", "sent"]
    assert [turn["status"] for turn in await shop.fetch("SELECT status FROM turn")] == ["decided"] * 2


@pytest.mark.parametrize("arrived", [True, False])
async def test_that_a_person_settles_an_unknown_outcome_once(shop: Shop, backroom: Backroom, arrived: bool) -> None:
    gateway = Gateway(mishaps=[SendUncertainError("lost")])
    backroom = backroom.with_sender(gateway)
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    (row,) = await outbox(shop)
    await shop.desk.settle_unknown(shop.operator, row["id"], arrived=arrived)
    with pytest.raises(OutdatedError):
        await shop.desk.settle_unknown(shop.operator, row["id"], arrived=not arrived)
    await backroom.rest()
    assert await states(shop) == ["sent"]
    assert gateway.texts == ([] if arrived else [DONE])


async def test_that_a_send_whose_process_died_is_left_to_a_person(shop: Shop, backroom: Backroom) -> None:
    gateway = Gateway()
    backroom = backroom.with_sender(gateway)
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    await lose_sender(backroom, gateway)
    assert await backroom.delivery.settle_overdue() == 1
    await backroom.rest()
    assert await states(shop) == ["unknown"]
    assert gateway.attempts == 1


@pytest.mark.parametrize("meanwhile", ["nothing", "a newer message", "a takeover"])
async def test_that_a_send_whose_process_died_is_repeated_where_repeating_is_harmless(
    shop: Shop, backroom: Backroom, meanwhile: str
) -> None:
    gateway = Gateway(idempotent=True)
    backroom = backroom.with_sender(gateway)
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    await lose_sender(backroom, gateway)
    if meanwhile == "a newer message":
        await shop.write("maria", "quero a consulta lenta por favor")
    elif meanwhile == "a takeover":
        (conversation,) = await shop.fetch("SELECT id FROM conversation")
        await shop.desk.claim(shop.operator, conversation["id"])
    assert await backroom.delivery.settle_overdue() == 1
    await backroom.delivery.wait_idle()
    await backroom.rest()
    # The first reply had arrived: it may be neither cancelled nor answered again, and only the newer message is.
    expected = [DONE, DONE] if meanwhile == "a newer message" else [DONE]
    assert gateway.texts == expected
    assert await states(shop) == ["sent"] * len(expected)


async def test_that_an_uncertain_send_is_repeated_where_repeating_is_harmless_and_finally_left_to_a_person(
    shop: Shop, backroom: Backroom
) -> None:
    gateway = Gateway(idempotent=True, mishaps=[SendUncertainError("lost")] * 20)
    backroom = backroom.with_sender(gateway)
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    for _ in range(20):
        async with shop.db.transaction(shop.tenant_id) as tx:
            await tx.execute("UPDATE outbox_message SET sending_until = now() - interval '1 s' WHERE state = 'sending'")
        await backroom.delivery.settle_overdue()
        await backroom.delivery.wait_idle()
    assert await states(shop) == ["unknown"]
    assert gateway.attempts == 8


@pytest.mark.parametrize("first", ["delivery", "turn"])
async def test_that_a_reply_overtaken_before_it_left_is_replaced_by_one_that_answers_everything(
    shop: Shop, backroom: Backroom, first: str
) -> None:
    gateway = Gateway()
    backroom = backroom.with_sender(gateway)
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    await shop.write("maria", "quero a consulta lenta por favor")
    if first == "delivery":
        await backroom.deliver()
        assert gateway.texts == []
    await backroom.rest()
    assert gateway.texts == [DONE]
    assert await states(shop) == ["cancelled", "sent"]
    turns = await shop.fetch("SELECT status, upto_message_id, answered_before FROM turn ORDER BY created_at")
    last = await shop.fetch("SELECT max(id) AS id FROM message WHERE author = 'contact'")
    assert [turn["status"] for turn in turns] == ["voided", "decided"]
    assert turns[1]["upto_message_id"] == last[0]["id"]
    assert turns[1]["answered_before"] == turns[0]["answered_before"] == 0


async def test_that_a_cancelled_reply_uses_none_of_the_numbers_pace(shop: Shop, backroom: Backroom) -> None:
    gateway = Gateway()
    backroom = backroom.with_sender(gateway)
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE channel_session SET config = config || $1", {"seconds_between_messages": 3600})
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    await shop.write("maria", "quero a consulta lenta por favor")
    await backroom.delivery.run_due()  # cancels the first reply
    await backroom.delivery.wait_idle()
    for contact in ("joão", "ana"):
        await shop.write(contact, LOOK_UP)
    await backroom.work()
    await backroom.deliver()
    assert len(gateway.taken) == 1
    assert sorted(await states(shop)) == ["cancelled", "queued", "queued", "sent"]
    waits = await shop.fetch("SELECT waits_for FROM outbox_message WHERE state = 'queued'")
    assert [row["waits_for"] for row in waits] == ["rate", "rate"]
