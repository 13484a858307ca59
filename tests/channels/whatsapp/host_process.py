"""A session host in a process of its own, for tests: the real channel and host over a store that is one file.

Run as ``python -m tests.channels.whatsapp.host_process DATABASE_URL PROXY_URL FOLDER OPTIONS``; it speaks
``jsonlines``. OPTIONS is JSON: ``qr_seconds``, ``most_memory_mb``, ``die_at`` (a step on the way of
the message with that text, at which the process kills itself) and ``watch`` with fields of WatchLimits.
Commands: ``want`` (session, account?), ``unwant`` (session), ``pair_again`` (session), ``send`` (session, to, text …;
``content``: domain.contents as JSON, files lie in FOLDER/files) → ``sent`` or ``refused``, ``fetch`` (session, media) →
``fetched``, ``check_number`` (session, digits) → ``checked``, ``typing`` (session, chat, typing), ``pairing_code``
(session, phone) → ``code``, ``break_store`` (failing), ``reopen`` (times; all
numbers at once, so often) → ``reopened``, ``hanging``
→ ``hanging`` and, from a host that ended itself, ``worn_out``, ``stop`` → ``stopped``. ``leased`` comes when the wanted
sessions changed. Every channel event is an event of its class's name with its fields.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import os
import signal
import sys
import traceback
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import psutil

from channels.base import ChannelEvent, MessageReceived, SessionChanged, SessionRef
from channels.gateway import File
from channels.whatsapp.devices import DeviceStore
from channels.whatsapp.neonize_channel import NeonizeChannel
from channels.whatsapp.opening import WatchLimits
from channels.whatsapp.pairing_limits import PairingLimits
from channels.whatsapp.session_host import HostLimits, SessionHost
from channels.whatsapp.spool import Spool, Spooled
from domain.contents import Media, from_json
from domain.errors import AtendeError
from domain.messages import Address, MediaReference, Outbound
from tests.fakewa.jsonlines import Fields, Line

LEASE_SECONDS = 6.0
MESSAGE = 17
"""The library's code of a message event."""


def die_if(condition: bool) -> None:
    """As kill -9 would end it: nothing is finished, nothing is told."""
    if condition:
        os.kill(os.getpid(), signal.SIGKILL)


class DeadlySpool(Spool):
    """Dies at a step of noting a message: before a byte of it is written, or when the disk has it."""

    die_at = ""

    def add(self, spooled: Spooled) -> int:
        is_message = spooled.code == MESSAGE and self.die_at.encode() in spooled.payload
        die_if(is_message and self.die_at == "before it is noted")
        ticket = super().add(spooled)
        die_if(is_message and self.die_at == "after it is noted")
        return ticket


class FileStore:
    """Remembers which sessions are wanted, and their accounts, over the process's death."""

    def __init__(self, path: Path, line: Line) -> None:
        self._path, self._line = path, line
        self.failing = False
        self.die_at = ""
        self.most_memory_mb: float | None = None
        self.pairings: dict[str, int] = {}
        self.starts: dict[str, int] = {}
        self.ended: set[str] = set()
        self._leased: list[str] | None = None
        kept = json.loads(path.read_text()) if path.exists() else {"accounts": {}, "restricted": {}}
        self.accounts: dict[str, str | None] = kept["accounts"]
        self.restricted: dict[str, float] = kept["restricted"]

    def save(self) -> None:
        self._path.write_text(json.dumps({"accounts": self.accounts, "restricted": self.restricted}))

    async def lease(self, capacity: int, seconds: float, alive: Collection[str] = ()) -> Sequence[SessionRef]:
        if self._leased != [*self.accounts]:
            self._leased = [*self.accounts]
            self._line.emit("leased", sessions=self._leased)
        return [
            SessionRef(session_id, "neonize", account, self._config(session_id))
            for session_id, account in self.accounts.items()
            if session_id not in self.ended
        ][:capacity]

    def _config(self, session_id: str) -> dict[str, Any]:
        return {
            "pairing": self.pairings.get(session_id),
            "starts": self.starts.get(session_id),
            "restricted_until": self.restricted.get(session_id),
        }

    async def keep(self, session_id: str, event: ChannelEvent) -> None:
        is_message = isinstance(event, MessageReceived) and event.text == self.die_at
        die_if(is_message and self.die_at == "before it is kept")
        if self.failing:
            raise ConnectionError("the store is broken, as the test asked")
        if isinstance(event, SessionChanged):
            (self.ended.add if event.ended else self.ended.discard)(session_id)
            if event.restricted_until:
                self.restricted[session_id] = event.restricted_until.timestamp()
                self.save()
            if event.account or event.unlinked:
                self.accounts[session_id] = event.account
                self.save()
        fields = dataclasses.asdict(event)
        self._line.emit(type(event).__name__, session=session_id, **json.loads(json.dumps(fields, default=str)))
        die_if(is_message and self.die_at == "after it is kept")

    async def release(self) -> None:
        self._line.emit("released")


