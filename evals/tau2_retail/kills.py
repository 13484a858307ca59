"""The same tasks with a real worker process, which is killed (SIGKILL) at seeded moments and started again."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.flows.backroom import Backroom
from tests.worker_process import WorkerProcess

from evals.tau2_retail.play import Game
from evals.tau2_retail.tasks import TENANT

_LATEST_KILL_SECONDS: Final = 0.8
_MODEL_SECONDS: Final = 0.1
"""How long each answer of the model takes, so that there is a middle of a turn to be killed in."""
_REST_SECONDS: Final = 120


@dataclass
class MortalWorker:
    """One worker process at a time."""

    owner_dsn: str
    model_url: str
    trace: Path
    random: random.Random
    chance: float
    kills: int = 0
    _process: WorkerProcess | None = None

    def start(self) -> None:
        folders = TENANT.parent
        self._process = WorkerProcess(self.owner_dsn, folders, trace=self.trace, model_url=self.model_url)
        self._process.wait_ready()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            if self._process.process.stdout:
                self._process.process.stdout.close()
            self._process = None

    async def perhaps_die(self, backroom: Backroom) -> None:
        """Killed some moment after work came in, and started again. That it is dead is noticed at once."""
        if self.random.random() < self.chance:
            await asyncio.sleep(self.random.uniform(0, _LATEST_KILL_SECONDS))
            self.stop()
            self.kills += 1
            await backroom.queue.connector.execute_query_async(
                "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"
            )
            await asyncio.to_thread(self.start)


@dataclass
class KilledGame(Game):
    """A game whose jobs a worker process does."""

    worker: MortalWorker = field(kw_only=True)

    def script(self) -> list[dict[str, Any]]:
        """The same, but each answer takes a while."""
        return [
            {**rule, "steps": [{**step, "delay": _MODEL_SECONDS} for step in rule["steps"]]}
            for rule in super().script()
        ]

    async def _work(self) -> None:
        await self.worker.perhaps_die(self.world.backroom)
        started = time.monotonic()
        while not await self._is_at_rest():
            if time.monotonic() - started > _REST_SECONDS:
                raise AssertionError(f"nothing came to rest within {_REST_SECONDS} s")
            await asyncio.sleep(0.1)

    async def _is_at_rest(self) -> bool:
        rows = await self.world.shop.fetch(
            """SELECT 1 FROM conversation WHERE status = 'bot' AND answered_upto_id < last_inbound_id
               UNION ALL SELECT 1 FROM outbox_message WHERE state IN ('queued', 'sending')
               UNION ALL SELECT 1 FROM approval WHERE status = 'approved' AND settled_at IS NULL"""
        )
        return not rows


@contextmanager
def mortal_worker(owner_dsn: str, model_url: str, chance: random.Random, how_often: float) -> Iterator[MortalWorker]:
    """A worker that runs, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="atende-kills-") as folder:
        worker = MortalWorker(owner_dsn, model_url, Path(folder) / "trace", chance, how_often)
        try:
            worker.start()
            yield worker
        finally:
            worker.stop()
