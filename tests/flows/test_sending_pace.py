"""How fast a number sends, whoever sends for it: its bucket, first contacts, quiet hours, and what people are told."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.base import SendRetryableError, SendUncertainError, SessionChanged
from domain.messages import SessionStatus
from store import outbox
from store.database import Database
from tests.database import SECRET
from tests.flows.sending import Sending, open_sending

SLOW: dict[str, Any] = {"messages_per_minute": 1, "burst": 3, "new_contacts_per_day": "unlimited"}
STRANGERS: dict[str, Any] = {"messages_per_minute": "unlimited", "first_contact_gap_seconds": 0}


@pytest.fixture
async def slow(owner_dsn: str, db: Database) -> AsyncIterator[Sending]:
    """Three messages at once, then one a minute."""
    async with open_sending(owner_dsn, db, **SLOW) as sending:
        yield sending


async def test_that_all_processes_share_one_bucket_and_the_oldest_is_served_first(slow: Sending) -> None:
    for n in range(8):
        await slow.reply(await slow.written_by(n), f"r{n}")
    assert sorted(await slow.send()) == ["r0", "r1", "r2"]
    waiting = await slow.waiting()
    assert [(row.text, row.waits_for) for row in waiting] == [(f"r{n}", "rate") for n in range(3, 8)]
    expected = [row.waits_until for row in waiting]
    times = [until for until in expected if until is not None]
    assert len(times) == 5
    assert times == sorted(times)  # each knows its own place in the line
    assert await slow.send() == []
    for n in range(3, 8):
        await slow.time_passes(61)
        assert await slow.send() == [f"r{n}"]
    await slow.time_passes(3600)
    for n in range(8):
        await slow.reply(await slow.conversation(n), f"s{n}")
    assert len(await slow.send()) == 3  # an hour's silence saves up no more than the burst


async def test_that_a_persons_reply_is_served_before_automatic_ones_that_waited_longer(slow: Sending) -> None:
    chats = [await slow.written_by(n) for n in range(6)]
    for n, chat in enumerate(chats[:5]):
        await slow.automatic(chat, f"auto{n}")
    assert len(await slow.send()) == 3
    await slow.reply(chats[5], "person")
    assert await slow.send() == []
    await slow.time_passes(61)
    assert await slow.send() == ["person"]
    # Behind an automatic message of its own conversation it lends that one its place, and keeps the order.
    await slow.reply(chats[4], "and another")
    left = []
    for _ in range(3):
        await slow.time_passes(61)
        left += await slow.send()
    assert left == ["auto4", "and another", "auto3"]


async def test_that_a_row_that_left_the_line_delays_nobody(slow: Sending) -> None:
    for n in range(7):
        await slow.reply(await slow.written_by(n), f"r{n}")
    assert len(await slow.send()) == 3
    async with slow.db.transaction(slow.actor.tenant_id) as tx:
        await tx.execute(
            "UPDATE outbox_message SET state = 'cancelled' WHERE state = 'queued' AND NOT EXISTS ("
            "SELECT 1 FROM message m WHERE m.id = message_id AND m.text = 'r6')"
        )
    await slow.time_passes(61)
    assert await slow.send() == ["r6"]


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
async def test_that_kill_9_after_taking_a_token_costs_at_most_the_token(
    slow: Sending, owner_dsn: str, moment: str
) -> None:
    await slow.reply(await slow.written_by(1), "um")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CLAIMER, owner_dsn, str(slow.actor.tenant_id), moment, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await asyncio.wait_for(child.stdout.readline(), 60) == b"claimed\n"
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    if moment == "before the commit":
        # Its transaction ends with it: nothing was taken, and somebody else sends the message.
        async with asyncio.timeout(60):
            while not (sent := await slow.send()):  # noqa: ASYNC110  the server notices the death in its own time
                await asyncio.sleep(0.05)
        assert sent == ["um"]
        return
    await slow.time_passes(3600)
    assert await slow.processes[0].settle_overdue() == 1
    (row,) = await slow.door.fetch("SELECT id, state FROM outbox_message")
    assert row["state"] == "unknown"
    await slow.desk.settle_unknown(slow.actor, row["id"], arrived=False)
    assert await slow.send() == ["um"]


_CLAIMER = f"""
import asyncio, sys
from datetime import timedelta
from uuid import UUID
from flows import pace
from flows.pace import Limits
from store import outbox
from store.database import Database

