"""The job queue: procrastinate on the same PostgreSQL, and how our transactions write into its table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from store.database import Connection

if TYPE_CHECKING:
    from procrastinate import App
    from psycopg import AsyncConnection

TURNS = "turns"
"""Turns that need no language model."""
MODEL_TURNS = "model_turns"
"""Turns that wait for a language model: a queue of their own, so that the others never stand behind them."""


_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "search_path=queue",
        # The table swings between empty and full faster than its statistics follow, and a plan made for "nearly empty"
        # reads and sorts the whole backlog for every fetch (10 ms at 400 jobs instead of 0.1). All that this role asks
        # can be read in index order, so nothing else is offered to the planner.
        "enable_seqscan=off",
        "enable_bitmapscan=off",
        "enable_sort=off",
        "enable_hashjoin=off",
        "enable_mergejoin=off",
        "plan_cache_mode=force_generic_plan",
        # Taking and finishing a job need no disk: lost with the server, the job runs again and finds nothing to do.
        # Enqueueing is part of the business transaction, as another role, and waits for the disk.
        "synchronous_commit=off",
    )
)


def queue_app(queue_url: str, *, places: Mapping[str, int] | None = None, connections: int = 4) -> App:
    """procrastinate's App over the queue role. Open it with ``async with app.open_async()``.

    ``places``: by queue, how many jobs its worker runs at once.
    """
    from procrastinate import App, PsycopgConnector  # noqa: PLC0415 - only workers pay for loading it
    from psycopg_pool import AsyncConnectionPool  # noqa: PLC0415

    from store.job_batches import BatchingJobManager  # noqa: PLC0415

    def pool(**arguments: Any) -> AsyncConnectionPool[Any]:
        # The library would ask the server "are you there?" before each of its statements. A broken connection shows
        # itself: the worker starts again, and an end that was not recorded is recorded later (flows/housekeeping.py).
        return AsyncConnectionPool(**{**arguments, "check": None})

    async def configure(connection: AsyncConnection[Any]) -> None:
        # Each of the library's steps is one statement: a transaction around it would cost two round trips more.
        await connection.set_autocommit(True)

    app = App(
        connector=PsycopgConnector(
            pool_factory=pool,
            configure=configure,
            conninfo=queue_url,
            kwargs={"options": _OPTIONS},
            min_size=1,
            max_size=connections,
        )
    )
    app.job_manager = BatchingJobManager(app.connector, places or {})
    return app


async def enqueue_turn(
    tx: Connection,
    tenant_id: UUID,
    conversation_id: UUID,
    *,
    queue: str = TURNS,
    wait: timedelta | None = None,
    cap: timedelta = timedelta(seconds=10),
    attempt: int = 1,
) -> None:
    """Make sure that one turn of this conversation waits, in the caller's transaction.

    ``wait`` postpones it (debounce): each call moves the waiting turn to ``now + wait``, at most to ``cap`` after the
    first call. Without ``wait`` it runs at once.
    """
    await tx.execute(
        "SELECT gate.enqueue_turn($1, $2, $3, $4, $5, $6)", queue, tenant_id, conversation_id, wait, cap, attempt
    )


async def enqueue_approval(tx: Connection, tenant_id: UUID, conversation_id: UUID, approval_id: UUID) -> None:
    """Make sure that a decided approval is carried out, in the caller's transaction."""
    await tx.execute("SELECT gate.enqueue_approval($1, $2, $3, $4)", TURNS, tenant_id, conversation_id, approval_id)
