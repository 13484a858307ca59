"""The kill switch: whenever it falls, nothing automatic leaves, nothing is lost, and people are not held up."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

import pytest

from channels.base import SendUncertainError
from domain.errors import NotFoundError
from flows.stopping import KillSwitch
from tests.flows.backroom import Backroom, Gateway
from tests.flows.shop import Shop

LOOK_UP = "faz a consulta lenta"
DONE = "A consulta terminou."


@pytest.fixture
def switch(shop: Shop, backroom: Backroom) -> KillSwitch:
    return KillSwitch(shop.db, backroom.wakeup)


async def pending(shop: Shop) -> list[str]:
    return [row["text"] for row in await shop.fetch("SELECT text FROM suggestion WHERE status = 'pending'")]


@pytest.mark.parametrize("whole", [True, False])
async def test_that_a_queued_reply_is_taken_back_and_offered_to_people(
    shop: Shop, backroom: Backroom, switch: KillSwitch, whole: bool
) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    stopped = await switch.stop(shop.tenant_id, None if whole else shop.session.id, actor="test")
    assert (stopped.taken_back, stopped.on_their_way) == (1, 0)
    await backroom.rest()
    assert await shop.got("maria") == []
    assert await pending(shop) == [DONE]
    assert [row["status"] for row in await shop.fetch("SELECT status FROM turn ORDER BY created_at")] == [
        "voided",
        "decided",
    ]


async def test_that_a_row_which_the_switch_did_not_meet_is_cancelled_by_its_claim(
    shop: Shop, backroom: Backroom, switch: KillSwitch
) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET stopped_at = now()")
    assert await backroom.delivery.run_due() == 1
    await backroom.delivery.wait_idle()
    (row,) = await shop.fetch("SELECT state, error, attempts FROM outbox_message")
    assert tuple(row) == ("cancelled", "automatic replies are stopped", 0)
    await backroom.rest()
    assert (await shop.got("maria"), await pending(shop)) == ([], [DONE])


async def test_that_a_turn_that_runs_while_the_switch_falls_decides_a_suggestion(
    shop: Shop, backroom: Backroom, switch: KillSwitch
) -> None:
    await shop.take_seconds("slow_lookup", 0.4)
    await shop.write("maria", LOOK_UP)
    working = asyncio.create_task(backroom.work())
    await asyncio.sleep(0.2)
    await switch.stop(shop.tenant_id, actor="test")
    await working
    assert [row["decision"]["kind"] for row in await shop.fetch("SELECT decision FROM turn")] == ["suggest"]
    await backroom.rest()
    assert (await shop.got("maria"), await pending(shop)) == ([], [DONE])


async def test_that_a_running_turn_no_longer_acts_on_its_own_and_the_next_one_asks_a_person(
    shop: Shop, backroom: Backroom, switch: KillSwitch
) -> None:
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE business_function SET trusted = true")
        await tx.execute("UPDATE tenant SET profile_version = profile_version + 1")
    await shop.write("maria", "faz a consulta lenta")
    await backroom.rest()  # the agent is loaded: what follows takes moments
    await shop.write("maria", "reserva uma mesa pra mim")
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("SELECT 1 FROM conversation FOR UPDATE")  # the turn has read, and waits where it would act
        working = asyncio.create_task(backroom.work())
        await asyncio.sleep(1)
        await switch.stop(shop.tenant_id, actor="test")
    await working
    await backroom.rest()
    assert await shop.fetch("SELECT 1 FROM function_call") == []
    assert [row["function"] for row in await shop.fetch("SELECT function FROM approval")] == ["book_table"]
    assert await shop.got("maria") == [DONE]


async def test_that_what_people_write_goes_out_all_the_while(
    shop: Shop, backroom: Backroom, switch: KillSwitch
) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    (conversation,) = await shop.fetch("SELECT id FROM conversation")
    await switch.stop(shop.tenant_id, actor="test")
    await backroom.work()
    (suggestion,) = await shop.fetch("SELECT id FROM suggestion WHERE status = 'pending'")
    await shop.desk.approve(shop.operator, suggestion["id"])
    await shop.desk.reply(shop.operator, conversation["id"], "Oi, aqui é o Rui.")
    again = await switch.stop(shop.tenant_id, actor="test")
    assert (again.taken_back, again.on_their_way) == (0, 0)
    await backroom.rest()
    assert await shop.got("maria") == [DONE, "Oi, aqui é o Rui."]


async def test_that_an_announcement_is_taken_back_but_the_handoff_stands(
    shop: Shop, backroom: Backroom, switch: KillSwitch
) -> None:
    await shop.write("maria", "quero falar com um atendente")
    await backroom.work()
    await switch.stop(shop.tenant_id, actor="test")
    await backroom.rest()
    assert await shop.got("maria") == []
    (handoff,) = await shop.fetch("SELECT reason, announced, announcement FROM handoff")
    assert (handoff["reason"], handoff["announced"]) == ("requested", False)
    assert await pending(shop) == [handoff["announcement"]]
    assert [row["status"] for row in await shop.fetch("SELECT status FROM conversation")] == ["waiting"]


async def test_that_the_outcome_of_an_approved_action_is_told_by_a_person_while_stopped(
    shop: Shop, backroom: Backroom, switch: KillSwitch
) -> None:
    await shop.write("maria", "reserva uma mesa pra mim")
    await backroom.rest()
    before = await shop.got("maria")
    (approval,) = await shop.fetch("SELECT id FROM approval")
    await switch.stop(shop.tenant_id, actor="test")
    await shop.desk.decide_call(shop.operator, approval["id"], approved=True)
    await backroom.rest()
    assert await shop.got("maria") == before
    (text,) = await pending(shop)
    assert text.startswith("Mesa reservada")


async def test_that_a_send_in_flight_is_reported_and_an_uncertain_one_is_not_repeated(
    shop: Shop, backroom: Backroom, switch: KillSwitch
) -> None:
    gateway = Gateway(idempotent=True, mishaps=[SendUncertainError("the line went dead")])
    other = backroom.with_sender(gateway)
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    await other.deliver()
    stopped = await switch.stop(shop.tenant_id, actor="test")
    assert (stopped.taken_back, stopped.on_their_way) == (0, 1)
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE outbox_message SET sending_until = now() - interval '1 s' WHERE state = 'sending'")
    await other.delivery.settle_overdue()
    await other.delivery.wait_idle()
    assert (gateway.taken, gateway.attempts) == ([], 1)
    (row,) = await shop.fetch("SELECT state FROM outbox_message")
    assert row["state"] == "unknown"


async def test_that_one_number_is_stopped_without_the_other_and_resuming_lets_replies_out_again(
    shop: Shop, backroom: Backroom, switch: KillSwitch
) -> None:
    async with shop.db.transaction(shop.tenant_id) as tx:
        other = await tx.fetchval(
            "INSERT INTO channel_session (tenant_id, provider, name) VALUES ($1, 'simulator', 'Other') RETURNING id",
            shop.tenant_id,
        )
    await switch.stop(shop.tenant_id, other, actor="test")
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    assert await shop.got("maria") == [DONE]
    await switch.stop(shop.tenant_id, shop.session.id, actor="test")
    await shop.write("joana", LOOK_UP)
    await backroom.rest()
    assert await shop.got("joana") == []
    await switch.resume(shop.tenant_id, shop.session.id, actor="test")
    await shop.write("joana", LOOK_UP)
    await backroom.rest()
    assert await shop.got("joana") == [DONE]
    kinds = [row["kind"] for row in await shop.fetch("SELECT kind FROM event WHERE kind LIKE 'policy.%' ORDER BY id")]
    assert kinds == ["policy.stopped", "policy.stopped", "policy.resumed"]
    with pytest.raises(NotFoundError):
        await switch.stop(shop.tenant_id, UUID(int=1), actor="test")


@pytest.mark.parametrize("seed", range(4))
async def test_that_after_stop_returns_nothing_automatic_is_taken_and_every_question_is_with_a_person(
    shop: Shop, backroom: Backroom, switch: KillSwitch, seed: int
) -> None:
    rng = random.Random(seed)
    gateway = Gateway()
    other = backroom.with_sender(gateway)
    await shop.take_seconds("slow_lookup", rng.choice([0, 0.02]))
    names = [f"c{number}" for number in range(8)]
    for name in names:
        await shop.write(name, LOOK_UP if rng.random() < 0.7 else "quero falar com um atendente")

    async def run() -> None:
        for _ in range(12):
            await other.work()
            await other.delivery.run_due()
            await asyncio.sleep(0)

    running = asyncio.create_task(run())
    await asyncio.sleep(rng.random() * 0.25)
    stopped = await switch.stop(shop.tenant_id, actor="test")
    on_their_way = stopped.on_their_way
    taken = len(gateway.taken)
    await running
    await other.delivery.wait_idle()
    await other.rest()
    assert len(gateway.taken) - taken <= on_their_way, f"seed {seed}"
    rows = await shop.fetch(
        "SELECT c.id, EXISTS (SELECT 1 FROM outbox_message o WHERE o.conversation_id = c.id AND o.state = 'sent')"
        " AS told, EXISTS (SELECT 1 FROM suggestion s WHERE s.conversation_id = c.id AND s.status = 'pending')"
        " AS offered FROM conversation c"
    )
    assert len(rows) == len(names)
    assert all(row["told"] != row["offered"] for row in rows), f"seed {seed}: {[tuple(row) for row in rows]}"
