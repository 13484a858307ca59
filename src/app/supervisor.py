"""``atende serve``: PostgreSQL, the web process, workers and session host, started together, mended, ended together.

In the order of a start: take the data folder and the port, let the children load, bring PostgreSQL up, prepare the
database if anything changed, give the children their orders, and say "ready" once the pages answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.children import Child, Plan
from app.instance import Instance, listen, local_url
from app.postgres import running_postgres
from app.prepared import Prepared, still_holds
from app.process import EXIT_UNUSABLE, Orders
from app.settings import Settings
from app.setup_link import setup_lines
from channels.whatsapp.host_environment import HOST_ENVIRONMENT
from domain.errors import AtendeError

log = logging.getLogger(__name__)

READY_SECONDS = 120.0
HOST_SILENCE_SECONDS = 5.0
"""A session host that hangs is killed before its leases can run out: two log-ins of one device end each other."""
_HOPELESS_DEATHS = 5
Say = Callable[[str], None]


class PreparationError(AtendeError):
    """The database could not be prepared; its process has told why."""

    def __init__(self, code: int) -> None:
        super().__init__(
            "The database could not be prepared." if code == EXIT_UNUSABLE else "Preparing the database failed.",
            hint="The lines above say why.",
        )
        self.code = code


class NeverReadyError(AtendeError):
    """A process keeps dying before the pages ever answered, or they never do."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} did not come up.", hint="The lines above say why; ATENDE_LOG_LEVEL=debug shows more of it."
        )
        self.name = name


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs while ``Supervisor.running`` does."""

    url: str
    """How this machine reaches the pages."""
    database_url: str
    prepared: Prepared
    children: tuple[Child, ...]
    seconds: float
    """From the first step until the pages answered."""


class Supervisor:
    """All processes of one installation. ``say`` gets progress, a line at a time."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings = settings
        self._say = say

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Installation]:
        """Everything up and answering; at the end everything is ended again. Raises AtendeError."""
        started = time.monotonic()
        async with contextlib.AsyncExitStack() as stack:
            instance = Instance(self._settings.data_dir)
            stack.callback(instance.release)
            lock = await instance.take(lambda: self._say("Waiting for the processes of a killed run to end …"))
            listening = stack.enter_context(listen(self._settings.host, self._settings.port))
            children = self._children(listening, lock)
            stack.push_async_callback(_end, children)
            # They load while PostgreSQL starts; on two cores more of them at once would only slow the first ones.
            await asyncio.gather(children[0].spawn(), children[1].spawn())
            url = await stack.enter_async_context(self._postgres())
            # Registered after PostgreSQL, so that it is the first to happen: who uses the database ends before it.
            stack.push_async_callback(_end, children)
            prepared = await self._prepared(url, lock)
            keepers = await stack.enter_async_context(_background())
            orders = Orders(self._settings.handed_over(database_url=url, pairing_apart=True))
            web_orders = Orders(orders.settings, listening.fileno())
            keepers.append(asyncio.create_task(children[0].keep_running(web_orders)))
            keepers.append(asyncio.create_task(children[1].keep_running(orders)))
            address = local_url(listening)
            instance.note(address)
            await _answering(address, children[0])
            keepers += [asyncio.create_task(child.keep_running(orders)) for child in children[2:]]
            yield Installation(address, url, prepared, children, time.monotonic() - started)

    def _children(self, listening: socket.socket, lock: int) -> tuple[Child, ...]:
        return (
            Child(Plan("web", "web", descriptors=(lock, listening.fileno()))),
            *(Child(Plan(name, "worker", descriptors=(lock,))) for name in _numbered("worker", self._settings.workers)),
            *(
                Child(Plan(name, "sessions", HOST_ENVIRONMENT, (lock,), HOST_SILENCE_SECONDS))
                for name in _numbered("sessions", self._settings.session_hosts)
            ),
            Child(Plan("pairing", "pairing", HOST_ENVIRONMENT, (lock,), HOST_SILENCE_SECONDS)),
        )

    @asynccontextmanager
    async def _postgres(self) -> AsyncIterator[str]:
        embedded = self._settings.database_url is None
        self._say("Starting PostgreSQL …" if embedded else "Checking the PostgreSQL server …")
        async with running_postgres(self._settings) as url:
            yield url
            if embedded:
                self._say("Stopping PostgreSQL …")

    async def _prepared(self, url: str, lock: int) -> Prepared:
        if self._settings.database_url is None:
            noted = await asyncio.to_thread(still_holds, url, self._settings)
            if noted is not None:
                return noted
        self._say("Preparing the database …")
        one_shot = Child(Plan("prepare", "prepare", descriptors=(lock,)))
        try:
            code = await one_shot.run_once(Orders(self._settings.handed_over(database_url=url)))
        finally:
            await one_shot.end()
        prepared = Prepared.read(self._settings.data_dir)
        if code != 0 or prepared is None:
            raise PreparationError(code)
        return prepared


def _numbered(part: str, count: int) -> list[str]:
    return [f"{part}-{n + 1}" for n in range(count)] if count > 1 else [part]


async def serve(settings: Settings, say: Say) -> None:
    """Run until Ctrl-C, SIGTERM or the terminal's end. Raises AtendeError when it cannot start."""
    task = asyncio.current_task()
    asked = False

    def ask() -> None:
        nonlocal asked
        if not asked and task is not None:  # a second Ctrl-C must not interrupt the clearing up
            asked = True
            say("Stopping …")
            task.cancel()

    kinds = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup it outlives the terminal
        kinds.append(signal.SIGHUP)
    for kind in kinds:
        asyncio.get_running_loop().add_signal_handler(kind, ask)
    try:
        async with Supervisor(settings, say).running() as installation:
            empty = await asyncio.to_thread(_is_empty, installation.database_url)
            for line in _greeting(settings, installation, empty=empty):
                say(line)
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not asked:
            raise
    say("Stopped.")


def _is_empty(url: str) -> bool:
    import psycopg  # noqa: PLC0415 - once, after everything runs

    with psycopg.connect(url, autocommit=True) as db:
        row = db.execute("SELECT gate.is_empty()").fetchone()
    return bool(row and row[0])


def _greeting(settings: Settings, installation: Installation, *, empty: bool = False) -> list[str]:
    url = settings.public_url or installation.url
    lines = ["", f"Atende is ready after {installation.seconds:.1f} s: {url}{'/demo' if settings.demo else ''}"]
    width = max((len(login.email) for login in installation.prepared.logins), default=0)
    if settings.demo and width:
        lines.append("Sign in as")
        lines += [
            f"  {login.email:{width}}  {login.password}  ({login.name}, {login.role})"
            for login in installation.prepared.logins
        ]
    if empty:
        lines += setup_lines(settings, url)
    return [*lines, "Ctrl-C stops everything.", ""]


@asynccontextmanager
async def _background() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Tasks that are cancelled at the end of the block."""
    tasks: list[asyncio.Task[None]] = []
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _end(children: Iterable[Child]) -> None:
    await asyncio.gather(*(child.end() for child in children))


async def _answering(url: str, web: Child) -> None:
    """Return once the pages answer."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and web.deaths < _HOPELESS_DEATHS:
        # The socket listens already: the request waits in it until the web process takes it.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                if await _is_healthy(url):
                    return
        await asyncio.sleep(0.1)
    raise NeverReadyError(web.name)


async def _is_healthy(url: str) -> bool:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in await reader.readline()
    finally:
        writer.close()
