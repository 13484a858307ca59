"""Signs of life from a supervised process to its supervisor, over a pipe: a byte at each beat of the event loop.

A frozen process, or one whose loop hangs, gives none. Its connections stay open meanwhile, so nobody else may take them
over before it is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os

VARIABLE = "ATENDE_HEARTBEAT_FD"
BEAT_SECONDS = 0.5
LOADING_SECONDS = 60.0
"""The patience with a process that loads, which may hold its loop up."""
_BEAT, _LOADING = b".", b"L"


class Listening:
    """The supervisor's end."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self.is_loading = True
        """Whether the process said last that it loads; so does every process at first."""

    @property
    def handed_over(self) -> dict[str, int]:
        """The environment variable and the descriptor for the process that shall be heard."""
        return {VARIABLE: self._write}

    def started(self) -> None:
        """The process has its end now."""
        os.close(self._write)

    def heard(self) -> bool:
        """Whether there was a beat since it was last asked."""
        try:
            beats = os.read(self._read, 65536)
        except BlockingIOError:
            return False
        if beats:
            self.is_loading = beats.endswith(_LOADING)
        return bool(beats)

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._read)


async def beat() -> None:
    """In the process: give signs of life until cancelled."""
    while True:
        _write(_BEAT)
        await asyncio.sleep(BEAT_SECONDS)


def loading() -> None:
    """In the process: ask for patience until the next beat."""
    _write(_LOADING)


def _write(sign: bytes) -> None:
    """Nothing, where no supervisor listens."""
    text = os.environ.get(VARIABLE)
    if text is not None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # the supervisor is held up, or gone
            os.write(int(text), sign)
