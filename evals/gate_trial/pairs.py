"""Made-up bundle pairs with a known true difference, as run documents.

Cases differ far more from each other than bundles do: most nearly always pass, some nearly never do. So the chance to
pass is drawn per case (logistic-normal, its mean and spread drawn per suite), and the candidate's is the baseline's,
moved: by a shift of its own that has no direction (an edit helps some cases and hurts others) and by a common one that
makes the mean difference exactly what was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from evaluation.results import BundleRef, CaseResult, Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

Shape = Literal["spread", "one_suite"]
"""Where a drop is: in every case a little, or all of it in one suite."""

_SUITES: Final = (("shop", 0.4), ("red_team", 0.25), ("claims", 0.2), ("intents", 0.15))
_BISECTIONS: Final = 40


@dataclass(frozen=True, slots=True)
class Terms:
    """Of one pair. ``change``: true difference of the mean pass rate, below zero for a drop. ``stir``: how much single
    cases change without direction, in logits (0: none do)."""

    cases: int
    change: float = 0.0
    shape: Shape = "spread"
    stir: float = 0.0
    epochs: int = 1


def pair(terms: Terms, generator: np.random.Generator) -> Run:
    """Candidate A against baseline B, played once as often as ``epochs``."""
    sizes = _sizes(terms.cases)
    suites = np.repeat(np.arange(len(sizes)), sizes)
    means, spreads = generator.normal(2.2, 0.6, len(sizes)), generator.uniform(1.0, 2.2, len(sizes))
    ease = generator.normal(means[suites], spreads[suites])
    stirred = ease + generator.normal(0, terms.stir, terms.cases) if terms.stir else ease
    moved = suites == int(generator.integers(len(sizes))) if terms.shape == "one_suite" else suites >= 0
    baseline = _chance(ease)
    candidate = _chance(_shifted(stirred, moved, baseline.mean() + terms.change))
    played = {
        label: generator.random((terms.epochs, terms.cases)) < chances
        for label, chances in (("B", baseline), ("A", candidate))
    }
    return Run(
        tenant="made-up",
        suites=tuple(name for name, _ in _SUITES),
        mode="simulated",
        epochs=terms.epochs,
        started_at="2026-01-01T00:00:00+00:00",
        seconds=0.0,
        bundles=(BundleRef("A", "a" * 16), BundleRef("B", "b" * 16)),
        results=tuple(_results(suites, played)),
    )


def _results(suites: NDArray[np.int64], played: dict[str, NDArray[np.bool_]]) -> list[CaseResult]:
    return [
        CaseResult(
            suite=_SUITES[suite][0],
            case=f"case-{position}",
            bundle=label,
            epoch=epoch,
            status="passed" if passed else "failed",
            origin="simulated",
        )
        for label, epochs in played.items()
        for epoch, row in enumerate(epochs, 1)
        for position, (suite, passed) in enumerate(zip(suites.tolist(), row.tolist(), strict=True))
    ]


def _sizes(cases: int) -> Sequence[int]:
    sizes = [int(cases * part) for _, part in _SUITES]
    sizes[0] += cases - sum(sizes)
    return sizes


def _chance(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logits))


def _shifted(logits: NDArray[np.float64], moved: NDArray[np.bool_], mean: float) -> NDArray[np.float64]:
    """Those that are moved, moved alike, so that all together have this mean chance; as near as it can be had."""
    low, high = -12.0, 12.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance(logits + middle * moved).mean() < mean else (low, middle)
    return logits + (low + high) / 2 * moved
