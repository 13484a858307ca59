"""A number, its desk and two processes that send for it, with a clock that a test can turn on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain.messages import Address, AddressKind
from flows import notices
from flows.approvals import Approvals
from flows.delivery import Delivery
from flows.desk import Actor, Desk
from flows.inbound import Inbound
from store import conversations, pacing
from store.database import Database
from store.pacing import Outgoing
from store.wakeup import Wakeup
from tests.database import make_number
from tests.flows.backroom import Gateway
from tests.flows.door import Door


def person(number: int) -> Address:
    return Address(AddressKind.PHONE, f"5531900{number:06}")


@dataclass
class Sending:
    """``processes`` send for the same number, each as a worker of its own would."""

    door: Door
    desk: Desk
    actor: Actor
    gateway: Gateway
    processes: list[Delivery]

    @property
    def db(self) -> Database:
        return self.door.db

    async def written_by(self, number: int, text: str = "oi") -> UUID:
        """The conversation with somebody who has written."""
        await self.door.take(self.door.message(person(number), text))
        return await self.conversation(number)

    async def stranger(self, number: int) -> UUID:
        """A conversation with somebody who has never written."""
        async with self.db.transaction(self.actor.tenant_id) as tx:
            contact = await tx.fetchval(
                "INSERT INTO contact (tenant_id) VALUES ($1) RETURNING id", self.actor.tenant_id
            )
            await tx.execute(
                "INSERT INTO contact_address (tenant_id, kind, value, contact_id) VALUES ($1, 'phone', $2, $3)",
                self.actor.tenant_id,
                person(number).value,
                contact,
            )
            found: UUID = await tx.fetchval(
                "INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address) VALUES ($1, $2, $3, $4) "
                "RETURNING id",
                self.actor.tenant_id,
                self.door.session.id,
                contact,
                str(person(number)),
            )
        return found

    async def conversation(self, number: int) -> UUID:
        (row,) = await self.door.fetch("SELECT id FROM conversation WHERE address = $1", str(person(number)))
        found: UUID = row["id"]
        return found

    async def automatic(self, conversation_id: UUID, text: str, **more: Any) -> None:
        """The agent, or a notice, says something."""
        async with self.db.transaction(self.actor.tenant_id) as tx:
            await notices.say(tx, await conversations.lock(tx, conversation_id), text, **more)

    async def reply(self, conversation_id: UUID, text: str) -> None:
        """An operator says something."""
        await self.desk.reply(self.actor, conversation_id, text)

    async def send(self) -> list[str]:
        """All processes send at once what is due, until nothing is; returns what has left since."""
        before, idle = len(self.gateway.taken), 0
        while idle < 3:  # two that claim at the same moment may each have to look once more
            due = sum(await asyncio.gather(*(process.run_due() for process in self.processes)))
            await asyncio.gather(*(process.wait_idle() for process in self.processes))
            idle = 0 if due else idle + 1
            await asyncio.sleep(0.03 if idle else 0)
        return self.gateway.texts[before:]

    async def time_passes(self, seconds: float) -> None:
        """For the database the last seconds were so many more."""
        span = timedelta(seconds=seconds)
        async with self.db.transaction(self.actor.tenant_id) as tx:
            for table, columns in _CLOCKS.items():
                # What comes due in between comes due just now: nobody slept through it.
                sets = ", ".join(
                    f"{column} = least({column}, greatest({column} - $1::interval, now() - interval '1 s'))"
                    if column == "not_before"
                    else f"{column} = {column} - $1::interval"
                    for column in columns
                )
                await tx.execute(f"UPDATE {table} SET {sets}", span)

    async def waiting(self) -> list[Outgoing]:
        """What waits, as people see it."""
        async with self.db.transaction(self.actor.tenant_id) as tx:
            return await pacing.outgoing(tx, states=["queued"], number=None, conversation=None, at_most=100)

    async def reasons(self) -> list[tuple[str, str | None]]:
        return [(row.text, row.waits_for) for row in await self.waiting()]

    async def set_number(self, **config: Any) -> None:
        async with self.db.transaction(self.actor.tenant_id) as tx:
            await tx.execute("UPDATE channel_session SET config = config || $1", config)
        self._forget()

    async def set_tenant(self, **settings: Any) -> None:
        async with self.db.transaction(self.actor.tenant_id) as tx:
            await tx.execute("UPDATE tenant SET settings = settings || $1", settings)
        self.door.inbound.forget(self.door.session.id)
        self.door.session = await self.door.inbound.session(self.door.session.id)
        self._forget()

    def _forget(self) -> None:
        for process in self.processes:
            process._sessions.clear()  # else it would learn of it in a few seconds


_CLOCKS = {
    "outbox_message": ("not_before", "waits_until", "queued_at", "sending_until", "sent_at"),
    "number_pace": ("refilled_at", "next_first_contact_at", "new_since"),
    "first_contact": ("at",),
    "channel_session": ("created_at",),
    "message": ("sent_at", "received_at"),
    "held_event": ("created_at",),
    "conversation": ("resumes_at",),
}


@asynccontextmanager
async def open_sending(owner_dsn: str, db: Database, provider: str = "waha", **config: Any) -> AsyncIterator[Sending]:
    """A tenant with one such number."""
    number = await make_number(owner_dsn, provider=provider)
    wakeup, gateway = Wakeup(db), Gateway()
    inbound = Inbound(db, wakeup)
    door = Door(db, inbound, await inbound.session(number.session_id), owner_dsn)
    processes = [Delivery(db, wakeup, {provider: gateway}, patience=timedelta(0)) for _ in range(2)]
    actor = Actor(number.tenant_id, number.user_id, "Ana")
    sending = Sending(door, Desk(db, wakeup, Approvals(db, wakeup)), actor, gateway, processes)
    await sending.set_number(**config)
    yield sending
    await wakeup.close()
