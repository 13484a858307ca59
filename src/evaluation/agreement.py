"""How far two who judged the same things agree: the share of equal verdicts, and Cohen's kappa (chance taken out)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from evaluation.figures import wilson

_RESAMPLES: Final = 10_000
Votes = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Agreement:
    """``raw``: share of equal verdicts. Intervals are of 95 %: Wilson's for ``raw``, a bootstrap's for ``kappa``.

    ``kappa`` is None where everybody said the same throughout: then chance explains all of it.
    """

    items: int
    raw: float
    raw_low: float
    raw_high: float
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    both_yes: int
    both_no: int
    only_judge: int
    """The judge said yes, people said no."""
    only_people: int


def agreement(judge: Sequence[bool], people: Sequence[bool], *, seed: int = 0) -> Agreement:
    """Of two equally long lists of verdicts. Raises ValueError for empty ones or of different length."""
    if not judge or len(judge) != len(people):
        raise ValueError("both must have judged the same things, at least one")
    one, other = np.asarray(judge, dtype=bool), np.asarray(people, dtype=bool)
    equal = int((one == other).sum())
    low, high = wilson(equal, len(one))
    draws = np.random.default_rng(seed).integers(0, len(one), size=(_RESAMPLES, len(one)))
    kappas = _kappas(one[draws], other[draws])
    known = kappas[~np.isnan(kappas)]
    whole = float(_kappas(one[None, :], other[None, :])[0])
    bounds = np.quantile(known, [0.025, 0.975]) if len(known) and not np.isnan(whole) else None
    return Agreement(
        items=len(one),
        raw=equal / len(one),
        raw_low=low,
        raw_high=high,
        kappa=None if np.isnan(whole) else whole,
        kappa_low=float(bounds[0]) if bounds is not None else None,
        kappa_high=float(bounds[1]) if bounds is not None else None,
        both_yes=int((one & other).sum()),
        both_no=int((~one & ~other).sum()),
        only_judge=int((one & ~other).sum()),
        only_people=int((~one & other).sum()),
    )


def _kappas(one: Votes, other: Votes) -> npt.NDArray[np.float64]:
    """Of each row; nan where agreement by chance is certain."""
    observed = (one == other).mean(axis=1)
    yes, others_yes = one.mean(axis=1), other.mean(axis=1)
    chance = yes * others_yes + (1 - yes) * (1 - others_yes)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappas: npt.NDArray[np.float64] = np.where(chance < 1, (observed - chance) / (1 - chance), np.nan)
    return kappas
