"""Whatever order things happen in: everything is answered or handed off once, and nothing stale leaves.

A seeded walk over what customers, workers, operators, the paired phone and the provider do, in one process on a real
database. Jobs are taken and run apart, so that anything may happen in between; so are sends and their answers.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from procrastinate.jobs import Job

from channels.base import (
    MessageEdited,
    MessageReceived,
    ReceiptChanged,
    SendRejectedError,
    SendRetryableError,
    SendUncertainError,
    SessionRef,
)
from domain.errors import AtendeError
from domain.messages import ACK_ORDER, Address, AddressKind, Outbound, Sent
from tests.flows.backroom import Backroom
from tests.flows.shop import Shop

STEPS = int(os.environ.get("ATENDE_TEST_STEPS", "300"))
SEEDS = [int(seed) for seed in os.environ.get("ATENDE_TEST_SEEDS", "1").split()]
CONTACTS = [Address(AddressKind.PHONE, f"55319000000{n:02}") for n in range(6)]
LIDS = {phone: Address(AddressKind.LID, f"9{phone.value}") for phone in CONTACTS}
TEXTS = [
    "faz a consulta lenta",
    "quero a consulta lenta por favor",
    "oi",
    "preciso da consulta lenta agora",
    "obrigado",
    "quero falar com um atendente",
]
SAID = [8, 8, 4, 8, 1, 1]


WATCH = """
CREATE TABLE watched (outbox_id uuid, why text);
GRANT SELECT, INSERT ON watched TO atende_app;
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held record;
    said text;
BEGIN
    SELECT status, fence INTO held FROM conversation WHERE id = new.conversation_id;
    SELECT decision ->> 'kind' INTO said FROM turn WHERE id = new.turn_id;
    IF new.fence IS NULL AND said <> 'hand_off' THEN
        INSERT INTO watched VALUES (new.id, 'no fence on a ' || said);
    ELSIF new.fence IS NOT NULL AND (held.status <> 'bot' OR held.fence <> new.fence) THEN
        INSERT INTO watched VALUES (new.id, 'stale: ' || held.status);
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER watch BEFORE UPDATE ON outbox_message FOR EACH ROW
    WHEN (old.state = 'queued' AND new.state = 'sending' AND new.origin = 'bot') EXECUTE FUNCTION watch();
