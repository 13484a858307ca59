"""``atende number`` and ``atende quarantine``: numbers (channel sessions) and gateways, from the command line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from app.settings import Settings

commands = typer.Typer(help="WhatsApp numbers: listed, added, and paired by QR code.", no_args_is_help=True)

quarantine = typer.Typer(help="Deliveries of gateways that were not understood.", no_args_is_help=True)

Number = Annotated[UUID, typer.Argument(help="The number's id, as `atende number list` shows it.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]


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
    number: Number,
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
    provider: Annotated[str, typer.Option("--provider", help="How its messages travel: neonize, simulator, waha …")],
    given: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the number: base_url=http://waha:3000 (repeatable).")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Add a number to a tenant, set it up at its gateway, and say what to do next."""
    from app.gateways import try_to_set_up  # noqa: PLC0415
    from app.numbers import add_to_tenant  # noqa: PLC0415
    from flows.gateways import FACTORIES  # noqa: PLC0415

    settings = _settings(data_dir)
    number = asyncio.run(add_to_tenant(settings, tenant, name, provider, _read_settings(given or [])))
    print(f"Added the number {name}: {number}")
    if provider in FACTORIES:
        _print(try_to_set_up(settings, number))
    if provider != "simulator":
        print(f"Link its phone with: atende number qr {number} (or on the page /numbers), while Atende runs.")


@commands.command("set-up")
def set_up(number: Number, data_dir: DataDir = None) -> None:
    """Create or attach a number at its gateway and register our webhook there. Doing it again changes nothing."""
    from app.gateways import set_up_number  # noqa: PLC0415

    _print(set_up_number(_settings(data_dir), number))


@commands.command()
def control(
    number: Number,
    wish: Annotated[str, typer.Argument(help="start, stop, restart, logout or delete.")],
    data_dir: DataDir = None,
) -> None:
    """Start, stop, restart, log out or delete a number at its gateway."""
    from app.gateways import control_number  # noqa: PLC0415

    _print(control_number(_settings(data_dir), number, wish))


@quarantine.command("list")
def list_quarantine(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant's, by its slug.")] = None,
    data_dir: DataDir = None,
) -> None:
    """List deliveries of gateways that this version did not understand."""
    from app.gateways import list_quarantine as listed  # noqa: PLC0415

    _print(listed(_settings(data_dir), tenant))


@quarantine.command()
def show(
    delivery: Annotated[UUID, typer.Argument(help="Its id, as `atende quarantine list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """Print one of them as it came."""
    from app.gateways import show_quarantined  # noqa: PLC0415

    _print(show_quarantined(_settings(data_dir), delivery))


@quarantine.command()
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


def _read_settings(given: list[str]) -> dict[str, str]:
    """``name=value`` texts as a mapping. Raises typer.BadParameter."""
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not equals or not name.strip():
            raise typer.BadParameter(f"{name!r} is no name=value", param_hint="--set")
    return {name.strip(): value for name, _, value in pairs}


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
