"""``atende templates``: the message templates of Cloud API numbers, from the command line. See app.templates."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from app.settings import Settings

commands = typer.Typer(help="Message templates of WhatsApp Cloud API numbers.", no_args_is_help=True)

Number = Annotated[UUID, typer.Argument(help="The number's id, as `atende session list` shows it.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]


@commands.command()
def sync(number: Number, data_dir: DataDir = None) -> None:
    """Read the number's templates from WhatsApp. A running worker does it every hour."""
    from app.templates import sync_templates  # noqa: PLC0415

    _print(sync_templates(_settings(data_dir), number))


@commands.command("list")
def list_all(number: Number, data_dir: DataDir = None) -> None:
    """List the number's templates with their state and variables."""
    from app.templates import list_templates  # noqa: PLC0415

    _print(list_templates(_settings(data_dir), number))


@commands.command()
def send(
    *,
    number: Number,
    to: Annotated[str, typer.Option("--to", help="The customer's phone with country code: +5511990001111.")],
    name: Annotated[str, typer.Option("--name", help="The template's name.")],
    user: Annotated[str, typer.Option("--as", help="E-mail of the operator who sends it.")],
    language: Annotated[str, typer.Option("--language", help="The template's language.")] = "pt_BR",
    values: Annotated[
        list[str] | None, typer.Option("--var", help="A variable's value; repeat in the order that `list` shows.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Queue a template for a customer, also for one who never wrote. The conversation becomes the operator's."""
    from app.templates import Sending, send_template  # noqa: PLC0415

    sending = Sending(to, name, language, tuple(values or ()), user)
    _print(send_template(_settings(data_dir), number, sending))


def _print(lines: Coroutine[None, None, list[str]]) -> None:
    for line in asyncio.run(lines):
        print(line)


def _settings(data_dir: Path | None) -> Settings:
    from app.logs import configure_logging  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir)
    configure_logging("atende", settings.log_level)
    return settings
