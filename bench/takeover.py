"""Takeovers against running turns, in seeded interleavings on a real PostgreSQL: who still speaks afterwards?

    python bench/takeover.py [--seed 1] [--cases 10000] [--at-once 12] [--broken claim|decide]

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
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import asyncpg

from agent.encoder import default_encoder
from agent.graph import Agent, build_agent
from agent.language_model import ModelClients
from bench.steps import Steps, SteppedDatabase, step
from channels.base import MessageEdited, MessageReceived, MessageRevoked, SessionRef
from domain.errors import AtendeError
from domain.messages import Address, AddressKind, Outbound, Sent
from flows import housekeeping
from flows.approvals import Approvals
from flows.delivery import Delivery
from flows.desk import Actor, Desk
from flows.inbound import Inbound, SessionInfo
from flows.profiles import Installation, Profiles
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from flows.turn import Turns
from store import outbox, turns
from store.database import Database
from store.wakeup import Wakeup
from tests.database import SECRET, migrated_template, new_database
from tests.postgres import FAST, running_server

SHOP = Path(__file__).parent / "takeover_shop"
SAYS = ("tem no estoque?", "quero reservar uma mesa", "oi", "obrigado, e o estoque?")
LATER = ("e quero reservar uma mesa", "tem no estoque?", "quero falar com um atendente", "oi de novo")
BROKEN = {
    "claim": (outbox, "_CLAIM", "(o.fence IS NULL OR o.fence = c.fence)", "(o.fence IS NULL OR true)"),
    "decide": (turns, "_DECIDE", "AND fence = $2 AND status = 'bot'", "AND $2::bigint IS NOT NULL"),
}
"""Statements with their fence, and without it."""

_LATEST = 24
"""Steps that a disturbance waits at most: about as many as a turn and its delivery have."""

WATCH = """
CREATE TABLE watched (conversation_id uuid, why text);
GRANT SELECT, INSERT ON watched TO atende_app;
CREATE FUNCTION watch_leaving() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held record;
    said text;
BEGIN
    SELECT status, fence INTO held FROM conversation WHERE id = new.conversation_id;
    SELECT decision ->> 'kind' INTO said FROM turn WHERE id = new.turn_id;
    IF new.fence IS NULL AND said <> 'hand_off' THEN
        INSERT INTO watched VALUES (new.conversation_id, 'stale: no fence on a ' || said);
    ELSIF new.fence IS NOT NULL AND held.status <> 'bot' THEN
        INSERT INTO watched VALUES (new.conversation_id, 'after a takeover: ' || held.status);
    ELSIF new.fence IS NOT NULL AND held.fence <> new.fence THEN
        INSERT INTO watched VALUES (new.conversation_id, 'stale: an older state is answered');
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER watch_leaving BEFORE UPDATE ON outbox_message FOR EACH ROW
    WHEN (old.state = 'queued' AND new.state = 'sending' AND new.origin = 'bot') EXECUTE FUNCTION watch_leaving();
CREATE FUNCTION watch_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO watched SELECT c.id, 'after a takeover: an act' FROM conversation c
     WHERE c.id = new.conversation_id AND c.status <> 'bot';
    RETURN new;
END $$;
CREATE TRIGGER watch_act BEFORE INSERT ON function_call FOR EACH ROW EXECUTE FUNCTION watch_act();
CREATE FUNCTION watch_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO watched SELECT c.id, 'stale: an overtaken suggestion was approved' FROM conversation c
     WHERE c.id = new.conversation_id AND c.fence <> new.fence;
    RETURN new;
END $$;
CREATE TRIGGER watch_approval BEFORE UPDATE ON suggestion FOR EACH ROW
    WHEN (old.status = 'pending' AND new.status IN ('approved', 'edited')) EXECUTE FUNCTION watch_approval();
"""
"""Looks in the transaction itself, under the conversation's lock: what is noted here happened in that order."""

