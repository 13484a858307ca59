"""``atende quarantine``: deliveries of gateways that were not understood, from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from app.settings import Settings

commands = typer.Typer(help="Deliveries of gateways that were not understood.", no_args_is_help=True)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]


@commands.command("list")
def list_quarantine(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant's, by its slug.")] = None,
    data_dir: DataDir = None,
) -> None:
    """List deliveries of gateways that this version did not understand."""
    from app.gateways import list_quarantine as listed  # noqa: PLC0415

    _print(listed(_settings(data_dir), tenant))


@commands.command()
def show(
    delivery: Annotated[UUID, typer.Argument(help="Its id, as `atende quarantine list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """Print one of them as it came."""
    from app.gateways import show_quarantined  # noqa: PLC0415

    _print(show_quarantined(_settings(data_dir), delivery))


@commands.command()
def replay(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant's, by its slug.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Only events of this name.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Read them again, after an upgrade: what is understood now is stored."""
    from app.gateways import replay_quarantine  # noqa: PLC0415

    _print(replay_quarantine(_settings(data_dir), tenant, name))


def _print(lines: Coroutine[None, None, list[str]]) -> None:
    for line in asyncio.run(lines):
        print(line)


def _settings(data_dir: Path | None) -> Settings:
    from app.logs import configure_logging  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir)
    configure_logging("atende", settings.log_level)
    return settings
