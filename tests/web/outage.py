"""A database that can go away for one test alone: a door in front of the shared server, to be shut and opened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit


def _goodbye(message: bytes) -> bytes:
    fields = b"SFATAL\0VFATAL\0C57P01\0M" + message + b"\0\0"
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


GOODBYE = _goodbye(b"terminating connection due to unexpected postmaster exit")
"""What PostgreSQL still says on a connection, asked for nothing, when it loses its postmaster."""


class Door:
    """Passes connections on to the server while it is open."""

    def __init__(self, server_socket: Path, socket: Path) -> None:
        self._server_socket = server_socket
        self._socket = socket
        self._listening: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.StreamWriter] = set()

    def say_goodbye(self) -> None:
        """The server is dying: it has said so on every connection, and has not closed them yet."""
        for client in self._clients:
            client.write(GOODBYE)

    async def open(self) -> None:
        self._listening = await asyncio.start_unix_server(self._accept, str(self._socket))

    async def shut(self) -> None:
        """Cut every connection and take no further one."""
        if self._listening is not None:
            self._listening.close()
            self._socket.unlink(missing_ok=True)
            self._listening = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(str(self._server_socket))
        self._clients.add(writer)
        ways = [asyncio.create_task(_copy(reader, back)), asyncio.create_task(_copy(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._clients.discard(writer)
            for way in ways:
                way.cancel()
            for end in (writer, back):
                end.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def door_before(owner_dsn: str, folder: Path) -> AsyncIterator[tuple[Door, str]]:
    """An open door, and the database's address through it. ``folder`` must have a short name."""
    parts = urlsplit(owner_dsn)
    query = parse_qs(parts.query)
    name = f".s.PGSQL.{query['port'][0]}"
    door = Door(Path(query["host"][0]) / name, folder / name)
    await door.open()
    try:
        yield door, urlunsplit(parts._replace(query=f"host={quote(str(folder), safe='')}&port={query['port'][0]}"))
    finally:
        await door.shut()