REST = """
SELECT c.status, c.answered_upto_id, c.last_inbound_id,
       (SELECT array_agg(w.why) FROM watched w WHERE w.conversation_id = c.id) AS watched,
       (SELECT count(*) FROM outbox_message o
         WHERE o.conversation_id = c.id AND o.state IN ('queued', 'sending')) AS unsent,
       (SELECT array_agg(jsonb_build_array(t.answered_before, t.upto_message_id, o.state) ORDER BY t.upto_message_id)
          FROM turn t LEFT JOIN outbox_message o ON o.turn_id = t.id AND o.origin = 'bot'
         WHERE t.conversation_id = c.id AND t.status = 'decided') AS turns,
       (SELECT count(*) FROM turn t JOIN outbox_message o ON o.turn_id = t.id AND o.origin = 'bot'
         WHERE t.conversation_id = c.id AND t.status = 'voided' AND o.state <> 'cancelled') AS heard_though_void,
       (SELECT count(*) FROM outbox_message o WHERE o.conversation_id = c.id AND o.state = 'cancelled') AS taken_back,
       (SELECT count(*) FROM function_call f WHERE f.conversation_id = c.id) AS acts
  FROM conversation c WHERE c.id = $1
"""


@dataclass
class Wire:
    """A provider that keeps what it was given. Its two steps are the moments before it takes and before it answers."""

    idempotent: bool = False
    send_timeout_seconds: float = 60
    taken: list[Outbound] = field(default_factory=list)

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        assert session.provider == "simulator"
        await step()
        self.taken.append(message)
        await step()
        return Sent(f"sent-{message.key}", datetime.now(UTC))


@dataclass
class Bench:
    """One shop, its parts over a database whose statements are steps, and what was found."""

    owner: asyncpg.Pool
    db: Database
    tenant_id: UUID
    inbound: Inbound
    desk: Desk
    operators: tuple[Actor, Actor]
    profiles: Profiles
    agent: Agent
    wakeup: Wakeup
    did: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    steps: int = 0

    async def slot(self, name: str) -> SessionInfo:
        """A number of its own for cases that run one after the other."""
        async with self.db.transaction(self.tenant_id) as tx:
            session_id = await tx.fetchval(
                "INSERT INTO channel_session (tenant_id, provider, name) VALUES ($1, 'simulator', $2) RETURNING id",
                self.tenant_id,
                name,
            )
        return await self.inbound.session(session_id)


