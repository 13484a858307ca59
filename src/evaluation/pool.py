"""A run in several processes. What is trained is made once: the processes are forks, and share its memory.

Where the system does not fork safely (macOS, Windows), there is only one.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any, Final

from domain.errors import AtendeError
from evaluation.results import CaseResult, case_result

Play = Callable[[Iterable[int]], AsyncIterator[CaseResult]]
"""Plays the tasks at those places, taking the next place when it is ready for it."""

_END: Final = None


class WorkerDiedError(AtendeError):
    """A process of the run ended before its cases were finished. ``exit_code``: negative for a signal."""

    def __init__(self, exit_code: int | None) -> None:
        what = f"was ended by {_signal(-exit_code)}" if exit_code is not None and exit_code < 0 else "died"
        super().__init__(
            f"A process of the run {what} before its cases were finished.",
            hint="Run it again with --resume FILE, so that what is finished is not repeated; with --jobs 1 it needs "
            "less memory.",
        )
        self.exit_code = exit_code


def may_fork() -> bool:
    """Whether several processes can share what this one has trained."""
    return sys.platform.startswith("linux")


def play_in_processes(count: int, jobs: int, play: Play, on_result: Callable[[CaseResult], None]) -> None:
    """Play the tasks at the places 0 … count - 1, where ``may_fork``. ``on_result`` runs in this process.

    Raises WorkerDiedError.
    """
    context = multiprocessing.get_context("fork")
    taken = context.Value("q", 0)
    workers: dict[Connection, Any] = {}
    try:
        for _ in range(jobs):
            here, there = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(there, count, taken, play), daemon=True)
            with warnings.catch_warnings():
                # Newer Pythons warn of threads; those here belong to numpy, which knows how to fork.
                warnings.simplefilter("ignore", DeprecationWarning)
                worker.start()
            there.close()
            workers[here] = worker
        _collect(dict(workers), on_result)
    finally:
        for pipe, worker in workers.items():
            pipe.close()
            if worker.is_alive():
                worker.terminate()
            worker.join()


def _collect(open_pipes: dict[Connection, Any], on_result: Callable[[CaseResult], None]) -> None:
    while open_pipes:
        for ready in multiprocessing.connection.wait(list(open_pipes)):
            pipe = next(one for one in open_pipes if one is ready)
            try:
                message = pipe.recv()
            except EOFError:
                worker = open_pipes.pop(pipe)
                worker.join()
                _drain(open_pipes, on_result)
                raise WorkerDiedError(worker.exitcode) from None
            if message is _END:
                del open_pipes[pipe]
            else:
                on_result(case_result(message))


def _drain(pipes: Iterable[Connection], on_result: Callable[[CaseResult], None]) -> None:
    """What the other processes have sent already is not lost with the one that died."""
    for pipe in pipes:
        with contextlib.suppress(EOFError):
            while pipe.poll():
                message = pipe.recv()
                if message is not _END:
                    on_result(case_result(message))


def _work(pipe: Connection, count: int, taken: Any, play: Play) -> None:
    # Ctrl-C is the parent's: it ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def places() -> Iterator[int]:
        # A parent that was killed reads no more results.
        while os.getppid() == parent:
            with taken.get_lock():
                place = taken.value
                taken.value += 1
            if place >= count:
                return
            yield place

    async def work() -> None:
        async for result in play(places()):
            pipe.send(asdict(result))

    try:
        asyncio.run(work())
        pipe.send(_END)
        pipe.close()
    except (BrokenPipeError, ConnectionResetError):
        # The parent was killed: nobody reads on.
        os._exit(1)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
