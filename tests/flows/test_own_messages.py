"""Whose message is it? Ours, told back by the provider, or a person's on the paired phone: in any order of things."""

from __future__ import annotations

import asyncio
import os
from collections import Counter

import asyncpg

from channels.base import MessageReceived
from flows import receipts
from flows.approvals import Approvals
from flows.desk import Actor, Desk
from flows.inbound import Inbound, Outcome
from flows.session_info import SessionInfo
from store.database import Connection, Database
from store.wakeup import Wakeup
from tests.database import make_number
from tests.flows.own_messages_case import WATCH, Case, World

SEED = 7
CASES = 60 if os.environ.get("ATENDE_LONG") else 24
AT_ONCE = 6


async def play(
    owner_dsn: str, db: Database, *, cases: int, steps: int, way_in: type[Inbound] = Inbound
) -> tuple[list[str], Counter[str]]:
    """All cases, a few at the same time; what was wrong, and what happened how often."""
    number = await make_number(owner_dsn, provider="webhook")
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(WATCH)
    wakeup = Wakeup(db)
    inbound = way_in(db, wakeup)
    actor = Actor(number.tenant_id, number.user_id, "Ana")
    world = World(db, wakeup, inbound, Desk(db, wakeup, Approvals(db, wakeup)), actor)
    wrong: list[str] = []
    did: Counter[str] = Counter()
    places = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int) -> None:
        async with places:
            async with db.transaction(number.tenant_id) as tx:
                session_id = await tx.fetchval(
                    "INSERT INTO channel_session (tenant_id, provider, name, status) VALUES ($1, 'webhook', $2, "
                    "'connected') RETURNING id",
                    number.tenant_id,
                    f"n{seed}",
                )
            case = Case(seed, world, session_id)
            await case.play(steps)
            await case.rest()
            wrong.extend(f"seed {seed}: {what}" for what in await case.wrong())
            did.update(case.did)

    try:
        async with asyncio.TaskGroup() as group:
            for n in range(cases):
                group.create_task(one(SEED * 10_000 + n))
        watched = await owner.fetch("SELECT what, count(*) FROM watched GROUP BY what")
        wrong += [f"{row['what']}: {row['count']}" for row in watched]
    finally:
        await owner.close()
        await wakeup.close()
    return wrong, did


async def test_that_no_order_of_sends_echoes_receipts_and_crashes_mistakes_whose_message_it_is(
    owner_dsn: str, db: Database
) -> None:
    print(f"seed {SEED}")  # noqa: T201  to run a failure again
    wrong, did = await play(owner_dsn, db, cases=CASES, steps=40)
    assert wrong == []
    assert min(did.values()) > CASES, did  # everything that may happen did


class TakenAtItsFace(Inbound):
    """The way in without the rule under test: an own message of unknown id is at once a person's."""

    async def _own_message(self, tx: Connection, session: SessionInfo, event: MessageReceived) -> Outcome:
        if await receipts.is_ours(tx, session.id, event.provider_id):
            return "duplicate"
        return await self.take_over_from_phone(tx, session, event)


async def test_that_an_own_message_taken_at_its_face_is_found_out(owner_dsn: str, db: Database) -> None:
    wrong, _ = await play(owner_dsn, db, cases=12, steps=40, way_in=TakenAtItsFace)
    assert any("typed on the phone" in what for what in wrong), wrong
