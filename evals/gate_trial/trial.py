"""Many pairs through the shipped gate: how often it cries wolf, and how often it sees one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from evals.gate_trial.pairs import Terms, pair
from evaluation.comparison import compare
from evaluation.figures import wilson
from evaluation.gate_file import Gates
from evaluation.gates import judge

CASES: Final = (60, 120, 240, 480)
DROPS: Final = (0.02, 0.05, 0.10, 0.15)
NEUTRAL: Final = (
    ("nothing changed", Terms(240)),
    ("few cases", Terms(40)),
    ("many cases", Terms(480)),
    ("cases changed both ways", Terms(240, stir=1.5)),
    ("three epochs", Terms(120, epochs=3)),
    ("three epochs, cases changed both ways", Terms(120, stir=1.5, epochs=3)),
)
"""Edits without a true difference, as different from each other as they come."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Pairs under the same terms. ``stopped``: the regression gate failed; ``low``, ``high``: its 95 % interval."""

    name: str
    terms: Terms
    pairs: int
    stopped: int
    verdicts: dict[str, int]
    foretold: float | None = None
    """Mean of the smallest drop that the runs said they would have shown, all suites together."""

    @property
    def rate(self) -> float:
        return self.stopped / self.pairs

    def as_document(self) -> dict[str, Any]:
        low, high = wilson(self.stopped, self.pairs)
        return {
            "name": self.name,
            **asdict(self.terms),
            "pairs": self.pairs,
            "stopped": self.stopped,
            "rate": self.rate,
            "low": low,
            "high": high,
            "verdicts": self.verdicts,
            "foretold": self.foretold,
        }


def cell(name: str, terms: Terms, pairs: int, seed: Sequence[int], gates: Gates) -> Cell:
    """Make and judge that many pairs."""
    only_regression = Gates(regression=gates.regression)
    generator = np.random.default_rng(list(seed))
    stopped, verdicts, foretold = 0, Counter[str](), []
    for _ in range(pairs):
        run = pair(terms, generator)
        comparison = compare(run, "A", "B")
        verdict = judge(run, comparison, only_regression)
        stopped += not verdict.passed
        verdicts[verdict.kind] += 1
        if (smallest := comparison.differences[0].smallest) is not None:
            foretold.append(smallest)
    return Cell(name, terms, pairs, stopped, dict(verdicts), sum(foretold) / len(foretold) if foretold else None)


def false_alarms(pairs: int, seed: int, gates: Gates) -> Iterator[Cell]:
    """Each kind of neutral edit, ``pairs`` times."""
    for position, (name, terms) in enumerate(NEUTRAL):
        yield cell(name, terms, pairs, (seed, 1, position), gates)


def power_curve(pairs: int, seed: int, gates: Gates) -> Iterator[Cell]:
    """Each drop at each size, spread over all cases and all in one suite; and gains, which must not be stopped."""
    for row, cases in enumerate(CASES):
        for column, drop in enumerate(DROPS):
            spread = Terms(cases, change=-drop, stir=0.5)
            yield cell("spread", spread, pairs, (seed, 2, row, column), gates)
            if drop <= 0.05:  # 15 % of the cases cannot lose more than that of the whole
                yield cell("one suite", replace(spread, shape="one_suite"), pairs, (seed, 3, row, column), gates)
    yield cell("gain", Terms(240, change=0.05, stir=0.5), pairs, (seed, 4), gates)
