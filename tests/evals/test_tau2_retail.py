"""τ²-bench retail in small: some tasks as they are, and some while functions fail and workers die."""

from __future__ import annotations

import dataclasses
import random

import pytest
from evals.tau2_retail.__main__ import faults_of
from evals.tau2_retail.customer import requests
from evals.tau2_retail.faults import Faults
from evals.tau2_retail.play import play
from evals.tau2_retail.tasks import Benchmark, Task, load, shared_folder
from evals.tau2_retail.world import open_world

SEED = 20261122
whole = pytest.mark.skipif(
    not shared_folder().is_dir(), reason="the benchmark's data are absent; ATENDE_SHARED may tell where they are"
)


def some(benchmark: Benchmark, count: int, seed: int = SEED) -> list[Task]:
    """A seeded choice of tasks that act, none of them very long."""
    brief = [task for task in benchmark.tasks if len(task.actions) <= 6 and any(a.writes for a in task.actions)]
    print(f"seed {seed}")  # noqa: T201  to run a failure again
    return random.Random(seed).sample(brief, count)


async def problems(owner_dsn: str, benchmark: Benchmark, tasks: list[Task], faults: Faults) -> dict[str, object]:
    async with open_world(owner_dsn, benchmark, faults) as world:
        outcomes = [await play(world, task) for task in tasks]
    return {outcome.task: outcome.problems for outcome in outcomes if outcome.problems}


async def test_that_the_sample_of_the_benchmark_ends_with_its_databases(owner_dsn: str) -> None:
    benchmark = load(sample=True)
    assert not await problems(owner_dsn, benchmark, list(benchmark.tasks), Faults(SEED))


@pytest.mark.shared
@whole
async def test_that_tasks_of_the_whole_benchmark_end_with_its_databases(owner_dsn: str) -> None:
    benchmark = load()
    assert not await problems(owner_dsn, benchmark, some(benchmark, 4), Faults(SEED))


@pytest.mark.parametrize("run", ["faults", "faults-outside"])
async def test_that_nothing_is_done_twice_while_workers_die_and_functions_fail(owner_dsn: str, run: str) -> None:
    faults = dataclasses.replace(faults_of(SEED)[run], deaths=0.05)
    benchmark = load(sample=True)
    assert not await problems(owner_dsn, benchmark, list(benchmark.tasks), faults)
    assert sum(count for what, count in faults.seen.items() if what.startswith("died")) >= 3, faults.seen


async def test_that_a_wrong_or_missing_act_is_noticed(owner_dsn: str) -> None:
    benchmark = load(sample=True)
    (task,) = [task for task in benchmark.tasks if task.id == "73"]
    (act,) = task.actions
    fewer = dataclasses.replace(act, arguments={**act.arguments, "item_ids": act.arguments["item_ids"][:1]})
    found = await problems(owner_dsn, benchmark, [dataclasses.replace(task, actions=(fewer,))], Faults(SEED))
    assert "the final database is another one" in found["73"]  # type: ignore[operator]
    none = dataclasses.replace(task, id="73-none", actions=())
    found = await problems(owner_dsn, benchmark, [none], Faults(SEED))
    assert found == {"73-none": ("the final database is another one",)}


def test_that_a_turn_is_asked_for_one_act_at_most() -> None:
    for task in load().tasks:
        for request in requests(task):
            assert all(not action.writes for action in request.actions[:-1])
        assert [action for request in requests(task) for action in request.actions] == list(task.actions)
