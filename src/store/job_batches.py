"""procrastinate's job manager, taking and ending many jobs in one statement where many are at hand."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from procrastinate.connector import BaseConnector
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

_AT_MOST: Final = 8
"""Jobs taken by one statement: they run at once, so another worker that has nothing to do misses little."""

_FETCH: Final = "SELECT * FROM fetch_jobs(%(queues)s::varchar[], %(worker_id)s, %(at_most)s)"
_FINISH: Final = """SELECT procrastinate_finish_job_v1(j.id, j.status::procrastinate_job_status, j.deleted)
  FROM unnest(%(ids)s::bigint[], %(statuses)s::text[], %(deleted)s::boolean[]) j(id, status, deleted)"""


class BatchingJobManager(JobManager):
    """What the library asks for job by job. A worker never holds more jobs than it has places for.

    ``places``: by queue, how many jobs a worker of that queue runs at once; 1 where it is not named. Jobs that were
    taken and not begun when a worker stops count as a dead worker's (flows.housekeeping).
    """

    def __init__(self, connector: BaseConnector, places: Mapping[str, int]) -> None:
        super().__init__(connector)
        self._places = places
        self._taken: dict[int, deque[Job]] = defaultdict(deque)
        self._running: dict[int, set[int | None]] = defaultdict(set)
        self._ending: list[tuple[int, str, bool, asyncio.Future[None]]] = []
        self._ender: asyncio.Task[None] | None = None

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """The next job, marked as this worker's; None if there is none."""
        taken, running = self._taken[worker_id], self._running[worker_id]
        if not taken:
            named = list(queues) if queues is not None else None
            places = sum(self._places.get(queue, 1) for queue in named or ())
            rows = await self.connector.execute_query_all_async(
                query=_FETCH,
                queues=named,
                worker_id=worker_id,
                at_most=max(1, min(_AT_MOST, places - len(running))),
            )
            taken.extend(Job.from_row(row) for row in rows)
        if not taken:
            return None
        job = taken.popleft()
        running.add(job.id)
        return job

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Set a job to its final state, together with others that end at the same moment."""
        try:
            await super().finish_job(job, status, delete_job)
        finally:
            self._released(job)

    async def retry_job(self, job: Job, *args: Any, **more: Any) -> None:
        """Give a job back to the queue."""
        try:
            await super().retry_job(job, *args, **more)
        finally:
            self._released(job)

    async def unregister_worker(self, worker_id: int) -> None:
        """The worker has stopped."""
        self._taken.pop(worker_id, None)
        self._running.pop(worker_id, None)
        await super().unregister_worker(worker_id)

    async def finish_job_by_id_async(self, job_id: int, status: Status, delete_job: bool) -> None:
        """``finish_job`` by its id."""
        done = asyncio.get_running_loop().create_future()
        self._ending.append((job_id, status.value, delete_job, done))
        if self._ender is None or self._ender.done():
            self._ender = asyncio.create_task(self._end_all())
        await done

    def _released(self, job: Job) -> None:
        if job.worker_id in self._running:
            self._running[job.worker_id].discard(job.id)

    async def _end_all(self) -> None:
        while self._ending:
            batch, self._ending = self._ending, []
            ids, statuses, deleted, waiting = zip(*batch, strict=True)
            try:
                await self.connector.execute_query_async(
                    query=_FINISH, ids=list(ids), statuses=list(statuses), deleted=list(deleted)
                )
            except Exception as error:
                if len(batch) == 1 and not waiting[0].done():
                    waiting[0].set_exception(error)
                elif len(batch) > 1:
                    await asyncio.gather(*(self._end_alone(*one) for one in batch))
            else:
                for done in waiting:
                    if not done.done():
                        done.set_result(None)

    async def _end_alone(self, job_id: int, status: str, delete_job: bool, done: asyncio.Future[None]) -> None:
        try:
            await super().finish_job_by_id_async(job_id, Status(status), delete_job)
        except Exception as error:
            if not done.done():
                done.set_exception(error)
        else:
            if not done.done():
                done.set_result(None)