"""
"""Looks at every automatic message at the moment it begins to leave, in the transaction that lets it."""


@dataclass
class Wire:
    """A provider that sometimes fails, answers when it likes, and looks at what it is given to send."""

    random: random.Random
    idempotent: bool = False
    send_timeout_seconds: float = 30
    arrived: list[Outbound] = field(default_factory=list)
    waiting: list[asyncio.Event] = field(default_factory=list)
    smooth: bool = False

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        assert session.provider == "simulator"
        luck = 1.0 if self.smooth else self.random.random()
        if luck < 0.05:
            raise SendRetryableError("busy", after_seconds=0)
        if luck < 0.08:
            raise SendRejectedError("refused")
        if luck < 0.12:
            if luck < 0.10:
                self.arrived.append(message)
            raise SendUncertainError("lost")
        self.arrived.append(message)
        if not self.smooth:
            answer = asyncio.Event()
            self.waiting.append(answer)
            await answer.wait()
        return Sent(f"sent-{message.key}", datetime.now(UTC))


class Walk:
    """The state of one run: what may happen next, and what must be true of it."""

    def __init__(self, seed: int, shop: Shop, backroom: Backroom, *, two_names: bool) -> None:
        self.two_names = two_names
        self.random = random.Random(seed)
        self.shop = shop
        self.wire = Wire(random.Random(seed + 1))
        self.backroom = backroom.with_sender(self.wire)  # type: ignore[arg-type]
        self.running: list[tuple[Job, asyncio.Task[None]]] = []
        self.taken: list[Job] = []
        self.written: list[MessageReceived] = []
        self.acks: dict[UUID, int] = {}
        self.did: Counter[str] = Counter()

    # What may happen -----------------------------------------------------------------------------------------

    async def customer_writes(self) -> None:
        chat, alternates = self.random.choice(CONTACTS), ()
        if self.two_names:
            # A gateway names a chat by its LID or its phone, and sometimes knows that they are one.
            lid = LIDS[chat]
            chat, alternates = self.random.choice([(chat, ()), (lid, ()), (chat, (lid,)), (lid, (chat,))])
        event = MessageReceived(
            f"m{len(self.written)}", chat, datetime.now(UTC), text=self.says(), alternates=alternates
        )
        self.written.append(event)
        copies = self.random.choice([1, 1, 1, 3])
        outcomes = await asyncio.gather(*(self.take(event) for _ in range(copies)))
        assert sorted(outcomes) == ["duplicate"] * (copies - 1) + ["stored"]

    def says(self) -> str:
        (text,) = self.random.choices(TEXTS, SAID)
        return text

    async def an_old_message_comes_again(self) -> None:
        if self.written:
            assert await self.take(self.random.choice(self.written)) == "duplicate"

    async def customer_edits(self) -> None:
        if self.written:
            event = self.random.choice(self.written)
            await self.take(MessageEdited(event.provider_id, event.chat, self.says(), datetime.now(UTC)))

    async def take(self, event: MessageReceived | MessageEdited | ReceiptChanged) -> str:
        return await self.shop.inbound.receive(self.shop.session, event)

    async def worker_takes_a_job(self) -> None:
        if job := await self.backroom.take_job():
            self.taken.append(job)

    async def worker_runs_a_job(self) -> None:
        if self.taken:
            job = self.taken.pop(self.random.randrange(len(self.taken)))
            self.running.append((job, asyncio.create_task(self.backroom.run_job(job))))

    async def worker_dies(self) -> None:
        if self.running:
            _, task = self.running.pop(self.random.randrange(len(self.running)))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def workers_are_taken_for_dead(self) -> None:
        await self.backroom.rescue()

    async def turn_runs_twice(self) -> None:
        if self.running:
            job, _ = self.random.choice(self.running)
            await self.backroom.turns.run(self.shop.tenant_id, UUID(str(job.task_kwargs["conversation_id"])))

    async def delivery_looks(self) -> None:
        await self.backroom.delivery.run_due()

    async def provider_answers(self) -> None:
        if self.wire.waiting:
            self.wire.waiting.pop(self.random.randrange(len(self.wire.waiting))).set()

    async def echo_arrives(self) -> None:
        if self.wire.arrived:
            sent = self.random.choice(self.wire.arrived)
            await self.take(
                MessageReceived(f"sent-{sent.key}", sent.to, datetime.now(UTC), text=sent.text, from_me=True)
            )

    async def receipt_arrives(self) -> None:
        if self.wire.arrived:
            sent = self.random.choice(self.wire.arrived)
            await self.take(ReceiptChanged((f"sent-{sent.key}",), self.random.choice(ACK_ORDER), datetime.now(UTC)))

    async def person_writes_on_the_phone(self) -> None:
        chat = self.random.choice(CONTACTS)
        await self.take(MessageReceived(f"p{self.random.random()}", chat, datetime.now(UTC), text="eu", from_me=True))

    async def operator_acts(self) -> None:
        rows = await self.shop.fetch("SELECT id FROM conversation ORDER BY created_at")
        if not rows:
            return
        desk, operator = self.shop.desk, self.shop.operator
        conversation_id = self.random.choice(rows)["id"]
        action = self.random.choice(["reply", "claim", "close"])
        try:
            match action:
                case "reply":
                    await desk.reply(operator, conversation_id, "aqui é o Rui")
                case "claim":
                    await desk.claim(operator, conversation_id)
                case "close":
                    await desk.close(operator, conversation_id)
        except AtendeError:
            self.did["refused"] += 1

    async def operator_returns(self) -> None:
        rows = await self.shop.fetch("SELECT id FROM conversation WHERE status IN ('waiting', 'human')")
        for row in rows:
            try:
                await self.shop.desk.return_to_bot(self.shop.operator, row["id"])
            except AtendeError:
                self.did["refused"] += 1

    async def housekeeping_runs(self) -> None:
        async with self.shop.db.transaction(self.shop.tenant_id) as tx:
            await tx.execute("UPDATE held_event SET created_at = created_at - interval '10 s'")
        await self.backroom.keep_house()

    # The walk ------------------------------------------------------------------------------------------------

    async def step(self) -> None:
        actions: dict[Callable[[], Awaitable[None]], int] = {
            self.customer_writes: 8,
            self.an_old_message_comes_again: 2,
            self.customer_edits: 1,
            self.worker_takes_a_job: 8,
            self.worker_runs_a_job: 8,
            self.worker_dies: 1,
            self.workers_are_taken_for_dead: 1,
            self.turn_runs_twice: 1,
            self.delivery_looks: 10,
            self.provider_answers: 10,
            self.echo_arrives: 2,
            self.receipt_arrives: 4,
            self.person_writes_on_the_phone: 1,
            self.operator_acts: 2,
            self.operator_returns: 3,
            self.housekeeping_runs: 2,
        }
        (chosen,) = self.random.choices(list(actions), list(actions.values()))
        self.did[chosen.__name__] += 1  # type: ignore[attr-defined]
        together = self.random.random() < 0.3
        doing = asyncio.create_task(chosen())  # type: ignore[arg-type]
        if together:
            (other,) = self.random.choices(list(actions), list(actions.values()))
            if other.__name__ != chosen.__name__:  # type: ignore[attr-defined]
                await other()
        await doing
        await asyncio.sleep(self.random.choice([0, 0, 0.005]))
        self.running = [(job, task) for job, task in self.running if not (task.done() and task.result() is None)]
        await self.check_always()

    async def check_always(self) -> None:
        assert not await self.shop.fetch("SELECT * FROM watched"), "something stale began to leave"
        doubled = await self.shop.fetch(
            "SELECT turn_id FROM outbox_message WHERE turn_id IS NOT NULL GROUP BY turn_id HAVING count(*) > 1"
        )
        assert not doubled, "two messages of one turn"
        overlapping = await self.shop.fetch(
            "SELECT 1 FROM outbox_message WHERE state = 'sending' GROUP BY conversation_id HAVING count(*) > 1"
        )
        assert not overlapping, "two messages of one conversation leave at once"
        assert max(Counter(message.key for message in self.wire.arrived).values(), default=1) == 1, "sent twice"
        order = [ack.value for ack in ACK_ORDER]
        for row in await self.shop.fetch("SELECT id, ack FROM outbox_message WHERE ack IS NOT NULL"):
            level = order.index(row["ack"])
            assert level >= self.acks.get(row["id"], 0), "an ack went back"
            self.acks[row["id"]] = level

    async def come_to_rest(self) -> None:
        self.wire.smooth = True
        for answer in self.wire.waiting:
            answer.set()
        await asyncio.gather(*(task for _, task in self.running))
        for job in self.taken:
            await self.backroom.run_job(job)
        await self.backroom.delivery.wait_idle()
        await self.backroom.rescue()
        for _ in range(4):
            await self.housekeeping_runs()
            async with self.shop.db.transaction(self.shop.tenant_id) as tx:
                await tx.execute("UPDATE held_event SET created_at = created_at - interval '5 minutes'")
            await self.backroom.rest()
        async with self.shop.db.transaction(self.shop.tenant_id) as tx:
            await tx.execute("UPDATE conversation SET last_message_at = now() - interval '1 hour'")

    async def check_at_rest(self) -> None:
        """``answered_upto_id`` is one mark: merging may lay one chat's turns over the other's."""
        fetch = self.shop.fetch
        assert await self.shop.db.gate("forgotten_conversations", timedelta(minutes=1)) == []
        assert not await fetch("SELECT 1 FROM outbox_message WHERE state IN ('queued', 'sending')")
        stored = await fetch("SELECT provider_id FROM message WHERE author = 'contact'")
        assert Counter(row["provider_id"] for row in stored) == Counter(event.provider_id for event in self.written)
        waiting = await fetch("SELECT 1 FROM conversation WHERE status = 'bot' AND answered_upto_id < last_inbound_id")
        assert not waiting, "a message waits and nobody knows"
        # The turns in force cover each message at most once, in order and without overlap.
        overlaps = await fetch(
            """SELECT 1 FROM turn a JOIN turn b ON a.conversation_id = b.conversation_id AND a.id < b.id
                WHERE a.status = 'decided' AND b.status = 'decided'
                  AND a.answered_before < b.upto_message_id AND b.answered_before < a.upto_message_id"""
        )
        assert self.two_names or not overlaps, "a message was answered twice"
        # A turn in force that had something to say has not been cancelled, and a voided one has said nothing.
        wrong = await fetch(
            """SELECT t.status, o.state FROM turn t JOIN outbox_message o ON o.turn_id = t.id
                WHERE (t.status = 'decided') = (o.state = 'cancelled')"""
        )
        assert not wrong, "a cancelled reply counts as an answer, or a voided turn was heard"
        known = {row["id"] for row in await fetch("SELECT id FROM outbox_message WHERE state <> 'cancelled'")}
        assert {UUID(message.key) for message in self.wire.arrived} <= known, "something cancelled had arrived"


@pytest.mark.parametrize("names", ["one name", "two names"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_that_no_order_of_events_loses_repeats_or_outdates_an_answer(
    seed: int, names: str, owner_dsn: str, shop: Shop, backroom: Backroom
) -> None:
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(WATCH)
    await owner.close()
    print(f"seed {seed}, {STEPS} steps")  # noqa: T201  to run a failure again
    walk = Walk(seed, shop, backroom, two_names=names == "two names")
    for _ in range(STEPS):
        await walk.step()
    await walk.come_to_rest()
    await walk.check_at_rest()
    turns = await shop.fetch("SELECT status, count(*) AS n FROM turn GROUP BY status ORDER BY status")
    print(dict(walk.did), [tuple(row) for row in turns], f"{len(walk.wire.arrived)} messages arrived")  # noqa: T201
    assert len(walk.wire.arrived) > STEPS / 30, "too little happened to mean anything"
