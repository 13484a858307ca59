"""Few database connections for many WhatsApp clients: the library reaches its tables through a socket of ours.

By itself every client keeps two connections of its own and leaks some at each stop. Here each gets as many sockets as
it likes, and a connection of the server for the time of one transaction. While the server is away a query waits
instead of failing, since a message whose keys cannot be read is a message that cannot be decrypted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote

import asyncpg

log = logging.getLogger(__name__)

_PORT: Final = 5432
"""Only part of the socket's file name."""
_SSL_REQUEST, _PROTOCOL_3 = 80877103, 3 << 16
_MOST_RECEIVED = 64 * 1024 * 1024
_CONNECT_SECONDS = 10.0
_PATIENCE_SECONDS = 0.25
"""Between attempts to reach a server that is away."""
_SETTINGS = ("server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone", "integer_datetimes")

OutageChanged = Callable[[bool], None]


class _Frames:
    """Cuts a stream into the protocol's messages: a letter, a size that counts itself, the rest."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        self._buffer += data
        whole: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= 5:
            (size,) = struct.unpack_from(">I", self._buffer, start + 1)
            end = start + 1 + size
            if not 4 <= size <= _MOST_RECEIVED:
                raise ConnectionError(f"a message of {size} bytes")
            if end > len(self._buffer):
                break
            whole.append(bytes(self._buffer[start:end]))
            start = end
        del self._buffer[:start]
        return whole


class _Backend(asyncio.Protocol):
    """A connection to the server. asyncpg opened it (log-in, TLS); from then on its bytes are passed on."""

    def __init__(self, connection: asyncpg.Connection, on_lost: Callable[[_Backend], None]) -> None:
        self._connection, self._on_lost = connection, on_lost  # kept: collected, it would close the transport
        self.transport: asyncio.Transport = connection._transport
        self._frames = _Frames()
        self.user: _Socket | None = None
        self.closed = False
        self.transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            if self.user is not None:
                self.user.answered(frame)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.closed:
            self.close()
            self._on_lost(self)

    def close(self) -> None:
        self.closed = True
        self._connection.terminate()


class _Socket:
    """One connection of the library, which belongs to the client ``name``."""

    def __init__(self, pool: DevicePool, name: str, writer: asyncio.StreamWriter) -> None:
        self._pool, self.name, self._writer = pool, name, writer
        self._backend: _Backend | None = None
        self._unanswered = 0
        self._unsynced = self._executed = self._closed = False

    async def ask(self, frame: bytes) -> None:
        """Pass a message of the library on, once a connection is free."""
        if self._backend is None:
            backend = await self._pool.acquire()
            if self._closed:  # its client was stopped meanwhile, and must not change a key any more
                self._pool.give_back(backend)
                raise ConnectionAbortedError(self.name)
            self._backend, backend.user = backend, self
        kind = frame[:1]
        self._unsynced = kind not in b"QS"
        self._unanswered += not self._unsynced
        # The library asks twice for a statement with parameters: to describe it, then to run it. Both need one server.
        self._executed = self._executed or kind in b"QE"
        self._backend.transport.write(frame)

    def answered(self, frame: bytes) -> None:
        """Pass an answer back; after a transaction's last one the connection is free for others."""
        self._writer.write(frame)
        if frame[:1] == b"E":
            self._executed = True
        if frame[:1] != b"Z":
            return
        self._unanswered -= 1
        if frame[5:6] == b"I" and self._executed and not self._unanswered and not self._unsynced:
            self._executed = False
            backend, self._backend = self._backend, None
            if backend is not None:
                backend.user = None
                self._pool.give_back(backend)

    def close(self) -> None:
        """End it. The server rolls back what was not committed."""
        self._closed = True
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.user = None
            self._pool.discard(backend)
        self._writer.transport.abort()


