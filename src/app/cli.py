"""The ``atende`` command. Each command loads only what it needs: starting is not the time to wait."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.api_key_commands import commands as api_key_commands
from app.bench_commands import commands as bench_commands
from app.bundle_commands import commands as bundle_commands
from app.eval_case_commands import eval_commands
from app.function_commands import commands as function_commands
from app.intent_commands import commands as intent_commands
from app.knowledge_commands import commands as knowledge_commands
from app.outgoing_commands import commands as outgoing_commands
from app.outgoing_commands import pace
from app.policy_commands import commands as policy_commands
from app.quarantine_commands import commands as quarantine_commands
from app.session_commands import commands as session_commands
from app.template_commands import commands as template_commands
from app.tenant_commands import commands as tenant
from app.user_commands import commands as user_commands
from app.webhook_commands import commands as webhook_commands
from domain.errors import AtendeError

if TYPE_CHECKING:
    from app.settings import Settings

EXIT_UNUSABLE = 2

cli = typer.Typer(
    help="AI agent orchestration for automated attendance on WhatsApp.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.add_typer(tenant, name="tenant")
cli.add_typer(user_commands, name="user")
cli.add_typer(bench_commands, name="bench")
cli.add_typer(session_commands, name="session")
cli.add_typer(eval_commands, name="eval")
cli.add_typer(quarantine_commands, name="quarantine")
cli.add_typer(template_commands, name="templates")
cli.add_typer(policy_commands, name="policy")
cli.add_typer(function_commands, name="functions")
cli.add_typer(webhook_commands, name="webhook")
cli.add_typer(api_key_commands, name="api-key")
cli.add_typer(outgoing_commands, name="outgoing")
session_commands.command("pace")(pace)
cli.add_typer(intent_commands, name="intents")
cli.add_typer(knowledge_commands, name="knowledge")
cli.add_typer(bundle_commands, name="bundle")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]
Port = Annotated[int | None, typer.Option("--port", help="Port of the pages; 0: any free one (ATENDE_PORT).")]


def main() -> None:
    """The console script. Expected failures are one sentence and exit code 2, others a traceback and 1."""
    try:
        cli()
    except AtendeError as error:
        print(error.sentence(), file=sys.stderr)
        sys.exit(EXIT_UNUSABLE)


@cli.command()
def serve(
    demo: Annotated[bool, typer.Option("--demo", help="Seed the example shop and open the simulated phone.")] = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Start everything: PostgreSQL, pages, workers and the WhatsApp session host."""
    _serve(demo=demo or None, data_dir=data_dir, port=port)


@cli.command()
def demo(
    check: Annotated[bool, typer.Option("--check", help="Play the scripted conversations and compare.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --check: print one JSON document.")] = False,
    tenant_folder: Annotated[
        Path | None, typer.Option("--tenant", help="With --check: another tenant folder with a demo/ of its own.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="With --check: just this script (repeatable).")
    ] = None,
) -> None:
    """Start the demo, or check that the product decides in its scripted conversations as it should."""
    if not check:
        _serve(demo=True)
        return
    from app.demo_check import check_demo  # noqa: PLC0415

    folder = tenant_folder.absolute() if tenant_folder else None
    raise typer.Exit(asyncio.run(check_demo(folder, only=tuple(only or ()), as_json=as_json)))


@cli.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database to this version. ``serve`` does so by itself."""
    from app.administration import migrate_database  # noqa: PLC0415

    settings = _settings(data_dir=data_dir)
    asyncio.run(migrate_database(settings))
    print("The database is up to date.")


@tenant.command("import")
def import_folder(
    folder: Annotated[Path, typer.Argument(help="The tenant's folder, with tenant.yaml in it.")],
    data_dir: DataDir = None,
) -> None:
    """Create or update a tenant from its folder. New users get a password, which is printed once."""
    from app.administration import import_folder  # noqa: PLC0415

    settings = _settings(data_dir=data_dir)
    for line in asyncio.run(import_folder(settings, folder.absolute())):
        print(line)


@cli.command()
def trace(  # noqa: PLR0917 - its options
    turn: Annotated[
        str | None,
        typer.Argument(help="The turn's id, as the inbox shows it, or its first digits.", show_default=False),
    ] = None,
    message: Annotated[
        int | None, typer.Option("--message", help="Explain what wrote or answered this message.")
    ] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", help="Explain the last turns of this conversation.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data, which are masked otherwise.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Explain a turn: what was understood, what was called, decided and sent, why, and who had a hand in it."""
    from app.trace_command import Wanted, explain, lines  # noqa: PLC0415

    wanted = Wanted(turn, message, conversation, reveal=reveal)
    wanted.check()
    for line in lines(asyncio.run(explain(_settings(data_dir=data_dir), wanted)), as_json=as_json):
        print(line)


@cli.command()
def web() -> None:
    """Only the pages, for deployments with DATABASE_URL."""
    _part("web")


@cli.command()
def worker() -> None:
    """Only a worker, for deployments with DATABASE_URL."""
    _part("worker")


@cli.command()
def sessions() -> None:
    """Only a WhatsApp session host, for deployments with DATABASE_URL."""
    _hosting("sessions")


@cli.command()
def pairing() -> None:
    """Only the process that pairs WhatsApp numbers, for deployments with ATENDE_PAIRING_APART=true."""
    _hosting("pairing")


def _hosting(name: str) -> None:
    from channels.whatsapp.host_environment import HOST_ENVIRONMENT, missing  # noqa: PLC0415

    if missing(os.environ):  # it must be there before the process begins
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **HOST_ENVIRONMENT})  # noqa: S606 - our own command line
    _part(name)


@cli.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed  # noqa: PLC0415

    print(f"atende {installed('atende')}")


def _settings(**given: Any) -> Settings:
    from app.logs import configure_logging  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings(**given)
    configure_logging("atende", settings.log_level)
    return settings


def _serve(**given: Any) -> None:
    from app.supervisor import serve as run  # noqa: PLC0415

    asyncio.run(run(_settings(**given), lambda line: print(line, flush=True)))


def _part(name: str) -> None:
    from app.process import part, run_part  # noqa: PLC0415

    settings = _settings()
    settings.need_database_url()
    raise typer.Exit(run_part(name, part(name), settings))
