"""Deliveries that were acknowledged while the database was away: on this machine's disk, in order, until it is back.

One append-only file for each process, synced before ``add`` returns, and emptied when all of it is durable elsewhere.
What a process that died left behind is taken over by the next one (``adopt``). Part of it may have been stored before:
whoever drains must bear repetitions.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import struct
import time
import uuid
import zlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from domain.errors import AtendeError

log = logging.getLogger(__name__)

_HEAD = struct.Struct(">4sI16sdHI")
"""Mark, CRC of what follows it, channel session, time of receipt, size of the provider's name, size of the body."""
_MARK = b"ATJ1"
_CHECKED_FROM = 8
_AT_ONCE = 64
DEFAULT_LIMIT = 4 * 1024**3


class JournalFullError(AtendeError):
    """The database has been away for so long that the journal reached its limit, or the disk is full."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The delivery can be kept nowhere: {reason}.", hint="Bring the database back.")


@dataclass(frozen=True, slots=True)
class Entry:
    """One authentic delivery to a number."""

    session_id: UUID
    provider: str
    body: bytes
    received_at: datetime

    def record(self) -> bytes:
        """The entry as it stands in the file."""
        name = self.provider.encode()
        head = _HEAD.pack(_MARK, 0, self.session_id.bytes, self.received_at.timestamp(), len(name), len(self.body))
        rest = head[_CHECKED_FROM:] + name + self.body
        return _MARK + struct.pack(">I", zlib.crc32(rest)) + rest


class _File:
    """A journal file that this process holds the lock of. ``index``: place and number of what is not drained yet."""

    def __init__(self, path: Path, flags: int = 0) -> None:
        self.path = path
        self.handle = os.open(path, os.O_RDWR | os.O_APPEND | flags, 0o600)
        self.index: deque[tuple[int, UUID]] = deque()
        self.size = 0

    def lock(self) -> bool:
        """Whether no other living process has it."""
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process
        except BlockingIOError:
            os.close(self.handle)
            return False
        return True

    def read_index(self) -> None:
        """Find what is in it. A record cut by a crash was never acknowledged, nor what would come after it."""
        end, at = os.fstat(self.handle).st_size, 0
        while (entry := self.read(at, end)) is not None:
            self.index.append((at, entry.session_id))
            at += len(entry.record())
        self.size = at

    def read(self, at: int, end: int | None = None) -> Entry | None:
        """The entry at this place; None if there is no whole one."""
        head = os.pread(self.handle, _HEAD.size, at)
        if len(head) < _HEAD.size:
            return None
        mark, checksum, session, received, name_size, body_size = _HEAD.unpack(head)
        if mark != _MARK or (end is not None and at + _HEAD.size + name_size + body_size > end):
            return None
        rest = os.pread(self.handle, name_size + body_size, at + _HEAD.size)
        if zlib.crc32(head[_CHECKED_FROM:] + rest) != checksum:
            return None
        name = rest[:name_size].decode()
        return Entry(UUID(bytes=session), name, rest[name_size:], datetime.fromtimestamp(received, UTC))


class Journal:
    """The journal of this process and of those before it. For one event loop."""

    def __init__(self, folder: Path, *, limit: int = DEFAULT_LIMIT) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self._limit = folder, limit
        self._own = _File(folder / f"{time.time_ns():020}-{uuid.uuid4().hex[:8]}.journal", os.O_CREAT | os.O_EXCL)
        self._own.lock()
        _sync_folder(folder)  # or the new file's name might be lost with the power
        self._adopted: list[_File] = []
        self._waiting: Counter[UUID] = Counter()
        self._pending: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._draining = asyncio.Lock()

    def waits_for(self, session_id: UUID) -> bool:
        """Whether something of this number is not drained yet: what comes now must go behind it."""
        return self._waiting[session_id] > 0

    @property
    def waiting(self) -> int:
        """How many entries are not drained yet."""
        return self._waiting.total()

    async def add(self, entry: Entry) -> None:
        """Append; returns when it is on the disk. Those who come together share one sync. Raises JournalFullError."""
        if self._own.size + len(entry.body) > self._limit:
            raise JournalFullError(f"its journal holds {self._own.size} bytes already")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[entry.session_id] += 1
        self._pending.append((entry, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="journal")
        # Not cancelled with its caller: who hung up does not take the others' record away.
        await asyncio.shield(done)

    async def _write(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            records = [entry.record() for entry, _ in batch]
            try:
                await asyncio.to_thread(self._append, records)
            except OSError as error:
                for entry, done in batch:
                    self._discount(entry.session_id)
                    if not done.cancelled():
                        done.set_exception(JournalFullError(error.strerror or str(error)))
                continue
            at = self._own.size
            for (entry, done), record in zip(batch, records, strict=True):
                self._own.index.append((at, entry.session_id))
                at += len(record)
                if not done.cancelled():
                    done.set_result(None)
            self._own.size = at

    def _append(self, records: list[bytes]) -> None:
        left = memoryview(b"".join(records))
        try:
            while left:
                left = left[os.write(self._own.handle, left) :]
            os.fsync(self._own.handle)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._own.handle, self._own.size)  # half a record would hide what comes after it
            raise

    async def adopt(self) -> int:
        """Take over the journals of processes that are gone; returns how many entries they hold."""
        found = 0
        held = {self._own.path, *(file.path for file in self._adopted)}
        for path in sorted(self._folder.glob("*.journal")):
            if path in held:
                continue
            try:
                file = _File(path)
            except FileNotFoundError:
                continue
            if not file.lock():
                continue
            await asyncio.to_thread(file.read_index)
            self._waiting.update(session_id for _, session_id in file.index)
            self._adopted.append(file)
            found += len(file.index)
        return found

    async def drain(self, keep: Callable[[Entry], Awaitable[None]]) -> int:
        """Hand the entries over, each number's in order, until none is left; returns how many.

        Stops at the first error of ``keep``, which is raised; what was not kept is handed over again next time.
        """
        count = 0
        async with self._draining:
            for file in [*self._adopted, self._own]:
                while file.index:
                    count += await self._drain_some(file, keep)
                if file is not self._own:
                    self._adopted.remove(file)
                    file.path.unlink(missing_ok=True)
                    os.close(file.handle)
            self._empty()
        return count

    async def _drain_some(self, file: _File, keep: Callable[[Entry], Awaitable[None]]) -> int:
        chosen = [file.index[n] for n in range(min(_AT_ONCE, len(file.index)))]
        by_number: dict[UUID, list[int]] = {}
        for at, session_id in chosen:
            by_number.setdefault(session_id, []).append(at)
        kept: set[int] = set()

        async def hand_over(session_id: UUID, places: list[int]) -> None:
            for at in places:
                entry = await asyncio.to_thread(file.read, at)
                if entry is None:
                    log.error("an entry of the journal for %s could not be read back", session_id)
                else:
                    await keep(entry)
                kept.add(at)

        results = await asyncio.gather(
            *(hand_over(session_id, places) for session_id, places in by_number.items()), return_exceptions=True
        )
        for at, session_id in chosen:
            if at in kept:
                file.index.remove((at, session_id))
                self._discount(session_id)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(kept)

    def _empty(self) -> None:
        """Give the space back, unless something is just being written."""
        is_writing = self._writer is not None and not self._writer.done()
        if self._own.size and not self._own.index and not self._pending and not is_writing:
            os.ftruncate(self._own.handle, 0)
            self._own.size = 0

    def _discount(self, session_id: UUID) -> None:
        self._waiting[session_id] -= 1
        if self._waiting[session_id] <= 0:
            del self._waiting[session_id]

    async def close(self) -> None:
        """Finish writing. A file with something in it stays for the next process."""
        if self._writer is not None:
            await asyncio.wait([self._writer])
        for file in [*self._adopted, self._own]:
            if not file.index:
                file.path.unlink(missing_ok=True)
            os.close(file.handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
