"""``atende intents``: what customers want, declared from files of other tools; checked, listed and taken out again."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.tenant_work import ACTOR, DataDir, Tenant, TenantWork, run_for
from domain.errors import AtendeError

if TYPE_CHECKING:
    from flows.intents import ImportReport, Intents, StoredIntent

commands = typer.Typer(help="What customers want: import, check, list, export.", no_args_is_help=True)


class FileUnreadableError(AtendeError):
    """A file that the command line names cannot be read or written."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"The file {file} cannot be used: {reason}.", hint="Check its path and permissions.")
        self.file = file


@commands.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL, or Rasa NLU training data (.yml).")],
    *,
    tenant: Tenant,
    form: Annotated[
        str | None, typer.Option("--format", help="csv, jsonl or rasa, if the file's name does not tell.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Intents in the file have its examples only; others stay.")
    ] = False,
    check: Annotated[bool, typer.Option(help="Warn of intents that can hardly be told apart.")] = True,
    data_dir: DataDir = None,
) -> None:
    """Import intents with their examples: the whole file, or nothing. New examples join those that are there."""
    from flows.intent_files import read_intents  # noqa: PLC0415

    if form not in {None, "csv", "jsonl", "rasa"}:
        raise typer.BadParameter("must be csv, jsonl or rasa", param_hint="--format")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise FileUnreadableError(file, error.strerror or str(error)) from error
    known: Any = form
    read = read_intents(str(file), data, known)

    async def work(found: TenantWork) -> list[str]:
        report = await _intents(found).bring(found.tenant_id, read, replace=replace, actor=ACTOR, check=check)
        return _told(report, tenant)

    run_for(tenant, data_dir, work)


@commands.command("check")
def check_all(
    *,
    tenant: Tenant,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Name intents that can hardly be told apart, with the sentences that show it, and weak examples."""

    async def work(found: TenantWork) -> list[str]:
        check = await _intents(found).check(found.tenant_id)
        if as_json:
            return [json.dumps(check.to_json(), ensure_ascii=False, indent=2)]
        return [*check.lines(), *(["Nothing to warn of."] if check.is_clean else [])]

    run_for(tenant, data_dir, work)


@commands.command("list")
def list_all(*, tenant: Tenant, data_dir: DataDir = None) -> None:
    """List the intents: how many examples, what serves them, their own threshold and policy."""

    async def work(found: TenantWork) -> list[str]:
        return [_line(one) for one in await _intents(found).all(found.tenant_id)] or [
            f"There are no intents yet. Import some with: atende intents import FILE --tenant {tenant}"
        ]

    run_for(tenant, data_dir, work)


@commands.command()
def export(
    *,
    tenant: Tenant,
    form: Annotated[
        Literal["jsonl", "csv"], typer.Option("--format", help="jsonl: all of it; csv: examples alone.")
    ] = "jsonl",
    to: Annotated[Path | None, typer.Option("--to", help="Write to this file instead of the terminal.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Print all intents in a form that `atende intents import` reads."""

    async def work(found: TenantWork) -> list[str]:
        stored = await _intents(found).all(found.tenant_id)
        text = _as_jsonl(stored) if form == "jsonl" else _as_csv(stored)
        if to is None:
            return [text.rstrip("\n")] if text else []
        try:
            to.write_text(text, encoding="utf-8")
        except OSError as error:
            raise FileUnreadableError(to, error.strerror or str(error)) from error
        return [f"{len(stored)} intents were written to {to}."]

    run_for(tenant, data_dir, work)


def _intents(found: TenantWork) -> Intents:
    from app.encoders import encoder_of  # noqa: PLC0415
    from flows.intents import Intents  # noqa: PLC0415

    return Intents(found.db, found.wakeup, lambda: encoder_of(found.settings))


def _told(report: ImportReport, tenant: str) -> list[str]:
    done = [
        f"{len(names)} intents {what} ({', '.join(names[:8])}{', …' if len(names) > 8 else ''})"
        for what, names in (("created", report.created), ("extended", report.changed), ("as before", report.unchanged))
        if names
    ]
    lines = [f"{'; '.join(done)}; {report.examples_added} examples added.", *report.notices]
    if report.check is not None:
        headline, *warnings = report.check.lines()
        lines += [headline, *(f"warning: {line}" if not line.startswith(" ") else line for line in warnings)]
    if report.created:
        lines.append(
            "An intent with neither function nor answer is recognised, and answered from documents, by the language "
            f"model or by a person. See: atende intents list --tenant {tenant}"
        )
    return lines


def _line(one: StoredIntent) -> str:
    intent = one.declaration
    served = f"function {intent.function}" if intent.function else "answer" if intent.answer else "-"
    if intent.restricted:
        served = "a person (restricted)"
    elif intent.action != "serve":
        served = {"hand_off": "a person", "stay_silent": "silence"}[intent.action]
    count = ", ".join(f"{len(texts)} {language}" for language, texts in intent.examples.items())
    own = [f"threshold {intent.threshold:g}"] if intent.threshold is not None else []
    own += [str(intent.reply_mode)] if intent.reply_mode is not None else []
    return f"{intent.name:30}  {count or 'no examples':20}  {served:28}  {' '.join(own) or '-':16}  {one.source}"


def _as_jsonl(stored: list[StoredIntent]) -> str:
    from flows.intent_declared import as_json  # noqa: PLC0415

    lines = []
    for one in stored:
        declared = {key: value for key, value in as_json(one.declaration).items() if value not in (None, {}, False)}
        lines.append(json.dumps(declared, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines)


def _as_csv(stored: list[StoredIntent]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["text", "intent", "language"])
    for one in stored:
        for language, texts in one.declaration.examples.items():
            writer.writerows([text, one.declaration.name, language] for text in texts)
    return out.getvalue()
