"""Business functions that write: asked for, run once whatever dies, and their outcome always told to somebody."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from channels.base import MessageRevoked
from domain.errors import OutdatedError
from domain.messages import Address
from flows import housekeeping
from store.database import Row
from tests.flows.backroom import Backroom, until
from tests.flows.conftest import started
from tests.flows.shop import Shop, eventually

BOOK = "quero reservar uma mesa"
CHARGE = "cobra no meu cartão"
BOOKED = "Mesa reservada, código "
CHARGED = "Cobrança feita."


async def asked(shop: Shop, backroom: Backroom, text: str = BOOK) -> UUID:
    """The customer wants something done, and the agent has asked for a person's approval."""
    await shop.write("maria", text)
    await backroom.rest()
    (row,) = await shop.fetch("SELECT id FROM approval WHERE status = 'pending'")
    found: UUID = row["id"]
    return found


async def status_of(shop: Shop, approval_id: UUID) -> str:
    (row,) = await shop.fetch("SELECT status FROM approval WHERE id = $1", approval_id)
    found: str = row["status"]
    return found


async def decide(shop: Shop, approval_id: UUID, *, approved: bool = True) -> None:
    await shop.desk.decide_call(shop.operator, approval_id, approved=approved)


async def trust(shop: Shop) -> None:
    """From now on the agent may write without asking."""
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE business_function SET trusted = true")
        await tx.execute("UPDATE tenant SET profile_version = profile_version + 1")


async def handoffs(shop: Shop) -> list[Row]:
    return await shop.fetch("SELECT reason, summary FROM handoff ORDER BY created_at")


async def threads(owner_dsn: str) -> int:
    owner = await asyncpg.connect(owner_dsn)
    try:
        count: int = await owner.fetchval("SELECT count(DISTINCT thread_id) FROM approvals.checkpoints")
    finally:
        await owner.close()
    return count


def keys(trace: Path) -> set[str]:
    """The idempotency keys that functions ran with."""
    return {line.split()[4] for line in trace.read_text().splitlines()}


