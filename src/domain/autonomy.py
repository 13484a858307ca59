"""Earned autonomy: when an intent has shown often enough that its suggestions go out unchanged.

The check is repeated after every case, so an ordinary confidence bound would pass by luck sooner or later: at a true
rate exactly at the bar, a 95 % bound that is looked at 1,000 times passes in far more than 5 % of streams. Instead the
bound is a confidence sequence, valid at all times at once. For a hypothetical rate m we bet against it: a stake that
multiplies by q/m after an approval and by (1-q)/(1-m) after anything else, with q > m. At a true rate of m or less the
stake cannot grow on average, so by Ville's inequality it ever reaches 1/α with probability at most α, however often it
is looked at and whenever one stops. The stake is split over several q; the lower bound is the largest m that it
refutes. As each stake depends on the number of approvals and of other cases only, two counts are all that is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

AutonomyState = Literal["earning", "promoted", "vetoed"]
CaseOutcome = Literal["approved", "edited", "rejected", "expired", "replaced"]
"""What became of a suggestion that counts. ``replaced``: an operator wrote something else while it was offered. A
suggestion that a newer message or somebody's claim made moot was never judged, so it is no case."""

AutonomyChange = Literal["promoted", "fell_back", "vetoed", "veto_lifted"]

_BETS: Final = tuple(math.sqrt((step + 0.5) / 16) for step in range(16))
"""How far between m and 1 each q lies; denser near 1, where good intents are."""
_LOSSES: Final = tuple(math.log1p(-share) for share in _BETS)
_PRECISION: Final = 1e-6


@dataclass(frozen=True, slots=True)
class AutonomyTerms:
    """What a tenant demands. ``error``: at most this chance that an intent at or below ``bar`` is ever promoted."""

    bar: float = 0.9
    error: float = 0.05
    least_cases: int = 50
    audit_share: float = 0.1
    """Of a promoted intent's replies, the share that an operator still sees first: the evidence must not end."""

    def floor(self) -> float:
        """Where a promoted intent falls back: so far below the bar that one case does not swing it to and fro."""
        return self.bar - (1 - self.bar) / 2


@dataclass(frozen=True, slots=True)
class Record:
    """The evidence on one intent. ``epoch`` counts fresh starts: each has a smaller share of the error to spend."""

    state: AutonomyState = "earning"
    approved: int = 0
    other: int = 0
    epoch: int = 1
    drop: float = 0.0
    """Evidence since the promotion that the rate has sunk below the bar (a logarithm, never below zero)."""

    @property
    def cases(self) -> int:
        return self.approved + self.other

    def lower_bound(self, terms: AutonomyTerms) -> float:
        """The rate that the evidence supports so far, valid at all times at once."""
        return lower_bound(self.approved, self.other, epoch_error(terms.error, self.epoch))

    def exceeds(self, rate: float, terms: AutonomyTerms) -> bool:
        """Whether the lower bound lies at ``rate`` or above: the same question, without looking for the bound."""
        return log_stake(self.approved, self.other, rate) >= -math.log(epoch_error(terms.error, self.epoch))


def epoch_error(error: float, epoch: int) -> float:
    """The share of ``error`` that belongs to the ``epoch``-th start (from 1). All shares together make ``error``."""
    return error / (epoch * (epoch + 1))


def log_stake(approved: int, other: int, rate: float) -> float:
    """Logarithm of what a stake of 1 against "the rate is ``rate`` or less" has become. ``rate`` in (0, 1)."""
    gain = (1 - rate) / rate
    logs = [approved * math.log1p(share * gain) + other * loss for share, loss in zip(_BETS, _LOSSES, strict=True)]
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs) / len(logs))


def lower_bound(approved: int, other: int, error: float) -> float:
    """The largest rate that the evidence refutes at ``error``; 0 where it refutes none. In [0, 1)."""
    needed = -math.log(error)
    low, high = 0.0, 1.0
    while high - low > _PRECISION:  # the stake falls with the rate that is bet against
        middle = (low + high) / 2
        low, high = (middle, high) if log_stake(approved, other, middle) >= needed else (low, middle)
    return low


def after_case(record: Record, outcome: CaseOutcome, terms: AutonomyTerms) -> tuple[Record, AutonomyChange | None]:
    """The record with one more case, and what that changes."""
    good = outcome == "approved"
    found = replace(record, approved=record.approved + good, other=record.other + (not good))
    if record.state == "vetoed":
        return found, None
    if record.state == "promoted":
        found = replace(found, drop=_sunk(record.drop, good=good, bar=terms.bar))
        if found.drop >= -math.log(terms.error) or not found.exceeds(terms.floor(), terms):
            return started_anew(found), "fell_back"
        return found, None
    if found.cases >= terms.least_cases and found.exceeds(terms.bar, terms):
        return replace(found, state="promoted", drop=0.0), "promoted"
    return found, None


def vetoed(record: Record) -> Record:
    """An admin forbids it, whatever the evidence."""
    return replace(record, state="vetoed")


def started_anew(record: Record) -> Record:
    """It must be earned again, from nothing: what was shown before did not hold."""
    return Record(epoch=record.epoch + 1)


def _sunk(drop: float, *, good: bool, bar: float) -> float:
    """Page's test: likelihood of a rate with twice the failures that the bar allows, against the bar's own."""
    worse = max(0.0, 1 - 2 * (1 - bar)) or bar / 2
    step = math.log(worse / bar) if good else math.log((1 - worse) / (1 - bar))
    return max(0.0, drop + step)
