"""A person of the business on the paired phone: the conversation is theirs, until released or for as long as is set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.base import MessageReceived
from domain.messages import MessageKind
from flows.attendance import keep_appointments
from flows.housekeeping import settle_held_events
from store.database import Database, Row
from store.wakeup import Wakeup
from tests.flows.sending import Sending, open_sending, person


@pytest.fixture
async def sending(owner_dsn: str, db: Database) -> AsyncIterator[Sending]:
    async with open_sending(owner_dsn, db, "webhook") as opened:
        yield opened


async def typed(sending: Sending, text: str = "aqui é a Ana", number: int = 1, **more: Any) -> str:
    name = f"p{len(await sending.door.fetch('SELECT 1 FROM message'))}-{text}"
    event = MessageReceived(name, person(number), datetime.now(UTC), text=text, from_me=True, **more)
    return await sending.door.take(event)


async def conversation(sending: Sending, number: int = 1) -> Row:
    (row,) = await sending.door.fetch("SELECT * FROM conversation WHERE address = $1", str(person(number)))
    return row


async def kinds(sending: Sending) -> list[str]:
    rows = await sending.door.fetch("SELECT kind FROM event WHERE kind LIKE 'conversation.%' ORDER BY id")
    return [row["kind"].partition(".")[2] for row in rows]


async def look(sending: Sending) -> None:
    await keep_appointments(sending.db, Wakeup(sending.db))


async def test_that_the_agent_gets_the_conversation_back_after_the_tenants_time(sending: Sending) -> None:
    await sending.set_tenant(phone_takeover={"release_after_minutes": 30})
    await sending.written_by(1)
    await typed(sending)
    await sending.time_passes(29 * 60)
    await look(sending)
    await typed(sending, "só um momento")  # begins the time anew, and is no second takeover
    await sending.time_passes(29 * 60)
    await look(sending)
    assert (await conversation(sending))["status"] == "human"
    assert await kinds(sending) == ["taken_over"]
    await sending.time_passes(61)
    await look(sending)
    assert (await conversation(sending))["status"] == "bot"
    assert await kinds(sending) == ["taken_over", "released"]
    assert not [job for job in await sending.door.jobs() if job["status"] == "todo" and await _waits(sending)]


async def _waits(sending: Sending) -> bool:
    row = await conversation(sending)
    return bool(row["last_inbound_id"] > row["answered_upto_id"])


async def test_that_what_the_customer_wrote_after_the_person_is_answered_when_the_agent_is_back(
    sending: Sending,
) -> None:
    await sending.set_tenant(phone_takeover={"release_after_minutes": 30})
    await sending.written_by(1)
    await typed(sending)
    assert not await _waits(sending)
    await sending.door.take(sending.door.message(person(1), "e o prazo?"))
    await sending.time_passes(31 * 60)
    await asyncio.gather(look(sending), look(sending))  # two workers
    assert await _waits(sending)
    assert (await conversation(sending))["status"] == "bot"
    assert await kinds(sending) == ["taken_over", "released"]
    assert len([job for job in await sending.door.jobs() if job["status"] == "todo"]) == 1


async def test_that_without_that_setting_or_with_an_operator_only_people_give_it_back(sending: Sending) -> None:
    await sending.written_by(1)
    await typed(sending)
    await sending.set_tenant(phone_takeover={"release_after_minutes": 30})
    claimed = await sending.written_by(2)
    await sending.desk.claim(sending.actor, claimed)
    await typed(sending, number=2)  # beside the operator, who keeps it
    replied = await sending.written_by(3)
    await typed(sending, number=3)
    await sending.reply(replied, "sigo por aqui")
    await sending.time_passes(24 * 3600)
    await look(sending)
    for number, holder in ((1, None), (2, sending.actor.user_id), (3, sending.actor.user_id)):
        row = await conversation(sending, number)
        assert (row["status"], row["assignee_id"]) == ("human", holder)


@pytest.mark.parametrize("kind", [MessageKind.REACTION, MessageKind.POLL_VOTE, MessageKind.SYSTEM, MessageKind.CALL])
async def test_that_what_nobody_typed_takes_nothing_over(sending: Sending, kind: MessageKind) -> None:
    await sending.written_by(1)
    assert await typed(sending, "👍", kind=kind) == "stored"
    assert (await conversation(sending))["status"] == "bot"


async def test_that_nothing_automatic_leaves_while_it_is_open_who_wrote(sending: Sending) -> None:
    chat = await sending.written_by(1)
    await sending.automatic(chat, "parte 1")
    await sending.automatic(chat, "parte 2")
    sending.gateway.open.clear()
    task = asyncio.create_task(sending.send())
    while not sending.gateway.taken:  # noqa: ASYNC110  it happens in another task
        await asyncio.sleep(0.01)
    assert await typed(sending) == "held"  # part 1 has no id yet, so this might be its echo
    sending.gateway.open.set()
    await task
    assert sending.gateway.texts == ["parte 1"]
    assert await sending.reasons() == [("parte 2", "phone")]
    await sending.time_passes(5)
    await settle_held_events(sending.db, sending.door.inbound, Wakeup(sending.db))
    assert (await conversation(sending))["status"] == "human"
