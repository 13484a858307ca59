"""One conversation that is taken over while it is answered: what may come in between, and what must be true then."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
from bench.steps import Steps, step
from bench.takeover_watch import REST

from agent.graph import Agent
from channels.base import MessageEdited, MessageReceived, MessageRevoked, SessionRef
from domain.errors import AtendeError
from domain.messages import Address, AddressKind, Outbound, Sent
from flows import housekeeping
from flows.delivery import Delivery
from flows.desk import Actor, Desk
from flows.inbound import Inbound
from flows.profiles import Profiles
from flows.session_info import SessionInfo
from flows.stopping import KillSwitch
from flows.turn import Turns
from store.database import Database
from store.wakeup import Wakeup

SAYS = ("tem no estoque?", "quero reservar uma mesa", "oi", "obrigado, e o estoque?")
LATER = ("e quero reservar uma mesa", "tem no estoque?", "quero falar com um atendente", "oi de novo")
_LATEST = 24
"""Steps that a disturbance waits at most: about as many as a turn and its delivery have."""


@dataclass
class Wire:
    """A provider that keeps what it was given. Its two steps are the moments before it takes and before it answers."""

    idempotent: bool = False
    send_timeout_seconds: float = 60
    taken: list[Outbound] = field(default_factory=list)
    before: Callable[[Outbound], Awaitable[None]] | None = None

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        assert session.provider == "simulator"
        await step()
        if self.before is not None:
            await self.before(message)
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
    switch: KillSwitch
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

    def __init__(self, bench: Bench, session: SessionInfo, seed: str, only: str | None = None) -> None:
        self.bench, self.session, self.seed, self.only = bench, session, seed, only
        self.chance = random.Random(f"case {seed}")
        self.chat = Address(AddressKind.SIMULATOR, f"c-{seed.replace(' ', '-')}")
        self.wire = Wire(before=self._note_late)
        deliveries = [
            Delivery(bench.db, bench.wakeup, {"simulator": self.wire}, patience=timedelta(0)) for _ in range(2)
        ]
        self.deliveries = deliveries
        # Half of the numbers are sent for by the process that decides, half by another one (a session host).
        self.hosted = self.chance.random() < 0.5
        nobodys = Delivery(bench.db, bench.wakeup, {})
        self.workers = [
            Turns(bench.db, bench.wakeup, bench.agent, bench.profiles, nobodys if self.hosted else delivery)
            for delivery in deliveries
        ]
        self.inbound = Inbound(bench.db, bench.wakeup)  # messages of other cases must not share a statement with these
        self.conversation_id = UUID(int=0)
        self.written = 0
        self.said: list[str] = []
        self.stopped_at: datetime | None = None

    async def play(self) -> None:
        """The message, the interleaving, rest, and the questions at the end."""
        suggests = self.only is None and self.chance.random() < 0.2
        await self._write("quanto custa?" if suggests else self.chance.choice(SAYS))
        (row,) = await self.bench.owner.fetch("SELECT id FROM conversation WHERE address = $1", str(self.chat))
        self.conversation_id = row["id"]
        if suggests:
            await self._take_turn(0)
        actors = [self._named("turn", self._take_turn(0))]
        host = [self._named("host", self._deliver_elsewhere(12))] if self.hosted else []
        possible = sorted(self._disturbances(suggests=suggests))
        names = self.chance.sample(possible, self.chance.choice((1, 1, 2, 2, 3)))
        if suggests and "approve" not in names:
            names.append("approve")
        if self.only is not None:
            names = [self.only]
        for name in names:
            actors.append(self._named(name, self._disturbances(suggests=suggests)[name]()))
        steps = Steps(self.seed)
        ended = await steps.run([*actors, *host], self._idle())
        self.bench.steps += steps.taken
        for name, outcome in zip(("turn", *names, *("host" for _ in host)), ended, strict=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, AtendeError):
                self._wrong(f"{name} broke: {outcome!r}")
            self.bench.did[f"{name} (refused)" if isinstance(outcome, AtendeError) else name] += 1
        await self._rest()
        await self._look_back()
        if self.stopped_at is not None:
            await self.bench.switch.resume(self.bench.tenant_id, self.session.id, actor="bench")

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
            "kill switch": self._stop,
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
        await self.inbound.receive(self.session, event)

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
        await self.inbound.receive(self.session, edited)

    async def _delete(self) -> None:
        first = f"{self.chat.value}-1"
        await self.inbound.receive(self.session, MessageRevoked(first, self.chat, datetime.now(UTC)))

    async def _stop(self) -> None:
        """The number's kill switch. What is claimed for sending after it has returned comes too late."""
        await self.bench.switch.stop(self.bench.tenant_id, self.session.id, actor="bench")
        self.stopped_at = await self.bench.owner.fetchval("SELECT clock_timestamp()")

    async def _phone(self) -> None:
        event = MessageReceived(f"p-{self.chat.value}", self.chat, datetime.now(UTC), text="sou eu", from_me=True)
        await self.inbound.receive(self.session, event)

    async def _reply(self, actor: Actor) -> None:
        await self.bench.desk.reply(actor, self.conversation_id, "aqui é uma pessoa")
        self.said.append("aqui é uma pessoa")

    async def _approve(self, actor: Actor) -> None:
        (row,) = await self.bench.owner.fetch(
            "SELECT id FROM suggestion WHERE conversation_id = $1 ORDER BY created_at LIMIT 1", self.conversation_id
        )
        await self.bench.desk.approve(actor, row["id"])
        self.said.append("Custa dez reais.")

    async def _deliver_elsewhere(self, times: int = 3) -> None:
        for _ in range(times):
            await step()
            self._start_due(await self._due(), 1)

    async def _note_late(self, message: Outbound) -> None:
        """Count what was let go before a takeover and reaches the provider after it: no fence can call that back."""
        status = await self.bench.owner.fetchval(
            "SELECT c.status FROM outbox_message o JOIN conversation c ON c.id = o.conversation_id "
            "WHERE o.id = $1 AND o.origin = 'bot' AND o.fence IS NOT NULL",
            UUID(message.key),
        )
        if status not in {None, "bot"}:
            self.bench.did["automatic messages on their way before a takeover, sent after"] += 1

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
                await housekeeping.settle_held_events(self.bench.db, self.inbound, self.bench.wakeup)
            turned = await self._job_taken()
            if turned:
                await self.workers[0].run(self.bench.tenant_id, self.conversation_id)
            if not due and not turned and held == "UPDATE 0":
                return
        self._wrong("does not come to rest")

    async def _look_back(self) -> None:
        row = await self.bench.owner.fetchrow(REST, self.conversation_id, self.stopped_at)
        if row["left_after_stop"]:
            self._wrong("after a takeover: the kill switch had returned")
        for why in row["watched"] or ():
            self._wrong(why)
        if row["unsent"]:
            self._wrong(f"{row['unsent']} messages never left")
        if row["status"] == "bot" and row["answered_upto_id"] < row["last_inbound_id"]:
            self._wrong("a message is forgotten")
        if row["heard_though_void"]:
            self._wrong("stale: a voided turn was heard")
        spans = [tuple(span) for span in row["turns"] or ()]
        if any(earlier[1] > later[0] for earlier, later in pairwise(spans)):
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