async def die(task: asyncio.Task[Any]) -> None:
    """End a run as a crash would: nothing after this point of it happens."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def die_in_mid_call(shop: Shop, backroom: Backroom, trace: Path, function: str) -> None:
    """The job that is due dies while its function runs, and is given back to the queue."""
    await shop.take_seconds(function, 30)
    job = await backroom.take_job()
    assert job is not None
    running = asyncio.create_task(backroom.run_job(job))
    await until(lambda: started(trace, function) == 1)
    await die(running)
    await backroom.queue.job_manager.retry_job(job)
    await shop.take_seconds(function, 0)


# A person's answer -----------------------------------------------------------------------------------------------


async def test_that_an_approved_call_runs_once_and_the_customer_is_told(
    owner_dsn: str, shop: Shop, backroom: Backroom, trace: Path
) -> None:
    approval_id = await asked(shop, backroom)
    assert started(trace, "book_table") == 0
    assert len(await shop.got("maria")) == 1
    await decide(shop, approval_id)
    await backroom.rest()
    assert started(trace, "book_table") == 1
    told = await shop.got("maria")
    assert len(told) == 2
    assert told[1].startswith(BOOKED)
    assert await status_of(shop, approval_id) == "executed"
    assert await threads(owner_dsn) == 0
    with pytest.raises(OutdatedError):
        await decide(shop, approval_id, approved=False)


async def test_that_a_refused_call_never_runs_and_the_customer_is_told(
    shop: Shop, backroom: Backroom, trace: Path
) -> None:
    approval_id = await asked(shop, backroom)
    await decide(shop, approval_id, approved=False)
    await backroom.rest()
    assert started(trace, "book_table") == 0
    assert len(await shop.got("maria")) == 2
    assert await status_of(shop, approval_id) == "rejected"


async def test_that_two_operators_who_decide_at_once_decide_once(shop: Shop, backroom: Backroom, trace: Path) -> None:
    approval_id = await asked(shop, backroom)
    results = await asyncio.gather(
        *(decide(shop, approval_id, approved=n % 2 == 0) for n in range(6)), return_exceptions=True
    )
    assert sum(result is None for result in results) == 1
    await backroom.rest()
    assert len(await shop.got("maria")) == 2
    assert started(trace, "book_table") == (await status_of(shop, approval_id) == "executed")


async def test_that_an_expired_call_can_be_neither_approved_nor_remembered(
    owner_dsn: str, shop: Shop, backroom: Backroom, trace: Path
) -> None:
    approval_id = await asked(shop, backroom)
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE approval SET expires_at = now() - interval '1 s'")
    with pytest.raises(OutdatedError):
        await decide(shop, approval_id)
    assert await housekeeping.enqueue_forgotten(shop.db) == 1
    await backroom.rest()
    assert await status_of(shop, approval_id) == "expired"
    assert started(trace, "book_table") == 0
    assert await threads(owner_dsn) == 0
    assert await housekeeping.enqueue_forgotten(shop.db) == 0
    kinds = await shop.fetch("SELECT payload FROM event WHERE kind = 'approval.settled'")
    assert [row["payload"]["status"] for row in kinds] == ["expired"]


@pytest.mark.parametrize("reader", ["the agent", "a person", "nobody: it was revoked"])
async def test_that_a_newer_message_blocks_approving_until_it_was_read(
    shop: Shop, backroom: Backroom, trace: Path, reader: str
) -> None:
    approval_id = await asked(shop, backroom)
    await shop.write("maria", "faz a consulta lenta", provider_id="newer")
    with pytest.raises(OutdatedError):
        await decide(shop, approval_id)
    if reader == "a person":
        (conversation,) = await shop.fetch("SELECT id FROM conversation")
        await shop.desk.reply(shop.operator, conversation["id"], "já vejo")
    elif reader != "the agent":
        await shop.inbound.receive(
            shop.session, MessageRevoked("newer", Address.parse("simulator:maria"), datetime.now(UTC))
        )
    await backroom.rest()
    await decide(shop, approval_id)
    await backroom.rest()
    assert await status_of(shop, approval_id) == "executed"
    assert started(trace, "book_table") == 1


async def test_that_a_newer_message_does_not_undo_a_call_that_was_approved_before_its_announcement_left(
    shop: Shop, backroom: Backroom, trace: Path
) -> None:
    await shop.write("maria", BOOK)
    await backroom.work()
    (approval,) = await shop.fetch("SELECT id FROM approval")
    await decide(shop, approval["id"])
    await shop.write("maria", "faz a consulta lenta")
    await backroom.rest()
    assert started(trace, "book_table") == 1
    assert len(await shop.fetch("SELECT 1 FROM approval")) == 1
    told = await shop.got("maria")
    assert len(told) == 3
    assert told[-1] == "A consulta terminou." or told[-1].startswith(BOOKED)


async def test_that_the_outcome_is_offered_to_the_person_who_holds_the_conversation(
    shop: Shop, backroom: Backroom
) -> None:
    approval_id = await asked(shop, backroom)
    (conversation,) = await shop.fetch("SELECT id FROM conversation")
    await shop.desk.claim(shop.operator, conversation["id"])
    await decide(shop, approval_id)
    await backroom.rest()
    assert len(await shop.got("maria")) == 1
    (suggestion,) = await shop.fetch("SELECT id, text FROM suggestion WHERE status = 'pending'")
    assert suggestion["text"].startswith(BOOKED)
    await shop.desk.approve(shop.operator, suggestion["id"])
    await backroom.rest()
    assert await shop.got("maria") == [(await shop.got("maria"))[0], suggestion["text"]]


# Crashes of an approved call -------------------------------------------------------------------------------------


@pytest.mark.parametrize("runs", ["one after the other", "at once"])
async def test_that_a_call_carried_out_by_several_workers_acts_once(
    shop: Shop, backroom: Backroom, trace: Path, runs: str
) -> None:
    approval_id = await asked(shop, backroom, CHARGE)
    await decide(shop, approval_id)
    if runs == "at once":
        await asyncio.gather(*(backroom.approved.run(shop.tenant_id, approval_id) for _ in range(3)))
    else:
        for _ in range(3):
            await backroom.approved.run(shop.tenant_id, approval_id)
    await backroom.rest()
    assert started(trace, "charge_card") == 1
    assert len(await shop.got("maria")) == 2


async def test_that_a_repeatable_call_carried_out_at_once_is_told_once(
    shop: Shop, backroom: Backroom, trace: Path
) -> None:
    approval_id = await asked(shop, backroom)
    await decide(shop, approval_id)
    await shop.take_seconds("book_table", 0.3)
    await asyncio.gather(*(backroom.approved.run(shop.tenant_id, approval_id) for _ in range(3)))
    await backroom.rest()
    assert started(trace, "book_table") == 3
    assert len(keys(trace)) == 1
    assert len(await shop.got("maria")) == 2


async def test_that_a_run_that_died_after_it_acted_is_finished_without_acting_again(
    owner_dsn: str, shop: Shop, backroom: Backroom, trace: Path
) -> None:
    approval_id = await asked(shop, backroom, CHARGE)
    await decide(shop, approval_id)
    owner = await asyncpg.connect(owner_dsn)
    try:
        # Holds the run up where it would write its outcome.
        held = owner.transaction()
        await held.start()
        await owner.execute("SELECT 1 FROM conversation FOR NO KEY UPDATE")
        running = asyncio.create_task(backroom.approved.run(shop.tenant_id, approval_id))

        async def acted() -> bool:
            return bool(await shop.fetch("SELECT 1 FROM function_call WHERE status = 'succeeded'"))

        await eventually(acted, within=60)
        await asyncio.sleep(0.2)
        await die(running)
        await held.rollback()
    finally:
        await owner.close()
    assert await status_of(shop, approval_id) == "approved"
    await backroom.rest()
    assert started(trace, "charge_card") == 1
    assert await status_of(shop, approval_id) == "executed"
    assert (await shop.got("maria"))[1:] == [CHARGED]
    assert await threads(owner_dsn) == 0


@pytest.mark.parametrize("way", ["approved", "trusted"])
async def test_that_a_call_of_unknown_outcome_that_cannot_be_repeated_goes_to_a_person(
    shop: Shop, backroom: Backroom, trace: Path, way: str
) -> None:
    if way == "approved":
        await decide(shop, await asked(shop, backroom, CHARGE))
    else:
        await trust(shop)
        await shop.write("maria", CHARGE)
    await die_in_mid_call(shop, backroom, trace, "charge_card")
    await backroom.rest()
    assert started(trace, "charge_card") == 1
    assert [row["reason"] for row in await handoffs(shop)] == ["unknown_outcome"]
    assert CHARGED not in await shop.got("maria")
    (conversation,) = await shop.fetch("SELECT status FROM conversation")
    assert conversation["status"] == "waiting"
    assert await shop.got("maria"), "a handoff is announced"


@pytest.mark.parametrize("way", ["approved", "trusted"])
async def test_that_a_call_of_unknown_outcome_that_knows_its_key_is_repeated_with_the_same_key(
    shop: Shop, backroom: Backroom, trace: Path, way: str
) -> None:
    if way == "approved":
        await decide(shop, await asked(shop, backroom))
    else:
        await trust(shop)
        await shop.write("maria", BOOK)
    await die_in_mid_call(shop, backroom, trace, "book_table")
    await backroom.rest()
    assert started(trace, "book_table") == 2
    assert len(keys(trace)) == 1
    assert len(await shop.fetch("SELECT 1 FROM business_record WHERE collection = 'tables'")) == 1
    assert (await shop.got("maria"))[-1].startswith(BOOKED)


# Trusted writes and newer messages -------------------------------------------------------------------------------


async def overtaken(shop: Shop, backroom: Backroom, trace: Path, newer: str) -> None:
    """The agent charges the card, and the customer writes again before the turn is written."""
    await trust(shop)
    await shop.take_seconds("charge_card", 0.4)
    await shop.write("maria", CHARGE)
    running = asyncio.create_task(backroom.work())
    await until(lambda: started(trace, "charge_card") == 1)
    await shop.write("maria", newer)
    await running
    await shop.take_seconds("charge_card", 0)
    await backroom.rest()
    assert started(trace, "charge_card") == 1


async def test_that_an_overtaken_turn_that_acted_is_told_by_the_next_one(
    shop: Shop, backroom: Backroom, trace: Path
) -> None:
    await overtaken(shop, backroom, trace, "pode passar o cartão")
    assert await shop.got("maria") == [CHARGED]


@pytest.mark.parametrize("newer", ["quero falar com um atendente", "não, reservar mesa, quero reservar uma mesa hoje"])
async def test_that_an_act_that_the_next_turn_does_not_tell_goes_to_a_person(
    shop: Shop, backroom: Backroom, trace: Path, newer: str
) -> None:
    await overtaken(shop, backroom, trace, newer)
    (handoff,) = await handoffs(shop)
    assert "charge_card" in handoff["summary"]
    assert len(await shop.got("maria")) == 1
    assert await shop.fetch("SELECT 1 FROM approval") == []


async def test_that_a_takeover_just_before_an_act_stops_it(
    owner_dsn: str, shop: Shop, backroom: Backroom, trace: Path
) -> None:
    await trust(shop)
    await shop.write("maria", CHARGE)
    owner = await asyncpg.connect(owner_dsn)
    try:
        # The turn reads the conversation as it was, and waits where it asks the fence.
        takeover = owner.transaction()
        await takeover.start()
        await owner.execute("UPDATE conversation SET status = 'human', fence = fence + 1")
        running = asyncio.create_task(backroom.work())
        await asyncio.sleep(0.5)
        await takeover.commit()
        await running
    finally:
        await owner.close()
    assert started(trace, "charge_card") == 0
    assert await shop.fetch("SELECT 1 FROM function_call") == []
    assert await shop.got("maria") == []