class Case:
    """One customer, one conversation."""

    def __init__(self, bench: Bench, session: SessionInfo, seed: str) -> None:
        self.bench, self.session, self.seed = bench, session, seed
        self.chance = random.Random(f"case {seed}")  # noqa: S311  repeatable, not secret
        self.chat = Address(AddressKind.SIMULATOR, f"c-{seed.replace(' ', '-')}")
        self.wire = Wire()
        deliveries = [
            Delivery(bench.db, bench.wakeup, {"simulator": self.wire}, patience=timedelta(0)) for _ in range(2)
        ]
        self.deliveries = deliveries
        self.workers = [Turns(bench.db, bench.wakeup, bench.agent, bench.profiles, delivery) for delivery in deliveries]
        self.conversation_id = UUID(int=0)
        self.written = 0
        self.said: list[str] = []

    async def play(self) -> None:
        """The message, the interleaving, rest, and the questions at the end."""
        suggests = self.chance.random() < 0.2
        await self._write("quanto custa?" if suggests else self.chance.choice(SAYS))
        (row,) = await self.bench.owner.fetch("SELECT id FROM conversation WHERE address = $1", str(self.chat))
        self.conversation_id = row["id"]
        if suggests:
            await self._take_turn(0)
        actors = [self._named("turn", self._take_turn(0))]
        names = self.chance.sample(sorted(self._disturbances(suggests=suggests)), self.chance.choice((1, 1, 2, 2, 3)))
        for name in names:
            actors.append(self._named(name, self._disturbances(suggests=suggests)[name]()))
        steps = Steps(self.seed)
        ended = await steps.run(actors, self._idle())
        self.bench.steps += steps.taken
        for name, outcome in zip(("turn", *names), ended, strict=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, AtendeError):
                self._wrong(f"{name} broke: {outcome!r}")
            self.bench.did[f"{name} (refused)" if isinstance(outcome, AtendeError) else name] += 1
        await self._rest()
        await self._look_back()

    def _disturbances(self, *, suggests: bool) -> dict[str, Callable[[], Coroutine[Any, Any, Any]]]:
        desk, (rui, ana) = self.bench.desk, self.bench.operators
        found: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "claim": lambda: desk.claim(rui, self.conversation_id),
            "reply": lambda: self._reply(rui),
            "phone": self._phone,
            "close": lambda: desk.close(ana, self.conversation_id),
            "newer message": lambda: self._write(self.chance.choice(LATER)),
            "newer message and its turn": self._write_and_turn,
            "edit": self._edit,
            "delete": self._delete,
            "second worker": lambda: self._take_turn(1),
            "other delivery": self._deliver_elsewhere,
        }
        if suggests:
            found["approve"] = lambda: self._approve(rui)
            found["approve too"] = lambda: self._approve(ana)
        return found

    async def _named(self, name: str, work: Awaitable[Any]) -> Any:
        """Begin at some moment of the turn, or of the delivery after it."""
        for _ in range(0 if name == "turn" else self.chance.randrange(_LATEST)):
            await step()
        return await work

    # What may happen -----------------------------------------------------------------------------------------------

    async def _write(self, text: str) -> None:
        self.written += 1
        event = MessageReceived(f"{self.chat.value}-{self.written}", self.chat, datetime.now(UTC), text=text)
        await self.bench.inbound.receive(self.session, event)

    async def _take_turn(self, worker: int) -> None:
        """Take the waiting job, as a worker does, and run it. The second worker repeats whatever the first one has."""
        if worker == 0 and not await self._job_taken():
            return
        await self.workers[worker].run(self.bench.tenant_id, self.conversation_id)

    async def _job_taken(self) -> bool:
        taken = await self.bench.owner.fetch(
            "DELETE FROM queue.procrastinate_jobs WHERE lock = $1 AND status = 'todo' RETURNING id",
            f"conversation:{self.conversation_id}",
        )
        return bool(taken)

    async def _write_and_turn(self) -> None:
        await self._write(self.chance.choice(LATER))
        await self._take_turn(1)

    async def _edit(self) -> None:
        first = f"{self.chat.value}-1"
        edited = MessageEdited(first, self.chat, self.chance.choice(LATER), datetime.now(UTC))
        await self.bench.inbound.receive(self.session, edited)

    async def _delete(self) -> None:
        first = f"{self.chat.value}-1"
        await self.bench.inbound.receive(self.session, MessageRevoked(first, self.chat, datetime.now(UTC)))

    async def _phone(self) -> None:
        event = MessageReceived(f"p-{self.chat.value}", self.chat, datetime.now(UTC), text="sou eu", from_me=True)
        await self.bench.inbound.receive(self.session, event)

    async def _reply(self, actor: Actor) -> None:
        await self.bench.desk.reply(actor, self.conversation_id, "aqui é uma pessoa")
        self.said.append("aqui é uma pessoa")

    async def _approve(self, actor: Actor) -> None:
        (row,) = await self.bench.owner.fetch(
            "SELECT id FROM suggestion WHERE conversation_id = $1 ORDER BY created_at LIMIT 1", self.conversation_id
        )
        await self.bench.desk.approve(actor, row["id"])
        self.said.append("Custa dez reais.")

    async def _deliver_elsewhere(self) -> None:
        for _ in range(3):
            await step()
            self._start_due(await self._due(), 1)

    # Rest and questions --------------------------------------------------------------------------------------------

    async def _due(self) -> Sequence[asyncpg.Record]:
        return await self.bench.owner.fetch(
            "SELECT id FROM outbox_message WHERE conversation_id = $1 AND state = 'queued' ORDER BY message_id",
            self.conversation_id,
        )

    def _start_due(self, due: Sequence[asyncpg.Record], worker: int) -> None:
        for row in due[:1]:
            delivery = self.deliveries[worker]
            delivery.start(self.bench.tenant_id, self.conversation_id, self.session.id, row["id"])

    async def _idle(self) -> None:
        for delivery in self.deliveries:
            await delivery.wait_idle()

    async def _rest(self) -> None:
        """What workers and housekeeping would still do, until there is nothing left."""
        for _ in range(8):
            due = await self._due()
            self._start_due(due, 0)
            await self._idle()
            held = await self.bench.owner.execute(
                "UPDATE held_event SET created_at = created_at - interval '1 hour' WHERE channel_session_id = $1",
                self.session.id,
            )
            if held != "UPDATE 0":
                await housekeeping.settle_held_events(self.bench.db, self.bench.inbound, self.bench.wakeup)
            turned = await self._job_taken()
            if turned:
                await self.workers[0].run(self.bench.tenant_id, self.conversation_id)
            if not due and not turned and held == "UPDATE 0":
                return
        self._wrong("does not come to rest")

    async def _look_back(self) -> None:
        row = await self.bench.owner.fetchrow(REST, self.conversation_id)
        for why in row["watched"] or ():
            self._wrong(why)
        if row["unsent"]:
            self._wrong(f"{row['unsent']} messages never left")
        if row["status"] == "bot" and row["answered_upto_id"] < row["last_inbound_id"]:
            self._wrong("a message is forgotten")
        if row["heard_though_void"]:
            self._wrong("stale: a voided turn was heard")
        spans = [tuple(span) for span in row["turns"] or ()]
        if any(earlier[1] > later[0] for earlier, later in zip(spans, spans[1:], strict=False)):
            self._wrong(f"doubled: a message has two answers {spans}")
        if any(state == "cancelled" for *_, state in spans):
            self._wrong("an answer counts that nobody got")
        keys = Counter(message.key for message in self.wire.taken)
        if any(times > 1 for times in keys.values()):
            self._wrong("doubled: sent twice")
        for text in set(self.said):
            got = sum(message.text == text for message in self.wire.taken)
            if got != self.said.count(text):
                self._wrong(f"{self.said.count(text)} × {text!r} were said by people, {got} arrived")
        if row["acts"] > self.written:
            self._wrong(f"doubled: {row['acts']} acts for {self.written} messages")
        self.bench.did[f"→ {row['status']}"] += 1
        self.bench.did["automatic messages taken back"] += row["taken_back"]
        self.bench.did["automatic messages sent"] += sum(message.text not in self.said for message in self.wire.taken)

    def _wrong(self, what: str) -> None:
        self.bench.wrong.append(f"case {self.seed!r}: {what}")


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
    yield Bench(owner, stepped, imported.tenant_id, inbound, desk, (rui, ana), profiles, build_agent(), wakeup)
    await wakeup.close()
    await clients.aclose()
    await stepped.close()
    await plain.close()
    await owner.close()


