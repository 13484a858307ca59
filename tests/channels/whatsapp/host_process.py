"""A session host in a process of its own, for tests: the real channel and host over a store that is one file.

Run as ``python -m tests.channels.whatsapp.host_process DATABASE_URL PROXY_URL FOLDER``; it speaks ``jsonlines``.
Commands: ``want`` (session, account?), ``unwant`` (session), ``pair_again`` (session), ``send`` (session, to, text …)
→ ``sent`` or ``refused``, ``pairing_code`` (session, phone) → ``code``, ``break_store`` (failing), ``stop`` →
``stopped``. ``leased`` comes when the wanted sessions changed. Every channel event is an event of its
class's name with its fields.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from channels.base import ChannelEvent, SessionChanged, SessionRef
from channels.whatsapp.devices import DeviceStore
from channels.whatsapp.neonize_channel import NeonizeChannel, PairingLimits
from channels.whatsapp.session_host import HostLimits, SessionHost
from domain.errors import AtendeError
from domain.messages import Address, Outbound
from tests.fakewa.jsonlines import Fields, Line

LEASE_SECONDS = 1.5


class FileStore:
    """Remembers which sessions are wanted, and their accounts, over the process's death."""

    def __init__(self, path: Path, line: Line) -> None:
        self._path, self._line = path, line
        self.failing = False
        self.pairings: dict[str, int] = {}
        self._leased: list[str] | None = None
        self.accounts: dict[str, str | None] = json.loads(path.read_text()) if path.exists() else {}

    def save(self) -> None:
        self._path.write_text(json.dumps(self.accounts))

    async def lease(self, capacity: int, seconds: float) -> Sequence[SessionRef]:
        if self._leased != [*self.accounts]:
            self._leased = [*self.accounts]
            self._line.emit("leased", sessions=self._leased)
        return [
            SessionRef(session_id, "neonize", account, {"pairing": self.pairings.get(session_id)})
            for session_id, account in self.accounts.items()
        ][:capacity]

    async def keep(self, session_id: str, event: ChannelEvent) -> None:
        if self.failing:
            raise ConnectionError("the store is broken, as the test asked")
        if isinstance(event, SessionChanged) and event.account:
            self.accounts[session_id] = event.account
            self.save()
        fields = dataclasses.asdict(event)
        self._line.emit(type(event).__name__, session=session_id, **json.loads(json.dumps(fields, default=str)))

    async def release(self) -> None:
        self._line.emit("released")


class Process:
    """The commands."""

    def __init__(self, line: Line, channel: NeonizeChannel, store: FileStore) -> None:
        self._line, self._channel, self._store = line, channel, store
        self._host = SessionHost(channel, store, HostLimits(lease_seconds=LEASE_SECONDS))
        self.run = asyncio.create_task(self._host.run())
        self.run.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        if (error := task.exception()) is not None:
            traceback.print_exception(error)
            self._line.emit("crashed", error=repr(error))

    async def obey(self, command: Fields) -> None:
        try:
            await getattr(self, "_do_" + command["do"])(**command["with"])
        except AtendeError as error:
            self._line.emit("refused", error=type(error).__name__, detail=str(error))

    async def _do_want(self, session: str, account: str | None = None) -> None:
        self._store.accounts[session] = account
        self._store.save()

    async def _do_unwant(self, session: str) -> None:
        del self._store.accounts[session]
        self._store.save()

    async def _do_pair_again(self, session: str) -> None:
        self._store.accounts[session] = None
        self._store.pairings[session] = self._store.pairings.get(session, 0) + 1
        self._store.save()

    async def _do_send(self, session: str, to: str, text: str, **rest: Any) -> None:
        ref = SessionRef(session, "neonize", self._store.accounts[session])
        sent = await self._channel.send(ref, Outbound("key", Address.parse(to), text, **rest))
        self._line.emit("sent", id=sent.provider_id, at=sent.at.isoformat())

    async def _do_pairing_code(self, session: str, phone: str) -> None:
        self._line.emit("code", code=await self._channel.pairing_code(session, phone))

    async def _do_break_store(self, failing: bool) -> None:
        self._store.failing = failing

    async def _do_stop(self) -> None:
        self._host.stop()
        await self.run
        self._line.emit("stopped")
        os._exit(0)


async def main(database_url: str, proxy_url: str, folder: str, qr_seconds: str) -> None:
    line = Line()
    limits = PairingLimits(codes=1, first_seconds=float(qr_seconds))
    spool = Path(folder) / "spool"
    channel = NeonizeChannel(DeviceStore(database_url), spool, proxy_url=proxy_url, limits=limits)
    await channel.prepare()
    process = Process(line, channel, FileStore(Path(folder) / "sessions.json", line))
    running: set[asyncio.Task[None]] = set()
    while True:
        task = asyncio.create_task(process.obey(await line.command()))
        running.add(task)
        task.add_done_callback(running.discard)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
