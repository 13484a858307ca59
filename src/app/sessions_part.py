"""The session host: the process that holds the WhatsApp connections."""

from __future__ import annotations

import asyncio
import socket

from app.settings import Settings


async def run(settings: Settings, _listening: socket.socket | None = None) -> None:
    """Hold connections until cancelled."""
    await asyncio.Event().wait()
