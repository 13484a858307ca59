"""What a session host is called where numbers are leased: the same as its dead predecessor on this machine.

So a host that was killed is succeeded at once, without waiting for its leases to run out. That it is dead is certain:
the name is locked, and the kernel frees the lock only when the process is gone. One that merely hangs keeps its name.
"""

from __future__ import annotations

import fcntl
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The session hosts of this machine: their names are the files of ``folder``; there should be ``expected``."""

    folder: Path
    expected: int = 1

    async def count(self, own: str, bury: Callable[[str], Awaitable[None]]) -> int:
        """How many others are alive. ``bury`` is awaited for each that is not, while nobody else can take its name."""
        living = 0
        for path in sorted(self.folder.glob("*.host")):
            name = f"{socket.gethostname()}/{path.stem}"
            if name == own:
                continue
            handle = _lock(path)
            if handle is None:
                living += 1
                continue
            try:
                await bury(name)
            finally:
                os.close(handle)
        return living


@contextmanager
def host_name(folder: Path) -> Iterator[str]:
    """A name for the time of the block: a free one of those used on this machine, else a new one.

    ``folder`` keeps the names, one empty file each. The machine's name is part of them: a copied folder must not make
    two machines take each other for one.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = _take(folder)
    try:
        yield f"{socket.gethostname()}/{name}"
    finally:
        os.close(handle)


def _take(folder: Path) -> tuple[int, str]:
    for path in sorted(folder.glob("*.host")):
        if (handle := _lock(path)) is not None:
            return handle, path.stem
    while True:
        path = folder / f"{uuid.uuid4().hex}.host"
        if (handle := _lock(path)) is not None:  # another starting host may have found it first
            return handle, path.stem


def _lock(path: Path) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
