"""How a child process talks with its test: one JSON object a line, commands on stdin, events on stdout.

The neonize library prints to stdout by itself, so the child moves the real stdout away first. The end of stdin ends the
child at once, whatever its other threads do: a child can never outlive its test.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from typing import Any

Fields = dict[str, Any]


class Line:
    """The child's end. Make it first thing in the process, within the running event loop."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._loop = asyncio.get_running_loop()
        self._commands: asyncio.Queue[Fields] = asyncio.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def emit(self, event: str, **fields: Any) -> None:
        self._out.write(json.dumps({"event": event, **fields}) + "\n")
        self._out.flush()

    async def command(self) -> Fields:
        """The next command."""
        return await self._commands.get()

    def _read(self) -> None:
        for line in sys.stdin:
            self._loop.call_soon_threadsafe(self._commands.put_nowait, json.loads(line))
        os._exit(0)  # neither a hung thread of the library nor a blocked loop may hold the process
