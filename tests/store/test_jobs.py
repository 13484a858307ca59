"""The waiting turn: one per conversation, moved by further messages, never past its cap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from store.database import Database
from store.jobs import MODEL_TURNS, TURNS, enqueue_turn
from tests.database import Number

SECOND = timedelta(seconds=1)


@dataclass
class Queue:
    """The queue's own table, with a clock that tests can move: by making all it holds older."""

    db: Database
    owner_dsn: str
    tenant_id: UUID
    conversation_id: UUID

    async def enqueue(
        self, wait: timedelta | None, *, cap: timedelta = 5 * SECOND, queue: str = TURNS, attempt: int = 1
    ) -> None:
        async with self.db.transaction(self.tenant_id) as tx:
            await enqueue_turn(
                tx, self.tenant_id, self.conversation_id, queue=queue, wait=wait, cap=cap, attempt=attempt
            )

    async def jobs(self, statement: str = "") -> list[asyncpg.Record]:
        owner = await asyncpg.connect(self.owner_dsn)
        try:
            if statement:
                await owner.execute(statement)
            return list(
                await owner.fetch(
                    "SELECT status, queue_name, args ->> 'attempt' AS attempt, "
                    "extract(epoch FROM scheduled_at - clock_timestamp())::float8 AS due_in, "
                    "extract(epoch FROM scheduled_at)::float8 - (args ->> 'first_at')::float8 AS after_first "
                    "FROM queue.procrastinate_jobs ORDER BY id"
                )
            )
        finally:
            await owner.close()

    async def pass_time(self, seconds: float) -> None:
        await self.jobs(
            f"UPDATE queue.procrastinate_jobs SET scheduled_at = scheduled_at - interval '{seconds} s', "
            f"args = jsonb_set(args, '{{first_at}}', to_jsonb((args ->> 'first_at')::float8 - {seconds}))"
        )


@pytest.fixture
def queue(owner_dsn: str, db: Database, number: Number) -> Queue:
    return Queue(db, owner_dsn, number.tenant_id, uuid4())


async def test_that_a_stream_of_messages_moves_one_turn_but_not_past_the_cap(queue: Queue) -> None:
    jobs = []
    for _ in range(8):
        await queue.enqueue(2 * SECOND)
        (job,) = await queue.jobs()
        jobs.append(job)
        await queue.pass_time(1)
    assert all(0.5 < job["due_in"] <= 2 for job in jobs[:3]), "not two seconds after the newest message"
    assert [job["after_first"] for job in jobs[4:]] == pytest.approx([5] * 4, abs=0.01)


async def test_that_a_message_during_a_turn_waits_as_one_further_turn_with_a_cap_of_its_own(queue: Queue) -> None:
    await queue.enqueue(2 * SECOND)
    await queue.pass_time(60)
    await queue.jobs("UPDATE queue.procrastinate_jobs SET status = 'doing'")
    for _ in range(3):
        await queue.enqueue(2 * SECOND)
    running, waiting = await queue.jobs()
    assert (running["status"], waiting["status"]) == ("doing", "todo")
    assert waiting["after_first"] == pytest.approx(2, abs=1)
    assert waiting["due_in"] > 0


async def test_that_a_turn_that_may_run_at_once_is_not_put_off(queue: Queue) -> None:
    await queue.enqueue(None)
    await queue.enqueue(2 * SECOND)
    (job,) = await queue.jobs()
    assert job["due_in"] is None
    await queue.enqueue(2 * SECOND, queue=MODEL_TURNS, attempt=3)
    (job,) = await queue.jobs()
    assert (job["due_in"], job["queue_name"], job["attempt"]) == (None, TURNS, "1")


async def test_that_no_tenant_enqueues_for_another(queue: Queue) -> None:
    async with queue.db.transaction(uuid4()) as tx:
        await enqueue_turn(tx, queue.tenant_id, queue.conversation_id)
    assert await queue.jobs() == []
