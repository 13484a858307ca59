"""The queue's table as we write into it ourselves: one waiting turn per conversation, moved, capped, never lost."""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import procrastinate
import pytest
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status

from channels.base import MessageReceived
from domain.messages import Address, AddressKind
from flows.housekeeping import EndedJobs, enqueue_forgotten, rescue_stalled_jobs
from flows.inbound import Inbound
from store.database import Database
from store.jobs import MODEL_TURNS, enqueue_approval, enqueue_turn, queue_app
from store.migrate import migrate
from store.wakeup import Wakeup
from tests.database import SECRET, Number

WAIT = timedelta(seconds=1)
CAP = timedelta(seconds=3)


@dataclass
class Queue:
    """One conversation's jobs: written as flows do, taken as workers do, looked at as the owner."""

    db: Database
    owner: asyncpg.Connection
    app: procrastinate.App
    number: Number
    conversation_id: UUID

    async def enqueue(self, *, queue: str = "turns", wait: timedelta | None = None, cap: timedelta = CAP) -> None:
        async with self.db.transaction(self.number.tenant_id) as tx:
            await enqueue_turn(tx, self.number.tenant_id, self.conversation_id, queue=queue, wait=wait, cap=cap)

    async def jobs(self) -> list[asyncpg.Record]:
        return list(await self.owner.fetch("SELECT *, status::text AS state FROM procrastinate_jobs ORDER BY id"))

    async def states(self) -> list[str]:
        return [job["state"] for job in await self.jobs()]

    async def take(self, worker_id: int | None = None) -> Job | None:
        worker_id = worker_id or await self.app.job_manager.register_worker()
        return await self.app.job_manager.fetch_job(None, worker_id)

    async def end(self, job: Job) -> None:
        await self.app.job_manager.finish_job(job, Status.SUCCEEDED, delete_job=True)

    async def grow_older(self, by: timedelta) -> None:
        """As if the first call had been this much earlier."""
        await self.owner.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = scheduled_at - $1::interval, "
            "args = jsonb_set(args, '{first_at}', to_jsonb((args ->> 'first_at')::float8 - $2::float8))",
            by,
            by.total_seconds(),
        )


