"""The PostgreSQL of an installation: the embedded one, kept alive, or one that somebody else runs, checked."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.settings import Settings, make_data_dir
from domain.errors import AtendeError

if TYPE_CHECKING:
    from store.embedded import EmbeddedPostgres

log = logging.getLogger(__name__)

DATABASE = "atende"
_LONGEST_PAUSE_SECONDS = 10.0


@asynccontextmanager
async def running_postgres(settings: Settings) -> AsyncIterator[str]:
    """The database's URL, as the role that owns it. Raises a ServerUnusableError.

    The embedded server runs while the block runs, is started again within about a second when it dies, and is stopped
    at the end unless another process uses it too.
    """
    if settings.database_url is not None:
        from store.server import check_server  # noqa: PLC0415 - drivers load only for the kind that is used

        await check_server(settings.database_url)
        yield settings.database_url
        return
    from store.embedded import EmbeddedPostgres  # noqa: PLC0415

    make_data_dir(settings.data_dir)
    server = EmbeddedPostgres(settings.data_dir / "postgres")
    stopping = asyncio.Event()
    keeper: asyncio.Task[None] | None = None
    try:
        await asyncio.to_thread(server.start)
        url = await asyncio.to_thread(server.create_database, DATABASE)
        keeper = asyncio.create_task(_keep(server, stopping), name="postgres")
        yield url
    finally:
        stopping.set()
        if keeper is not None:
            await keeper  # not cancelled: a start under way in its thread would go on after the stop
        await asyncio.to_thread(server.release)


async def _keep(server: EmbeddedPostgres, stopping: asyncio.Event) -> None:
    pause = 1.0
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stopping.wait()
        if stopping.is_set():
            return
        before = server.pid
        try:
            await asyncio.to_thread(server.ensure)
        except AtendeError as error:
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            log.error("%s Trying again in %.0f s.", error.sentence(), pause)  # noqa: TRY400 - the sentence says it all
            continue
        pause = 1.0
        if server.pid != before:
            log.warning("PostgreSQL had ended and was started again (pid %s)", server.pid)
