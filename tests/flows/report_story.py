"""A scripted stream of conversations for reports: played through the real flows under a frozen clock, and noted."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from agent.turn import TurnResult
from channels.base import MessageReceived
from domain.conversation import Event
from domain.decisions import Decision, HandOff, HandOffReason, Reply, Suggest, TurnTrace
from domain.messages import Address, AddressKind
from flows import decisions
from flows.approvals import Approvals
from flows.desk import Actor, Desk
from flows.inbound import Inbound
from store import conversations, turns
from store.database import Database
from store.wakeup import Wakeup
from tests.database import make_number, opened
from tests.frozen_clock import FrozenClock

ZONE = ZoneInfo("America/Sao_Paulo")
FIRST, LAST = "2026-03-11", "2026-03-20"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 3, 22, 15, tzinfo=UTC)
OPEN = {day: ["09:00-18:00"] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")}
INTENTS = ("order_status", "returns", "prices")
HOUR = timedelta(hours=1)


@dataclass
class Episode:
    """What the script did from an opening to a closing."""

    number: UUID
    opened: datetime
    asked: datetime
    team: UUID | None
    answers: list[tuple[datetime, str]] = field(default_factory=list)
    persons: set[UUID] = field(default_factory=set)
    intents: set[str] = field(default_factory=set)
    on_the_phone: bool = False
    handed_off: datetime | None = None
    taken: datetime | None = None
    closed: datetime | None = None
    reason: str | None = None
    reopened: datetime | None = None

    @property
    def first(self) -> tuple[datetime, str] | None:
        return min(self.answers, default=None)

    @property
    def first_person(self) -> datetime | None:
        return min((at for at, by in self.answers if by == "person"), default=None)


@dataclass
class Story:
    """The script so far."""

    db: Database
    clock: FrozenClock
    tenant: UUID
    numbers: list[UUID]
    teams: list[UUID]
    people: list[Actor]
    inbound: Inbound
    desk: Desk
    chance: random.Random
    episodes: list[Episode] = field(default_factory=list)
    suggestions: list[dict[str, Any]] = field(default_factory=list)
    handoffs: list[dict[str, Any]] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)
    outbox: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    at: datetime = START
    contact: str = ""
    on_offer: dict[str, Any] | None = None
    """The suggestion that nobody has decided on."""
    conversation: UUID | None = None

    async def later(self, least: float, most: float) -> None:
        """Some seconds go by."""
        self.at += timedelta(seconds=self.chance.randint(int(least), int(most)))
        await self.clock.set(self.at)

    async def write(self, number: UUID) -> None:
        event = MessageReceived(
            f"m{self.chance.getrandbits(60)}", Address(AddressKind.SIMULATOR, self.contact), self.at, text="oi"
        )
        await self.inbound.receive(await self.inbound.session(number), event)
        async with self.db.transaction(self.tenant) as tx:
            self.conversation = await tx.fetchval(
                "SELECT id FROM conversation WHERE channel_session_id = $1 AND address = $2",
                number,
                f"simulator:{self.contact}",
            )

    async def decide(self, episode: Episode, decision: Decision, intent: str | None) -> dict[str, Any]:
        """A turn of the agent, written as the worker writes it."""
        confidence, cost = self.chance.random(), self.chance.randint(0, 900)
        async with self.db.transaction(self.tenant) as tx:
            row = await turns.read(tx, self.conversation)
            assert row is not None
            trace = TurnTrace(intent=intent, confidence=confidence if intent else None, cost_micros=cost)
            written = await decisions.write(
                tx, row, TurnResult(decision, trace), upto_message_id=row["unanswered"][-1][0]
            )
        assert written is not None
        self.withdrawn()
        turn = {"at": self.at, "intent": intent, "confidence": confidence, "kind": decision.kind, "cost": cost}
        turn |= {"number": episode.number, "team": episode.team}
        self.turns.append(turn)
        if intent:
            episode.intents.add(intent)
        return turn

    async def leaves(
        self, episode: Episode, by: str, *, operator: UUID | None = None, intent: str | None = None
    ) -> None:
        """The message that was queued last leaves, or does not."""
        queued = self.at
        state = self.chance.choices(["sent", "failed", "unknown", "cancelled", "sending"], [88, 4, 3, 3, 2])[0]
        await self.later(1, 20)
        async with self.db.transaction(self.tenant) as tx:
            await tx.execute(
                """UPDATE outbox_message SET state = $2, sent_at = CASE WHEN $2 = 'sent' THEN $3::timestamptz END
                    WHERE message_id = (SELECT max(id) FROM message WHERE conversation_id = $1)""",
                self.conversation,
                state,
                self.at,
            )
        self.outbox.append(
            {
                "at": queued,
                "state": state,
                "operator": operator,
                "intent": intent,
                "number": episode.number,
                "team": episode.team,
            }
        )
        if state == "sent":
            episode.answers.append((self.at, by))

    async def move(self, event: Event, actor: str, user: UUID | None = None) -> None:
        async with self.db.transaction(self.tenant) as tx:
            await conversations.apply(tx, self.conversation, event, actor=actor, user_id=user)

    async def opened(self, number: UUID) -> Episode:
        """The contact writes to a conversation that is new or closed."""
        async with self.db.transaction(self.tenant) as tx:
            team = await tx.fetchval("SELECT team_id FROM conversation WHERE id = $1", self.conversation)
        episode = Episode(number, self.at, self.at, team)
        await self.write(number)
        self.episodes.append(episode)
        return episode

    async def automatic(self, episode: Episode) -> None:
        intent = self.chance.choice(INTENTS)
        await self.later(1, 40)
        await self.decide(episode, Reply("Certo."), intent)
        await self.leaves(episode, "bot", intent=intent)

    async def suggested(self, episode: Episode) -> None:
        """A suggestion, and what becomes of it."""
        intent, person = self.chance.choice((*INTENTS, None)), self.chance.choice(self.people)
        await self.later(1, 40)
        await self.decide(episode, Suggest("Que tal assim?"), intent)
        made = {"at": self.at, "intent": intent, "number": episode.number, "team": episode.team, "operator": None}
        self.suggestions.append(made)
        async with self.db.transaction(self.tenant) as tx:
            suggestion = await tx.fetchval(
                "SELECT id FROM suggestion WHERE status = 'pending' AND conversation_id = $1", self.conversation
            )
        what = self.chance.choice(["approved", "edited", "rejected", "superseded", "expired", "pending"])
        made["status"] = what
        await self.later(20, 4000)
        if what in {"approved", "edited"}:
            await self.desk.approve(person, suggestion, text="Melhor assim." if what == "edited" else None)
            made["operator"] = person.user_id
            episode.persons.add(person.user_id)
            await self.leaves(episode, "person", operator=person.user_id, intent=intent)
        elif what == "rejected":
            await self.desk.reject(person, suggestion, "wrong_fact")
            made["operator"] = person.user_id
            episode.persons.add(person.user_id)
        elif what == "superseded":
            await self.write(episode.number)
            async with self.db.transaction(self.tenant) as tx:
                await conversations.withdraw_drafts(tx, self.conversation)
        elif what == "expired":
            async with self.db.transaction(self.tenant) as tx:
                await tx.execute(
                    "UPDATE suggestion SET status = 'expired', decided_at = now() WHERE id = $1", suggestion
                )
        else:
            self.on_offer = made

    def withdrawn(self) -> None:
        """A newer suggestion, or a person."""
        if self.on_offer:
            self.on_offer["status"] = "superseded"
        self.on_offer = None

    async def with_person(self, episode: Episode) -> None:
        """A handoff, somebody who takes it, and answers."""
        reason, person = self.chance.choice(list(HandOffReason)), self.chance.choice(self.people)
        intent = self.chance.choice((*INTENTS, None))
        await self.later(1, 40)
        await self.decide(episode, HandOff(reason, "Já chamo alguém.", "quer algo"), intent)
        episode.handed_off = episode.handed_off or self.at
        handoff = {"at": self.at, "reason": reason.value, "claimed": None, "number": episode.number}
        handoff |= {"team": episode.team, "operator": None, "intent": intent}
        self.handoffs.append(handoff)
        await self.leaves(episode, "bot", intent=intent)
        if self.chance.random() < 0.15:
            return  # nobody comes
        await self.later(10, 9000)
        await self.desk.claim(person, self.conversation)
        self.withdrawn()
        handoff["claimed"], handoff["operator"] = self.at, person.user_id
        episode.taken = episode.taken or self.at
        episode.persons.add(person.user_id)
        for _ in range(self.chance.randint(0, 2)):
            await self.later(5, 900)
            await self.desk.reply(person, self.conversation, "Oi, sou eu.")
            await self.leaves(episode, "person", operator=person.user_id)

    async def closed(self, episode: Episode) -> None:
        """By a person or by the clock, with a reason or none."""
        by_person = bool(episode.persons) and self.chance.random() < 0.7
        person = self.chance.choice(self.people)
        await self.later(60, 20000)
        episode.reason = self.chance.choices([None, "resolved", "no_answer", "spam"], [3, 6, 2, 1])[0]
        await self.move(Event.CLOSED, str(person) if by_person else "system", person.user_id if by_person else None)
        async with self.db.transaction(self.tenant) as tx:
            await tx.execute(
                "UPDATE conversation SET closed_reason = $2 WHERE id = $1", self.conversation, episode.reason
            )
        episode.closed = self.at
        if by_person:
            episode.persons.add(person.user_id)
        if self.chance.random() < 0.5:
            score = self.chance.choice([None, None, 1, 2, 3, 4, 5])
            asked = {"at": self.at, "score": score, "operator": person.user_id, "number": episode.number}
            self.scores.append({**asked, "team": episode.team})
            async with self.db.transaction(self.tenant) as tx:
                await tx.execute(
                    "INSERT INTO satisfaction_answer (tenant_id, conversation_id, user_id, score) "
                    "VALUES ($1, $2, $3, $4)",
                    self.tenant,
                    self.conversation,
                    person.user_id,
                    score,
                )

    async def play(self, contact: int) -> None:
        """One contact's conversation on one number, through several episodes."""
        self.on_offer = None
        self.contact, number = f"contact {contact}", self.chance.choice(self.numbers)
        self.conversation = None
        self.at = START + timedelta(seconds=self.chance.randint(0, 17 * 86_400))
        await self.clock.set(self.at)
        episode = await self.opened(number)
        if self.chance.random() < 0.5:
            episode.team = self.chance.choice(self.teams)
            async with self.db.transaction(self.tenant) as tx:
                await tx.execute("UPDATE conversation SET team_id = $2 WHERE id = $1", self.conversation, episode.team)
        for round_ in range(self.chance.randint(1, 3)):
            if round_:
                await self.later(600, 5 * 86_400)
                if self.at > NOW - HOUR:
                    return
                episode.reopened = self.at
                episode = await self.opened(number)
            for _ in range(self.chance.randint(0, 2)):
                await (self.automatic if self.chance.random() < 0.6 else self.suggested)(episode)
                await self.later(5, 600)
                await self.write(number)
            if self.chance.random() < 0.4:
                await self.with_person(episode)
            if self.at > NOW - 6 * HOUR or self.chance.random() < 0.15:
                return  # it stays open
            await self.closed(episode)


