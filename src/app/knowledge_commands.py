"""``atende knowledge``: a tenant's documents, from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from store.database import Database

commands = typer.Typer(help="Documents that answers may cite.", no_args_is_help=True)

EXIT_UNUSABLE = 2
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]
Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's slug.")]


@commands.command()
def add(
    path: Annotated[Path, typer.Argument(help="A file, or a folder with files: MD, TXT, HTML, PDF, DOCX, CSV, TSV.")],
    *,
    tenant: Tenant,
    language: Annotated[
        str | None, typer.Option("--language", help="pt, es or en; otherwise the name (faq.es.md) or the text tells.")
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="With a folder: remove added documents that are not in it.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="Index here instead of leaving it to a worker.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Add documents, or bring them up to date: only what changed is indexed anew."""
    from app.knowledge import AddingFiles  # noqa: PLC0415

    adding = AddingFiles(path.absolute(), language, mirror=mirror, now=now)
    adding.check()
    _run(tenant, data_dir, adding.run)
    if adding.refused:
        raise typer.Exit(EXIT_UNUSABLE)


@commands.command("list")
def list_all(*, tenant: Tenant, data_dir: DataDir = None) -> None:
    """List the documents with their pieces and their state."""
    from app.knowledge import list_documents  # noqa: PLC0415

    _run(tenant, data_dir, list_documents)


@commands.command()
def remove(
    refs: Annotated[list[str], typer.Argument(help="Documents, by the names that `list` shows.")],
    *,
    tenant: Tenant,
    data_dir: DataDir = None,
) -> None:
    """Remove documents that were added."""
    from app.knowledge import remove_documents  # noqa: PLC0415

    _run(tenant, data_dir, lambda db, tenant_id: remove_documents(db, tenant_id, refs))


@commands.command()
def search(
    question: Annotated[str, typer.Argument(help="As a customer would ask it.")],
    *,
    tenant: Tenant,
    limit: Annotated[int, typer.Option("--limit", min=1, max=16)] = 5,
    data_dir: DataDir = None,
) -> None:
    """Show what would be found for a question, and whether it would be answered with it."""
    from app.knowledge import search_documents  # noqa: PLC0415

    _run(tenant, data_dir, lambda db, tenant_id: search_documents(db, tenant_id, question, limit))


def _run(
    tenant: str, data_dir: Path | None, work: Callable[[Database, UUID], Awaitable[Iterator[str] | list[str]]]
) -> None:
    from app.logs import configure_logging  # noqa: PLC0415
    from app.numbers import prepared_database, tenants_named  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir)
    configure_logging("atende", settings.log_level)

    async def run() -> list[str]:
        async with prepared_database(settings) as (url, db):
            tenant_id = (await tenants_named(url, tenant))[0][0]
            return list(await work(db, tenant_id))

    for line in asyncio.run(run()):
        print(line)
