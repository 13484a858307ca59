"""Messages that arrive together share a statement; each still counts for itself."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import asyncpg
import pytest

from domain.messages import Address, AddressKind
from flows.inbound import Outcome
from tests.flows.door import Door

CHATS = 24


async def _say(door: Door, name: str, chat: int) -> Outcome:
    return await door.take(door.message(Address(AddressKind.SIMULATOR, f"chat{chat}"), provider_id=name))


async def _as_owner(door: Door, statement: str) -> Any:
    owner = await asyncpg.connect(door.owner_dsn)
    try:
        return await owner.fetch(statement) if statement.startswith("SELECT") else await owner.execute(statement)
    finally:
        await owner.close()


async def _greeted(door: Door) -> None:
    """Everybody has written once: from now on all that names them is known."""
    await asyncio.gather(*(_say(door, f"first{n}", n) for n in range(CHATS)))


async def test_that_messages_of_one_moment_are_each_stored_and_counted_once(door: Door) -> None:
    await _greeted(door)
    dice = random.Random(20261122)
    said = [(dice.randrange(CHATS), f"m{n}") for n in range(300)]
    said += dice.sample(said, 100)  # copies, some at the same moment as the first
    outcomes = await asyncio.gather(*(_say(door, name, chat) for chat, name in said))
    assert Counter(outcomes) == {"stored": 300, "duplicate": 100}
    rows = await door.fetch(
        "SELECT m.provider_id, c.address, c.unread, c.fence, c.last_inbound_id, max(m.id) OVER w AS last, "
        "count(*) OVER w AS count FROM message m JOIN conversation c ON c.id = m.conversation_id "
        "WINDOW w AS (PARTITION BY c.id) ORDER BY m.id"
    )
    assert len(rows) == 300 + CHATS
    assert all(row["count"] == row["unread"] == row["fence"] for row in rows)
    assert all(row["last"] == row["last_inbound_id"] for row in rows)
    assert {(row["address"], row["provider_id"]) for row in rows} >= {(f"simulator:chat{n}", name) for n, name in said}
    jobs = await _as_owner(door, "SELECT count(*) AS n, count(DISTINCT lock) AS chats FROM queue.procrastinate_jobs")
    assert (jobs[0]["n"], jobs[0]["chats"]) == (CHATS, CHATS)


async def test_that_one_message_which_the_database_refuses_takes_no_other_with_it(door: Door) -> None:
    await _greeted(door)
    await _as_owner(
        door,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.provider_id = 'refused' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    names = [f"m{n}" for n in range(CHATS - 1)] + ["refused"]
    outcomes = await asyncio.gather(*(_say(door, name, n) for n, name in enumerate(names)), return_exceptions=True)
    assert outcomes[:-1] == ["stored"] * (CHATS - 1)
    assert isinstance(outcomes[-1], asyncpg.RaiseError)


async def test_that_a_lost_connection_loses_and_doubles_nothing(door: Door) -> None:
    await _greeted(door)
    names = [f"m{n}" for n in range(400)]
    sending = asyncio.gather(*(_say(door, name, n % CHATS) for n, name in enumerate(names)), return_exceptions=True)
    for _ in range(5):
        await asyncio.sleep(0.02)
        await _as_owner(
            door,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()",
        )
    outcomes = await sending
    lost = [name for name, outcome in zip(names, outcomes, strict=True) if isinstance(outcome, BaseException)]
    assert await asyncio.gather(*(_say(door, name, names.index(name) % CHATS) for name in lost))
    rows = await door.fetch("SELECT provider_id FROM message")
    assert Counter(row["provider_id"] for row in rows) == Counter([*names, *(f"first{n}" for n in range(CHATS))])


async def test_that_who_gives_up_waiting_does_not_stop_the_others(door: Door) -> None:
    await _greeted(door)
    tasks = [asyncio.create_task(_say(door, f"m{n}", n % CHATS)) for n in range(100)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    kept = [outcome for n, outcome in enumerate(outcomes) if n % 3]
    assert set(kept) == {"stored"}
    with pytest.raises(asyncio.CancelledError):
        tasks[0].result()
