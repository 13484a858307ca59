"""``atende session``: a tenant's numbers (channel sessions) from the command line. See app.numbers for what they do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from app.settings import Settings

commands = typer.Typer(help="WhatsApp numbers: listed, added, and paired by QR code.", no_args_is_help=True)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]


class Provider(StrEnum):
    """How a number's messages travel."""

    NEONIZE = "neonize"
    WAHA = "waha"
    SIMULATOR = "simulator"


@commands.command("list")
def list_all(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant's, by its slug.")] = None,
    data_dir: DataDir = None,
) -> None:
    """List the numbers with their ids, states and paired phones."""
    from app.numbers import describe_numbers  # noqa: PLC0415

    for line in asyncio.run(describe_numbers(_settings(data_dir), tenant)):
        print(line)


@commands.command()
def qr(
    number: Annotated[UUID, typer.Argument(help="The number's id, as `atende session list` shows it.")],
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the first code.")] = 30.0,
    data_dir: DataDir = None,
) -> None:
    """Draw the QR code that links a phone, each new one as it comes, until a phone is linked."""
    from app.numbers import follow_pairing  # noqa: PLC0415

    asyncio.run(_until_interrupted(follow_pairing(_settings(data_dir), number, wait, sys.stdout)))


@commands.command()
def add(
    *,
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's slug.")],
    name: Annotated[str, typer.Option("--name", help="What people call the number, such as Sales.")],
    provider: Annotated[Provider, typer.Option("--provider", help="How its messages travel.")],
    base_url: Annotated[str | None, typer.Option("--base-url", help="waha: address of the WAHA server.")] = None,
    hmac_key: Annotated[
        str | None, typer.Option("--hmac-key", help="waha: key of its webhooks' signatures; made where not given.")
    ] = None,
    api_key: Annotated[str | None, typer.Option("--api-key", help="waha: the server's WAHA_API_KEY.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Add a number to a tenant, and say what to do next."""
    from app.numbers import add_to_tenant  # noqa: PLC0415

    given = {"base_url": base_url, "hmac_key": hmac_key, "api_key": api_key}
    config = {key: value for key, value in given.items() if value is not None}
    for line in asyncio.run(add_to_tenant(_settings(data_dir), tenant, name, provider.value, config)):
        print(line)


async def _until_interrupted(work: Coroutine[None, None, None]) -> None:
    try:
        await work
    except asyncio.CancelledError:
        print("The number keeps waiting; run the command again to see its code.")


def _settings(data_dir: Path | None) -> Settings:
    from app.logs import configure_logging  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir)
    configure_logging("atende", settings.log_level)
    return settings
