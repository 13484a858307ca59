"""Every figure of the reports, counted once more from a script of what happened, in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain.errors import InvalidInputError
from flows.reports import FIGURES, Reports, Wish
from store import episodes, events
from store.database import Database
from tests.database import Number
from tests.flows.report_counts import COUNTS, DAYS, Narrowed
from tests.flows.report_story import FIRST, LAST, NOW, START, Story, told


@pytest.fixture
async def story(owner_dsn: str) -> AsyncIterator[Story]:
    """Sixty scripted conversations, the clock at NOW."""
    async with told(owner_dsn) as played:
        yield played


async def test_that_every_figure_is_what_a_count_of_the_script_gives(story: Story) -> None:
    reports = Reports(story.db, clock=lambda: NOW)
    await _compare(story, reports)
    async with story.db.transaction(story.tenant) as tx:
        while await episodes.settle(tx, 20):
            pass
        left = await tx.fetchval(
            "SELECT count(*) FROM conversation_episode WHERE NOT settled AND closed_at < now() - interval '10 minutes'"
        )
    assert left == 0
    await _compare(story, reports)  # writing the answers down changes no figure
    await _check_groups(story, reports)


async def _compare(story: Story, reports: Reports) -> None:
    for wish in _wishes(story):
        for name in (
            "conversations",
            "automatic_resolution",
            "suggestions",
            "first_answer",
            "handling",
            "handoffs",
            "intents",
            "deliveries",
            "satisfaction",
            "costs",
        ):
            counted = await reports.count(story.tenant, name, wish)
            here, there = counted.days, counted.days.before()
            narrowed = {key: value for key, value in wish.filters().items() if key not in counted.ignored}
            for part, days in ((counted.total, here), (counted.before, there)):
                if name == "costs" and not narrowed:
                    continue  # of the ledger, which has a test of its own
                wanted = COUNTS[name](story, Narrowed(days.start, days.end, narrowed))
                for column, value in wanted.items():
                    assert part[column] == pytest.approx(value), (name, column, wish, days)
            if counted.by == "day":
                first = counted.figure.columns[0].name
                assert sum(row[first] for row in counted.rows) == counted.total[first], name
                assert [row["key"] for row in counted.rows] == here.each()
                wanted_days = DAYS.get(name, lambda *_: None)(story, Narrowed(here.start, here.end, narrowed))
                if wanted_days is not None:
                    assert {row["key"]: row[first] for row in counted.rows if row[first]} == wanted_days, name
            if name == "handoffs":
                kept = Narrowed(here.start, here.end, narrowed)
                reasons = Counter(one["reason"] for one in kept.of(story.handoffs))
                if counted.by == "reason":
                    assert {row["key"]: row["handoffs"] for row in counted.rows} == reasons


def _wishes(story: Story) -> list[Wish]:
    person, number, team = str(story.people[1].user_id), str(story.numbers[1]), str(story.teams[0])
    return [
        Wish(FIRST, LAST),
        Wish(FIRST, LAST, number=number),
        Wish(FIRST, LAST, team=team),
        Wish(FIRST, LAST, operator=person),
        Wish(FIRST, LAST, intent="returns"),
        Wish(FIRST, LAST, number=number, intent="prices"),
    ]


async def test_that_numbers_online_and_the_cost_of_models_are_read_from_their_own_records(owner_dsn: str) -> None:
    async with told(owner_dsn, contacts=0) as story:
        await _check_own_records(story)


async def _check_own_records(story: Story) -> None:
    reports, number = Reports(story.db, clock=lambda: NOW), story.numbers[0]
    changes = [(timedelta(days=9), "disconnected"), (timedelta(days=12), "connected"), (timedelta(days=16), "error")]
    for after, status in changes:
        await story.clock.set(START + after)
        async with story.db.transaction(story.tenant) as tx:
            payload = {"channel_session_id": str(number), "status": status}
            await events.append(tx, story.tenant, "session.status", payload=payload)
    async with story.db.transaction(story.tenant) as tx:
        for day, cost in (("2026-03-10", 70), ("2026-03-11", 500), ("2026-03-20", 41), ("2026-03-21", 9000)):
            await tx.execute(
                "INSERT INTO model_spending (tenant_id, span, key, cost_micros, tokens, calls) "
                "VALUES ($1, 'day', $2, $3::bigint, $3::bigint * 2, 1)",
                story.tenant,
                day,
                cost,
            )
    up = await reports.count(story.tenant, "sessions_up", Wish(FIRST, LAST))
    asked = {row["label"]: row for row in up.rows}
    beginning, end = up.days.start, up.days.end
    off = START + timedelta(days=12) - beginning + (end - (START + timedelta(days=16)))
    assert asked["Sales"]["known"] == (end - beginning).total_seconds()
    assert asked["Sales"]["up"] == pytest.approx((end - beginning - off).total_seconds())
    assert asked["Sales"]["outages"] == 1  # the first one began before these days
    assert asked["Support"]["share"] == 1
    costs = await reports.count(story.tenant, "costs", Wish(FIRST, LAST))
    assert (costs.total["cost"], costs.total["tokens"], costs.before["cost"]) == (541, 1082, 70)
    assert {row["key"]: row["cost"] for row in costs.rows if row["cost"]} == {"2026-03-11": 500, "2026-03-20": 41}


async def _check_groups(story: Story, reports: Reports) -> None:
    for name, figure in FIGURES.items():
        for by in figure.groups():
            counted = await reports.count(story.tenant, name, Wish(FIRST, LAST, by=by))
            assert counted.by == by
            first = figure.columns[0].name
            if by in {"day", "number", "team", "reason"} and name not in {"costs", "sessions_up"}:
                assert sum(row[first] or 0 for row in counted.rows) == counted.total[first], (name, by)


async def test_that_a_range_or_filter_that_makes_no_sense_is_refused(db: Database, number: Number) -> None:
    reports = Reports(db)
    for wish in (Wish("x", None), Wish(LAST, FIRST), Wish(number="nobody"), Wish(by="moon"), Wish("1999-01-01", None)):
        with pytest.raises(InvalidInputError):
            await reports.count(number.tenant_id, "conversations", wish)
