"""``atende session``: channel sessions (paired numbers) from the command line, from the first QR code to their end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

if TYPE_CHECKING:
    from app.settings import Settings

commands = typer.Typer(help="WhatsApp numbers: created, paired, watched, and deleted.", no_args_is_help=True)

Session = Annotated[UUID, typer.Argument(help="The session's id, as `atende session list` shows it.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")]
Language = Annotated[str | None, typer.Option("--language", help="pt, es or en; the terminal's otherwise.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as the API answers.")]


@commands.command()
def create(
    *,
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's slug.")],
    name: Annotated[str, typer.Option("--name", help="What people call the number, such as Sales.")],
    provider: Annotated[
        str, typer.Option("--provider", help="How its messages travel: neonize, simulator, waha …")
    ] = "neonize",
    given: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the number: base_url=http://waha:3000 (repeatable).")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Create a session, set it up at its gateway if it has one, and say what to do next."""
    from app.gateways import try_to_set_up  # noqa: PLC0415
    from app.numbers import add_to_tenant  # noqa: PLC0415
    from flows.gateways import FACTORIES  # noqa: PLC0415

    settings = _settings(data_dir)
    session = asyncio.run(add_to_tenant(settings, tenant, name, provider, _read_settings(given or [])))
    print(f"Created the session {name}: {session}")
    if provider in FACTORIES:
        _print(try_to_set_up(settings, session))
    if provider != "simulator":
        print(f"Link its phone with: atende session qr {session} (or on the page /numbers), while Atende runs.")


@commands.command("list")
def list_all(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant's, by its slug.")] = None,
    data_dir: DataDir = None,
) -> None:
    """List the sessions with their ids, states and paired phones."""
    from app.numbers import describe_numbers  # noqa: PLC0415

    for line in asyncio.run(describe_numbers(_settings(data_dir), tenant)):
        print(line)


@commands.command()
def show(session: Session, as_json: AsJson = False, language: Language = None, data_dir: DataDir = None) -> None:
    """Show one session, and what to do next."""
    from app.session_work import show_session  # noqa: PLC0415

    _print(show_session(_settings(data_dir), session, language, as_json=as_json))


@commands.command("set")
def change(
    session: Session,
    groups: Annotated[
        str | None, typer.Option("--groups", help="Answer in groups: off, or when mentioned or quoted (mentioned).")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What people call the number.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Change a session's name, or whether the agent answers in groups."""
    from app.session_work import change_session  # noqa: PLC0415

    _print(change_session(_settings(data_dir), session, name=name, groups=groups))


@commands.command()
def qr(
    session: Session,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the first code.")] = 30.0,
    png: Annotated[
        Path | None, typer.Option("--png", help="Write the newest code to this file instead of drawing it.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Draw the QR code that links a phone, each new one as it comes, until a phone is linked."""
    from app.numbers import follow_pairing  # noqa: PLC0415
    from app.session_work import write_qr  # noqa: PLC0415

    if png is not None:
        _print(write_qr(_settings(data_dir), session, png))
    else:
        asyncio.run(_until_interrupted(follow_pairing(_settings(data_dir), session, wait, sys.stdout)))


@commands.command("pair-code")
def pair_code(
    session: Session,
    phone: Annotated[str, typer.Argument(help="The phone's number with country code: +5511990001111.")],
    data_dir: DataDir = None,
) -> None:
    """Get a code to type into the phone instead of scanning one."""
    from app.session_work import get_pairing_code  # noqa: PLC0415

    _print(get_pairing_code(_settings(data_dir), session, phone))


def _wish(wish: str, about: str) -> None:
    """A command that tells a session something."""

    def told(session: Session, data_dir: DataDir = None) -> None:
        from app.session_work import control_session  # noqa: PLC0415

        _print(control_session(_settings(data_dir), session, wish))

    commands.command(wish, help=about)(told)


_wish("start", "Bring a session online; one without a phone shows a QR code.")
_wish("stop", "Take a session offline; it stays paired.")
_wish("restart", "Close a session's connection and open it anew.")
_wish("logout", "Unlink the phone: the device is removed at WhatsApp, its keys here.")


@commands.command()
def delete(
    session: Session,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    without_whatsapp: Annotated[
        bool, typer.Option("--without-whatsapp", help="No session host runs: delete here, and unlink on the phone.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete a session with its keys, conversations and files. There is no way back."""
    from app.session_work import delete_session, what_goes  # noqa: PLC0415

    settings = _settings(data_dir)
    if not yes:
        typer.confirm(f"{asyncio.run(what_goes(settings, session))} Delete it?", abort=True)
    _print(delete_session(settings, session, without_whatsapp=without_whatsapp))


@commands.command()
def stats(
    session: Session,
    days: Annotated[int, typer.Option("--days", help="Over how many days.")] = 7,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show figures: messages, uptime, reconnects, QR codes."""
    from app.session_work import session_stats  # noqa: PLC0415

    _print(session_stats(_settings(data_dir), session, days, as_json=as_json))


@commands.command()
def log(
    session: Session,
    limit: Annotated[int, typer.Option("--limit", help="How many lines, at most 200.")] = 50,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Go on after a page; it names its cursor.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show what happened to a session, the newest first."""
    from app.session_work import session_log  # noqa: PLC0415

    _print(session_log(_settings(data_dir), session, limit, cursor, as_json=as_json))


@commands.command("export")
def export(
    session: Session,
    file: Annotated[Path, typer.Argument(help="Where to write the backup.")],
    password: Annotated[
        str, typer.Option(envvar="ATENDE_BACKUP_PASSWORD", prompt=True, confirmation_prompt=True, hide_input=True)
    ],
    data_dir: DataDir = None,
) -> None:
    """Stop a session and write its pairing, encrypted, to a file that another installation can import."""
    from app.session_backups import export_session  # noqa: PLC0415

    _print(export_session(_settings(data_dir), session, file, password))


@commands.command("import")
def bring(  # noqa: PLR0917 - its options
    file: Annotated[Path, typer.Argument(help="The backup.", exists=True, dir_okay=False)],
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's slug.")],
    password: Annotated[str, typer.Option(envvar="ATENDE_BACKUP_PASSWORD", prompt=True, hide_input=True)],
    name: Annotated[str | None, typer.Option("--name", help="Another name than it had.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="The session runs nowhere else any more: do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Bring a session back from its backup. It must run nowhere else: one device has one connection."""
    from app.session_backups import TWICE, import_session  # noqa: PLC0415

    settings = _settings(data_dir)
    print(TWICE)
    if not yes:
        typer.confirm("Is it stopped everywhere else?", abort=True)
    _print(import_session(settings, file, tenant, password, name))


@commands.command("set-up")
def set_up(session: Session, data_dir: DataDir = None) -> None:
    """Create or attach a session at its gateway and register our webhook there. Doing it again changes nothing."""
    from app.gateways import set_up_number  # noqa: PLC0415

    _print(set_up_number(_settings(data_dir), session))


def _print(lines: Coroutine[Any, Any, list[str]]) -> None:
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
        print("The session keeps waiting; run the command again to see its code.")


def _settings(data_dir: Path | None) -> Settings:
    from app.logs import configure_logging  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data_dir)
    configure_logging("atende", settings.log_level)
    return settings
