"""Carries ``atende eval run`` out: read, make ready, play, judge, write the reports."""

from __future__ import annotations

import fnmatch
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.encoders import encoder_of
from app.eval_progress import Progress
from app.settings import Settings, load_settings, shipped_tenants
from domain.errors import AtendeError
from evaluation.asked_models import Purse
from evaluation.cases import Suite
from evaluation.comparison import Comparison, compare
from evaluation.gate_file import RateGates, RegressionGate
from evaluation.gates import EXIT_NOTHING_FOUND_OUT, Gates, Verdict, load_gates
from evaluation.gates import judge as judged
from evaluation.lineup import BASELINE, CANDIDATE, Lineup, ModelTerms, Wanted, line_up
from evaluation.model import Mode
from evaluation.results import CaseResult, Run
from evaluation.runner import Terms, run_cases, tasks_of
from evaluation.suites import find_suites

if TYPE_CHECKING:
    from agent.language_model import ModelSettings

STRICT: Final = Gates(critical_failures=0, errored_share=0.0, pass_rate=RateGates(overall=1.0))
"""Without a file, one bundle: every case must pass."""
NO_WORSE: Final = Gates(critical_failures=0, errored_share=0.0, regression=RegressionGate())
"""Without a file, two bundles: the candidate is not surely worse."""
_MOST_JOBS: Final = 8
_MOST_LISTED: Final = 40


class NothingToPlayError(AtendeError):
    """``--only`` leaves no case."""

    def __init__(self, only: Sequence[str]) -> None:
        super().__init__(f"No case is named or tagged {' or '.join(only)}.", hint="Check --only; * and ? are allowed.")


class NoTenantFolderError(AtendeError):
    """``--tenant`` names none."""

    def __init__(self, named: str) -> None:
        super().__init__(f"{named} is no tenant folder.", hint="Name a folder with a tenant.yaml, or a shipped tenant.")


class NoPriceError(AtendeError):
    """What a model costs is not known, so no bound on it can be kept."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"--max-cost cannot be kept: the model {model} has no price.",
            hint=f"Say it with ATENDE_MODEL_PRICES={model}=INPUT/OUTPUT per million tokens, or in tenant.yaml.",
        )
        self.model = model


class NoLiveModelError(AtendeError):
    """``--mode live`` without a model to ask."""

    def __init__(self) -> None:
        super().__init__(
            "--mode live has no model to ask.", hint="Set ATENDE_MODEL (and OPENAI_API_KEY), or name one in the bundle."
        )


class UnwritableError(AtendeError):
    """A file that an option names cannot be written."""

    def __init__(self, option: str, path: Path, problem: str) -> None:
        super().__init__(f"{option} {path} cannot be written: {problem}.", hint="Name another file.")
        self.path = path


class RecordAloneError(AtendeError):
    """``--record`` in a mode that asks nobody."""

    def __init__(self) -> None:
        super().__init__("--record goes with --mode live alone.", hint="Add --mode live, or leave --record out.")


@dataclass(frozen=True, slots=True)
class Files:
    """What is written, each where a path is given."""

    json: Path | None = None
    html: Path | None = None
    junit: Path | None = None
    markdown: Path | None = None

    def by_option(self) -> tuple[tuple[str, Path | None], ...]:
        """With the options that name them."""
        return (("--json", self.json), ("--html", self.html), ("--junit", self.junit), ("--markdown", self.markdown))


@dataclass(frozen=True, slots=True)
class Request:
    """The command's options."""

    suites: tuple[str, ...]
    bundle: str = ""
    against: str | None = None
    tenant: str | None = None
    mode: Mode = "replay"
    record: bool = False
    epochs: int = 1
    only: tuple[str, ...] = ()
    seed: int = 0
    jobs: int = 0
    max_cost: float | None = None
    gates: Path | None = None
    resume: Path | None = None
    encoder: str | None = None
    files: Files = Files()


