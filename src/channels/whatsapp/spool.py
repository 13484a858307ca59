"""A host's journal on its own disk: what WhatsApp was told we have, and nobody has kept yet.

The library acknowledges a message before anybody can store it. So its bytes go here first, from the library's own
thread, and leave when the event is durable; after a kill the next host finds what was on its way. ``add`` returns when
the disk has it; threads that come together share one wait for the disk.
"""

from __future__ import annotations

import errno
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


_LARGEST = 16 * 1024 * 1024
"""A journal that is never empty is written anew above this size, without what is durable."""


class Spool:
    """A file of this process alone, emptied whenever nothing in it is open. ``add`` is for any thread."""

    def __init__(self, folder: Path, *, largest: int = _LARGEST) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self._largest = folder, largest
        self._lock, self._disk = threading.Lock(), threading.Lock()
        self._open: dict[int, bytes] = {}
        self._last = self._synced = self._size = 0
        self._path, self._file = self._begin()

    def _begin(self) -> tuple[Path, int]:
        path = self._folder / f"{uuid.uuid4().hex}.spool"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)  # ends with the process: so others see whether it is alive
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the file's name, too, must outlive the machine's fall
        finally:
            os.close(folder)
        return path, file

    def add(self, spooled: Spooled) -> int:
        """Note an event; returns its ticket for ``done``. Raises OSError when the disk does not take it."""
        name = spooled.session_id.encode()
        record = _HEAD.pack(len(spooled.payload), len(name), spooled.code) + name + spooled.payload
        with self._lock:
            self._write(record)
            self._last += 1
            ticket = self._last
            self._open[ticket] = record
        with self._disk:
            if self._synced < ticket:
                with self._lock:
                    upto, file = self._last, self._file
                os.fdatasync(file)
                self._synced = upto
        return ticket

    def _write(self, record: bytes) -> None:
        written = 0
        try:
            written = os.write(self._file, record)
        finally:
            if written < len(record):  # half a record would hide those after it
                os.ftruncate(self._file, self._size)
        if written < len(record):
            raise OSError(errno.ENOSPC, "the disk took only half of an event", str(self._path))
        self._size += written

    def done(self, ticket: int) -> None:
        """The event is durable elsewhere."""
        with self._lock:
            self._open.pop(ticket, None)
            if not self._open:
                os.ftruncate(self._file, 0)
                self._size = 0
                return
            is_large = self._size > self._largest and sum(map(len, self._open.values())) < self._largest / 2
        if is_large:
            self._rewrite()

    def _rewrite(self) -> None:
        with self._disk, self._lock:
            old_path, old_file = self._path, self._file
            self._path, self._file = self._begin()
            self._size = 0
            for record in self._open.values():
                self._write(record)
            os.fdatasync(self._file)
            self._synced = self._last
            old_path.unlink()
            os.close(old_file)


def abandoned(folder: Path) -> Iterator[Path]:
    """The spools of processes that are gone. Remove each when all that ``read`` gives of it is durable."""
    for path in sorted(folder.glob("*.spool")):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError):  # somebody's, or somebody was quicker
            continue
        yield path


def read(path: Path) -> Iterator[Spooled]:
    """What is in a spool, in order; some of it may have become durable. A record cut by the end is left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # another host has kept all of it
        return
    at = 0
    while at + _HEAD.size <= len(data):
        size, name_size, code = _HEAD.unpack_from(data, at)
        start = at + _HEAD.size + name_size
        if start + size > len(data):
            return
        yield Spooled(data[at + _HEAD.size : start].decode(), code, data[start : start + size])
        at = start + size
