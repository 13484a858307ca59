"""WhatsApp's media host: keeps encrypted files as clients upload them, and gives them out again, unread.

Clients reach it through the same proxy port as everything else, under the host name that ``media_conn`` names.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from urllib.parse import parse_qs, urlsplit

HOST = "mmg.whatsapp.net"
PICTURES = "pps.whatsapp.net"
"""Where profile pictures lie, for everybody to read."""
AUTH = "test-media-auth"
_LONGEST_HEAD_LINES = 100
_MAC_BYTES = 10


class MediaHost:
    """``files`` by path, as they were uploaded (ciphertext and MAC); ``gone`` paths answer ``gone_status``."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.gone: set[str] = set()
        self.gone_status = 410
        """404 and 410 mean that the file is no longer there, 403 that the link has run out."""
        self.failing = 0
        """How many requests get 503 before the next is served."""
        self.requests: list[tuple[str, str]] = []
        """What was asked for: (method, path)."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests of one connection until the client closes it."""
        while True:
            line = (await reader.readline()).decode("latin-1")
            if not line.strip():
                return
            headers = await _headers(reader)
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, target, *_ = line.split()
            status, answer = self._answer(method, target, body)
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\n\r\n"
            writer.write(head.encode() + answer)
            await writer.drain()

    def _answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(target)
        asked = parse_qs(parts.query)
        self.requests.append((method, parts.path))
        if self.failing:
            self.failing -= 1
            return 503, b""
        if method == "POST":
            token = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()
            if asked.get("auth") != [AUTH] or asked.get("token") != [token]:
                return 401, b""  # the token is the hash of the ciphertext, so a client cannot claim another file's
            path = f"/v/t62/{hashlib.sha256(body).hexdigest()[:32]}.enc"
            self.files[path] = body
            direct = f"{path}?ccb=11-4&oh=test&oe=7FFFFFFF"
            return 200, json.dumps({"url": f"https://{HOST}{direct}&mms3=true", "direct_path": direct}).encode()
        if parts.path in self.gone or parts.path not in self.files:
            return self.gone_status, b""
        return 200, self.files[parts.path]

    def spoil(self) -> None:
        """Flip a bit of every file, before its MAC."""
        for path, data in self.files.items():
            at = len(data) - _MAC_BYTES - 1
            self.files[path] = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(_LONGEST_HEAD_LINES):
        line = (await reader.readline()).decode("latin-1").strip()
        if not line:
            return headers
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    raise ValueError("too many headers")
