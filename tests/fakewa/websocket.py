"""One loopback port: HTTP CONNECT proxy, then TLS endpoint, then the server end of a websocket (RFC 6455)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import struct

_HANDSHAKE_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, BINARY, CLOSE, PING, PONG = 0, 2, 8, 9, 10


class ConnectionEndedError(Exception):
    """The peer closed the websocket or the connection beneath it broke."""


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *rest = raw.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in rest if ":" in line)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _unmask(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


class WebSocket:
    """Binary messages over an accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def receive(self) -> bytes:
        """The next binary message. Raises ConnectionEndedError."""
        message = b""
        while True:
            try:
                final, opcode, data = await self._read_frame()
            except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError) as error:
                raise ConnectionEndedError(repr(error)) from None
            if opcode == CLOSE:
                self._write_frame(CLOSE, data)
                raise ConnectionEndedError("close frame")
            if opcode == PING:
                self._write_frame(PONG, data)
            elif opcode in (BINARY, CONTINUATION):
                message += data
                if final:
                    return message

    def send(self, data: bytes) -> None:
        self._write_frame(BINARY, data)

    def close(self) -> None:
        """Say goodbye and close."""
        self._write_frame(CLOSE, struct.pack(">H", 1000))
        self._writer.close()

    def abort(self) -> None:
        """Cut the TCP connection without a word."""
        self._writer.transport.abort()

    async def _read_frame(self) -> tuple[bool, int, bytes]:
        head, size = await self._reader.readexactly(2)
        masked, size = bool(size & 128), size & 127
        if size == 126:
            size = struct.unpack(">H", await self._reader.readexactly(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", await self._reader.readexactly(8))[0]
        mask = await self._reader.readexactly(4) if masked else b""
        data = await self._reader.readexactly(size)
        return bool(head & 128), head & 15, _unmask(data, mask) if mask and data else data

    def _write_frame(self, opcode: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes([0x80 | opcode, size])
        elif size < 1 << 16:
            head = struct.pack(">BBH", 0x80 | opcode, 126, size)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 127, size)
        if not self._writer.is_closing():
            self._writer.write(head + data)


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext) -> str:
    """Play proxy and TLS endpoint for one client; returns the host that it believes to speak with."""
    first, _ = await _read_head(reader)
    method, target, *_ = first.split()
    if method != "CONNECT" or not target.endswith(":443"):
        raise ConnectionEndedError(f"not redirected through the proxy setting: {first}")
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # else an early ClientHello lands here and is lost
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await writer.start_tls(tls)
    return target.removesuffix(":443")


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> WebSocket:
    """Play websocket server for one client."""
    _, headers = await _read_head(reader)
    digest = hashlib.sha1(headers["sec-websocket-key"].encode() + _HANDSHAKE_GUID).digest()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    await writer.drain()
    return WebSocket(reader, writer)
