"""The worker process: see ``app.worker``."""

from __future__ import annotations

import asyncio
import socket

from app.encoders import encoder_of
from app.media_store import media_store
from app.settings import Settings
from app.worker import WorkerOptions, running_worker


async def run(settings: Settings, _listening: socket.socket | None = None) -> None:
    """Work until cancelled; running turns then get a few seconds to finish."""
    options = WorkerOptions(
        owner_dsn=settings.need_database_url(),
        secret=settings.secret,
        tenant_folders=settings.code_folders,
        media_store=media_store(settings),
        has_webhooks=bool(settings.public_url),
        model=settings.default_model(),
        media_reader=settings.media_reader(),
        concurrency=settings.worker_concurrency,
        private_hosts=settings.private_hosts,
        mcp_commands=settings.mcp_commands,
    )
    async with running_worker(options, encoder_of(settings)):
        await asyncio.Event().wait()
