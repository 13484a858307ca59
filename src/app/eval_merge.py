"""Several run documents as one: suites that were played apart, judged and reported together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.eval_run import STRICT, Files, conclude
from domain.errors import ConflictError
from evaluation.gates import load_gates
from evaluation.results import Run


class RunsDifferError(ConflictError):
    """Runs that are not about the same thing."""

    def __init__(self, what: str, one: str, other: str) -> None:
        super().__init__(
            f"The runs cannot be put together: {what} is {one} in one and {other} in another.",
            hint="Put runs of different suites together, made with the same --mode, --epochs and number of bundles.",
        )


def merge_runs(paths: Sequence[Path], gates: Path | None, files: Files) -> int:
    """Judge all as one; returns the exit code. Raises NotARunError, RunsDifferError, OSError."""
    loaded = load_gates(gates) if gates else STRICT
    return conclude(merged([Run.read(path) for path in paths]), loaded, files)


def merged(runs: Sequence[Run]) -> Run:
    """One document. Raises RunsDifferError where modes, epochs or bundles differ, or a suite stands in two of them."""
    first = runs[0]
    labels = [bundle.label for bundle in first.bundles]
    taken: dict[str, int] = {}
    for place, run in enumerate(runs):
        for what, one, other in (
            ("the mode", first.mode, run.mode),
            ("the number of epochs", first.epochs, run.epochs),
            ("the bundles' labels", labels, [bundle.label for bundle in run.bundles]),
        ):
            if one != other:
                raise RunsDifferError(what, str(one), str(other))
        for suite in run.suites:
            if taken.setdefault(suite, place) != place:
                raise RunsDifferError("a suite", suite, "there twice")
    return Run(
        tenant=", ".join(dict.fromkeys(name for run in runs for name in run.tenant.split(", "))),
        suites=tuple(suite for run in runs for suite in run.suites),
        mode=first.mode,
        epochs=first.epochs,
        started_at=min(run.started_at for run in runs),
        seconds=round(sum(run.seconds for run in runs), 3),
        bundles=first.bundles,
        results=tuple(result for run in runs for result in run.results),
        seed=first.seed,
        machine=first.machine,
    )
