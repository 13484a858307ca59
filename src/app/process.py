"""One process of an installation, as the supervisor starts it: ``python -m app.process`` and a name of ``PARTS``.

It imports what it needs first, then waits on standard input for one line of JSON (see ``Orders``): so processes load
while PostgreSQL starts. The supervisor never writes again; the end of that stream means that it is gone, however it
died, and the process ends too. A process started by hand (``atende worker``) has no such line.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from app.logs import configure_logging
from app.settings import GivenSettings, Settings, SpansUnavailableError
from domain.errors import AtendeError

log = logging.getLogger(__name__)

PARTS = {
    "web": "app.web_part",
    "worker": "app.worker_part",
    "sessions": "app.sessions_part",
    "pairing": "app.pairing_part",
    "prepare": "app.prepare_part",
}
"""Modules with ``async def run(settings, listening) -> None``: runs until it is done or cancelled."""

_WITH_THE_LIBRARY = frozenset({"sessions", "pairing"})
"""The WhatsApp library may leave threads that never end, and Python would wait for them."""
EXIT_UNUSABLE = 2
_ORPHAN_SECONDS = 10.0
_ALLOCATIONS_PER_COLLECTION = 10_000
"""Python's 700 is for small programs: one turn allocates thousands."""

Run = Callable[[Settings, "socket.socket | None"], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Orders:
    """What a supervised process is told: all settings (secrets included, which is why it is no environment variable),
    and for the web process the descriptor of the listening socket."""

    settings: dict[str, Any]
    listen_fd: int | None = None

    def line(self) -> bytes:
        """One line of JSON."""
        return json.dumps({"settings": self.settings, "listen_fd": self.listen_fd}).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Orders:
        """The inverse of ``line``."""
        return cls(**json.loads(line))


def main(arguments: list[str]) -> int:
    """Run one part under a supervisor; returns the exit code."""
    name = arguments[0]
    configure_logging(name, os.environ.get("ATENDE_LOG_LEVEL", "info"))
    run = part(name)
    line = sys.stdin.buffer.readline()
    if not line:
        return 0  # the supervisor went before it said anything
    orders = Orders.parse(line)
    settings = GivenSettings(**orders.settings)
    listening = socket.socket(fileno=orders.listen_fd) if orders.listen_fd is not None else None
    threading.Thread(target=_end_with_supervisor, name="supervisor-watch", daemon=True).start()
    return run_part(name, run, settings, listening)


def part(name: str) -> Run:
    """The function that runs a part; importing it is the slow step.

    What is imported stays, so the garbage collector would only walk it again and again: a sixth of that step.
    """
    gc.disable()
    try:
        run: Run = importlib.import_module(PARTS[name]).run
    finally:
        gc.freeze()
        gc.enable()
    return run


def run_part(name: str, run: Run, settings: Settings, listening: socket.socket | None = None) -> int:
    """Run a part until it is done, or until SIGTERM or SIGINT asks it to end; returns the exit code.

    A part with the WhatsApp library does not return: it ends the process.
    """
    configure_logging(name, settings.log_level)
    code = _run_part(name, run, settings, listening)
    if name in _WITH_THE_LIBRARY:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    return code


def _run_part(name: str, run: Run, settings: Settings, listening: socket.socket | None) -> int:
    try:
        with sending_spans(name, settings), asyncio.Runner(loop_factory=_loop_factory(name)) as runner:
            runner.run(_until_asked(run(settings, listening)))
    except AtendeError as error:
        print(f"{name}: {error.sentence()}", file=sys.stderr)
        return EXIT_UNUSABLE
    except Exception:
        log.exception("%s ended unexpectedly", name)
        return 1
    return 0


def sending_spans(process: str, settings: Settings) -> AbstractContextManager[None]:
    """Spans, where an endpoint is set; the libraries for it are loaded only then. Raises SpansUnavailableError."""
    endpoint = settings.spans_go_to
    if endpoint is None:
        return contextlib.nullcontext()
    try:
        from app.otel import exporting  # noqa: PLC0415
    except ImportError as error:
        raise SpansUnavailableError(error.name or "opentelemetry") from error
    return exporting(endpoint, process, shows_content=settings.otel_content)


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it saves a fifth of a turn's CPU; the session host keeps the loop that neonize was tried with."""
    if name not in {"web", "worker"}:
        return None
    try:
        import uvloop  # noqa: PLC0415  not there on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def settle_heap() -> None:
    """Take what was loaded so far out of the garbage collector's sight: walking it stalls all turns for 0.25 s.

    Call it once, when a process has loaded what it needs and serves.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION, 10, 10)


async def _until_asked(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for ask in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ask, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _end_with_supervisor() -> None:
    """End when standard input ends. The stream is read from the descriptor: a lock held at exit would block exit."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ORPHAN_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
