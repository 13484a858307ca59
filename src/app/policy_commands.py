"""``atende policy``: the kill switch and earned autonomy from the command line. See app.policy for what they do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from app.settings import Settings

commands = typer.Typer(
    help="What may go out by itself: shown, stopped at once, resumed; what intents have earned.", no_args_is_help=True
)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]
Slug = Annotated[str, typer.Option("--tenant", help="The tenant's slug.")]
Number = Annotated[UUID | None, typer.Option("--number", help="Only this number, by its id (atende session list).")]
Intent = Annotated[str, typer.Argument(help="The intent's name.")]


@commands.command()
def show(tenant: Slug, data_dir: DataDir = None) -> None:
    """Tell what is stopped, which rules there are, what each intent has earned, and what changed last."""
    from app.policy import describe  # noqa: PLC0415

    _print(asyncio.run(describe(_settings(data_dir), tenant)))


@commands.command()
def stop(tenant: Slug, number: Number = None, data_dir: DataDir = None) -> None:
    """Stop everything automatic at once, for the tenant or one number. What people write still goes out."""
    from app.policy import stop as run  # noqa: PLC0415

    _print(asyncio.run(run(_settings(data_dir), tenant, number)))


@commands.command()
def resume(tenant: Slug, number: Number = None, data_dir: DataDir = None) -> None:
    """Let automatic messages out again, as the reply policy says."""
    from app.policy import resume as run  # noqa: PLC0415

    _print(asyncio.run(run(_settings(data_dir), tenant, number)))


@commands.command()
def veto(intent: Intent, tenant: Slug, data_dir: DataDir = None) -> None:
    """Forbid an intent what it has earned: its replies wait for an operator until the veto is lifted."""
    from app.policy import veto as run  # noqa: PLC0415

    _print(asyncio.run(run(_settings(data_dir), tenant, intent)))


@commands.command()
def allow(intent: Intent, tenant: Slug, data_dir: DataDir = None) -> None:
    """Lift a veto: the intent may earn autonomy again, from nothing."""
    from app.policy import allow as run  # noqa: PLC0415

    _print(asyncio.run(run(_settings(data_dir), tenant, intent)))


def _print(lines: list[str]) -> None:
    for line in lines:
        print(line)


def _settings(data_dir: Path | None) -> Settings:
    from app.logs import configure_logging  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir)
    configure_logging("atende", settings.log_level)
    return settings
