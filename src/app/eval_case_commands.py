"""``atende eval cases …``, ``export``, ``replay`` and ``merge``: suites from work, and runs put together."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.eval_commands import commands as eval_commands
from app.eval_commands import guarded
from app.tenant_work import DataDir, Tenant

cases = typer.Typer(help="Cases from the review queue: what operators corrected.", no_args_is_help=True)
__all__ = ["eval_commands"]

eval_commands.add_typer(cases, name="cases")

Target = Annotated[
    Path, typer.Argument(metavar="FILE", help="Where the suite is written, for instance mine.eval.yaml.")
]


@cases.command("export")
def export_cases(
    file: Target,
    tenant: Tenant,
    state: Annotated[str, typer.Option("--state", help="proposed, accepted or dropped.")] = "accepted",
    folder: Annotated[str, typer.Option("--folder", help="The tenant's folder, as the suite shall name it.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Write the reviewed cases as a suite, personal data replaced."""
    from app.eval_case_export import export_reviewed  # noqa: PLC0415

    raise typer.Exit(guarded(lambda: export_reviewed(tenant, data_dir, file, state=state, folder=folder)))


@eval_commands.command("export")
def export_range(  # noqa: PLR0917 - its options
    file: Target,
    tenant: Tenant,
    since: Annotated[datetime, typer.Option("--from", help="From this day or moment on, in the tenant's time.")],
    until: Annotated[datetime, typer.Option("--to", help="To this moment; of a day, to its beginning.")],
    folder: Annotated[str, typer.Option("--folder", help="The tenant's folder, as the suite shall name it.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Write what was decided and approved, corrected or let stand in that time as a regression suite."""
    from app.eval_case_export import export_time  # noqa: PLC0415

    raise typer.Exit(guarded(lambda: export_time(tenant, data_dir, file, since=since, until=until, folder=folder)))


@eval_commands.command()
def replay(  # noqa: PLR0917 - its options
    tenant: Tenant,
    folder: Annotated[Path, typer.Option("--folder", help="The tenant's folder, which the bundle changes.")],
    day: Annotated[datetime | None, typer.Option("--day", help="The day in the tenant's time; yesterday.")] = None,
    bundle: Annotated[str, typer.Option("--bundle", help="What is tried: a bundle file, a folder, or .")] = ".",
    html_file: Annotated[Path | None, typer.Option("--html", help="Write both sides, case by case.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the run document.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Play a day's real conversations against a draft and show what would have been different. Judges nothing.

    Exit code 0 whether or not something differs; 3 where no turn of the day could be played.
    """
    from app.eval_replay import replay_day  # noqa: PLC0415

    raise typer.Exit(
        guarded(
            lambda: replay_day(tenant, data_dir, folder, day=day, bundle=bundle, html=html_file, document=json_file)
        )
    )


@eval_commands.command("convert")
def convert(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A promptfooconfig.yaml, or a suite.")],
    target: Annotated[Path, typer.Argument(metavar="TO", help="A suite (*.eval.yaml), or a promptfooconfig.yaml.")],
    folder: Annotated[str, typer.Option("--folder", help="The tenant's folder, as the new suite shall name it.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write over TO where it exists.")] = False,
) -> None:
    """Turn promptfoo's tests into a suite, or a suite into promptfoo's tests."""
    from app.eval_convert import convert_suite  # noqa: PLC0415

    raise typer.Exit(guarded(lambda: convert_suite(source, target, folder, force=force)))


@eval_commands.command()
def merge(  # noqa: PLR0917 - its options
    runs: Annotated[list[Path], typer.Argument(metavar="RUN.json…", help="Run documents of one mode.")],
    gates: Annotated[Path | None, typer.Option("--gates", help="What must hold (evals/gates.yaml).")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the run document.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write the report, one file.")] = None,
    junit_file: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML.")] = None,
    markdown_file: Annotated[Path | None, typer.Option("--markdown", help="Write a summary in Markdown.")] = None,
) -> None:
    """Put runs of different suites under the same bundles together, judge them as one and write the reports."""
    from app.eval_merge import merge_runs  # noqa: PLC0415
    from app.eval_run import Files  # noqa: PLC0415

    files = Files(json_file, html_file, junit_file, markdown_file)
    raise typer.Exit(guarded(lambda: merge_runs(runs, gates, files)))
