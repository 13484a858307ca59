"""Run τ²-bench retail without a model.

    python -m evals.tau2_retail [--seed N] [--tasks ID…] [--every K] [--run NAME] [--verbose]

A scripted model calls what each task's ground truth calls; graph, flows, queue and database are the real ones. First
everything goes well: calls, results and the final database must be the benchmark's. Then functions fail, messages come
twice and workers die at seeded steps, once over the tenant's own records and once over a system of the shop's own,
which has acted even where the answer was lost: the final databases must be the same, and nothing may be done twice.
Exit code 0: all so; 1: not.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tests.database import migrated_template, new_database
from tests.postgres import running_server

from evals.tau2_retail.faults import Faults, OutsideShop
from evals.tau2_retail.kills import KilledGame, mortal_worker
from evals.tau2_retail.play import Outcome, finish, play
from evals.tau2_retail.tasks import Benchmark, Task, load
from evals.tau2_retail.world import open_world

RUNS = ("smooth", "faults", "faults-outside", "kills")
_KILL_CHANCE = 0.3
"""Of a real worker, with each message."""
_TASKS_WITH_KILLS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.tau2_retail", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", nargs="*", default=[], help="only these")
    parser.add_argument("--every", type=int, default=1, help="only every K-th task")
    parser.add_argument("--run", choices=RUNS, help="only this run")
    parser.add_argument("--verbose", action="store_true", help="show each task")
    given = parser.parse_args(arguments)
    benchmark = load()
    chosen = [task for task in benchmark.tasks[:: given.every] if not given.tasks or task.id in given.tasks]
    runs = {name: faults for name, faults in faults_of(given.seed).items() if given.run in {None, name}}
    print(f"seed {given.seed}, {benchmark.source}: {len(chosen)} tasks")
    wrong = 0
    if not given.verbose:
        logging.disable(logging.ERROR)  # what goes wrong on purpose is counted below
    with running_server() as server:
        migrated_template(server)
        for name, faults in runs.items():
            with new_database(server) as dsn:
                wrong += asyncio.run(_run(dsn, name, benchmark, chosen, faults=faults, verbose=given.verbose))
        if given.run in {None, "kills"}:
            with new_database(server) as dsn:
                wrong += asyncio.run(_run_with_kills(dsn, benchmark, chosen, given.seed))
    return 1 if wrong or not chosen else 0


def faults_of(seed: int) -> dict[str, Faults]:
    """The runs, and what goes wrong in them."""
    smooth, own, outside, _ = RUNS
    often = Faults(seed, deaths=0.02, failures=0.04, doubles=0.05)
    return {
        smooth: Faults(seed),
        own: often,
        outside: replace(often, seed=seed + 1, outside=OutsideShop(is_used=True), seen=Counter()),
    }


async def _run(
    dsn: str, name: str, benchmark: Benchmark, tasks: Sequence[Task], *, faults: Faults, verbose: bool
) -> int:
    started = time.monotonic()
    outcomes: list[Outcome] = []
    async with open_world(dsn, benchmark, faults) as world:
        for task in tasks:
            outcomes.append(await play(world, task))
            if verbose or outcomes[-1].problems:
                print(f"  task {task.id}: {'; '.join(outcomes[-1].problems) or 'ok'}")
    right = sum(not outcome.problems for outcome in outcomes)
    ways: Counter[str] = sum((outcome.ways for outcome in outcomes), Counter())
    acts = sum(action.changes for task in tasks for action in task.actions)
    refused = sum(action.refused for task in tasks for action in task.actions)
    print(
        f"{name}: {right} of {len(tasks)} tasks end with the benchmark's database, each act once; "
        f"{sum(outcome.calls for outcome in outcomes)} calls ({acts} acts, {refused} refused), "
        f"{', '.join(f'{count} {way}' for way, count in sorted(ways.items()))}; {time.monotonic() - started:.1f} s"
    )
    if struck := {what: count for what, count in sorted(faults.seen.items()) if count}:
        print("  " + ", ".join(f"{count} × {what}" for what, count in struck.items()))
    return len(tasks) - right


async def _run_with_kills(dsn: str, benchmark: Benchmark, tasks: Sequence[Task], seed: int) -> int:
    """A few tasks with a real worker process that is killed again and again."""
    started, chance = time.monotonic(), random.Random(seed)  # noqa: S311  repeatable, not secret
    acting = [task for task in tasks if 2 <= len(task.actions) <= 6 and any(action.changes for action in task.actions)]
    chosen = chance.sample(acting, min(_TASKS_WITH_KILLS, len(acting)))
    outcomes = []
    async with open_world(dsn, benchmark, Faults(seed, failures=1e-9)) as world:
        with mortal_worker(dsn, world.model.base_url, chance, _KILL_CHANCE) as worker:
            for task in chosen:
                game = KilledGame(world, task, f"customer-{task.id}", worker=worker)
                outcomes.append(await finish(game))
                print(f"  task {task.id}: {'; '.join(outcomes[-1].problems) or 'ok'}")
    right = sum(not outcome.problems for outcome in outcomes)
    print(
        f"kills: {right} of {len(chosen)} tasks end with the benchmark's database, each act once; "
        f"{worker.kills} workers killed; {time.monotonic() - started:.1f} s"
    )
    return len(chosen) - right


if __name__ == "__main__":
    sys.exit(main())