async def main(dsn, tenant, moment):
    db = await Database.open(dsn, {SECRET!r}, max_connections=1)
    async with db.transaction(UUID(tenant)) as tx:
        row = await tx.fetchrow("SELECT id FROM outbox_message")
        limits = Limits.of("waha", {SLOW!r}, None, "UTC")
        assert (await pace.claim(tx, row["id"], limits, lease=timedelta(seconds=60))).row is not None
        if moment == "before the commit":
            print("claimed", flush=True)
            await asyncio.sleep(600)
    print("claimed", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_that_a_number_begins_only_so_many_conversations_a_day_and_more_as_it_gets_older(
    owner_dsn: str, db: Database
) -> None:
    async with open_sending(owner_dsn, db, **STRANGERS, warm_up="2,3", new_contacts_per_day=4) as sending:
        await sending.reply(await sending.written_by(100), "an answer is no first contact")
        for n in range(6):
            await sending.reply(await sending.stranger(n), f"new{n}")
        assert sorted(await sending.send()) == ["an answer is no first contact", "new0", "new1"]
        waiting = await sending.waiting()
        assert [(row.text, row.waits_for) for row in waiting] == [(f"new{n}", "new_contact_cap") for n in range(2, 6)]
        in_a_day = datetime.now(UTC) + timedelta(hours=24)
        assert all(row.waits_until and abs(row.waits_until - in_a_day) < timedelta(minutes=5) for row in waiting)
        await sending.reply(await sending.conversation(0), "a second message to the same is none either")
        assert await sending.send() == ["a second message to the same is none either"]
        await sending.door.take(sending.door.message(_person(5), "quem é?"))
        await sending.time_passes(301)
        assert await sending.send() == ["new5"]  # who has written is no stranger any more
        await sending.time_passes(24 * 3600)
        assert sorted(await sending.send()) == ["new2", "new3"]
        await sending.time_passes(7 * 24 * 3600)  # older than a week: three a day
        for n in range(6, 10):
            await sending.reply(await sending.stranger(n), f"new{n}")
        assert sorted(await sending.send()) == ["new4", "new6", "new7"]


async def test_that_first_contacts_lie_apart_and_another_phone_begins_anew(owner_dsn: str, db: Database) -> None:
    settings = {"messages_per_minute": "unlimited", "warm_up": "2", "new_contacts_per_day": 250}
    async with open_sending(owner_dsn, db, **settings) as sending:
        await sending.time_passes(30 * 24 * 3600)
        await _pair(sending, "5511990001111:3@s.whatsapp.net")
        for n in range(6):
            await sending.reply(await sending.stranger(n), f"new{n}")
        assert await sending.send() == ["new0"]
        until = (await sending.waiting())[0].waits_until
        assert until is not None
        assert timedelta(seconds=25) < until - datetime.now(UTC) <= timedelta(seconds=61)
        for n in range(1, 4):
            await sending.time_passes(301)
            assert await sending.send() == [f"new{n}"]
        await _pair(sending, "5511990001111:9@s.whatsapp.net")  # the same phone, paired again
        await sending.time_passes(301)
        assert await sending.send() == ["new4"]
        await _pair(sending, "5511990002222:1@s.whatsapp.net")
        await sending.time_passes(301)
        assert await sending.send() == []
        assert await sending.reasons() == [("new5", "new_contact_cap")]


async def _pair(sending: Sending, account: str) -> None:
    async with sending.db.transaction(sending.actor.tenant_id) as tx:
        await tx.execute("UPDATE channel_session SET account = $1", account)


def _person(n: int) -> Any:
    from tests.flows.sending import person  # noqa: PLC0415

    return person(n)


@pytest.fixture
async def by_night(owner_dsn: str, db: Database) -> AsyncIterator[Sending]:
    """It is quiet from an hour ago until in an hour, in the tenant's own zone."""
    async with open_sending(owner_dsn, db, "simulator") as sending:
        (row,) = await sending.door.fetch("SELECT now() AT TIME ZONE timezone AS local FROM tenant")
        hours = [(row["local"] + timedelta(hours=by)).strftime("%H:%M") for by in (-1, 1)]
        await sending.set_tenant(quiet_hours={"daily": ["-".join(hours)]})
        yield sending


async def test_that_by_night_only_people_and_answers_to_who_is_awake_go_out(by_night: Sending) -> None:
    awake, asleep, third = [await by_night.written_by(n) for n in range(3)]
    await by_night.automatic(awake, "notice", purpose="proactive")
    await by_night.automatic(third, "answer")
    assert await by_night.send() == ["answer"]
    await by_night.time_passes(1800)
    await by_night.automatic(asleep, "late answer")
    assert await by_night.send() == []
    assert await by_night.reasons() == [("notice", "quiet_hours"), ("late answer", "quiet_hours")]
    until = (await by_night.waiting())[1].waits_until
    assert until is not None
    assert timedelta(minutes=55) < until - datetime.now(UTC) < timedelta(minutes=65)
    # A person goes on with one of them: at once, and after what was said before.
    await by_night.reply(asleep, "from a person")
    assert await by_night.send() == ["late answer", "from a person"]
    await by_night.set_tenant(quiet_hours=None)
    await by_night.time_passes(301)  # what the setting ended is found soon, not only in the morning
    assert await by_night.send() == ["notice"]


async def test_that_a_tenant_may_let_answers_wait_for_the_morning_too(by_night: Sending) -> None:
    (row,) = await by_night.door.fetch("SELECT settings -> 'quiet_hours' AS quiet FROM tenant")
    await by_night.set_tenant(quiet_hours={**row["quiet"], "answers": "wait"})
    await by_night.automatic(await by_night.written_by(1), "answer")
    assert await by_night.send() == []
    assert await by_night.reasons() == [("answer", "quiet_hours")]


async def test_that_nothing_of_a_conversation_overtakes_whatever_the_first_message_waits_for(slow: Sending) -> None:
    slow.gateway.mishaps = [SendRetryableError("busy", after_seconds=30), SendUncertainError("lost")]
    chat = await slow.written_by(1)
    for text in ("um", "dois", "três"):
        await slow.reply(chat, text)
    assert await slow.send() == []
    assert await slow.reasons() == [("um", "retry"), ("dois", "order"), ("três", "order")]
    await slow.time_passes(31)
    # Now its outcome is unknown: it may have left, so the others may follow.
    sent = await slow.send()
    (lost,) = await slow.door.fetch("SELECT id FROM outbox_message WHERE state = 'unknown'")
    await slow.reply(chat, "quatro")
    await slow.desk.settle_unknown(slow.actor, lost["id"], arrived=False)
    assert await slow.send() == []
    assert await slow.reasons() == [
        ("um", "rate"),
        *[(text, "order") for text in ("três", "quatro") if text not in sent],
    ]
    while await slow.waiting():
        await slow.time_passes(61)
        sent += await slow.send()
    assert sent == ["dois", "um", "três", "quatro"]


@pytest.mark.parametrize(
    ("status", "wanted", "expected"),
    [
        (SessionStatus.DISCONNECTED, True, "offline"),
        (SessionStatus.AWAITING_QR, True, "offline"),
        (SessionStatus.CONNECTED, False, "paused"),
        (SessionStatus.RESTRICTED, True, "restricted"),
    ],
)
async def test_that_people_see_what_of_the_number_keeps_a_message(
    slow: Sending, status: SessionStatus, wanted: bool, expected: str
) -> None:
    await slow.door.take(SessionChanged(status, datetime.now(UTC)))
    async with slow.db.transaction(slow.actor.tenant_id) as tx:
        await tx.execute("UPDATE channel_session SET wanted = $1", wanted)
    await slow.reply(await slow.stranger(1), "oi")
    assert await slow.reasons() == [("oi", expected)]


async def test_that_the_late_failure_of_a_frozen_attempt_does_not_undo_the_next_one(slow: Sending) -> None:
    chat = await slow.written_by(1)
    await slow.reply(chat, "um")
    slow.gateway.open.clear()
    first = asyncio.create_task(slow.send())
    while not slow.gateway.taken:  # noqa: ASYNC110  it happens in another task
        await asyncio.sleep(0.01)
    (row,) = await slow.door.fetch("SELECT id FROM outbox_message")
    await slow.time_passes(3600)
    await slow.processes[0].settle_overdue()  # the first one counts as dead, but is only frozen
    await slow.desk.settle_unknown(slow.actor, row["id"], arrived=False)
    async with slow.db.transaction(slow.actor.tenant_id) as tx:
        again = await outbox.claim(tx, row["id"], lease=timedelta(seconds=60))
    assert again is not None
    async with slow.db.transaction(slow.actor.tenant_id) as tx:
        late = again["attempts"] - 1
        assert await outbox.requeue(tx, row["id"], wait=timedelta(0), error="late", attempt=late) is None
        assert await outbox.mark_failed(tx, row["id"], "late", attempt=late) is None
        assert await outbox.mark_unknown(tx, row["id"], "late", attempt=late) is None
    assert [found["state"] for found in await slow.door.fetch("SELECT state FROM outbox_message")] == ["sending"]
    slow.gateway.open.set()
    await first
