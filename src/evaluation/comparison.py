"""Two bundles over the same cases: what differs, by how much, and how sure that is.

Every case is compared with itself. Cases that errored under one of the bundles are left out and named; cases whose
model's words came from different places (a replay here, a live model there) are refused and named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from domain.errors import AtendeError
from evaluation.figures import CONFIDENCE, Cases
from evaluation.results import CaseResult, Origin, Run
from evaluation.significance import (
    bootstrap_interval,
    exact_sign_flip,
    holm,
    paired_share_interval,
    random_sign_flip,
    smallest_effect,
    smallest_mean_effect,
)

PASSED: Final = "passed"
"""The metric that every case has. Others are the names of graded scores."""
ALL: Final = ""
"""In place of a suite's name: all suites of one origin together."""
LEVEL: Final = 0.05


class UnknownBundleError(AtendeError):
    """The run has no results under this label."""

    def __init__(self, label: str, labels: Sequence[str]) -> None:
        super().__init__(
            f"The run has no results of a bundle {label!r}.", hint=f"It has: {', '.join(labels) or 'none'}."
        )
        self.label = label


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric over one suite (or ``ALL``) and origin: candidate minus baseline, in shares of 1.

    ``low`` and ``high``: 95 % interval. ``p``: two-sided; ``p_worse`` and ``p_better``: one-sided; the same with
    ``_holm``: corrected over all suites and metrics of this comparison. ``smallest``: the smallest drop that so many
    cases with such differences would have shown with a chance of 80 % (None: none).
    """

    origin: Origin
    suite: str
    metric: str
    cases: int
    baseline: float
    candidate: float
    low: float
    high: float
    worse: int
    better: int
    p: float
    p_worse: float
    p_better: float
    p_worse_holm: float = 1.0
    p_better_holm: float = 1.0
    smallest: float | None = None

    @property
    def difference(self) -> float:
        return self.candidate - self.baseline


@dataclass(frozen=True, slots=True)
class Change:
    """Cost or latency per case over one origin, candidate minus baseline, with a 95 % bootstrap interval."""

    origin: Origin
    figure: str
    """``cost_micros`` or ``latency_ms``."""
    cases: int
    baseline: float
    candidate: float
    low: float | None
    high: float | None
    """None: a single case has no spread."""


@dataclass(frozen=True, slots=True)
class Flip:
    """A case that passed more epochs under one bundle than under the other."""

    suite: str
    case: str
    origin: Origin
    to: str
    """``better`` or ``worse``, seen from the candidate."""
    baseline: str
    candidate: str
    """Epochs that passed, of those judged: ``1/1``."""
    critical: bool


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A case that no figure of the comparison holds, with the reason."""

    suite: str
    case: str
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate against baseline. ``differences``: per origin first all suites together (if several), then each."""

    candidate: str
    baseline: str
    differences: tuple[Difference, ...]
    changes: tuple[Change, ...]
    flips: tuple[Flip, ...]
    not_compared: tuple[NotCompared, ...]
    seed: int

    @property
    def origins(self) -> tuple[Origin, ...]:
        return tuple(dict.fromkeys(one.origin for one in self.differences))


@dataclass(frozen=True, slots=True)
class _Pair:
    suite: str
    case: str
    origin: Origin
    epochs: tuple[tuple[CaseResult, CaseResult], ...]
    """Candidate and baseline of each epoch that was judged under both."""

    def passes(self) -> int:
        """Epochs that passed under the candidate minus those under the baseline."""
        return sum((ours.status == PASSED) - (theirs.status == PASSED) for ours, theirs in self.epochs)

    def means(self, figure: Callable[[CaseResult], float]) -> tuple[float, float]:
        count = len(self.epochs)
        return sum(figure(one) for one, _ in self.epochs) / count, sum(figure(one) for _, one in self.epochs) / count


def compare(run: Run, candidate: str, baseline: str) -> Comparison:
    """Compare two bundles of a run by their labels.

    Raises UnknownBundleError; StatisticsMissingError without the optional extra.
    """
    labels = sorted({one.bundle for one in run.results})
    for label in (candidate, baseline):
        if label not in labels:
            raise UnknownBundleError(label, labels)
    pairs, not_compared = _pairs(Cases.of(run), candidate, baseline)
    differences = _corrected([one for group in _groups(pairs) for one in _tested(*group, run.seed)])
    by_origin: dict[Origin, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        by_origin[pair.origin].append(pair)
    return Comparison(
        candidate=candidate,
        baseline=baseline,
        differences=tuple(differences),
        changes=tuple(one for origin in by_origin for one in _changes(origin, by_origin[origin], run.seed)),
        flips=tuple(_flips(pairs)),
        not_compared=tuple(not_compared),
        seed=run.seed,
    )


def _pairs(cases: Cases, candidate: str, baseline: str) -> tuple[list[_Pair], list[NotCompared]]:
    pairs, left_out = [], []
    origins = cases.origins(candidate, baseline)
    for key, played in cases.by_key.items():
        ours, theirs = (_judged(played.get(label, ())) for label in (candidate, baseline))
        epochs = tuple((ours[epoch], theirs[epoch]) for epoch in ours if epoch in theirs)
        origin = origins[key]
        if not epochs:
            left_out.append(NotCompared(*key, _why_unpaired(played.get(candidate), played.get(baseline))))
        elif origin is None:
            kinds = sorted({one.origin for pair in epochs for one in pair if one.origin != "local"})
            left_out.append(NotCompared(*key, f"different origins are never compared: {' and '.join(kinds)}"))
        else:
            pairs.append(_Pair(*key, origin, epochs))
    return pairs, left_out


def _judged(results: Iterable[CaseResult]) -> dict[int, CaseResult]:
    return {one.epoch: one for one in results if one.status != "errored"}


def _why_unpaired(ours: Sequence[CaseResult] | None, theirs: Sequence[CaseResult] | None) -> str:
    if not ours or not theirs:
        return "played under one bundle only"
    where = [name for name, played in (("candidate", ours), ("baseline", theirs)) if not _judged(played)]
    return f"errored under the {' and the '.join(where)}" if where else "no epoch was judged under both"


def _groups(pairs: Sequence[_Pair]) -> list[tuple[Origin, str, list[_Pair]]]:
    """What is tested: each suite of each origin, and all suites of an origin together where it has several."""
    suites: dict[Origin, dict[str, list[_Pair]]] = defaultdict(lambda: defaultdict(list))
    for pair in pairs:
        suites[pair.origin][pair.suite].append(pair)
    found: list[tuple[Origin, str, list[_Pair]]] = []
    for origin, by_suite in suites.items():
        if len(by_suite) > 1:
            found.append((origin, ALL, [pair for of_suite in by_suite.values() for pair in of_suite]))
        found += [(origin, suite, by_suite[suite]) for suite in by_suite]
    return found


_Tested = tuple[Difference, Callable[[float], float | None]]
"""A difference, and the smallest that would have shown at a level: that depends on how many are tested together."""


def _tested(origin: Origin, suite: str, pairs: list[_Pair], seed: int) -> Iterable[_Tested]:
    yield _passes(origin, suite, pairs, seed)
    if suite != ALL:  # a score of one suite need not mean the same in another
        names = dict.fromkeys(name for pair in pairs for both in pair.epochs for one in both for name in one.scores)
        for name in names:
            yield from _score(origin, suite, name, pairs, seed)


def _passes(origin: Origin, suite: str, pairs: list[_Pair], seed: int) -> _Tested:
    net = [pair.passes() for pair in pairs]
    means = [pair.means(lambda one: float(one.status == PASSED)) for pair in pairs]
    values = [ours - theirs for ours, theirs in means]
    worse, better = sum(one < 0 for one in net), sum(one > 0 for one in net)
    by_flips = all(len(pair.epochs) == 1 for pair in pairs) or len(set(values)) == 1
    if by_flips:
        low, high = paired_share_interval(worse, better, len(pairs), CONFIDENCE)
    else:
        low, high = bootstrap_interval(values, seed, CONFIDENCE) or (-1.0, 1.0)
    chances = exact_sign_flip(net)
    found = Difference(
        origin=origin,
        suite=suite,
        metric=PASSED,
        cases=len(pairs),
        candidate=_mean(ours for ours, _ in means),
        baseline=_mean(theirs for _, theirs in means),
        low=low,
        high=high,
        worse=worse,
        better=better,
        p=chances.two_sided,
        p_worse=chances.worse,
        p_better=chances.better,
    )
    if not by_flips:
        return found, lambda level: smallest_mean_effect(values, level)
    # One more than was seen, since none seen does not mean that no case ever differs by chance.
    discordant = (2 * min(worse, better) + 1) / len(pairs)
    return found, lambda level: smallest_effect(len(pairs), discordant, level)


def _score(origin: Origin, suite: str, name: str, pairs: list[_Pair], seed: int) -> Iterable[_Tested]:
    scored = [
        replace(pair, epochs=both)
        for pair in pairs
        if (both := tuple(one for one in pair.epochs if name in one[0].scores and name in one[1].scores))
    ]
    if not scored:
        return
    means = [pair.means(lambda one: one.scores[name]) for pair in scored]
    values = [ours - theirs for ours, theirs in means]
    low, high = bootstrap_interval(values, seed, CONFIDENCE) or (-1.0, 1.0)
    chances = random_sign_flip(values, seed)
    found = Difference(
        origin=origin,
        suite=suite,
        metric=name,
        cases=len(scored),
        candidate=_mean(ours for ours, _ in means),
        baseline=_mean(theirs for _, theirs in means),
        low=low,
        high=high,
        worse=sum(one < 0 for one in values),
        better=sum(one > 0 for one in values),
        p=chances.two_sided,
        p_worse=chances.worse,
        p_better=chances.better,
    )
    yield found, lambda level: smallest_mean_effect(values, level)


def _corrected(tested: list[_Tested]) -> list[Difference]:
    worse = holm([one.p_worse for one, _ in tested])
    better = holm([one.p_better for one, _ in tested])
    return [
        replace(one, p_worse_holm=p_worse, p_better_holm=p_better, smallest=smallest(LEVEL / len(tested)))
        for (one, smallest), p_worse, p_better in zip(tested, worse, better, strict=True)
    ]


def _changes(origin: Origin, pairs: list[_Pair], seed: int) -> Iterable[Change]:
    figures: tuple[tuple[str, Callable[[CaseResult], float]], ...] = (
        ("cost_micros", lambda one: float(one.cost_micros)),
        ("latency_ms", lambda one: one.latency_ms),
    )
    for name, figure in figures:
        means = [pair.means(figure) for pair in pairs]
        low, high = bootstrap_interval([ours - theirs for ours, theirs in means], seed, CONFIDENCE) or (None, None)
        yield Change(
            origin, name, len(pairs), _mean(theirs for _, theirs in means), _mean(ours for ours, _ in means), low, high
        )


def _flips(pairs: Iterable[_Pair]) -> Iterable[Flip]:
    for pair in pairs:
        net, count = pair.passes(), len(pair.epochs)
        if net:
            ours, theirs = (sum(both[side].status == PASSED for both in pair.epochs) for side in (0, 1))
            yield Flip(
                suite=pair.suite,
                case=pair.case,
                origin=pair.origin,
                to="better" if net > 0 else "worse",
                baseline=f"{theirs}/{count}",
                candidate=f"{ours}/{count}",
                critical=any(one.critical for both in pair.epochs for one in both),
            )


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
