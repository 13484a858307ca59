"""Budgets of language models: held before a call, counted after it, never broken by turns at the same time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from agent.language_model import ModelPrice, ModelSettings, Usage
from domain.budgets import Amount, Budgets, Limit, Span, spans_at
from flows.budgets import Spendings, TurnBudget
from store import spending
from store.database import Database
from tests.database import Number
from tests.flows.backroom import Backroom, open_backroom
from tests.flows.shop import Shop
from tests.flows.test_groups import MARIA, PEDRO, InGroup
from tests.openai_server import ScriptedOpenAI

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
NOON = datetime(2026, 11, 22, 15, tzinfo=UTC).astimezone(SAO_PAULO)
ASKED = Usage(80, 20, 100)
"""The most that a call may use, for the tests here: 100 tokens for 100 millionths."""


def budget_of(
    db: Database | Spendings, tenant_id: UUID, budgets: Budgets, *, local: datetime = NOON, patience: float = 0
) -> TurnBudget:
    """``db``: the turn is alone in its process; else one of those that share transactions."""
    return TurnBudget(
        db if isinstance(db, Spendings) else Spendings(db),
        tenant_id,
        spans_at(local, uuid4(), 0),
        budgets,
        patience_seconds=patience,
    )


async def counted(db: Database, tenant_id: UUID, span: Span = Span.DAY, key: str = "2026-11-22") -> Amount:
    async with db.transaction(tenant_id) as tx:
        return await spending.spent(tx, tenant_id, span, key)


@pytest.mark.parametrize(
    ("limit", "span", "processes"),
    [
        (Limit(cost_micros=500), Span.DAY, 20),
        (Limit(tokens=500), Span.MONTH, 20),
        (Limit(tokens=500), Span.DAY, 1),
        (Limit(cost_micros=500), Span.MONTH, 3),
    ],
    ids=["money of a day", "tokens of a month", "in one process", "in three processes"],
)
async def test_that_turns_at_the_same_time_never_break_a_limit_together(
    db: Database, number: Number, limit: Limit, span: Span, processes: int
) -> None:
    budgets = Budgets(**{span.value: limit})
    spendings = [Spendings(db) for _ in range(processes)]

    async def turn(n: int) -> bool:
        budget = budget_of(spendings[n % processes], number.tenant_id, budgets)
        if await budget.hold(ASKED) is not None:
            return False
        await asyncio.sleep(0.05)  # all of them hold at once
        budget.spend(ASKED)
        await budget.close()
        return True

    granted = await asyncio.gather(*(turn(n) for n in range(20)))
    assert sum(granted) == 5
    assert await counted(db, number.tenant_id) == Amount(500, 500)


async def test_that_who_is_only_held_up_by_running_calls_waits_for_what_they_leave(
    db: Database, number: Number
) -> None:
    budgets = Budgets(day=Limit(tokens=150))
    first, second = (budget_of(db, number.tenant_id, budgets, patience=30) for _ in range(2))
    assert await first.hold(ASKED) is None
    waiting = asyncio.create_task(second.hold(ASKED))
    await asyncio.sleep(0.4)
    assert not waiting.done()
    first.spend(Usage(20, 10, 30))  # far less than it might have been
    await first.close()
    assert await waiting is None
    second.spend(ASKED)
    await second.close()
    assert await counted(db, number.tenant_id) == Amount(130, 130)


async def test_that_a_used_up_limit_is_told_at_once_and_names_itself(db: Database, number: Number) -> None:
    budgets = Budgets(day=Limit(tokens=150), month=Limit(cost_micros=1_000_000))
    budget = budget_of(db, number.tenant_id, budgets, patience=3600)
    assert await budget.hold(ASKED) is None
    budget.spend(ASKED)
    assert await budget.hold(ASKED) == "200 of 150 tokens per day"
    await budget.close()
    assert await counted(db, number.tenant_id) == Amount(100, 100)
    assert (
        await budget_of(db, number.tenant_id, Budgets(day=Limit(tokens=99))).hold(ASKED) == "200 of 99 tokens per day"
    )
    assert await budget_of(db, number.tenant_id, Budgets(day=Limit(tokens=0))).hold(ASKED) is not None


async def test_that_a_conversations_own_limit_leaves_others_alone(db: Database, number: Number) -> None:
    budgets = Budgets(conversation=Limit(tokens=100))
    ones, others = budget_of(db, number.tenant_id, budgets), budget_of(db, number.tenant_id, budgets)
    assert await ones.hold(ASKED) is None
    ones.spend(ASKED)
    assert await ones.hold(ASKED) == "200 of 100 tokens per conversation"
    assert await others.hold(ASKED) is None


async def test_that_days_and_months_end_at_the_tenants_own_midnight(db: Database, number: Number) -> None:
    budgets = Budgets(day=Limit(tokens=100))
    late = datetime(2026, 12, 1, 2, 59, tzinfo=UTC)  # still November in São Paulo, December in UTC
    before = budget_of(db, number.tenant_id, budgets, local=late.astimezone(SAO_PAULO))
    assert await before.hold(ASKED) is None
    before.spend(ASKED)
    await before.close()
    after = budget_of(db, number.tenant_id, budgets, local=late.replace(hour=3).astimezone(SAO_PAULO))
    assert await after.hold(ASKED) is None
    assert await counted(db, number.tenant_id, Span.DAY, "2026-11-30") == Amount(100, 100)
    assert await counted(db, number.tenant_id, Span.MONTH, "2026-11") == Amount(100, 100)
    assert await counted(db, number.tenant_id, Span.MONTH, "2026-12") == Amount(0, 0)


async def test_that_what_a_dead_process_held_blocks_nobody_for_long(db: Database, number: Number) -> None:
    budgets = Budgets(day=Limit(tokens=150))
    assert await budget_of(db, number.tenant_id, budgets).hold(ASKED) is None  # and it is never heard of again
    assert await budget_of(db, number.tenant_id, budgets).hold(ASKED) is not None
    async with db.transaction(number.tenant_id) as tx:
        await tx.execute("UPDATE model_spending SET held_until = now() - interval '1 second'")
    survivor = budget_of(db, number.tenant_id, budgets)
    assert await survivor.hold(ASKED) is None
    survivor.spend(Usage(1, 1, 2))
    await survivor.close()
    assert await counted(db, number.tenant_id) == Amount(2, 2)
    async with db.transaction(number.tenant_id) as tx:
        assert await tx.fetchval("SELECT held_tokens FROM model_spending WHERE span = 'day'") == 0


async def set_settings(shop: Shop, **settings: object) -> None:
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET settings = settings || $1, profile_version = profile_version + 1", settings)


async def test_that_over_budget_the_customer_is_told_and_a_person_goes_on(shop: Shop, trace: object) -> None:
    async with ScriptedOpenAI([{"when": ".", "reply": "Claro, sem problema."}]) as server:
        settings = ModelSettings("m", server.base_url, prices={"m": ModelPrice(1.0, 2.0)})
        # One call costs 120 + 2 * 30; the prompt allows 500 tokens of output, so that a call holds over 1,000.
        await set_settings(shop, budgets={"day": {"cost": "0.003"}}, second_reading=False)
        async with open_backroom(shop, model=settings) as backroom:
            for n in range(4):
                await shop.write(f"contact{n}", "blarg zzyx")
                await backroom.rest()
            assert await shop.got("contact0") == ["Claro, sem problema."]
            while not await shop.fetch("SELECT 1 FROM handoff"):
                n += 1
                assert n < 30
                await shop.write(f"contact{n}", "blarg zzyx")
                await backroom.rest()
    (handoff,) = await shop.fetch("SELECT reason, announced FROM handoff")
    assert (handoff["reason"], handoff["announced"]) == ("cost_cap", True)
    assert len(await shop.got(f"contact{n}")) == 1
    turns = await shop.fetch("SELECT cost_micros, trace FROM turn WHERE model IS NOT NULL ORDER BY created_at")
    (day,) = await shop.fetch("SELECT * FROM model_spending WHERE span = 'day'")
    answered = [turn for turn in turns if turn["cost_micros"]]
    assert (day["cost_micros"], day["calls"]) == (sum(turn["cost_micros"] for turn in answered), len(answered))
    assert day["cost_micros"] == 180 * len(server.requests) <= 3_000
    assert day["held_micros"] == 0
    windows = await shop.fetch("SELECT calls FROM model_spending WHERE span = 'conversation'")
    assert [row["calls"] for row in windows] == [1] * len(answered)


async def test_that_a_group_is_one_conversation_for_its_budget_and_is_told_once(
    shop: Shop, trace: object, tmp_path: Path
) -> None:
    async with ScriptedOpenAI([{"when": ".", "reply": "Claro, sem problema."}]) as server:
        settings = ModelSettings("m", server.base_url, prices={"m": ModelPrice(1.0, 2.0)})
        await set_settings(shop, budgets={"conversation": {"cost": "0.003"}}, second_reading=False)
        async with open_backroom(shop, model=settings) as backroom:
            group = InGroup(backroom, tmp_path)
            await group.allow("mentioned")
            n = 0
            while not await shop.fetch("SELECT 1 FROM handoff"):
                n += 1
                assert n < 30
                who, name = ((MARIA, "Maria"), (PEDRO, "Pedro"))[n % 2]
                await group.say("frumious gente", who, name)  # said to others: it costs nothing
                await group.say("blarg zzyx", who, name, mentions_me=True)
                await group.answers()
            before = len(server.requests)
            await group.say("blarg zzyx", mentions_me=True)
            sent = await group.answers()
    (handoff,) = await shop.fetch("SELECT reason, announced FROM handoff")
    assert (handoff["reason"], handoff["announced"]) == ("cost_cap", True)
    assert [text for _, text in sent].count("Claro, sem problema.") == n - 1 == before
    assert len(sent) == n
    assert len(server.requests) == before  # a person has it now


async def test_that_a_voided_turns_calls_are_counted_too(shop: Shop, trace: object) -> None:
    async with ScriptedOpenAI(
        [{"when": "zzyx", "reply": "Primeira.", "delay": 1.0}, {"when": ".", "reply": "Outra."}]
    ) as server:
        async with open_backroom(shop, model=ModelSettings("m", server.base_url)) as backroom:
            await shop.write("maria", "blarg zzyx")
            assert await _first_job(backroom)
            job = await backroom.take_job()
            assert job is not None
            running = asyncio.create_task(backroom.run_job(job))
            while not server.requests:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)
            await shop.write("maria", "frumious blarg")
            await running
            await backroom.rest()
        assert await shop.got("maria") == ["Outra."]
        (day,) = await shop.fetch("SELECT calls, tokens FROM model_spending WHERE span = 'day'")
        assert (day["calls"], day["tokens"]) == (4, 600)  # two replies, and a second reading of each


async def _first_job(backroom: Backroom) -> bool:
    """Run the job of the quick queue, which finds that a model is needed."""
    job = await backroom.take_job()
    if job is not None:
        await backroom.run_job(job)
    return job is not None