def run_suites(request: Request) -> int:
    """Play, judge, write, print; returns the exit code. Raises AtendeError, OSError."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s", level=logging.ERROR)
    # Mistakes that need no encoder are told at once.
    gates = load_gates(request.gates) if request.gates else NO_WORSE if request.against is not None else STRICT
    if request.record and request.mode != "live":
        raise RecordAloneError
    for option, path in (*request.files.by_option(), ("--resume", request.resume)):
        _check_place(option, path)
    suites = chosen(find_suites(request.suites, shipped_evals(), shipped_tenants()), request.only)
    settings = load_settings(**({"encoder": request.encoder} if request.encoder else {}))
    lineup = line_up(
        suites,
        Wanted(request.bundle, request.against, _tenant(request.tenant)),
        encoder_of(settings),
        model_terms(settings, request.mode, record=request.record, seed=request.seed),
    )
    _check_models(lineup, request)
    purse = Purse(None if request.max_cost is None or request.mode == "replay" else round(request.max_cost * 1e6))
    terms = Terms(request.mode, request.epochs, request.seed, _jobs(request), request.resume, purse)
    with Progress(len(tasks_of(lineup.suites, lineup.labels, request.epochs))) as progress:
        run = run_cases(lineup, terms, progress.finished)
    return conclude(run, gates, request.files, stopped=purse.refused)


def conclude(run: Run, gates: Gates, files: Files, *, stopped: bool = False) -> int:
    """Judge the run, write its files and print what it came to; returns the exit code."""
    comparison = compare(run, CANDIDATE, BASELINE) if run.compares else None
    verdict = judged(run, comparison, gates)
    _write(run, comparison, verdict, files)
    for line in _summary(run, comparison, verdict):
        print(line)
    dead = list(_dead(run))
    for name in dead:
        print(f"  every case of {name} errored: nothing was found out about it")
    if stopped:
        print("  the bound on the cost was met: not all was asked")
    return EXIT_NOTHING_FOUND_OUT if dead or stopped else verdict.exit_code


def shipped_evals() -> Path:
    """The shipped suites: inside an installed wheel, or at the top of a checkout."""
    inside = Path(__file__).parent / "evals"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "evals"


def model_terms(settings: Settings, mode: Mode, *, record: bool = False, seed: int = 0) -> ModelTerms:
    """The models that this installation's settings name."""
    default = settings.default_model()
    return ModelTerms(
        mode=mode,
        record=record,
        default=default,
        customer=_named(default, settings.eval_customer_model),
        judge=_named(default, settings.eval_judge_model),
        seed=seed,
    )


def chosen(suites: Sequence[Suite], only: Sequence[str]) -> list[Suite]:
    """The cases that ``only`` names, all for an empty one; suites without any are left out."""
    if not only:
        return list(suites)
    every = [case for suite in suites for case in suite.cases]
    for one in only:
        # Beside a name that chooses something, a misspelled one would go unnoticed.
        if not any(_fits(case.name, case.content.tags, [one]) for case in every):
            raise NothingToPlayError([one])
    kept = [
        replace(suite, cases=tuple(case for case in suite.cases if _fits(case.name, case.content.tags, only)))
        for suite in suites
    ]
    return [suite for suite in kept if suite.cases]


def _fits(name: str, tags: Sequence[str], only: Sequence[str]) -> bool:
    return any(
        one.removeprefix("tag:") in tags if one.startswith("tag:") else fnmatch.fnmatchcase(name, one) for one in only
    )


