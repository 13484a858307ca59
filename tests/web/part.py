"""The web process as it is shipped, run inside a test: its own composition, real uvicorn, a free port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from app import web_part
from app.settings import GivenSettings
from tests.database import SECRET


@asynccontextmanager
async def running_web(
    owner_dsn: str, data_dir: Path, *, demo: bool = False, healthy: bool = True
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve until the block ends; a program's HTTP client on it (no cookies, no wish for HTML).

    ``healthy``: whether the database is there when it starts.
    """
    settings = GivenSettings(ATENDE_SECRET=SECRET.decode(), DATABASE_URL=owner_dsn, data_dir=data_dir, demo=demo)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    serving = asyncio.create_task(web_part.run(settings, listening))
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
            # The socket listens already: the first answer comes when the application is up.
            answering = asyncio.create_task(client.get("/healthz"))
            await asyncio.wait([serving, answering], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                answering.cancel()
                serving.result()
            assert (await answering).status_code == (200 if healthy else 503)
            yield client
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        listening.close()
