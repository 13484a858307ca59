"""What commands about one tenant have in common: its database opened, its id found, lines printed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from app.settings import Settings
    from store.database import Database
    from store.wakeup import Wakeup

ACTOR = "command line"
"""Who acts, in events."""

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]
Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.")]


@dataclass(frozen=True, slots=True)
class TenantWork:
    """One tenant's database, as long as the command runs."""

    settings: Settings
    owner_url: str
    db: Database
    wakeup: Wakeup
    tenant_id: UUID


def run_for(tenant: str, data_dir: Path | None, work: Callable[[TenantWork], Awaitable[list[str]]]) -> None:
    """Do ``work`` for the tenant with that slug and print the lines it returns. Raises NotFoundError."""

    async def run() -> list[str]:
        async with opened(settings_for(data_dir), tenant) as found:
            return await work(found)

    for line in asyncio.run(run()):
        print(line)


@asynccontextmanager
async def opened(settings: Settings, tenant: str) -> AsyncIterator[TenantWork]:
    """The tenant's database. Raises NotFoundError, naming the tenants there are."""
    from app.numbers import prepared_database, tenants_named  # noqa: PLC0415
    from store.wakeup import Wakeup  # noqa: PLC0415

    async with prepared_database(settings) as (url, db):
        tenant_id = (await tenants_named(url, tenant))[0][0]
        wakeup = Wakeup(db)
        try:
            yield TenantWork(settings, url, db, wakeup, tenant_id)
        finally:
            await wakeup.close()


def settings_for(data_dir: Path | None) -> Settings:
    """The installation's settings, logging set up."""
    from app.logs import configure_logging  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir)
    configure_logging("atende", settings.log_level)
    return settings
