"""What only one supervisor at a time may have: the data folder, and the address that the pages listen on."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from app.settings import DataDirError, make_data_dir
from domain.errors import AtendeError

_LEFTOVER_SECONDS = 20.0
_BACKLOG = 2048


class AlreadyRunningError(AtendeError):
    """Another supervisor holds the data folder."""

    def __init__(self, data_dir: Path, address: str) -> None:
        super().__init__(
            f"Atende already runs on the data folder {data_dir}{f' (at {address})' if address else ''}.",
            hint="Stop it first, or set ATENDE_DATA_DIR to another folder and ATENDE_PORT to another port.",
        )
        self.data_dir = data_dir
        self.address = address


class LeftoversError(AtendeError):
    """Processes of a killed supervisor do not end."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"Processes of an earlier, killed run still use the data folder {data_dir}.",
            hint="End them (they are named app.process in the process list), then start again.",
        )
        self.data_dir = data_dir


class AddressError(AtendeError):
    """The pages cannot listen there."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        if error.errno == errno.EADDRINUSE:
            what = f"Port {port} on {host} is in use by another program."
            hint = f"Stop that program, or choose another port: ATENDE_PORT={port + 1 if port < 65535 else 8000}."
        elif error.errno == errno.EACCES:
            what = f"Port {port} on {host} is not open to this account."
            hint = "Choose a port above 1023 with ATENDE_PORT."
        else:
            what = f"Atende cannot listen on {host} port {port} ({error.strerror or error})."
            hint = "Set ATENDE_HOST to an address of this machine (127.0.0.1, or 0.0.0.0 for all)."
        super().__init__(what, hint=hint)
        self.host = host
        self.port = port


class Instance:
    """The locks of a data folder. The kernel frees them when their holders die.

    ``serve.lock`` is the supervisor's own. ``processes.lock`` is inherited by its children, so it stays taken while
    any of them outlives a killed supervisor; they notice and end within moments.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._handles: list[int] = []

    async def take(self, on_wait: Callable[[], None]) -> int:
        """Take the folder. Returns the descriptor that children must inherit; ``on_wait`` is called if it must wait.

        Raises AlreadyRunningError, LeftoversError or DataDirError.
        """
        make_data_dir(self._data_dir)
        try:
            own, inherited = (self._open(name) for name in ("serve.lock", "processes.lock"))
        except OSError as error:
            raise DataDirError(self._data_dir, error.strerror or str(error)) from error
        if not _lock(own):
            raise AlreadyRunningError(self._data_dir, _noted_address(own))
        end = time.monotonic() + _LEFTOVER_SECONDS
        told = False
        while not _lock(inherited):
            if time.monotonic() > end:
                raise LeftoversError(self._data_dir)
            if not told:
                on_wait()
                told = True
            await asyncio.sleep(0.05)
        os.ftruncate(own, 0)
        return inherited

    def note(self, address: str) -> None:
        """Write where this instance answers, for the message to whoever starts a second one."""
        os.pwrite(self._handles[0], json.dumps({"address": address, "pid": os.getpid()}).encode(), 0)

    def release(self) -> None:
        """Give the folder back; call it when no child lives."""
        while self._handles:
            os.close(self._handles.pop())

    def _open(self, name: str) -> int:
        handle = os.open(self._data_dir / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self._handles.append(handle)
        return handle


def listen(host: str, port: int) -> socket.socket:
    """The listening socket. The web process inherits it, so visitors wait instead of failing while that one restarts.

    Raises AddressError.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise AddressError(host, port, error) from error
    return listening


def local_url(listening: socket.socket) -> str:
    """How this machine reaches the socket."""
    host, port = listening.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _noted_address(handle: int) -> str:
    with contextlib.suppress(ValueError, KeyError):
        return str(json.loads(os.pread(handle, 4096, 0))["address"])
    return ""
