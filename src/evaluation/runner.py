"""Plays suites under one bundle or several, and returns what came of every case: the run document."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from evaluation.asked_models import Purse
from evaluation.case_player import CasePlayer
from evaluation.cases import Case, Suite
from evaluation.journal import Journal, Key
from evaluation.lineup import Lineup
from evaluation.model import Mode
from evaluation.pool import may_fork, play_in_processes
from evaluation.results import CaseResult, Run

OnResult = Callable[[CaseResult], None]
"""Told of each case as it is finished, in no particular order."""

AT_ONCE: Final = 8
"""Cases of one process under way at the same time while they wait for a live model."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a run is made. ``jobs``: processes. ``journal``: where finished cases are kept, to resume from."""

    mode: Mode = "replay"
    epochs: int = 1
    seed: int = 0
    jobs: int = 1
    journal: Path | None = None
    purse: Purse = field(default_factory=Purse)

    @property
    def at_once(self) -> int:
        """Cases of one process at a time. Where nothing is waited for, a second one would only make both look slow."""
        return AT_ONCE if self.mode == "live" else 1


@dataclass(frozen=True, slots=True)
class Task:
    """One case, once, under one bundle: the smallest thing that is finished or not."""

    case: Case
    bundle: str
    epoch: int

    @property
    def key(self) -> Key:
        """What names it, in this run and when it is resumed."""
        return (self.case.suite, self.case.name, self.bundle, self.epoch)


def tasks_of(suites: Sequence[Suite], bundles: Sequence[str], epochs: int) -> list[Task]:
    """Everything to be played, in the order of the document. A case's bundles stand beside each other.

    They take turns in going first: the second finds the message's vector in the cache, and would always be the faster.
    """
    return [
        Task(case, bundle, epoch)
        for suite in suites
        for place, case in enumerate(suite.cases)
        for epoch in range(1, epochs + 1)
        for bundle in (bundles if (place + epoch) % 2 else bundles[::-1])
    ]


async def play_tasks(tasks: Iterable[Task], lineup: Lineup, purse: Purse, at_once: int) -> AsyncGenerator[CaseResult]:
    """Results as they are finished, in this process."""
    players = {
        (suite, label): CasePlayer(contender, lineup.models[suite][label], purse)
        for suite, by_label in lineup.contenders.items()
        for label, contender in by_label.items()
    }
    waiting = iter(tasks)
    under_way: set[asyncio.Task[CaseResult]] = set()
    try:
        while True:
            for task in _first(waiting, at_once - len(under_way)):
                player = players[task.case.suite, task.bundle]
                under_way.add(asyncio.create_task(player.play(task.case, task.epoch)))
            if not under_way:
                return
            finished, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for one in finished:
                yield one.result()
    finally:
        for one in under_way:
            one.cancel()


def run_cases(lineup: Lineup, terms: Terms | None = None, on_result: OnResult = lambda _: None) -> Run:
    """Play all of it and return the document. Models' connections are closed, and what was recorded is kept.

    Raises OtherRunError or NotAJournalError for a journal that cannot be resumed; WorkerDiedError when a process of the
    run was killed, with what is finished in the journal.
    """
    terms, began = terms or Terms(), time.monotonic()
    tasks = tasks_of(lineup.suites, lineup.labels, terms.epochs)
    results: dict[Key, CaseResult] = {}
    journal = Journal(terms.journal, _identity(lineup, terms)) if terms.journal else None
    opened: AbstractContextManager[Any] = journal if journal is not None else nullcontext()
    with opened:
        if journal is not None:
            results |= {task.key: journal.finished[task.key] for task in tasks if task.key in journal.finished}
            # Interrupted and resumed, it is still one run, and may cost no more than one.
            terms.purse.settle(0, journal.cost_micros)
        before = journal.seconds if journal is not None else 0.0
        left = [task for task in tasks if task.key not in results]

        def finished(result: CaseResult) -> None:
            results[result.suite, result.case, result.bundle, result.epoch] = result
            if journal is not None:
                journal.keep(result, before + time.monotonic() - began)
            on_result(result)

        for result in list(results.values()):
            on_result(result)
        if terms.jobs > 1 and len(left) > 1 and may_fork():
            play_in_processes(
                len(left), min(terms.jobs, len(left)), lambda places: _play((left[at] for at in places), lineup, terms),
                finished,
            )  # fmt: skip
        else:
            for result in _here(left, lineup, terms):
                finished(result)
    return Run(
        tenant=lineup.tenant,
        suites=tuple(suite.name for suite in lineup.suites),
        mode=terms.mode,
        epochs=terms.epochs,
        started_at=journal.started_at if journal else _before(time.monotonic() - began),
        seconds=round(before + time.monotonic() - began, 3),
        bundles=lineup.refs,
        results=tuple(results[task.key] for task in tasks),
        seed=terms.seed,
        machine={
            "atende": version("atende"),
            "python": platform.python_version(),
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": str(os.cpu_count() or 1),
            "jobs": str(terms.jobs),
        },
    )


def _before(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() - seconds, UTC).isoformat(timespec="seconds")


async def _play(tasks: Iterable[Task], lineup: Lineup, terms: Terms) -> AsyncGenerator[CaseResult]:
    try:
        async with contextlib.aclosing(play_tasks(tasks, lineup, terms.purse, terms.at_once)) as results:
            async for result in results:
                yield result
    finally:
        await lineup.aclose()


def _here(tasks: Sequence[Task], lineup: Lineup, terms: Terms) -> Iterator[CaseResult]:
    """The same in this process: one loop for all of it, driven result by result."""
    with asyncio.Runner() as loop:
        results = _play(tasks, lineup, terms)
        try:
            while True:
                try:
                    yield loop.run(_next(results))
                except StopAsyncIteration:
                    return
        finally:
            loop.run(results.aclose())


async def _next(results: AsyncGenerator[CaseResult]) -> CaseResult:
    return await anext(results)


def _first(tasks: Iterator[Task], count: int) -> Iterator[Task]:
    for _ in range(count):
        task = next(tasks, None)
        if task is None:
            return
        yield task


def _identity(lineup: Lineup, terms: Terms) -> dict[str, Any]:
    """What must be the same for results to belong to one run."""
    return {
        "suites": {suite.name: suite.digest for suite in lineup.suites},
        "bundles": {ref.label: ref.hash for ref in lineup.refs},
        "tenants": lineup.versions,
        "asked": lineup.others,
        "mode": terms.mode,
        "epochs": terms.epochs,
        "seed": terms.seed,
        "atende": version("atende"),
    }
