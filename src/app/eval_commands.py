"""``atende eval``: cases played offline, bundles compared. See app.eval_run for what it does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

commands = typer.Typer(help="Play cases offline and compare bundles.", no_args_is_help=True)

EXIT_USAGE: Final = 2
EXIT_INFRASTRUCTURE: Final = 3


class EvalMode(StrEnum):
    """Where a language model's words come from."""

    REPLAY = "replay"
    LIVE = "live"
    SIMULATED = "simulated"


@commands.callback()
def evals() -> None:
    """Play cases offline and compare bundles."""


@commands.command()
def run(  # noqa: PLR0917 - its options
    suites: Annotated[
        list[str], typer.Argument(metavar="SUITE…", help="Files or folders of cases, or names of shipped suites.")
    ],
    bundle: Annotated[
        str, typer.Option("--bundle", help="What is played: . for the tenant as it stands, a bundle file, a folder.")
    ] = "",
    against: Annotated[
        str | None, typer.Option("--against", help="The bundle that it is compared with, the same way.")
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", help="A tenant's folder, or a shipped tenant, in place of the suites' own."),
    ] = None,
    mode: Annotated[
        EvalMode, typer.Option("--mode", help="Replay recorded answers, ask the model, or stand in for it.")
    ] = EvalMode.REPLAY,
    record: Annotated[bool, typer.Option("--record", help="With --mode live: keep the answers for replay.")] = False,
    epochs: Annotated[int, typer.Option("--epochs", min=1, max=1000, help="How often each case is played.")] = 1,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Just cases with this name (* and ? allowed) or tag (tag:NAME); repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is drawn.")] = 0,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, max=64, help="Processes; 0: one per core.")] = 0,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", min=0, help="Stop asking models once the run has cost so much.")
    ] = None,
    gates: Annotated[
        Path | None, typer.Option("--gates", help="What must hold (evals/gates.yaml). Without: every case must pass.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", help="Keep what is finished in this file, and go on where it ends.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the run document.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write the report, one file.")] = None,
    junit_file: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML.")] = None,
    markdown_file: Annotated[Path | None, typer.Option("--markdown", help="Write a summary in Markdown.")] = None,
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="fast, accurate or endpoint, in place of ATENDE_ENCODER.")
    ] = None,
) -> None:
    """Play suites under one bundle, or under two and compare them.

    Exit code 0: passed. 1: a gate or a case failed. 2: wrong usage, or mistakes in the files. 3: nothing sure was found
    out (endpoint down, recordings missing, cost bound met, encoder missing).
    """
    from app.eval_run import Files, Request, run_suites  # noqa: PLC0415

    request = Request(
        suites=tuple(suites),
        bundle=bundle,
        against=against,
        tenant=tenant,
        mode=mode.value,
        record=record,
        epochs=epochs,
        only=tuple(only or ()),
        seed=seed,
        jobs=jobs,
        max_cost=max_cost,
        gates=gates,
        resume=resume,
        encoder=encoder,
        files=Files(json_file, html_file, junit_file, markdown_file),
    )
    raise typer.Exit(guarded(lambda: run_suites(request), resume=resume))


@commands.command()
def judge(  # noqa: PLR0917 - its options
    labels: Annotated[
        Path, typer.Argument(help="JSONL: ask, conversation, and label (true, false, or a score from 0 to 1).")
    ],
    at_least: Annotated[
        float, typer.Option("--at-least", min=0, max=1, help="From this score on the judge says yes.")
    ] = 0.5,
    mode: Annotated[EvalMode, typer.Option("--mode", help="live, or replay of what was recorded.")] = EvalMode.LIVE,
    record: Annotated[bool, typer.Option("--record", help="With --mode live: keep the answers for replay.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")] = 0,
    minimum: Annotated[
        float | None, typer.Option("--minimum", help="Exit with 1 where the lower end of kappa's interval is below.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """How far the model that judges rubrics agrees with people: share of equal verdicts and Cohen's kappa."""
    from app.eval_judge import judge_labels  # noqa: PLC0415

    raise typer.Exit(
        guarded(
            lambda: judge_labels(
                labels, at_least=at_least, mode=mode.value, record=record, seed=seed, minimum=minimum, as_json=as_json
            )
        )
    )


@commands.command()
def publish(
    run_file: Annotated[Path, typer.Argument(metavar="FILE", help="What `atende eval run --json` wrote.")],
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's slug: on whose pages it is shown.")],
    gates: Annotated[
        Path | None, typer.Option("--gates", help="Judge it by this file; without, as `eval run` does without.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where data are kept (ATENDE_DATA_DIR).")] = None,
) -> None:
    """Put a run on the tenant's pages (/evals), with its report and beside the runs before it."""
    from app.eval_publish import publish_file  # noqa: PLC0415

    raise typer.Exit(guarded(lambda: publish_file(run_file, gates, tenant=tenant, data_dir=data_dir)))


@commands.command("list")
def list_suites() -> None:
    """The shipped suites."""
    from app.eval_run import shipped_evals  # noqa: PLC0415
    from evaluation.suites import shipped_suites  # noqa: PLC0415

    for name in shipped_suites(shipped_evals()):
        print(name)


def guarded(work: Callable[[], int], resume: Path | None = None) -> int:
    """The exit code of ``work``, and of what it raises: never 1 for anything but a verdict."""
    from app.logs import describe  # noqa: PLC0415
    from domain.errors import AtendeError  # noqa: PLC0415

    try:
        return work()
    except AtendeError as error:
        print(error.sentence(), file=sys.stderr)
        return EXIT_INFRASTRUCTURE if _is_infrastructure(error) else EXIT_USAGE
    except KeyboardInterrupt:
        further = f" Go on with the same command: {resume} holds what is finished." if resume else ""
        print(f"Interrupted; nothing was judged.{further}", file=sys.stderr)
        return EXIT_INFRASTRUCTURE
    except OSError as error:
        print(f"{error.filename or 'A file'}: {error.strerror or error}. Check the path and its disk.", file=sys.stderr)
        return EXIT_INFRASTRUCTURE
    except Exception as error:  # a fault of ours must not look like a verdict about a prompt
        print(f"The evaluation could not be carried out: {describe(error)}", file=sys.stderr)
        return EXIT_INFRASTRUCTURE


def _is_infrastructure(error: Exception) -> bool:
    from agent.encoder import EncoderUnavailableError, EncodingFailedError  # noqa: PLC0415
    from agent.language_model import ModelError  # noqa: PLC0415
    from evaluation.model import NoAnswerError  # noqa: PLC0415
    from evaluation.pool import WorkerDiedError  # noqa: PLC0415
    from evaluation.recordings import RecordingMissingError  # noqa: PLC0415
    from evaluation.significance import StatisticsMissingError  # noqa: PLC0415

    return isinstance(
        error,
        EncoderUnavailableError
        | EncodingFailedError
        | ModelError
        | NoAnswerError
        | RecordingMissingError
        | StatisticsMissingError
        | WorkerDiedError,
    )
