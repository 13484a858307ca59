"""Real worker processes for tests: started, frozen, killed.

As a program it is the product's worker: ``python -m tests.worker_process <owner's URL> <tenant folders>``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.media import MediaFolder
from tests.database import SECRET

REPOSITORY = Path(__file__).parent.parent


class WorkerProcess:
    """One worker, as the supervisor would run it."""

    def __init__(self, owner_dsn: str, folders: Path, *, trace: Path, model_url: str = "", stalled: float = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.worker_process", owner_dsn, str(folders), model_url],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ATENDE_TEST_TRACE": str(trace), "ATENDE_TEST_STALLED": str(stalled)},
        )

    def wait_ready(self) -> WorkerProcess:
        """Block until it takes jobs."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def workers(
    owner_dsn: str, folders: Path, trace: Path, count: int, *, model_url: str = "", stalled: float = 0
) -> Iterator[list[WorkerProcess]]:
    """Some workers, ready; all dead at the end. ``stalled``: seconds of silence after which one takes another for
    dead; 0: the product's."""
    started = [
        WorkerProcess(owner_dsn, folders, trace=trace, model_url=model_url, stalled=stalled) for _ in range(count)
    ]
    try:
        yield [worker.wait_ready() for worker in started]
    finally:
        for worker in started:
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()
            worker.process.wait()
            if worker.process.stdout:
                worker.process.stdout.close()


async def main(owner_dsn: str, folders: str, model_url: str) -> None:
    from agent.language_model import ModelSettings  # noqa: PLC0415  only the child pays for these
    from app.worker import WorkerOptions, running_worker  # noqa: PLC0415
    from flows import housekeeping  # noqa: PLC0415

    if stalled := float(os.environ["ATENDE_TEST_STALLED"]):
        housekeeping.STALLED_AFTER_SECONDS = stalled  # type: ignore[assignment]
    model = ModelSettings("scripted", model_url, "key", timeout_seconds=30) if model_url else None
    media = Path(os.environ["ATENDE_TEST_TRACE"]).parent / "media"
    async with running_worker(WorkerOptions(owner_dsn, SECRET, (Path(folders),), MediaFolder(media), model=model)):
        print("ready", flush=True)  # noqa: T201  the test waits for this line
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
