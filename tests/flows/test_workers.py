"""Real worker processes on a real queue: bursts, crashes, freezes. Each customer is answered once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from store.database import Database
from tests.flows.shop import FOLDER, Shop, eventually, open_shop
from tests.worker_process import workers

DONE = "A consulta terminou."


@pytest.fixture
async def shop(owner_dsn: str, db: Database) -> AsyncIterator[Shop]:
    async with open_shop(owner_dsn, db) as opened:
        yield opened


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace"
    path.touch()
    return path


def runs(trace: Path) -> list[list[str]]:
    """What the functions wrote down: [time, function, start or end, contact, key, pid]."""
    return [line.split() for line in trace.read_text().splitlines()]


async def started_running(trace: Path, *, count: int = 1) -> None:
    async def enough() -> bool:
        return len([run for run in runs(trace) if run[2] == "start"]) >= count

    await eventually(enough, within=60, what=f"start number {count}")


async def answers(shop: Shop, contact: str, *, count: int = 1, within: float = 60) -> float:
    async def enough() -> bool:
        return len(await shop.got(contact)) >= count

    return await eventually(enough, within=within, what=f"answer number {count} to {contact}")


async def nothing_waits(shop: Shop) -> None:
    async def idle() -> bool:
        rows = await shop.fetch(
            "SELECT 1 FROM conversation WHERE status = 'bot' AND last_inbound_id > answered_upto_id "
            "UNION ALL SELECT 1 FROM outbox_message WHERE state IN ('queued', 'sending')"
        )
        return not rows

    await eventually(idle, within=60, what="rest")


async def test_that_five_quick_messages_get_one_turn_that_saw_all_five(owner_dsn: str, shop: Shop, trace: Path) -> None:
    await shop.debounce(1.0, 5.0)
    with workers(owner_dsn, FOLDER.parent, trace, 2):
        for text in ("oi", "tudo bem?", "então", "eu queria", "a consulta lenta por favor"):
            await shop.write("maria", text)
            await asyncio.sleep(0.2)
        await answers(shop, "maria")
        await nothing_waits(shop)
        turns = await shop.fetch("SELECT upto_message_id FROM turn")
        last = await shop.fetch("SELECT max(id) AS id FROM message WHERE author = 'contact'")
        assert [turn["upto_message_id"] for turn in turns] == [last[0]["id"]]
        assert len(await shop.got("maria")) == 1


async def test_that_a_stream_of_fragments_is_answered_at_the_cap(owner_dsn: str, shop: Shop, trace: Path) -> None:
    await shop.debounce(1.0, 2.0)
    with workers(owner_dsn, FOLDER.parent, trace, 1):
        # A fragment that comes while the turn runs overtakes it, so on a busy machine it needs more than one chance.
        for _ in range(50):
            await shop.write("maria", "consulta lenta")
            await asyncio.sleep(0.4)
            if await shop.got("maria"):
                break
        else:
            pytest.fail("the slide was not capped")


async def test_that_a_message_during_a_running_turn_gets_exactly_one_follow_up(
    owner_dsn: str, shop: Shop, trace: Path
) -> None:
    await shop.take_seconds("slow_lookup", 2)
    with workers(owner_dsn, FOLDER.parent, trace, 2):
        await shop.write("maria", "faz a consulta lenta")
        await started_running(trace)
        for text in ("por favor", "é a consulta lenta mesmo"):
            await shop.write("maria", text)
        await answers(shop, "maria")
        await nothing_waits(shop)
        # The first turn was overtaken while it ran; one further turn answered everything.
        assert await shop.got("maria") == [f"{text}" for text in [(await shop.got("maria"))[0]]]
        assert len([run for run in runs(trace) if run[2] == "start"]) == 2
        assert len(await shop.fetch("SELECT 1 FROM turn WHERE status = 'decided'")) == 1


@pytest.mark.parametrize("next_turn_waits", [False, True], ids=["alone", "with the next turn waiting"])
async def test_that_a_killed_worker_s_turn_runs_again_and_is_answered_once(
    owner_dsn: str, shop: Shop, trace: Path, next_turn_waits: bool
) -> None:
    await shop.take_seconds("slow_lookup", 3)
    with workers(owner_dsn, FOLDER.parent, trace, 1) as (victim,):
        await shop.write("maria", "faz a consulta lenta")
        await started_running(trace)
        if next_turn_waits:
            await shop.write("maria", "quero a consulta lenta")
        victim.kill()
        await shop.take_seconds("slow_lookup", 0)
        with workers(owner_dsn, FOLDER.parent, trace, 1):
            await answers(shop, "maria")
            await nothing_waits(shop)
            assert len(await shop.got("maria")) == 1
            await shop.write("maria", "mais uma consulta lenta")
            await answers(shop, "maria", count=2)


async def test_that_a_frozen_worker_that_wakes_up_late_adds_nothing(owner_dsn: str, shop: Shop, trace: Path) -> None:
    await shop.take_seconds("slow_lookup", 2)
    with workers(owner_dsn, FOLDER.parent, trace, 1) as (frozen,):
        await shop.write("maria", "faz a consulta lenta")
        await started_running(trace)
        frozen.freeze()
        await shop.take_seconds("slow_lookup", 0)
        with workers(owner_dsn, FOLDER.parent, trace, 1):
            await answers(shop, "maria")
            frozen.thaw()
            await asyncio.sleep(4)  # long enough for the thawed one to finish its turn and try to write
            assert len(await shop.got("maria")) == 1
            assert len(await shop.fetch("SELECT 1 FROM turn WHERE status = 'decided'")) == 1


async def test_that_two_workers_never_run_one_conversation_at_once(owner_dsn: str, shop: Shop, trace: Path) -> None:
    await shop.take_seconds("slow_lookup", 0.3)
    contacts = [f"contact{n}" for n in range(6)]
    # On a machine that gives one of them no time for seconds, it would be taken for dead, rightly.
    with workers(owner_dsn, FOLDER.parent, trace, 2, stalled=200):
        rounds = 0
        while rounds < 6 or (rounds < 100 and len({run[5] for run in runs(trace)}) < 2):  # one may start late
            rounds += 1
            for contact in contacts:
                await shop.write(contact, "faz a consulta lenta")
            await asyncio.sleep(0.25)
        await nothing_waits(shop)
    running: set[str] = set()
    assert len({run[5] for run in runs(trace)}) == 2, "both workers should have worked"
    for _, _, what, contact, _, _ in sorted(runs(trace)):
        if what == "start":
            assert contact not in running, "two turns of one conversation ran at once"
            running.add(contact)
        else:
            running.discard(contact)


async def test_that_repeated_crashes_leave_no_conversation_blocked(owner_dsn: str, shop: Shop, trace: Path) -> None:
    await shop.take_seconds("slow_lookup", 1)
    contacts = [f"contact{n}" for n in range(8)]
    for round_ in range(2):
        with workers(owner_dsn, FOLDER.parent, trace, 1) as (victim,):
            for contact in contacts:
                await shop.write(contact, f"faz a consulta lenta {round_}")
            await started_running(trace, count=8 * round_ + 1)
            await asyncio.sleep(0.3)
            for contact in contacts[::2]:
                await shop.write(contact, "e a consulta lenta?")
            victim.kill()
    await shop.take_seconds("slow_lookup", 0)
    with workers(owner_dsn, FOLDER.parent, trace, 2):
        for contact in contacts:
            await answers(shop, contact, within=60)
        await nothing_waits(shop)
        answered = {contact: len(await shop.got(contact)) for contact in contacts}
    decided = await shop.fetch("SELECT count(*) AS n FROM turn WHERE status = 'decided'")
    assert sum(answered.values()) == decided[0]["n"]


async def test_that_a_job_whose_end_could_not_be_recorded_does_not_block_its_conversation(
    owner_dsn: str, shop: Shop, trace: Path
) -> None:
    await shop.take_seconds("slow_lookup", 2)
    owner = await asyncpg.connect(owner_dsn)
    with workers(owner_dsn, FOLDER.parent, trace, 1):
        await shop.write("maria", "faz a consulta lenta")
        await started_running(trace)
        for _ in range(25):  # while the turn ends, no connection of the queue lives long enough to say so
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename LIKE 'atende_queue%' AND datname = current_database()"
            )
            await asyncio.sleep(0.1)
        await answers(shop, "maria")
        await shop.take_seconds("slow_lookup", 0)
        await shop.write("maria", "mais uma consulta lenta")
        await answers(shop, "maria", count=2, within=60)
    await owner.close()
