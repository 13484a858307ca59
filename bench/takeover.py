"""Takeovers against running turns, in seeded interleavings on a real PostgreSQL: who still speaks afterwards?

    python bench/takeover.py [--seed 1] [--cases 10000] [--processes 2] [--broken claim|decide]

Each case is one customer's message and what may come in between while it is answered: an operator claims, replies or
closes, somebody writes on the paired phone, the customer writes again, edits or deletes, a second worker runs the same
turn, an operator approves a suggestion that is being overtaken. Statements of all of them alternate in an order drawn
from the seed (bench/steps.py). Triggers look at each automatic message in the very transaction that lets it leave, at
each act of the agent and each approval; afterwards the case is brought to rest and every message must have exactly one
answer or be a person's. ``--broken`` takes a fence out of a statement, in this process only, and must be found out.
Exit code 0: nothing wrong; 1: something was.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from unittest import mock

sys.path.pop(0)  # this folder: it has an agent.py
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import asyncpg
from bench.steps import SteppedDatabase, thinking
from bench.takeover_case import Bench, Case
from bench.takeover_watch import WATCH
from langgraph.checkpoint.memory import InMemorySaver
from tests.database import SECRET, migrated_template, new_database
from tests.postgres import FAST, running_server

from agent.encoder import default_encoder
from agent.graph import Agent
from agent.language_model import ModelClients
from agent.prompts import load_prompts
from agent.texts import load_texts
from agent.turn import TurnContext, TurnInput, TurnResult
from flows.approvals import Approvals
from flows.desk import Actor, Desk
from flows.inbound import Inbound
from flows.profiles import Installation, Profiles
from flows.stopping import KillSwitch
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from store import outbox, turns
from store.database import Database
from store.wakeup import Wakeup

SHOP = Path(__file__).parent / "takeover_shop"
BROKEN = {
    "claim": (outbox, "_CLAIM", "(o.fence IS NULL OR o.fence = c.fence)", "(o.fence IS NULL OR true)"),
    "decide": (turns, "_DECIDE", "AND fence = $2 AND status = 'bot'", "AND $2::bigint IS NOT NULL"),
}
"""Statements with their fence, and without it."""


class SteppedAgent(Agent):
    """The same agent; somebody may come in before it begins and after it has decided."""

    async def run(self, turn: TurnInput, context: TurnContext) -> TurnResult:
        async with thinking():
            return await super().run(turn, context)


@asynccontextmanager
async def open_bench(owner_dsn: str, *, at_once: int) -> AsyncIterator[Bench]:
    """The shop imported into a migrated database, with the triggers that look."""
    owner = await asyncpg.create_pool(
        owner_dsn, min_size=1, max_size=8, server_settings={"search_path": "public, queue"}
    )
    plain = await Database.open(owner_dsn, SECRET, max_connections=4)
    imported = await import_tenant(owner_dsn, plain, load_tenant(SHOP), default_encoder(), today=date.today())  # noqa: DTZ011
    await owner.execute(WATCH)
    stepped = await SteppedDatabase.open(owner_dsn, SECRET, max_connections=6 * at_once)
    wakeup, clients = Wakeup(plain, interval=0.5), ModelClients()
    users = await owner.fetch("SELECT user_id FROM membership ORDER BY role")
    inbound = Inbound(stepped, wakeup)
    rui, ana = (Actor(imported.tenant_id, row["user_id"], "Rui") for row in users[:2])
    profiles = Profiles(plain, Installation((SHOP.parent,), default_encoder(), clients))
    desk = Desk(stepped, wakeup, Approvals(stepped, wakeup))
    yield Bench(
        owner,
        stepped,
        imported.tenant_id,
        inbound,
        desk,
        (rui, ana),
        profiles,
        SteppedAgent(load_prompts(), load_texts(), InMemorySaver()),
        KillSwitch(stepped, wakeup),
        wakeup,
    )
    await wakeup.close()
    await clients.aclose()
    await stepped.close()
    await plain.close()
    await owner.close()


async def run(bench: Bench, *, seed: int, cases: Iterable[int], at_once: int, only: str | None = None) -> None:
    """Play the cases, ``at_once`` at a time on numbers of their own. ``only``: with that disturbance alone."""
    numbers = iter(cases)

    async def lane(place: int) -> None:
        session = await bench.slot(f"lane {place}")
        for number in numbers:
            await Case(bench, session, f"{seed} {number}", only).play()

    async with asyncio.TaskGroup() as lanes:
        for place in range(at_once):
            lanes.create_task(lane(place))


@dataclass
class Findings:
    """What the cases came to."""

    did: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    steps: int = 0

    def verdict(self) -> str:
        """One line with what was looked for."""
        after = sum("after a takeover" in wrong for wrong in self.wrong)
        stale = sum("stale" in wrong for wrong in self.wrong)
        doubled = sum("doubled" in wrong for wrong in self.wrong)
        rest = len(self.wrong) - after - stale - doubled
        return f"replies after a takeover: {after}, stale: {stale}, doubled: {doubled}, other: {rest}"


async def played(
    owner_dsn: str, *, seed: int, cases: Iterable[int], at_once: int, broken: str | None = None, only: str | None = None
) -> Findings:
    """Play the cases in a migrated database; ``broken`` names a statement to run without its fence."""
    async with open_bench(owner_dsn, at_once=at_once) as bench:
        module, name, fence, none = BROKEN[broken or "claim"]
        statement: str = getattr(module, name)
        if fence not in statement:
            raise ValueError(f"{name} has no {fence!r} any more: the control would show nothing")
        with mock.patch.object(module, name, statement.replace(fence, none) if broken else statement):
            await run(bench, seed=seed, cases=cases, at_once=at_once, only=only)
        return Findings(bench.did, bench.wrong, bench.steps)


def measure(seed: int, cases: range, at_once: int, broken: str | None) -> Findings:
    """The same on a server of its own."""
    # Two that wait for each other are told so at once; the flows then begin again.
    settings = {**FAST, "max_connections": "250", "deadlock_timeout": "20ms"}
    with running_server(settings) as server:
        migrated_template(server)
        with new_database(server) as dsn:
            return asyncio.run(played(dsn, seed=seed, cases=cases, at_once=at_once, broken=broken))


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=16, help="conversations side by side in each process")
    parser.add_argument("--processes", type=int, default=2, help="each with a PostgreSQL of its own")
    parser.add_argument("--broken", choices=sorted(BROKEN))
    given = parser.parse_args()
    started, found = time.monotonic(), Findings()
    shares = [range(place, given.cases, given.processes) for place in range(given.processes)]
    with ProcessPoolExecutor(given.processes) as pool:
        running = [pool.submit(measure, given.seed, share, given.at_once, given.broken) for share in shares]
        for share in running:
            part = share.result()
            found.did += part.did
            found.wrong += part.wrong
            found.steps += part.steps
    print(f"seed {given.seed}, {given.cases} cases, {found.steps} steps, {time.monotonic() - started:.0f} s")
    for name, times in sorted(found.did.items()):
        print(f"  {times:7} {name}")
    print(found.verdict())
    for wrong in found.wrong[:20]:
        print(f"  {wrong}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
