"""Child processes of the supervisor: started, watched, started again when they die, and ended in peace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.heartbeat import LOADING_SECONDS, Listening
from app.process import Orders

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
_LOOK_SECONDS = 0.25
STABLE_SECONDS = 30.0
"""A process that lived this long starts with the first pause again."""
GRACE_SECONDS = 10.0
_STDERR = 2


@dataclass(frozen=True)
class Plan:
    """What a child is: its name in the logs, the part it runs, and what it inherits."""

    name: str
    part: str
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: Sequence[int] = ()
    silence_seconds: float | None = None
    """A process that gives signs of life (see app.heartbeat) and is silent for so long hangs: it is killed."""


class Child:
    """One process at a time of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self._listening: Listening | None = None
        self.deaths = 0
        """How often it died in a row without having been stable in between."""

    @property
    def name(self) -> str:
        return self._plan.name

    @property
    def pid(self) -> int | None:
        """The live process, or None."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def spawn(self) -> None:
        """Start the process; it loads, and then waits for its orders. Does nothing where one waits already."""
        if self.pid is not None or self._ending:
            return
        self._listening = Listening() if self._plan.silence_seconds is not None else None
        heard = self._listening.handed_over if self._listening else {}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.process",
            self._plan.part,
            stdin=asyncio.subprocess.PIPE,
            stdout=_STDERR,  # the supervisor's own output stays its own, whatever a tenant's code prints
            env={**os.environ, **self._plan.environment, **{name: str(fd) for name, fd in heard.items()}},
            pass_fds=(*self._plan.descriptors, *heard.values()),
            start_new_session=True,  # a Ctrl-C in the terminal is for the supervisor, which ends them in order
        )
        if self._listening is not None:
            self._listening.started()

    async def run_once(self, orders: Orders) -> int:
        """Give the orders to the waiting process (started if need be) and wait for its end; returns the exit code."""
        await self.spawn()
        process = self._process
        if process is None or process.stdin is None:
            return 0
        with contextlib.suppress(ConnectionError):
            process.stdin.write(orders.line())
            await process.stdin.drain()
        watch = asyncio.create_task(self._end_when_silent(process))
        try:
            return await process.wait()
        finally:
            watch.cancel()

    async def _end_when_silent(self, process: asyncio.subprocess.Process) -> None:
        listening, limit = self._listening, self._plan.silence_seconds
        if listening is None or limit is None:
            return
        silent = 0.0
        while process.returncode is None:
            await asyncio.sleep(_LOOK_SECONDS)
            # Counted in looks: where this process was held up as well, the other's silence proves nothing.
            silent = 0.0 if listening.heard() else silent + _LOOK_SECONDS
            if silent >= (LOADING_SECONDS if listening.is_loading else limit):
                log.error("%s hangs: no sign of life for %.0f s. It is killed.", self.name, silent)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                return

    async def keep_running(self, orders: Orders) -> None:
        """Run it for ever: start it again whenever it ends, after a pause that grows while it keeps dying."""
        pause = FIRST_PAUSE_SECONDS
        while not self._ending:
            started = time.monotonic()
            code = await self.run_once(orders)
            if self._ending:
                return
            if time.monotonic() - started > STABLE_SECONDS:
                pause, self.deaths = FIRST_PAUSE_SECONDS, 0
            self.deaths += 1
            log.warning("%s ended (%s); starting it again in %.1f s", self.name, _cause(code), pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def end(self) -> None:
        """Ask the process to finish what it does, and make it after ``GRACE_SECONDS``. It is not started again."""
        self._ending = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            log.warning("%s did not end within %.0f s and is killed", self.name, GRACE_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
