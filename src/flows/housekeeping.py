"""What every worker looks after beside its jobs: dead workers' jobs, forgotten conversations, and held events."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

import procrastinate
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Status as JobStatus

from flows import receipts
from flows.arriving import addresses
from flows.held import own_message_event
from flows.inbound import Inbound
from store.database import Connection, Database, Row
from store.jobs import enqueue_approval, enqueue_turn
from store.wakeup import EVENTS, Wakeup

log = logging.getLogger(__name__)

STALLED_AFTER_SECONDS = 6
HEARTBEAT_SECONDS = 2
_FORGOTTEN_AFTER = timedelta(seconds=60)
_HELD_FOR = timedelta(seconds=1)
_HELD_AT_MOST = timedelta(minutes=2)
_RECEIPTS_KEPT = timedelta(hours=24)


class EndedJobs:
    """Jobs that this process has done. One whose end could not be recorded (the connection broke just then) would
    count as running for as long as the process lives, and hold its conversation's lock: it is ended again."""

    def __init__(self, *, patience_seconds: float = STALLED_AFTER_SECONDS) -> None:
        self._patience = patience_seconds
        self._ended: dict[int, float] = {}

    def note(self, job_id: int) -> None:
        """The work is done; procrastinate records it next."""
        self._ended[job_id] = time.monotonic()

    async def settle(self, app: procrastinate.App) -> int:
        """End those that still count as running some seconds later; returns how many."""
        due = [job_id for job_id, at in self._ended.items() if time.monotonic() - at >= self._patience]
        if not due:
            return 0
        rows = await app.connector.execute_query_all_async(
            "SELECT id FROM procrastinate_jobs WHERE id = ANY(%(ids)s) AND status = 'doing'", ids=due
        )
        for row in rows:
            log.warning("the end of job %s was not recorded; recording it now", row["id"])
            await app.job_manager.finish_job_by_id_async(row["id"], status=JobStatus.SUCCEEDED, delete_job=True)
        for job_id in due:
            del self._ended[job_id]
        return len(rows)


async def rescue_stalled_jobs(app: procrastinate.App) -> int:
    """Give the jobs of dead workers back to the queue; returns how many.

    Where a newer turn of the same conversation waits already, the dead job cannot be queued again (its queueing lock is
    taken) and must end instead, or it would hold the conversation's lock for ever. The waiting turn reads the same
    unanswered messages.
    """
    rescued = 0
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        try:
            await app.job_manager.retry_job(job)
        except UniqueViolation:
            await app.job_manager.finish_job(job, status=JobStatus.FAILED, delete_job=True)
        except ConnectorException as error:
            log.info("stalled job %s was settled by another worker: %s", job.id, error)
            continue
        rescued += 1
        log.warning("rescued job %s (%s) of a dead worker", job.id, job.task_name)
    return rescued


async def enqueue_forgotten(db: Database) -> int:
    """The last net: conversations that wait for the agent, and decided approvals, without a job for them."""
    forgotten = await db.gate("forgotten_conversations", _FORGOTTEN_AFTER)
    for row in forgotten:
        log.warning("conversation %s had a message waiting without a job", row["conversation_id"])
        async with db.transaction(row["tenant_id"]) as tx:
            await enqueue_turn(tx, row["tenant_id"], row["conversation_id"])
    unsettled = await db.gate("unsettled_approvals", _FORGOTTEN_AFTER)
    for row in unsettled:
        async with db.transaction(row["tenant_id"]) as tx:
            if row["expired"]:
                await tx.execute(
                    "UPDATE approval SET status = 'expired', decided_at = now() WHERE id = $1 AND status = 'pending'",
                    row["approval_id"],
                )
            await enqueue_approval(tx, row["tenant_id"], row["conversation_id"], row["approval_id"])
    return len(forgotten) + len(unsettled)


async def settle_held_events(db: Database, inbound: Inbound, wakeup: Wakeup) -> int:
    """Apply what could not be applied when it came: own messages of unclear origin, and receipts that came early."""
    settled = 0
    for kind, settle in (("own_message", _settle_own_message), ("receipt", _settle_receipt)):
        for held in await db.gate("held_events", kind, _HELD_FOR, 100):
            async with db.transaction(held["tenant_id"]) as tx:
                # The conversation first, as everywhere: its own messages are settled one after the other.
                await tx.execute(
                    "SELECT 1 FROM conversation WHERE id = (SELECT conversation_id FROM held_event WHERE id = $1) "
                    "FOR UPDATE",
                    held["id"],
                )
                row = await tx.fetchrow(
                    "SELECT *, now() - created_at AS age FROM held_event WHERE id = $1 FOR UPDATE SKIP LOCKED",
                    held["id"],
                )
                if row is not None and await settle(tx, inbound, row):
                    await tx.execute("DELETE FROM held_event WHERE id = $1", held["id"])
                    settled += 1
    if settled:
        wakeup.signal(EVENTS)
    return settled


async def _settle_own_message(tx: Connection, inbound: Inbound, held: Row) -> bool:
    """Ours by its id, ours because a send of unknown fate has these very words, or a person's on the paired phone."""
    event = own_message_event(held["body"])
    session_id = held["channel_session_id"]
    if await receipts.is_ours(tx, session_id, event.provider_id):
        return True
    ours = await receipts.settle_by_text(tx, held["tenant_id"], session_id, event, addresses(event))
    if ours:
        return True
    if ours is None and held["age"] < _HELD_AT_MOST:
        return False
    if await receipts.is_ours(tx, session_id, event.provider_id):
        return True  # its send was recorded between the two questions
    session = await inbound.session(session_id)
    await inbound.take_over_from_phone(tx, session, event)
    return True


async def _settle_receipt(tx: Connection, _inbound: Inbound, held: Row) -> bool:
    return await receipts.settle_held(tx, held) or bool(held["age"] > _RECEIPTS_KEPT)