def _check_place(option: str, path: Path | None) -> None:
    """Before anything is played, which may cost money."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableError(option, path, error.strerror or str(error)) from error
    if path.is_dir():
        raise UnwritableError(option, path, "It is a folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UnwritableError(option, path, "Permission denied")


def _named(default: ModelSettings, model: str | None) -> ModelSettings | None:
    return replace(default, model=model) if model else None


def _tenant(named: str | None) -> Path | None:
    if named is None:
        return None
    for folder in (Path(named), shipped_tenants() / named):
        if (folder / "tenant.yaml").is_file():
            return folder
    raise NoTenantFolderError(named)


def _jobs(request: Request) -> int:
    # One process records: the file of recordings has one writer.
    if request.record:
        return 1
    return request.jobs or min(_MOST_JOBS, len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1)


def _check_models(lineup: Lineup, request: Request) -> None:
    models = [one for by_label in lineup.asked.values() for one in by_label.values() if one is not None]
    if request.mode == "live" and not models:
        raise NoLiveModelError
    if request.max_cost is not None and request.mode == "live":
        for model in models:
            if model.model not in model.prices:
                raise NoPriceError(model.model)


def _dead(run: Run) -> Iterator[str]:
    """Suites of which nothing was found out under some bundle."""
    for suite in run.suites:
        for bundle in run.bundles:
            results = [one for one in run.of(bundle.label) if one.suite == suite]
            if results and all(one.status == "errored" for one in results):
                yield f"{suite} under {bundle.label}" if len(run.bundles) > 1 else suite


def _write(run: Run, comparison: Comparison | None, verdict: Verdict, files: Files) -> None:
    for _, path in files.by_option():
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    if files.json:
        run.write(files.json)
    if files.junit:
        from evaluation.junit import write_junit  # noqa: PLC0415 - as the others, only where it is wanted

        write_junit(run, verdict, files.junit)
    if files.markdown:
        from evaluation.markdown import write_markdown  # noqa: PLC0415

        write_markdown(run, comparison, verdict, files.markdown)
    if files.html:
        from app.eval_report import write_html  # noqa: PLC0415

        write_html(run, comparison, verdict, files.html)


def _summary(run: Run, comparison: Comparison | None, verdict: Verdict) -> Iterator[str]:
    label = comparison.candidate if comparison else run.bundles[0].label
    # Of the baseline only what stands in the way of comparing.
    bad = [one for one in run.results if one.status == "errored" or (one.bundle == label and one.status == "failed")]
    for one in bad[:_MOST_LISTED]:
        yield from _told(one, run)
    if len(bad) > _MOST_LISTED:
        yield f"… and {len(bad) - _MOST_LISTED} more; --json or --html shows all"
    for bundle in run.bundles:
        results = list(run.of(bundle.label))
        counted = Counter(one.status for one in results)
        origins = ", ".join(f"{number} {origin}" for origin, number in Counter(one.origin for one in results).items())
        cost = sum(one.cost_micros for one in results) / 1e6
        yield (
            f"{bundle.label} {bundle.hash}  {counted['passed']} of {len(results)} passed, {counted['failed']} failed, "
            f"{counted['errored']} errored ({origins})" + (f", cost {cost:g}" if cost else "")
        )
    if verdict.sentence:
        yield verdict.sentence
    for gate in verdict.gates:
        if gate.state == "failed":
            of = f" {gate.of}" if gate.of else ""
            yield f"GATE FAILED {gate.gate}{of}{f' ({gate.origin})' if gate.origin else ''}: {gate.detail}"
    yield f"{len(run.results)} results in {run.seconds:.1f} s"


def _told(one: CaseResult, run: Run) -> Iterator[str]:
    epoch = f" (epoch {one.epoch})" if run.epochs > 1 else ""
    epoch += f" under {one.bundle}" if len(run.bundles) > 1 else ""
    mark = "ERRORED" if one.status == "errored" else "FAILED"
    yield f"{mark:7} {one.suite}/{one.case}{epoch} [{one.origin}] {one.source}"
    if one.error:
        # What then did not come of it says nothing about the agent.
        yield f"        {one.error}"
        return
    for check in one.checks:
        if not check.passed:
            where = f"step {check.step} " if check.step else ""
            yield f"        ✗ {where}{check.name}: expected {check.expected}, got {check.got}"
