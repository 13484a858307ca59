"""Waiting conversations given to people by turns, and what happens when people go away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from channels.base import MessageReceived
from domain.conversation import Event
from domain.errors import ConflictError
from domain.messages import Address, AddressKind
from flows.absence import Absence
from flows.approvals import Approvals
from flows.assignment import Assignment
from flows.attachments import Offers
from flows.desk import Actor, Desk
from flows.inbound import Inbound
from flows.tidying import Tidying
from store import conversations
from store.database import Database, Row
from store.wakeup import Wakeup
from tests.database import make_number, opened


@dataclass
class Floor:
    """A tenant with people at work and a queue by turns."""

    db: Database
    wakeup: Wakeup
    owner_dsn: str
    tenant: UUID
    session: UUID
    inbound: Inbound
    assignment: Assignment
    absence: Absence
    desk: Desk

    async def run(self, statement: str, *values: Any) -> Any:
        async with self.db.transaction(self.tenant) as tx:
            return await tx.fetchval(statement, *values)

    async def rows(self, statement: str, *values: Any) -> list[Row]:
        async with self.db.transaction(self.tenant) as tx:
            return list(await tx.fetch(statement, *values))

    async def person(
        self, name: str, *, capacity: int = 0, skills: tuple[str, ...] = (), team: UUID | None = None
    ) -> Actor:
        """Somebody whose page is open."""
        owner = await asyncpg.connect(self.owner_dsn)
        user = await owner.fetchval("SELECT gate.put_user($1, $2, 'x', 'pt')", f"{name}@shop.example".lower(), name)
        await owner.execute("SELECT gate.put_member($1, $2, 'operator')", self.tenant, user)
        await owner.close()
        await self.run(
            "UPDATE membership SET capacity = $2, skills = $3, seen_at = now() WHERE user_id = $1 RETURNING 1",
            user,
            capacity,
            list(skills),
        )
        if team:
            await self.run(
                "INSERT INTO team_member (tenant_id, team_id, user_id) VALUES ($1, $2, $3) RETURNING 1",
                self.tenant,
                team,
                user,
            )
        return Actor(self.tenant, user, name)

    async def team(self, name: str, assignment: str = "round_robin") -> UUID:
        found: UUID = await self.run(
            "INSERT INTO team (tenant_id, name, assignment) VALUES ($1, $2, $3) RETURNING id",
            self.tenant,
            name,
            assignment,
        )
        return found

    async def waits(
        self, contact: str, *, team: UUID | None = None, labels: tuple[str, ...] = (), language: str = "pt"
    ) -> UUID:
        """A contact who was handed off."""
        event = MessageReceived(
            f"{contact}-{datetime.now(UTC)}", Address(AddressKind.SIMULATOR, contact), datetime.now(UTC), text="oi"
        )
        await self.inbound.receive(await self.inbound.session(self.session), event)
        found: UUID = await self.run("SELECT id FROM conversation WHERE address = $1", f"simulator:{contact}")
        async with self.db.transaction(self.tenant) as tx:
            await tx.execute(
                "UPDATE conversation SET team_id = $2, labels = $3, language = $4 WHERE id = $1",
                found,
                team,
                list(labels),
                language,
            )
            await conversations.apply(tx, found, Event.HANDED_OFF, actor="bot")
        return found

    async def holder(self, conversation: UUID) -> UUID | None:
        found: UUID | None = await self.run("SELECT assignee_id FROM conversation WHERE id = $1", conversation)
        return found


@pytest.fixture
async def floor(owner_dsn: str) -> AsyncIterator[Floor]:
    """Ana is not there; others come by ``person``. What belongs to no team is assigned by turns."""
    number = await make_number(owner_dsn, settings={"assignment": "round_robin", "reply_mode": "auto"})
    async with opened(owner_dsn) as db:
        wakeup = Wakeup(db)
        yield Floor(
            db,
            wakeup,
            owner_dsn,
            number.tenant_id,
            number.session_id,
            Inbound(db, wakeup),
            Assignment(db, wakeup),
            Absence(db, wakeup),
            Desk(db, wakeup, Approvals(db, wakeup)),
        )
        await wakeup.close()


async def test_that_waiting_conversations_go_by_turns_to_who_is_there_and_has_room(floor: Floor) -> None:
    full, free = await floor.person("Rui", capacity=1), await floor.person("Bia")
    gone = await floor.person("Caio")
    await floor.absence.go_away(gone)
    waiting = [await floor.waits(f"c{n}") for n in range(4)]
    assert await floor.assignment.run_due() == 4
    holders = Counter([await floor.holder(one) for one in waiting])
    assert holders == {full.user_id: 1, free.user_id: 3}
    assert await floor.assignment.run_due() == 0
    told = await floor.rows("SELECT user_id FROM notification WHERE kind = 'conversation.assigned'")
    assert Counter(row["user_id"] for row in told) == holders
    # Rui has room again once one of his is closed.
    (his,) = [one for one in waiting if await floor.holder(one) == full.user_id]
    async with floor.db.transaction(floor.tenant) as tx:
        await conversations.apply(tx, his, Event.CLOSED, actor=str(full))
    await floor.absence.go_away(free)  # hers come back to the queue, and one of them is his then
    assert await floor.assignment.run_due() == 1
    assert await floor.run("SELECT count(*) FROM conversation WHERE assignee_id = $1", full.user_id) == 1
    assert await floor.run("SELECT count(*) FROM conversation WHERE status = 'waiting'") == 2


async def test_that_nobody_s_turn_comes_twice_before_the_others_had_theirs(floor: Floor) -> None:
    people = [await floor.person(name) for name in ("Rui", "Bia", "Caio")]
    for round_ in range(2):
        waiting = [await floor.waits(f"r{round_}-{n}") for n in range(3)]
        for _ in waiting:  # one at a time: turns are kept from look to look
            await floor.assignment.assign(floor.tenant)
        assert {await floor.holder(one) for one in waiting} == {person.user_id for person in people}


async def test_that_skills_decide_and_a_skilled_person_without_room_is_waited_for(floor: Floor) -> None:
    spanish = await floor.person("Rui", capacity=1, skills=("ES", "Trocas"))
    other = await floor.person("Bia")
    first, second = await floor.waits("um", language="es"), await floor.waits("dois", language="es")
    plain = await floor.waits("tres")
    await floor.assignment.assign(floor.tenant)
    assert await floor.holder(first) == spanish.user_id
    assert await floor.holder(second) is None
    assert await floor.holder(plain) == other.user_id
    await floor.absence.go_away(spanish)  # nobody who is there knows Spanish: better somebody than nobody
    await floor.assignment.assign(floor.tenant)
    assert await floor.holder(second) == other.user_id


async def test_that_a_team_s_queue_is_for_its_people_and_one_by_hand_is_left_alone(floor: Floor) -> None:
    sales, support = await floor.team("Sales"), await floor.team("Support", "by_hand")
    seller = await floor.person("Rui", team=sales)
    await floor.person("Bia", team=support)
    sold, asked = await floor.waits("um", team=sales), await floor.waits("dois", team=support)
    assert await floor.assignment.run_due() == 1
    assert (await floor.holder(sold), await floor.holder(asked)) == (seller.user_id, None)


async def test_that_many_workers_at_once_assign_each_conversation_once_and_a_claim_wins(floor: Floor) -> None:
    people = [await floor.person(name, capacity=7) for name in ("Rui", "Bia", "Caio", "Duda")]
    waiting = [await floor.waits(f"c{n}") for n in range(24)]
    claimed = dict(zip(waiting[::6], people, strict=True))

    async def claim(conversation: UUID, person: Actor) -> None:
        try:
            await floor.desk.claim(person, conversation)
        except ConflictError:
            pytest.fail("a person may always claim")

    workers = [Assignment(floor.db, floor.wakeup) for _ in range(4)]
    looks = [worker.run_due() for worker in workers for _ in range(4)]
    await asyncio.gather(*looks, *(claim(*one) for one in claimed.items()))
    while await floor.assignment.run_due():
        pass
    for conversation, person in claimed.items():
        assert await floor.holder(conversation) == person.user_id
    given = await floor.rows(
        "SELECT conversation_id, count(*) AS times FROM event WHERE kind = 'conversation.assigned' GROUP BY 1"
    )
    assert {row["times"] for row in given} == {1}
    held = await floor.rows("SELECT assignee_id, count(*) AS open FROM conversation WHERE status = 'human' GROUP BY 1")
    assert sum(row["open"] for row in held) == 24
    taken_by_turns = Counter(
        [
            row["user"]
            for row in await floor.rows(
                "SELECT payload ->> 'user_id' AS user FROM event WHERE kind = 'conversation.assigned'"
            )
        ]
    )
    assert max(taken_by_turns.values()) <= 7


async def test_that_who_goes_away_gives_back_what_waits_for_an_answer_and_keeps_the_rest(floor: Floor) -> None:
    await floor.run(
        "UPDATE membership SET role = 'manager' "
        "WHERE user_id = (SELECT id FROM user_account WHERE name = 'Ana') RETURNING 1"
    )
    rui = await floor.person("Rui")
    owed, answered = await floor.waits("um"), await floor.waits("dois")
    await floor.assignment.assign(floor.tenant)
    await floor.desk.reply(rui, answered, "Pronto!")
    assert await floor.absence.go_away(rui) == 1
    assert await floor.absence.go_away(rui) == 0
    states = {row["id"]: row["status"] for row in await floor.rows("SELECT id, status FROM conversation")}
    assert states == {owed: "waiting", answered: "human"}
    told = {
        row["kind"]: row["payload"]
        for row in await floor.rows("SELECT kind, payload FROM notification WHERE kind <> 'conversation.assigned'")
    }
    assert told["conversations.returned"]["count"] == told["colleague.left_work"]["count"] == 1
    said = await floor.rows("SELECT payload FROM event WHERE kind = 'presence.changed'")
    assert [row["payload"]["state"] for row in said] == ["away"]
    assert await floor.assignment.run_due() == 0
    await floor.absence.come_back(rui)
    assert await floor.assignment.run_due() == 1
    assert await floor.holder(owed) == rui.user_id


async def test_that_who_has_had_no_page_open_for_a_while_gives_back_the_same(floor: Floor) -> None:
    tidying = Tidying(floor.db, floor.wakeup, Offers({}))
    rui = await floor.person("Rui")
    owed = await floor.waits("um")
    await floor.assignment.assign(floor.tenant)
    assert await tidying.run_due() == 0
    await floor.run(
        "UPDATE membership SET seen_at = now() - interval '11 minutes' WHERE user_id = $1 RETURNING 1", rui.user_id
    )
    assert await tidying.run_due() == 1
    assert await floor.holder(owed) is None
    assert await floor.assignment.run_due() == 0  # and nobody is there to take it
