"""The process in which numbers are paired, beside the session hosts that hold the paired ones.

A pairing that nobody finishes leaves a thread of the library that only the end of its process gives back. So this one
ends itself, when no code is shown in it, and disturbs no connected number by it; the supervisor starts it afresh.
"""

from __future__ import annotations

import socket

from app.sessions_part import hold
from app.settings import Settings


async def run(settings: Settings, _listening: socket.socket | None = None) -> None:
    """Pair numbers until cancelled, or until it has a thread to be rid of."""
    await hold(settings, "unpaired")
