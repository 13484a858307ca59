"""What of one bundle can be counted: shares with their intervals, pass^k, spreads. Plain Python, for every report.

A case is the unit everywhere. Several epochs of one case say little more than one, so they are taken together first and
the interval counts cases: it is never narrower than it may be.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from evaluation.results import CaseResult, Origin, Run

CONFIDENCE: Final = 0.95
"""Of every interval, unless its name says otherwise."""

CaseKey = tuple[str, str]
"""Suite and case."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of some cases passed. ``rate`` is None where no case was found out about.

    ``low`` and ``high``: Wilson's interval, with a case (not an epoch) as the unit. ``errored``: cases without any
    epoch that could be judged; they count neither as passed nor as failed.
    """

    cases: int
    passed: float
    errored: int
    low: float
    high: float

    @property
    def rate(self) -> float | None:
        return self.passed / self.cases if self.cases else None


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and percentiles of a figure over results."""

    count: int
    mean: float
    p50: float
    p95: float
    highest: float


def wilson(passed: float, cases: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a share; (0, 1) of none. ``passed`` may be broken: the sum of cases' own shares."""
    if not cases:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, square = passed / cases, z * z / cases
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / cases + square / (4 * cases)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def share(cases: Iterable[Sequence[CaseResult]]) -> Share:
    """Of cases, each given as its epochs under one bundle."""
    counted, passed, errored = 0, 0.0, 0
    for epochs in cases:
        judged = [one.status == "passed" for one in epochs if one.status != "errored"]
        if judged:
            counted += 1
            passed += sum(judged) / len(judged)
        else:
            errored += 1
    low, high = wilson(passed, counted)
    return Share(counted, passed, errored, low, high)


def passes_every_time(cases: Iterable[Sequence[CaseResult]], k: int) -> float | None:
    """pass^k: the chance that ``k`` fresh attempts at a case all pass, averaged over cases. None without any case.

    The unbiased estimate C(passed, k) / C(epochs, k) of τ-bench (arXiv:2406.12045); cases with fewer than ``k`` epochs
    that could be judged are left out.
    """
    chances = []
    for epochs in cases:
        judged = [one.status == "passed" for one in epochs if one.status != "errored"]
        if len(judged) >= k:
            chances.append(math.comb(sum(judged), k) / math.comb(len(judged), k))
    return sum(chances) / len(chances) if chances else None


def spread(values: Sequence[float]) -> Spread | None:
    """None of nothing."""
    if not values:
        return None
    ordered = sorted(values)

    def percentile(q: float) -> float:
        return ordered[max(0, math.ceil(q * len(ordered)) - 1)]

    return Spread(len(ordered), sum(ordered) / len(ordered), percentile(0.5), percentile(0.95), ordered[-1])


@dataclass(frozen=True, slots=True)
class Cases:
    """A run by case: suite and case → label of the bundle → its epochs, in order."""

    by_key: Mapping[CaseKey, Mapping[str, Sequence[CaseResult]]]

    @classmethod
    def of(cls, run: Run) -> Cases:
        found: dict[CaseKey, dict[str, list[CaseResult]]] = defaultdict(lambda: defaultdict(list))
        for result in run.results:
            found[result.suite, result.case][result.bundle].append(result)
        for bundles in found.values():
            for epochs in bundles.values():
                epochs.sort(key=lambda one: one.epoch)
        return cls({key: dict(bundles) for key, bundles in found.items()})

    def under(self, bundle: str) -> Mapping[CaseKey, Sequence[CaseResult]]:
        """Every case that was played under one bundle."""
        return {key: bundles[bundle] for key, bundles in self.by_key.items() if bundle in bundles}

    def origins(self, *bundles: str) -> Mapping[CaseKey, Origin | None]:
        """Where the model's words of each case came from, under these bundles together.

        A result that asked no model is the same in every mode, so a case that asked one under only one bundle or in
        only some epochs counts with that model's origin. None: two kinds of model answered, which no figure may mix.
        """
        found: dict[CaseKey, Origin | None] = {}
        for key, played in self.by_key.items():
            results = [one for bundle in bundles for one in played.get(bundle, ()) if one.status != "errored"]
            of_model: set[Origin] = {one.origin for one in results if one.origin != "local"}
            found[key] = "local" if not of_model else of_model.pop() if len(of_model) == 1 else None
        return found


def cost_per_case(cases: Iterable[Sequence[CaseResult]]) -> list[float]:
    """Mean cost of each case's judged epochs, in millionths of the price list's unit."""
    return _per_case(cases, lambda one: float(one.cost_micros))


def latency_per_case(cases: Iterable[Sequence[CaseResult]]) -> list[float]:
    """Mean latency of each case's slowest turn over its judged epochs, in milliseconds."""
    return _per_case(cases, lambda one: one.latency_ms)


def _per_case(cases: Iterable[Sequence[CaseResult]], figure: Callable[[CaseResult], float]) -> list[float]:
    found = []
    for epochs in cases:
        judged = [figure(one) for one in epochs if one.status != "errored"]
        if judged:
            found.append(sum(judged) / len(judged))
    return found
