"""When a turn runs, and a reply that comes in several messages: each once, in order, and none after a person came."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from channels.base import ContactTyping, SendRetryableError
from domain.messages import Address, AddressKind
from flows.stopping import KillSwitch
from tests.flows.backroom import Backroom, Gateway, until
from tests.flows.shop import Shop

PARTS = ["A primeira parte da saudação.", "A segunda parte da saudação.", "A terceira parte da saudação."]


async def long_greeting(shop: Shop) -> None:
    """From now on the answer to a greeting takes three messages."""
    await shop.set(pacing={"split_characters": 35}, texts={"greeting": {"pt": "\n\n".join(PARTS)}})


async def conversation(shop: Shop) -> UUID:
    (row,) = await shop.fetch("SELECT id FROM conversation")
    found: UUID = row["id"]
    return found


async def states(shop: Shop) -> list[str]:
    return [row["state"] for row in await shop.fetch("SELECT state FROM outbox_message ORDER BY message_id")]


async def overdue(shop: Shop) -> None:
    """Whoever was sending is dead by now."""
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE outbox_message SET sending_until = now() - interval '1 s' WHERE state = 'sending'")


async def die_in_mid_send(backroom: Backroom, gateway: Gateway, *, after: int) -> None:
    """The process dies when this many messages have left, before it heard of the last one."""

    async def taken() -> None:
        await until(lambda: len(gateway.taken) == after)

    gateway.closes_at = after
    await backroom.delivery.run_due()
    await taken()
    for task in asyncio.all_tasks():
        if task.get_name() == "deliver":
            task.cancel()
    await backroom.delivery.wait_idle()
    gateway.closes_at = None
    gateway.open.set()
    await overdue(backroom.shop)


async def test_that_a_long_reply_comes_in_parts_in_order_each_a_message_of_its_own(
    shop: Shop, backroom: Backroom
) -> None:
    await long_greeting(shop)
    await shop.write("maria", "bom dia")
    await backroom.rest()
    assert await shop.got("maria") == PARTS
    rows = await shop.fetch(
        "SELECT o.state, m.text, o.turn_id FROM outbox_message o JOIN message m ON m.id = o.message_id ORDER BY m.id"
    )
    assert [(row["state"], row["text"]) for row in rows] == [("sent", part) for part in PARTS]
    assert len({row["turn_id"] for row in rows}) == 1
    (turn,) = await shop.fetch("SELECT decision FROM turn")
    assert turn["decision"]["text"] == "\n\n".join(PARTS)


async def test_that_a_part_that_must_wait_holds_the_others_back(shop: Shop, backroom: Backroom) -> None:
    gateway = Gateway(mishaps=[None, SendRetryableError("busy", after_seconds=0)])
    await long_greeting(shop)
    await shop.write("maria", "bom dia")
    await backroom.with_sender(gateway).rest()
    assert gateway.texts == PARTS


async def test_that_no_part_is_lost_or_doubled_when_the_sender_dies_between_parts(
    shop: Shop, backroom: Backroom
) -> None:
    for after in (1, 2, 3):
        gateway = Gateway(idempotent=True)
        worker = backroom.with_sender(gateway)
        await long_greeting(shop)
        contact = f"maria-{after}"
        await shop.write(contact, "bom dia")
        await worker.work()
        await die_in_mid_send(worker, gateway, after=after)
        await worker.delivery.settle_overdue()
        await worker.delivery.wait_idle()
        await worker.rest()
        assert gateway.texts == PARTS, after


async def test_that_a_part_of_unknown_fate_is_never_repeated_and_the_rest_still_comes(
    shop: Shop, backroom: Backroom
) -> None:
    gateway = Gateway()
    worker = backroom.with_sender(gateway)
    await long_greeting(shop)
    await shop.write("maria", "bom dia")
    await worker.work()
    await die_in_mid_send(worker, gateway, after=2)
    await worker.delivery.settle_overdue()
    await worker.rest()
    assert gateway.texts == PARTS
    assert await states(shop) == ["sent", "unknown", "sent"]


async def test_that_a_person_who_takes_over_between_parts_stops_the_rest(shop: Shop, backroom: Backroom) -> None:
    gateway = Gateway()
    worker = backroom.with_sender(gateway)
    await long_greeting(shop)
    await shop.write("maria", "bom dia")
    await worker.work()
    gateway.open.clear()
    await worker.delivery.run_due()
    await until(lambda: len(gateway.taken) == 1)
    await shop.desk.claim(shop.operator, await conversation(shop))
    gateway.open.set()
    await worker.delivery.wait_idle()
    await worker.rest()
    assert gateway.texts == PARTS[:1]
    assert await states(shop) == ["sent", "cancelled", "cancelled"]
    (turn,) = await shop.fetch("SELECT status FROM turn")
    assert turn["status"] == "decided"  # a part has left: it cannot count as if it had not been
    await shop.desk.return_to_bot(shop.operator, await conversation(shop))
    await worker.rest()
    assert gateway.texts == PARTS[:1]


async def test_that_a_customer_who_writes_between_parts_gets_the_rest_and_then_an_answer(
    shop: Shop, backroom: Backroom
) -> None:
    gateway = Gateway()
    worker = backroom.with_sender(gateway)
    await long_greeting(shop)
    await shop.write("maria", "bom dia")
    await worker.work()
    gateway.open.clear()
    await worker.delivery.run_due()
    await until(lambda: len(gateway.taken) == 1)
    await shop.write("maria", "tudo bem?")
    gateway.open.set()
    await worker.delivery.wait_idle()
    await worker.rest()
    assert gateway.texts[:3] == PARTS
    assert len(gateway.texts) > 3
    assert "cancelled" not in await states(shop)


async def test_that_a_reply_overtaken_before_its_first_part_left_is_taken_back_whole(
    shop: Shop, backroom: Backroom
) -> None:
    await long_greeting(shop)
    await shop.write("maria", "bom dia")
    await backroom.work()
    await shop.write("maria", "boa tarde")
    await backroom.rest()
    assert await shop.got("maria") == PARTS
    assert await states(shop) == ["cancelled"] * 3 + ["sent"] * 3


async def test_that_the_kill_switch_between_parts_gives_the_rest_to_people(shop: Shop, backroom: Backroom) -> None:
    gateway = Gateway()
    worker = backroom.with_sender(gateway)
    await long_greeting(shop)
    await shop.write("maria", "bom dia")
    await worker.work()
    gateway.open.clear()
    await worker.delivery.run_due()
    await until(lambda: len(gateway.taken) == 1)
    stopping = asyncio.create_task(KillSwitch(shop.db, worker.wakeup).stop(shop.tenant_id, actor="test"))
    await stopping
    gateway.open.set()
    await worker.delivery.wait_idle()
    await worker.rest()
    assert gateway.texts == PARTS[:1]
    (suggestion,) = await shop.fetch("SELECT text FROM suggestion WHERE status = 'pending'")
    assert suggestion["text"] == "\n\n".join(PARTS[1:])


async def wait_in_minutes(shop: Shop) -> list[int]:
    """Until each waiting turn is due."""
    connection = await asyncpg.connect(shop.db.queue_url)
    try:
        rows = await connection.fetch(
            "SELECT extract(epoch FROM scheduled_at - clock_timestamp()) AS seconds "
            "FROM queue.procrastinate_jobs WHERE status = 'todo'"
        )
    finally:
        await connection.close()
    return [round(row["seconds"] / 60) for row in rows]


async def type_as(shop: Shop, contact: str) -> None:
    typing = ContactTyping(Address(AddressKind.SIMULATOR, contact), datetime.now(UTC))
    await shop.inbound.receive(shop.session, typing)


async def test_that_the_wait_follows_the_last_message_and_typing_prolongs_it_up_to_the_cap(
    shop: Shop, backroom: Backroom
) -> None:
    minutes = {"complete_seconds": 10, "seconds": 30, "fragment_seconds": 60, "typing_seconds": 20, "cap_seconds": 90}
    await shop.set(debounce={name: 60 * value for name, value in minutes.items()})
    await type_as(shop, "maria")  # nobody known: nothing
    await shop.write("maria", "oi")
    assert await wait_in_minutes(shop) == [60]
    await shop.write("maria", "onde está o meu pedido?")
    assert await wait_in_minutes(shop) == [10]
    await type_as(shop, "maria")
    assert await wait_in_minutes(shop) == [20]
    await shop.write("maria", "quero trocar")
    await type_as(shop, "maria")  # never hastens
    assert await wait_in_minutes(shop) == [30]
    await shop.set(debounce={name: 60 * value for name, value in {**minutes, "cap_seconds": 15}.items()})
    await shop.write("maria", "oi")
    await type_as(shop, "maria")
    assert await wait_in_minutes(shop) == [15]
    await backroom.work()
    assert await shop.got("maria") == []