class Files:
    """The files of messages that go out: those of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, media: Media) -> File:
        return File((self._folder / media.ref).read_bytes(), media.mime_type, media.file_name)


class Process:
    """The commands."""

    def __init__(self, line: Line, channel: NeonizeChannel, store: FileStore, proxy_url: str) -> None:
        self._line, self._channel, self._store = line, channel, store
        self._proxy_url, self._stopping = proxy_url, False
        self._begin()

    def _begin(self) -> None:
        limits = HostLimits(
            lease_seconds=LEASE_SECONDS, look_seconds=LEASE_SECONDS / 6, most_memory_mb=self._store.most_memory_mb
        )
        self._host = SessionHost(self._channel, self._store, limits)
        self.run = asyncio.create_task(self._host.run())
        self.run.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        if (error := task.exception()) is not None:
            traceback.print_exception(error)
            self._line.emit("crashed", error=repr(error))
        elif not self._stopping:
            self._line.emit("worn_out")
            self._begin()  # where the supervisor would start a new process

    async def obey(self, command: Fields) -> None:
        try:
            await getattr(self, "_do_" + command["do"])(**command["with"])
        except AtendeError as error:
            self._line.emit("refused", error=type(error).__name__, detail=str(error))

    async def _do_want(self, session: str, account: str | None = None) -> None:
        self._store.accounts[session] = account
        self._store.starts[session] = self._store.starts.get(session, 0) + 1
        self._store.ended.discard(session)
        self._store.save()

    async def _do_unwant(self, session: str) -> None:
        del self._store.accounts[session]
        self._store.save()

    async def _do_pair_again(self, session: str) -> None:
        self._store.accounts[session] = None
        self._store.ended.discard(session)
        self._store.pairings[session] = self._store.pairings.get(session, 0) + 1
        self._store.save()

    async def _do_send(self, session: str, to: str, text: str, **rest: Any) -> None:
        if content := rest.pop("content", None):
            rest["content"] = from_json(content)
        sent = await self._channel.send(self._ref(session), Outbound("key", Address.parse(to), text, **rest))
        self._line.emit("sent", id=sent.provider_id, at=sent.at.isoformat())

    async def _do_fetch(self, session: str, media: Fields) -> None:
        file = await self._channel.fetch_media(self._ref(session), MediaReference(**media))
        self._line.emit("fetched", base64=base64.b64encode(file.data).decode(), mime_type=file.mime_type)

    async def _do_check_number(self, session: str, digits: str) -> None:
        address = await self._channel.check_number(self._ref(session), digits)
        self._line.emit("checked", digits=digits, address=str(address) if address else None)

    async def _do_typing(self, session: str, chat: str, typing: bool) -> None:
        await self._channel.show_typing(self._ref(session), Address.parse(chat), typing=typing)

    def _ref(self, session: str) -> SessionRef:
        return SessionRef(session, "neonize", self._store.accounts[session])

    async def _do_pairing_code(self, session: str, phone: str) -> None:
        self._line.emit("code", code=await self._channel.pairing_code(session, phone))

    async def _do_reopen(self, times: int) -> None:
        """Every number closes its connection and opens a new one, all at the same moment; not in step afterwards."""

        async def reopen(session: str) -> None:
            for _ in range(times):
                await self._host.restart(session)
                while session not in self._channel.ready:  # noqa: ASYNC110  # nothing tells
                    await asyncio.sleep(0.01)

        await asyncio.gather(*(reopen(session) for session in self._store.accounts))
        self._line.emit("reopened", opened=self._channel.opened)

    async def _do_hanging(self) -> None:
        """What the process holds of clients: sockets to WhatsApp, and calls of the library that have not returned."""
        port = int(self._proxy_url.rpartition(":")[2])
        sockets = [one for one in psutil.Process().net_connections("tcp") if one.raddr and one.raddr.port == port]
        calls = [task for task in asyncio.all_tasks() if "_connect_and_check" in repr(task.get_coro())]
        self._line.emit("hanging", sockets=len(sockets), calls=len(calls), known=self._channel.hanging)

    async def _do_break_store(self, failing: bool) -> None:
        self._store.failing = failing

    async def _do_stop(self) -> None:
        self._stopping = True
        self._host.stop()
        await self.run
        self._line.emit("stopped")
        os._exit(0)


async def main(database_url: str, proxy_url: str, folder: str, options: str) -> None:
    line = Line()
    chosen = json.loads(options)
    limits = PairingLimits(codes=1, first_seconds=chosen["qr_seconds"], margin_seconds=0)
    watch = WatchLimits(**{"doubt": 1.0, **chosen["watch"]})
    spool = Path(folder) / "spool"
    files = Files(Path(folder) / "files")
    channel = NeonizeChannel(
        DeviceStore(database_url), spool, proxy_url=proxy_url, limits=limits, watch=watch, media=files
    )
    await channel.prepare()
    store = FileStore(Path(folder) / "sessions.json", line)
    store.die_at, store.most_memory_mb = chosen.get("die_at", ""), chosen.get("most_memory_mb")
    deadly = channel._opening.spool = DeadlySpool(spool)
    deadly.die_at = store.die_at
    process = Process(line, channel, store, proxy_url)
    running: set[asyncio.Task[None]] = set()
    while True:
        task = asyncio.create_task(process.obey(await line.command()))
        running.add(task)
        task.add_done_callback(running.discard)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
