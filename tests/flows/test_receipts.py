"""What became of a message that we sent: only forward, whatever comes first, and settled once where nobody knows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from channels.base import MessageReceived, ReceiptChanged, SendFailed, SendUncertainError
from domain.errors import OutdatedError
from domain.messages import ACK_ORDER, Ack
from flows.housekeeping import settle_held_events
from store.database import Database
from store.wakeup import Wakeup
from tests.flows.own_messages_case import WATCH
from tests.flows.sending import Sending, open_sending, person

SEED = 11


@pytest.fixture
async def sending(owner_dsn: str, db: Database) -> AsyncIterator[Sending]:
    async with open_sending(owner_dsn, db, "webhook") as opened:
        yield opened


async def outgoing(sending: Sending) -> list[tuple[str, str | None]]:
    rows = await sending.door.fetch("SELECT state, ack FROM outbox_message ORDER BY message_id")
    return [(row["state"], row["ack"]) for row in rows]


def receipt(provider_id: str, ack: Ack) -> ReceiptChanged:
    return ReceiptChanged((provider_id,), ack, datetime.now(UTC), chat=person(1))


async def sent_id(sending: Sending) -> str:
    (row,) = await sending.door.fetch("SELECT 'sent-' || id AS name FROM outbox_message")
    found: str = row["name"]
    return found


async def test_that_an_ack_never_goes_back_however_its_receipts_race(owner_dsn: str, sending: Sending) -> None:
    print(f"seed {SEED}")  # noqa: T201  to run a failure again
    owner = await asyncpg.connect(owner_dsn)
    try:
        await owner.execute(WATCH)
        for n in range(20):
            await sending.reply(await sending.written_by(n), f"r{n}")
        assert len(await sending.send()) == 20
        names = [row["provider_id"] for row in await sending.door.fetch("SELECT provider_id FROM outbox_message")]
        told = [(name, ack) for name in names for ack in ACK_ORDER for _ in range(2)]
        random.Random(SEED).shuffle(told)
        await asyncio.gather(*(sending.door.take(receipt(name, ack)) for name, ack in told))
        assert await outgoing(sending) == [("sent", "played")] * 20
        assert await owner.fetch("SELECT * FROM watched") == []
    finally:
        await owner.close()


async def test_that_a_receipt_which_comes_before_the_send_is_recorded_is_kept_for_it(sending: Sending) -> None:
    await sending.reply(await sending.written_by(1), "um")
    sending.gateway.open.clear()
    task = asyncio.create_task(sending.send())
    while not sending.gateway.taken:  # noqa: ASYNC110  it happens in another task
        await asyncio.sleep(0.01)
    name = await sent_id(sending)
    for ack in (Ack.READ, Ack.DEVICE):
        await sending.door.take(receipt(name, ack))
    assert await outgoing(sending) == [("sending", None)]
    sending.gateway.open.set()
    await task
    assert await outgoing(sending) == [("sent", "read")]
    assert await sending.door.fetch("SELECT 1 FROM held_event") == []


async def test_that_receipts_which_nobody_waits_for_stand_in_nobodys_way(sending: Sending) -> None:
    chat = await sending.written_by(1)
    for n in range(120):
        await sending.door.take(receipt(f"another system's {n}", Ack.READ))
    await sending.reply(chat, "um")
    await sending.send()
    async with sending.db.transaction(sending.actor.tenant_id) as tx:
        # As if the record had come between the question for the message and the note of its receipt.
        await tx.execute(
            "INSERT INTO held_event (tenant_id, channel_session_id, kind, key, body) "
            "VALUES ($1, $2, 'receipt', $3, $4)",
            sending.actor.tenant_id,
            sending.door.session.id,
            await sent_id(sending),
            {"ack": "device"},
        )
    await sending.time_passes(5)
    await settle_held_events(sending.db, sending.door.inbound, Wakeup(sending.db))
    assert await outgoing(sending) == [("sent", "device")]


async def test_that_a_receipt_of_what_was_typed_on_the_phone_is_nothing(sending: Sending) -> None:
    await sending.written_by(1)
    await sending.door.take(MessageReceived("p1", person(1), datetime.now(UTC), text="eu", from_me=True))
    await sending.door.take(receipt("p1", Ack.READ))
    assert await sending.door.fetch("SELECT 1 FROM held_event") == []


@pytest.mark.parametrize("first", ["failure", "receipt"])
async def test_that_what_reached_a_device_has_arrived_whatever_else_is_said(sending: Sending, first: str) -> None:
    await sending.reply(await sending.written_by(1), "um")
    await sending.send()
    name = await sent_id(sending)
    events: list[Any] = [SendFailed((name,), datetime.now(UTC), "not delivered"), receipt(name, Ack.DEVICE)]
    for event in events if first == "failure" else reversed(events):
        await sending.door.take(event)
    assert await outgoing(sending) == [("sent", "device")]
    await sending.door.take(SendFailed((name,), datetime.now(UTC), "not delivered"))
    assert await outgoing(sending) == [("sent", "device")]


async def unknown(sending: Sending, text: str = "um") -> UUID:
    """A message that may have left."""
    sending.gateway.mishaps = [SendUncertainError("lost")]
    await sending.reply(await sending.written_by(1), text)
    await sending.send()
    (row,) = await sending.door.fetch("SELECT id FROM outbox_message WHERE state = 'unknown'")
    found: UUID = row["id"]
    return found


@pytest.mark.parametrize("arrived", [True, False])
async def test_that_two_who_settle_at_once_settle_once_and_repeating_is_harmless(
    sending: Sending, arrived: bool
) -> None:
    outbox_id = await unknown(sending)
    said = [arrived, arrived, not arrived, not arrived]
    outcomes = await asyncio.gather(
        *(sending.desk.settle_unknown(sending.actor, outbox_id, arrived=one) for one in said), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes].count(OutdatedError) == 2
    (row,) = await sending.door.fetch("SELECT settled, settled_by FROM outbox_message")
    agreed = {one for one, outcome in zip(said, outcomes, strict=True) if outcome is None}
    assert agreed == {row["settled"] == "arrived"}
    assert row["settled_by"] == sending.actor.user_id
    settled = await sending.door.fetch("SELECT 1 FROM event WHERE payload ? 'settled'")
    assert len(settled) == 1
    await sending.send()
    assert sending.gateway.texts == ([] if agreed == {True} else ["um"])
    assert (await outgoing(sending))[0] == ("sent", "server")
    await sending.desk.settle_unknown(sending.actor, outbox_id, arrived=agreed == {True})  # a late second click
    assert (await sending.send(), await outgoing(sending)) == ([], [("sent", "server")])


async def test_that_a_message_settled_as_arrived_still_gets_its_id_and_acks(sending: Sending) -> None:
    """The provider's answer, or its echo, comes after a person has looked at the phone."""
    outbox_id = await unknown(sending)
    await sending.desk.settle_unknown(sending.actor, outbox_id, arrived=True)
    await sending.door.take(receipt("late-id", Ack.READ))
    outcome = await sending.door.take(MessageReceived("late-id", person(1), datetime.now(UTC), text="um", from_me=True))
    assert outcome == "held"
    await sending.time_passes(5)
    assert await settle_held_events(sending.db, sending.door.inbound, Wakeup(sending.db)) >= 1
    assert await outgoing(sending) == [("sent", "read")]
    assert await sending.door.fetch("SELECT 1 FROM message WHERE author = 'phone'") == []


async def test_that_a_message_which_left_twice_is_one_bubble_and_nobodys_takeover(sending: Sending) -> None:
    outbox_id = await unknown(sending)
    await sending.desk.settle_unknown(sending.actor, outbox_id, arrived=False)
    assert await sending.send() == ["um"]
    for _ in range(2):  # the first one had arrived after all, and is told twice
        await sending.door.take(MessageReceived("first", person(1), datetime.now(UTC), text="um ", from_me=True))
        await sending.time_passes(5)
        await settle_held_events(sending.db, sending.door.inbound, Wakeup(sending.db))
    assert await sending.door.fetch("SELECT 1 FROM message WHERE author = 'phone'") == []
    await sending.door.take(receipt("first", Ack.READ))
    assert await outgoing(sending) == [("sent", "read")]
    # The same words once more are a person's: no send of unknown fate is left that they could belong to.
    await sending.door.take(MessageReceived("third", person(1), datetime.now(UTC), text="um", from_me=True))
    assert len(await sending.door.fetch("SELECT 1 FROM message WHERE author = 'phone'")) == 1