class DevicePool:
    """At most ``connections`` to the database at ``url`` for all clients of this process. Use within one event loop.

    ``schema`` is where the library's tables stand. ``on_outage`` is told when the server goes (True) and is back.
    """

    def __init__(self, url: str, schema: str, *, connections: int = 8, on_outage: OutageChanged | None = None) -> None:
        self._url, self._schema, self.connections = url, schema, connections
        self.on_outage = on_outage
        self._free: deque[_Backend] = deque()
        self._places = asyncio.Semaphore(connections)
        self._sockets: set[_Socket] = set()
        self._severed: set[str] = set()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: asyncio.Server | None = None
        self._settings: dict[str, str] | None = None
        self._looking: asyncio.Task[None] | None = None
        self.most_used = 0
        """The most connections that were open at once."""
        self._open = 0
        self.away = False
        """Whether the server cannot be reached now."""

    async def open(self) -> None:
        """Begin to listen, on a socket that only this account can reach."""
        self._folder = tempfile.TemporaryDirectory(prefix="atende-")
        path = Path(self._folder.name) / f".s.PGSQL.{_PORT}"
        self._server = await asyncio.start_unix_server(self._serve, path)

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        if self._server is not None:
            self._server.close()
        for socket in list(self._sockets):
            socket.close()
        while self._free:
            self.discard(self._free.pop(), holds_place=False)
        if self._folder is not None:
            self._folder.cleanup()

    def library_url(self, name: str) -> str:
        """The address for one client of the library; ``name`` tells its sockets from others'."""
        if self._folder is None:
            raise RuntimeError("open() the pool first")
        options = (
            f"host={quote(self._folder.name)}&port={_PORT}&sslmode=disable&application_name={quote(name, safe='')}"
        )
        return f"postgres://library@/devices?{options}"

    def sever(self, name: str) -> None:
        """Close what a stopped client left open; whatever it still does, it reads and writes no key any more."""
        self._severed.add(name)
        for socket in [socket for socket in self._sockets if socket.name == name]:
            socket.close()

    async def acquire(self) -> _Backend:
        await self._places.acquire()
        try:
            while self._free:
                backend = self._free.pop()
                if not backend.closed:
                    return backend
            return await self._reached()
        except BaseException:
            self._places.release()
            raise

    def give_back(self, backend: _Backend) -> None:
        self._free.append(backend)
        self._places.release()

    def discard(self, backend: _Backend, *, holds_place: bool = True) -> None:
        if not backend.closed:
            self._open -= 1
            backend.close()
        if holds_place:
            self._places.release()

    # The server ---------------------------------------------------------------------------------------------------

    async def _reached(self) -> _Backend:
        """A new connection, however long that takes."""
        while True:
            try:
                backend = await self._connect()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self._note_outage(error)
                await asyncio.sleep(_PATIENCE_SECONDS)
            else:
                self._note_return()
                return backend

    async def _connect(self) -> _Backend:
        connection = await asyncpg.connect(
            self._url,
            timeout=_CONNECT_SECONDS,
            server_settings={
                "search_path": self._schema,
                "application_name": "atende whatsapp keys",
                "datestyle": "ISO, MDY",
                "extra_float_digits": "2",
            },
        )
        if self._settings is None:
            self._settings = {name: str(getattr(connection.get_settings(), name, "")) for name in _SETTINGS}
        self._open += 1
        self.most_used = max(self.most_used, self._open)
        return _Backend(connection, self._lost)

    def _lost(self, backend: _Backend) -> None:
        """The server closed it. The library takes that for a bad connection and asks again on another one."""
        self._open -= 1
        if backend.user is not None:
            backend.user.close()
        else:
            with contextlib.suppress(ValueError):
                self._free.remove(backend)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="is the database there")

    async def _look(self) -> None:
        """See whether the server is away, or only closed a connection."""
        backend = await self._reached()
        self._open -= 1
        backend.close()

    def _note_outage(self, error: Exception) -> None:
        if not self.away:
            self.away = True
            log.warning("the database of the WhatsApp keys cannot be reached: %s", error or type(error).__name__)
            if self.on_outage is not None:
                self.on_outage(True)

    def _note_return(self) -> None:
        if self.away:
            self.away = False
            log.warning("the database of the WhatsApp keys is back")
            if self.on_outage is not None:
                self.on_outage(False)

    # The library --------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        socket: _Socket | None = None
        try:
            name = await self._greeted(reader, writer)
            if name is None:
                return
            socket = _Socket(self, name, writer)
            self._sockets.add(socket)
            frames = _Frames()
            while data := await reader.read(65536):
                for frame in frames.feed(data):
                    if frame[:1] == b"X":
                        return
                    await socket.ask(frame)
        except (OSError, asyncio.IncompleteReadError) as error:
            log.debug("a socket of the library ended: %r", error)
        finally:
            if socket is not None:
                self._sockets.discard(socket)
                socket.close()
            writer.close()

    async def _greeted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        """The start of the protocol, up to "ready". Returns the client's name; None for whom nothing is done."""
        while True:
            size, code = struct.unpack(">II", await reader.readexactly(8))
            rest = await reader.readexactly(min(size, _MOST_RECEIVED) - 8)
            if code != _SSL_REQUEST:
                break
            writer.write(b"N")
        if code >> 16 != _PROTOCOL_3 >> 16:
            return None
        words = rest.split(b"\0")
        asked = dict(zip(words[::2], words[1::2], strict=False))
        name = asked.get(b"application_name", b"").decode()
        if name in self._severed:
            return None
        if self._settings is None:
            self.give_back(await self.acquire())
        settings = cast("dict[str, str]", self._settings)
        writer.write(_message(b"R", struct.pack(">I", 0)))
        for setting, value in settings.items():
            writer.write(_message(b"S", f"{setting}\0{value}\0".encode()))
        writer.write(_message(b"K", struct.pack(">II", 0, 0)) + _message(b"Z", b"I"))
        return name


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body