@asynccontextmanager
async def told(owner_dsn: str, contacts: int = 60) -> AsyncIterator[Story]:
    """Scripted conversations, the clock at NOW."""
    number = await make_number(owner_dsn, settings={"hours": {"weekly": OPEN}, "reply_mode": "auto"})
    clock = await FrozenClock.install(owner_dsn, START)
    owner = await asyncpg.connect(owner_dsn)
    other = await owner.fetchval("SELECT gate.put_user('rui@shop.example', 'Rui', 'x', 'pt')")
    await owner.execute("SELECT gate.put_member($1, $2, 'operator')", number.tenant_id, other)
    await owner.close()
    async with opened(owner_dsn) as db:
        async with db.transaction(number.tenant_id) as tx:
            second = await tx.fetchval(
                "INSERT INTO channel_session (tenant_id, provider, name) "
                "VALUES ($1, 'simulator', 'Support') RETURNING id",
                number.tenant_id,
            )
            await tx.execute("UPDATE channel_session SET created_at = $1", START)
            teams = [
                await tx.fetchval(
                    "INSERT INTO team (tenant_id, name) VALUES ($1, $2) RETURNING id", number.tenant_id, name
                )
                for name in ("Vendas", "Suporte")
            ]
        wakeup = Wakeup(db)
        seed = random.randrange(10**6)
        print(f"seed {seed}")  # noqa: T201 - to play a failure again
        story = Story(
            db,
            clock,
            number.tenant_id,
            [number.session_id, second],
            teams,
            [Actor(number.tenant_id, number.user_id, "Ana"), Actor(number.tenant_id, other, "Rui")],
            Inbound(db, wakeup),
            Desk(db, wakeup, Approvals(db, wakeup)),
            random.Random(seed),
        )
        for contact in range(contacts):
            await story.play(contact)
        await clock.set(NOW)
        yield story
        await wakeup.close()
    await clock.close()
