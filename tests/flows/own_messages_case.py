"""One seeded case: what we send, what the provider tells back of it, and what a person types on the paired phone.

Everything may come late, twice, in another order, or not at all; senders die; people settle what stayed unknown.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from channels.base import (
    ChannelEvent,
    MessageReceived,
    ReceiptChanged,
    SendRetryableError,
    SendUncertainError,
    SessionRef,
)
from domain.errors import AtendeError
from domain.messages import ACK_ORDER, Ack, Address, AddressKind, Outbound, Sent
from flows import housekeeping
from flows.delivery import Delivery
from flows.desk import Actor, Desk
from flows.inbound import Inbound
from flows.session_info import SessionInfo
from store import conversations, outbox
from store.database import Database, Row
from store.wakeup import Wakeup

WATCH = """
CREATE TABLE watched (outbox_id uuid, what text);
GRANT INSERT ON watched TO atende_app;
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE steps text[] := ARRAY['server', 'device', 'read', 'played'];
BEGIN
    IF old.state = 'queued' AND new.state = 'sending' AND new.origin = 'bot' AND new.fence IS NOT NULL
       AND (SELECT status FROM conversation WHERE id = new.conversation_id) <> 'bot' THEN
        INSERT INTO watched VALUES (new.id, 'the bot spoke after a takeover');
    END IF;
    IF old.ack IS NOT NULL AND coalesce(array_position(steps, new.ack), 0) < array_position(steps, old.ack) THEN
        INSERT INTO watched VALUES (new.id, 'the ack went back');
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER watch BEFORE UPDATE ON outbox_message FOR EACH ROW EXECUTE FUNCTION watch();
"""
"""Looks at every outgoing message in the transaction that changes it."""


@dataclass
class Wire:
    """The number's provider: it takes messages, or loses their answers, and never repeats an id."""

    random: random.Random
    name: str
    idempotent: bool = False
    send_timeout_seconds: float = 30.0
    smooth: bool = False
    arrived: list[tuple[str, Outbound]] = field(default_factory=list)
    answers: list[asyncio.Event] = field(default_factory=list)
    ids: itertools.count[int] = field(default_factory=itertools.count)

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        luck = 1.0 if self.smooth else self.random.random()
        if luck < 0.08:
            raise SendRetryableError("busy", after_seconds=0)
        if luck < 0.16:
            raise SendUncertainError("lost before it arrived")
        provider_id = f"{self.name}-w{next(self.ids)}"
        self.arrived.append((provider_id, message))
        if luck < 0.30:
            raise SendUncertainError("its answer was lost")
        if not self.smooth:
            answer = asyncio.Event()
            self.answers.append(answer)
            await answer.wait()
        return Sent(provider_id, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class World:
    """What all cases share."""

    db: Database
    wakeup: Wakeup
    inbound: Inbound
    desk: Desk
    actor: Actor


class Case:
    """One number with one customer, and what happens there."""

    def __init__(self, seed: int, world: World, session_id: UUID) -> None:
        self.random = random.Random(seed)
        self.db, self.inbound, self.desk, self.actor = world.db, world.inbound, world.desk, world.actor
        self.session_id = session_id
        self.wakeup = world.wakeup
        self.wire = Wire(random.Random(seed + 1), f"s{seed}")
        self.phone = Address(AddressKind.PHONE, f"5531{seed:09}")
        self.lid = Address(AddressKind.LID, f"77{seed:012}")
        self.delivery = self._process()
        self.typed: list[str] = []
        self.told: list[str] = []
        self.said = self.again = 0
        self.returned = False
        self.did: Counter[str] = Counter()

    def _process(self) -> Delivery:
        return Delivery(self.db, self.wakeup, {}, local=lambda: {self.session_id: self.wire}, patience=timedelta(0))

    async def session(self) -> SessionInfo:
        return await self.inbound.session(self.session_id)

    async def take(self, event: ChannelEvent) -> str:
        return await self.inbound.receive(await self.session(), event)

    def chat(self) -> tuple[Address, tuple[Address, ...]]:
        """How the provider names the customer just now."""
        return self.random.choice(
            [(self.phone, ()), (self.lid, ()), (self.lid, (self.phone,)), (self.phone, (self.lid,))]
        )

    async def fetch(self, statement: str, *values: object) -> list[Row]:
        async with self.db.transaction(self.actor.tenant_id) as tx:
            return list(await tx.fetch(statement, self.session_id, *values))

    async def conversation(self) -> Row:
        (row,) = await self.fetch("SELECT * FROM conversation WHERE channel_session_id = $1")
        return row

    # What may happen ---------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        await self.take(
            MessageReceived(f"{self.wire.name}-c", self.lid, datetime.now(UTC), text="oi", alternates=(self.phone,))
        )

    async def the_bot_answers(self) -> None:
        conversation_id = (await self.conversation())["id"]
        async with self.db.transaction(self.actor.tenant_id) as tx:
            row = await conversations.lock(tx, conversation_id)
            if row["status"] != "bot":
                return
            self.said += 1
            message_id = await tx.fetchval(
                "INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text, "
                "sent_at) VALUES ($1, $2, $3, $4, 'bot', $5, now()) RETURNING id",
                row["tenant_id"],
                row["id"],
                row["channel_session_id"],
                row["contact_id"],
                f"bot  {self.said} \n",
            )
            await outbox.add(tx, conversation=row, message_id=message_id, origin="bot", fence=row["fence"])

    async def an_operator_answers(self) -> None:
        self.said += 1
        await self.desk.reply(self.actor, (await self.conversation())["id"], f"operador {self.said}")

    async def delivery_looks(self) -> None:
        await self.delivery.run_due()
        await asyncio.sleep(0)

    async def the_provider_answers(self) -> None:
        if self.wire.answers:
            self.wire.answers.pop(self.random.randrange(len(self.wire.answers))).set()

    async def the_process_dies(self) -> None:
        """kill -9 of whoever sends, and another one in its place."""
        tasks = list(self.delivery._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.wire.answers.clear()
        async with self.db.transaction(self.actor.tenant_id) as tx:
            await tx.execute(
                "UPDATE outbox_message SET sending_until = now() - interval '1 s' "
                "WHERE channel_session_id = $1 AND state = 'sending'",
                self.session_id,
            )
        self.delivery = self._process()
        await self.delivery.settle_overdue()

    async def an_echo_comes(self) -> None:
        if self.wire.arrived:
            await self.tell(*self.random.choice(self.wire.arrived))

    async def tell(self, provider_id: str, message: Outbound) -> None:
        chat, alternates = self.chat()
        text = " ".join(message.text.split())  # as some gateways hand a text back
        await self.take(
            MessageReceived(provider_id, chat, datetime.now(UTC), text=text, alternates=alternates, from_me=True)
        )

    async def a_receipt_comes(self) -> None:
        if self.wire.arrived:
            provider_id, _ = self.random.choice(self.wire.arrived)
            await self.receipt(provider_id, self.random.choice(ACK_ORDER))

    async def receipt(self, provider_id: str, ack: Ack) -> None:
        await self.take(ReceiptChanged((provider_id,), ack, datetime.now(UTC), chat=self.phone))

    async def a_person_types(self) -> None:
        name = f"{self.wire.name}-p{len(self.typed)}"
        chat, alternates = self.chat()
        event = MessageReceived(
            name, chat, datetime.now(UTC), text=f"pessoa {len(self.typed)}", alternates=alternates, from_me=True
        )
        self.typed.append(name)
        self.returned = False
        for _ in range(self.random.choice([1, 1, 2])):
            await self.take(event)

    async def somebody_settles(self) -> None:
        rows = await self.fetch("SELECT id FROM outbox_message WHERE channel_session_id = $1 AND state = 'unknown'")
        if not rows:
            return
        outbox_id = self.random.choice(rows)["id"]
        arrived = self.random.random() < 0.5
        both = await asyncio.gather(
            *(self.desk.settle_unknown(self.actor, outbox_id, arrived=arrived) for _ in range(2)),
            return_exceptions=True,
        )
        for error in both:
            if isinstance(error, BaseException) and not isinstance(error, AtendeError):
                raise error
        self.again += not arrived and not isinstance(both[0], AtendeError)

    async def somebody_returns_it(self) -> None:
        row = await self.conversation()
        if row["status"] == "human":
            try:
                await self.desk.return_to_bot(self.actor, row["id"])
            except AtendeError:
                self.did["refused"] += 1
            else:
                self.returned = True

    async def housekeeping_looks(self) -> None:
        async with self.db.transaction(self.actor.tenant_id) as tx:
            await tx.execute(
                "UPDATE held_event SET created_at = created_at - interval '5 s' WHERE channel_session_id = $1",
                self.session_id,
            )
        await housekeeping.settle_held_events(self.db, self.inbound, self.wakeup)

    # The case ----------------------------------------------------------------------------------------------------

    async def play(self, steps: int) -> None:
        await self.begin()
        actions: dict[Callable[[], Awaitable[None]], int] = {
            self.the_bot_answers: 6,
            self.an_operator_answers: 2,
            self.delivery_looks: 8,
            self.the_provider_answers: 6,
            self.the_process_dies: 2,
            self.an_echo_comes: 6,
            self.a_receipt_comes: 6,
            self.a_person_types: 2,
            self.somebody_settles: 3,
            self.somebody_returns_it: 2,
            self.housekeeping_looks: 4,
        }
        for _ in range(steps):
            chosen = self.random.choices(list(actions), list(actions.values()), k=self.random.choice([1, 1, 2, 3]))
            unique = {action.__name__: action for action in chosen}  # type: ignore[attr-defined]
            self.did.update(unique.keys())
            await asyncio.gather(*(action() for action in unique.values()))
            if self.random.random() < 0.5:
                await asyncio.sleep(0)

    async def rest(self) -> None:
        """All that was sent is told, nothing is on its way, and what was held is settled."""
        self.wire.smooth = True
        for _ in range(40):
            while self.wire.answers:
                self.wire.answers.pop().set()
            await self.delivery.run_due()
            await self.delivery.wait_idle()
            for provider_id, message in self.wire.arrived:
                if provider_id not in self.told:
                    self.told.append(provider_id)
                    await self.tell(provider_id, message)
            await self.housekeeping_looks()
            open_rows = await self.fetch(
                "SELECT 1 FROM outbox_message WHERE channel_session_id = $1 AND state IN ('queued', 'sending') "
                "UNION ALL SELECT 1 FROM held_event WHERE channel_session_id = $1 AND kind = 'own_message'"
            )
            if not open_rows and not self.wire.answers:
                break
            await asyncio.sleep(0.01)
        for provider_id, _ in self.wire.arrived:
            await self.receipt(provider_id, Ack.PLAYED)
        await self.housekeeping_looks()

    async def wrong(self) -> list[str]:
        """What is not as it must be."""
        found = []
        rows = await self.fetch(
            "SELECT provider_id, author, text FROM message WHERE channel_session_id = $1 ORDER BY id"
        )
        typed = [row["provider_id"] for row in rows if row["author"] == "phone"]
        if sorted(typed) != sorted(self.typed):
            found.append(f"typed on the phone: {self.typed}, stored: {typed}")
        ours = sum(row["author"] in ("bot", "operator") for row in rows)
        if ours != self.said:
            found.append(f"{self.said} messages of ours are {ours} bubbles")
        (status,) = await self.fetch("SELECT status FROM conversation WHERE channel_session_id = $1")
        events = await self.fetch(
            "SELECT count(*) AS n FROM event e JOIN conversation c ON c.id = e.conversation_id "
            "WHERE c.channel_session_id = $1 AND e.kind = 'conversation.taken_over' AND e.actor = 'phone'"
        )
        if not self.typed and events[0]["n"]:
            found.append("a takeover by nobody")
        if self.typed and not self.returned and status["status"] != "human":
            found.append(f"a person typed, and the conversation is {status['status']}")
        out = await self.fetch("SELECT * FROM outbox_message WHERE channel_session_id = $1")
        arrived = Counter(message.key for _, message in self.wire.arrived)
        extra = sum(count - 1 for count in arrived.values())
        if extra > self.again:
            found.append(f"{extra} messages left twice, and people asked for {self.again}")
        for row in out:
            came = arrived[str(row["id"])]
            if row["state"] in ("queued", "sending"):
                found.append(f"{row['state']} for ever")
            if came and (row["state"], row["ack"]) != ("sent", "played"):
                found.append(f"arrived and was heard, and is {row['state']} with ack {row['ack']}")
            if not came and row["provider_id"]:
                found.append(f"never arrived, and has the id {row['provider_id']}")
        held = await self.fetch("SELECT kind, key FROM held_event WHERE channel_session_id = $1")
        found += [f"held for ever: {row['kind']} {row['key']}" for row in held]
        return found