@pytest.fixture
async def owner(owner_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(owner_dsn, server_settings={"search_path": "queue, public"})
    yield connection
    await connection.close()


@pytest.fixture
async def queue(db: Database, owner: asyncpg.Connection, number: Number) -> AsyncIterator[Queue]:
    app = queue_app(db.queue_url)
    async with app.open_async():
        yield Queue(db, owner, app, number, uuid.uuid4())


# What gate.enqueue_turn and gate.enqueue_approval rely on. A new version of the library means: read its migrations,
# then change these and the gate together.


def test_that_the_library_is_the_version_whose_table_was_read() -> None:
    assert importlib.metadata.version("procrastinate") == "3.10.0"


async def test_that_the_library_s_table_is_the_one_we_write_into(owner: asyncpg.Connection) -> None:
    columns = await owner.fetch(
        "SELECT column_name AS name, udt_name AS type, is_nullable = 'YES' AS nullable, column_default AS filled "
        "FROM information_schema.columns WHERE table_schema = 'queue' AND table_name = 'procrastinate_jobs'"
    )
    written = {"queue_name", "task_name", "lock", "queueing_lock", "args", "scheduled_at"}
    assert {row["name"]: (row["type"], row["nullable"]) for row in columns if row["name"] in written} == {
        "queue_name": ("varchar", False),
        "task_name": ("varchar", False),
        "lock": ("text", True),
        "queueing_lock": ("text", True),
        "args": ("jsonb", False),
        "scheduled_at": ("timestamptz", True),
    }
    # What we leave out fills itself: a further column without a default would refuse our rows.
    assert {row["name"]: row["filled"] for row in columns if row["name"] not in written} == {
        "id": "nextval('procrastinate_jobs_id_seq'::regclass)",
        "priority": "0",
        "status": "'todo'::procrastinate_job_status",
        "attempts": "0",
        "abort_requested": "false",
        "worker_id": None,
    }
    assert next(row["nullable"] for row in columns if row["name"] == "worker_id")
    indexes = {
        re.sub(r"queue\.|::procrastinate_job_status|[()]", "", text.partition(" USING btree ")[2])
        for text in await owner.fetchval(
            "SELECT array_agg(indexdef) FROM pg_indexes WHERE tablename = 'procrastinate_jobs' AND indexdef ~ 'UNIQUE'"
        )
    }
    assert indexes == {"id", "queueing_lock WHERE status = 'todo'", "lock WHERE status = 'doing'"}


async def test_that_migrating_again_brings_no_trigger_back(owner_dsn: str, owner: asyncpg.Connection) -> None:
    await asyncio.to_thread(migrate, owner_dsn, SECRET)
    triggers = await owner.fetch(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'procrastinate_jobs'::regclass AND NOT tgisinternal"
    )
    # Neither of these runs when a job is inserted or moves on.
    assert {row["tgname"] for row in triggers} == {
        "procrastinate_jobs_notify_queue_job_aborted_v1",
        "procrastinate_trigger_delete_jobs_v1",
    }


async def test_that_a_second_message_moves_the_waiting_turn_instead_of_adding_one(queue: Queue) -> None:
    await queue.enqueue(wait=WAIT)
    (first,) = await queue.jobs()
    await asyncio.sleep(0.05)
    await queue.enqueue(wait=WAIT)
    (moved,) = await queue.jobs()
    assert moved["id"] == first["id"]
    assert moved["args"] == first["args"]
    assert timedelta(0) < moved["scheduled_at"] - first["scheduled_at"] < WAIT
    assert moved["scheduled_at"] - datetime.now(UTC) < WAIT


async def test_that_a_waiting_turn_is_never_moved_past_the_cap_from_the_first_message_on(queue: Queue) -> None:
    await queue.enqueue(wait=WAIT)
    (first,) = await queue.jobs()
    age = CAP - WAIT / 2
    await queue.grow_older(age)
    for _ in range(3):
        await queue.enqueue(wait=WAIT)
    (capped,) = await queue.jobs()
    started = first["scheduled_at"] - WAIT - age
    assert abs(capped["scheduled_at"] - (started + CAP)) < timedelta(milliseconds=5)


@pytest.mark.parametrize("waits", [(None,), (WAIT, None), (None, WAIT)], ids=["alone", "after a wait", "before a wait"])
async def test_that_a_turn_without_a_wait_is_due_at_once(queue: Queue, waits: tuple[timedelta | None, ...]) -> None:
    for wait in waits:
        await queue.enqueue(wait=wait)
    (job,) = await queue.jobs()
    assert job["scheduled_at"] is None
    assert await queue.take() is not None


@pytest.mark.parametrize("to_queue", ["turns", MODEL_TURNS])
async def test_that_messages_during_a_running_turn_make_exactly_one_follow_up_that_waits_for_its_end(
    queue: Queue, to_queue: str
) -> None:
    await queue.enqueue(queue=to_queue)
    running = await queue.take()
    assert running is not None
    for _ in range(3):
        await queue.enqueue()
    assert await queue.states() == ["doing", "todo"]
    assert await queue.take() is None
    await queue.end(running)
    following = await queue.take()
    assert following is not None
    assert following.id != running.id
    assert await queue.states() == ["doing"]


async def test_that_a_turn_is_enqueued_with_its_transaction_or_not_at_all(queue: Queue) -> None:
    async def failing() -> None:
        async with queue.db.transaction(queue.number.tenant_id) as tx:
            await enqueue_turn(tx, queue.number.tenant_id, queue.conversation_id)
            await enqueue_approval(tx, queue.number.tenant_id, queue.conversation_id, uuid.uuid4())
            raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError):
        await failing()
    assert await queue.jobs() == []


async def test_that_a_transaction_enqueues_for_its_own_tenant_only(queue: Queue) -> None:
    async with queue.db.transaction(queue.number.tenant_id) as tx:
        await enqueue_turn(tx, uuid.uuid4(), queue.conversation_id)
        await enqueue_approval(tx, uuid.uuid4(), queue.conversation_id, uuid.uuid4())
    assert await queue.jobs() == []


async def test_that_a_decided_approval_runs_in_line_with_the_turns_and_once(queue: Queue) -> None:
    approval_id = uuid.uuid4()
    await queue.enqueue()
    running = await queue.take()
    assert running is not None
    for _ in range(2):
        async with queue.db.transaction(queue.number.tenant_id) as tx:
            await enqueue_approval(tx, queue.number.tenant_id, queue.conversation_id, approval_id)
    assert await queue.states() == ["doing", "todo"]
    assert await queue.take() is None
    await queue.end(running)
    approval = await queue.take()
    assert approval is not None
    assert (approval.task_name, approval.task_kwargs["approval_id"]) == ("approval", str(approval_id))


@pytest.mark.parametrize("worker_is", ["silent", "pruned"])
@pytest.mark.parametrize("newer_waits", [False, True], ids=["alone", "while a newer turn waits"])
async def test_that_the_job_of_a_dead_worker_blocks_nothing(queue: Queue, newer_waits: bool, worker_is: str) -> None:
    dead = await queue.app.job_manager.register_worker()
    await queue.enqueue(wait=-WAIT)
    stalled = await queue.take(dead)
    assert stalled is not None
    if newer_waits:
        await queue.enqueue()
    assert await rescue_stalled_jobs(queue.app) == 0, "a worker that was heard of just now is not dead"
    await queue.owner.execute(
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '7 s' WHERE id = $1"
        if worker_is == "silent"
        else "DELETE FROM procrastinate_workers WHERE id = $1",
        dead,
    )
    assert await rescue_stalled_jobs(queue.app) == 1
    assert await queue.states() == ["todo"]
    job = await queue.take()
    assert job is not None
    assert (job.id == stalled.id) is not newer_waits
    assert await rescue_stalled_jobs(queue.app) == 0


