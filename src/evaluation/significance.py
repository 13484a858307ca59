"""Whether a difference between two bundles is more than chance. Needs the optional extra ``atende[evals]`` (SciPy).

SciPy takes 110 MB and a second or two to load, so it is no dependency of the product: ``serve`` and ``demo`` never
come here. Holm's correction is ten lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from domain.errors import AtendeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES: Final = 4_000
POWER: Final = 0.8
"""Of the smallest effect: the chance with which a run of this size would have shown it."""
_BISECTIONS: Final = 14
"""To a hundredth of a point."""


class StatisticsMissingError(AtendeError):
    """SciPy is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Comparing two bundles needs SciPy, which is not installed.", hint="Say: pip install 'atende[evals]'"
        )


@dataclass(frozen=True, slots=True)
class Chances:
    """p-values of one paired difference. ``worse``, ``better``: one-sided; ``two_sided``: twice the smaller."""

    worse: float
    better: float

    @property
    def two_sided(self) -> float:
        return min(1.0, 2 * min(self.worse, self.better))


def exact_sign_flip(differences: Sequence[int]) -> Chances:
    """The exact paired test: under chance alone each case's difference could as well have had the other sign.

    ``differences``: epochs of a case that passed under the candidate minus those under the baseline. With one epoch
    each is -1, 0 or 1, and this is McNemar's exact test. Raises StatisticsMissingError.
    """
    stats = _scipy_stats()
    sizes, counts = np.unique(np.abs([one for one in differences if one]), return_counts=True)
    # The sum over the positive ones: for each size, that size times a binomial count.
    chances = np.ones(1)
    for size, count in zip(sizes.astype(int), counts.astype(int), strict=True):
        spaced = np.zeros(size * count + 1)
        spaced[::size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, spaced)
    seen = sum(one for one in differences if one > 0)
    return Chances(worse=_capped(chances[: seen + 1].sum()), better=_capped(chances[seen:].sum()))


def random_sign_flip(differences: Sequence[float], seed: int, resamples: int = RESAMPLES) -> Chances:
    """The same test for graded scores, over ``resamples`` random flips; never below 1 / (resamples + 1)."""
    values = np.asarray([one for one in differences if one], dtype=float)
    if not values.size:
        return Chances(1.0, 1.0)
    generator = np.random.default_rng(seed)
    signs = generator.integers(0, 2, size=(resamples, values.size), dtype=np.int8) * 2 - 1
    flipped = signs @ values
    seen, slack = values.sum(), 1e-9 * np.abs(values).sum()
    return Chances(
        worse=float((1 + (flipped <= seen + slack).sum()) / (resamples + 1)),
        better=float((1 + (flipped >= seen - slack).sum()) / (resamples + 1)),
    )


def bootstrap_interval(differences: Sequence[float], seed: int, confidence: float) -> tuple[float, float] | None:
    """Of the mean paired difference: cases are drawn again, each with all its epochs (so epochs stay clustered).

    Bias-corrected and accelerated; the plain percentiles where that is undefined; the value itself where all cases
    have the same. None for less than two cases, which show no spread. Raises StatisticsMissingError.
    """
    stats = _scipy_stats()
    values = np.asarray(differences, dtype=float)
    if values.size < 2:
        return None
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    for method in ("BCa", "percentile"):
        with np.errstate(all="ignore"):
            interval = stats.bootstrap(
                (values,),
                np.mean,
                n_resamples=RESAMPLES,
                batch=200,
                confidence_level=confidence,
                method=method,
                rng=np.random.default_rng(seed),
            ).confidence_interval
        if np.isfinite([interval.low, interval.high]).all():
            return float(interval.low), float(interval.high)
    return float(values.min()), float(values.max())


def paired_share_interval(worse: int, better: int, cases: int, confidence: float) -> tuple[float, float]:
    """Of the difference of two shares over the same cases, by Agresti and Min (2005): half a case added to each cell.

    Unlike a bootstrap it does not claim certainty where no case differed. Raises StatisticsMissingError.
    """
    stats = _scipy_stats()
    total, b, c = cases + 2, better + 0.5, worse + 0.5
    middle = (b - c) / total
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * float(np.sqrt(b + c - (b - c) ** 2 / total)) / total
    return max(-1.0, middle - half), min(1.0, middle + half)


def holm(chances: Sequence[float]) -> list[float]:
    """p-values corrected so that the chance of any false alarm among them stays at the level (Holm 1979)."""
    order = sorted(range(len(chances)), key=lambda position: chances[position])
    adjusted, highest = [0.0] * len(chances), 0.0
    for rank, position in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[position]))
        adjusted[position] = highest
    return adjusted


@lru_cache(maxsize=4096)
def smallest_effect(cases: int, discordant: float, level: float, power: float = POWER) -> float | None:
    """The smallest drop that McNemar's exact test at ``level`` (one-sided) would find with ``power``; None: none.

    ``discordant``: share of cases that differ between the bundles apart from the drop, as this run showed it. Exact
    over the binomial number of differing cases. Raises StatisticsMissingError.
    """
    if not cases or power_at(cases, discordant, 1.0, level) < power:
        return None
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if power_at(cases, discordant, middle, level) >= power else (middle, high)
    return high


def power_at(cases: int, discordant: float, drop: float, level: float) -> float:
    """The chance that a true ``drop`` in the pass rate is found among so many cases."""
    stats = _scipy_stats()
    differing = min(1.0, discordant + drop)
    if differing == 0:
        return 0.0
    down = (differing + drop) / 2 / differing  # of those that differ, how many got worse
    numbers = np.arange(cases + 1)
    # The most wins among m differing cases that still are significant; -1: no number of wins is.
    most_wins = stats.binom.ppf(level, numbers, 0.5)
    most_wins = np.where(stats.binom.cdf(most_wins, numbers, 0.5) > level, most_wins - 1, most_wins)
    found = stats.binom.cdf(most_wins, numbers, 1 - down)
    return float((stats.binom.pmf(numbers, cases, differing) * np.where(most_wins < 0, 0.0, found)).sum())


def smallest_mean_effect(differences: Sequence[float], level: float, power: float = POWER) -> float | None:
    """The same for a mean of paired differences, from their spread (normal approximation); None without a spread."""
    stats = _scipy_stats()
    values: NDArray[np.float64] = np.asarray(differences, dtype=float)
    if values.size < 2 or np.ptp(values) == 0:
        return None
    error = float(values.std(ddof=1)) / float(np.sqrt(values.size))
    return min(1.0, float(stats.norm.ppf(1 - level) + stats.norm.ppf(power)) * error)


def _capped(chance: Any) -> float:
    return min(1.0, float(chance))


def _scipy_stats() -> Any:
    try:
        from scipy import stats  # noqa: PLC0415 - a second or two, and an optional extra
    except ImportError as error:
        raise StatisticsMissingError from error
    return stats
