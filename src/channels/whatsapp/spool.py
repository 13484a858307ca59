"""A host's notebook on its own disk: what WhatsApp was told we have, and nobody has kept yet.

The library acknowledges a message before anybody can store it. So its bytes go here first, from the library's own
thread, in microseconds, and leave when the event is durable; after a kill the next host finds what was on its way.
It outlives the process, not the machine: nothing is synced to the disk.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEAD = struct.Struct(">IHB")
"""Size of the payload, size of the session's id, code."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """One event as it came: ``code`` and ``payload`` are the library's own."""

    session_id: str
    code: int
    payload: bytes


class Spool:
    """A file of this process alone, emptied whenever nothing in it is open. ``add`` is for any thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / f"{uuid.uuid4().hex}.spool"
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)  # ends with the process: so others see whether it is alive
        self._lock = threading.Lock()
        self._open: set[int] = set()
        self._last = 0

    def add(self, spooled: Spooled) -> int:
        """Note an event; returns its ticket for ``done``."""
        name = spooled.session_id.encode()
        record = _HEAD.pack(len(spooled.payload), len(name), spooled.code) + name + spooled.payload
        with self._lock:
            self._last += 1
            self._open.add(self._last)
            os.write(self._file, record)
            return self._last

    def done(self, ticket: int) -> None:
        """The event is durable elsewhere."""
        with self._lock:
            self._open.discard(ticket)
            if not self._open:
                os.ftruncate(self._file, 0)


def abandoned(folder: Path) -> Iterator[Path]:
    """The spools of processes that are gone. Remove each when all that ``read`` gives of it is durable."""
    for path in sorted(folder.glob("*.spool")):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
        yield path


def read(path: Path) -> Iterator[Spooled]:
    """What is in a spool, in order; some of it may have become durable. A record cut by the end is left out."""
    data = path.read_bytes()
    at = 0
    while at + _HEAD.size <= len(data):
        size, name_size, code = _HEAD.unpack_from(data, at)
        start = at + _HEAD.size + name_size
        if start + size > len(data):
            return
        yield Spooled(data[at + _HEAD.size : start].decode(), code, data[start : start + size])
        at = start + size