async def test_that_a_job_is_ended_again_where_its_end_was_not_recorded(queue: Queue) -> None:
    ended = EndedJobs(patience_seconds=0)
    await queue.enqueue(wait=-WAIT)
    job = await queue.take()
    assert job is not None
    assert job.id is not None
    await queue.enqueue()
    assert await ended.settle(queue.app) == 0, "it still runs, for all that is known"
    ended.note(job.id)
    assert await queue.take() is None, "its worker lives, so nobody would rescue it"
    assert await ended.settle(queue.app) == 1
    assert await queue.take() is not None
    assert await ended.settle(queue.app) == 0


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("its job is gone", 1),
        ("its job waits", 0),
        ("its job runs", 0),
        ("a person holds it", 0),
        ("it came just now", 0),
        ("it was answered", 0),
    ],
)
async def test_that_a_message_whose_job_vanished_is_answered_after_all(queue: Queue, state: str, expected: int) -> None:
    wakeup = Wakeup(queue.db)
    inbound = Inbound(queue.db, wakeup)
    event = MessageReceived("m1", Address(AddressKind.SIMULATOR, "maria"), datetime.now(UTC), text="oi")
    await inbound.receive(await inbound.session(queue.number.session_id), event)
    await wakeup.close()
    if state != "it came just now":
        await queue.owner.execute("UPDATE conversation SET last_message_at = now() - interval '61 s'")
    match state:
        case "its job runs":
            assert await queue.take() is not None
        case "a person holds it":
            await queue.owner.execute("UPDATE conversation SET status = 'human'")
        case "it was answered":
            await queue.owner.execute("UPDATE conversation SET answered_upto_id = last_inbound_id")
    if state not in {"its job runs", "its job waits"}:
        await queue.owner.execute("DELETE FROM procrastinate_jobs")
    assert await enqueue_forgotten(queue.db) == expected
    assert await enqueue_forgotten(queue.db) == 0, "one job is enough"
    jobs = await queue.jobs()
    if expected:
        conversation_id = await queue.owner.fetchval("SELECT id FROM conversation")
        assert [(job["state"], job["scheduled_at"], job["lock"]) for job in jobs] == [
            ("todo", None, f"conversation:{conversation_id}")
        ]
    assert len(jobs) == (1 if expected or state in {"its job runs", "its job waits"} else 0)


async def several(queue: Queue, count: int) -> list[UUID]:
    """One waiting turn in each of so many conversations."""
    conversations = [uuid.uuid4() for _ in range(count)]
    async with queue.db.transaction(queue.number.tenant_id) as tx:
        for conversation_id in conversations:
            await enqueue_turn(tx, queue.number.tenant_id, conversation_id)
    return conversations


async def test_that_a_worker_takes_no_more_jobs_than_it_has_places_for(queue: Queue, db: Database) -> None:
    app = queue_app(db.queue_url, places={"turns": 5})
    await several(queue, 12)
    async with app.open_async():
        manager, worker_id = app.job_manager, await app.job_manager.register_worker()
        first = await manager.fetch_job(["turns"], worker_id)
        assert first is not None
        assert (await queue.states()).count("doing") == 5, "those at hand are taken by one statement"
        others = [await manager.fetch_job(["turns"], worker_id) for _ in range(4)]
        assert (await queue.states()).count("doing") == 5
        assert len({job.id for job in [first, *others] if job}) == 5
        await queue.end(first)  # by another process, which this one need not know
        await asyncio.gather(*(manager.finish_job(job, Status.SUCCEEDED, delete_job=True) for job in others if job))
        assert len(await queue.states()) == 7
        assert await manager.fetch_job(["turns"], worker_id) is not None
        assert (await queue.states()).count("doing") == 4, "the first still counts as running here"


async def test_that_one_end_that_fails_takes_no_other_with_it(queue: Queue) -> None:
    await several(queue, 3)
    jobs = [await queue.take() for _ in range(3)]
    known = [job for job in jobs if job is not None]
    await queue.owner.execute("DELETE FROM procrastinate_jobs WHERE id = $1", known[1].id)
    ended = await asyncio.gather(*(queue.end(job) for job in known), return_exceptions=True)
    assert [type(one) for one in ended] == [type(None), ConnectorException, type(None)]
    assert await queue.states() == []


async def test_that_jobs_taken_and_not_begun_by_a_worker_that_stops_are_given_back(queue: Queue, db: Database) -> None:
    app = queue_app(db.queue_url, places={"turns": 4})
    await several(queue, 4)
    async with app.open_async():
        worker_id = await app.job_manager.register_worker()
        first = await app.job_manager.fetch_job(["turns"], worker_id)
        assert first is not None
        await app.job_manager.finish_job(first, Status.SUCCEEDED, delete_job=True)
        assert await queue.states() == ["doing"] * 3
        await app.job_manager.unregister_worker(worker_id)
    assert await rescue_stalled_jobs(queue.app) == 3
    assert await queue.states() == ["todo"] * 3