async def run(bench: Bench, *, seed: int, cases: int, at_once: int) -> None:
    """Play the cases, ``at_once`` of them side by side on numbers of their own."""
    numbers = iter(range(cases))

    async def lane(place: int) -> None:
        session = await bench.slot(f"lane {place}")
        for number in numbers:
            await Case(bench, session, f"{seed} {number}").play()

    async with asyncio.TaskGroup() as lanes:
        for place in range(at_once):
            lanes.create_task(lane(place))


async def measure(seed: int, cases: int, at_once: int, broken: str | None) -> Bench:
    """The whole of it, on a server of its own."""
    # Two that wait for each other are told so at once; the flows then begin again.
    settings = {**FAST, "max_connections": "200", "deadlock_timeout": "20ms"}
    with running_server(settings) as server:
        migrated_template(server)
        with new_database(server) as dsn:
            async with open_bench(dsn, at_once=at_once) as bench:
                module, name, fence, none = BROKEN[broken] if broken else BROKEN["claim"]
                statement: str = getattr(module, name)
                assert fence in statement
                with mock.patch.object(module, name, statement.replace(fence, none) if broken else statement):
                    await run(bench, seed=seed, cases=cases, at_once=at_once)
                return bench


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=12)
    parser.add_argument("--broken", choices=sorted(BROKEN))
    given = parser.parse_args()
    started = time.monotonic()
    bench = asyncio.run(measure(given.seed, given.cases, given.at_once, given.broken))
    print(f"seed {given.seed}, {given.cases} cases, {bench.steps} steps, {time.monotonic() - started:.0f} s")
    for name, times in sorted(bench.did.items()):
        print(f"  {times:7} {name}")
    print(verdict(bench))
    for wrong in bench.wrong[:20]:
        print(f"  {wrong}")
    return 1 if bench.wrong else 0


def verdict(bench: Bench) -> str:
    """One line with what was looked for."""
    after = sum("after a takeover" in wrong for wrong in bench.wrong)
    stale = sum("stale" in wrong for wrong in bench.wrong)
    doubled = sum("doubled" in wrong for wrong in bench.wrong)
    rest = len(bench.wrong) - after - stale - doubled
    return f"replies after a takeover: {after}, stale: {stale}, doubled: {doubled}, other: {rest}"


if __name__ == "__main__":
    sys.exit(main())
