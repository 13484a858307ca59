"""Autonomy is earned by evidence that holds however often it is looked at, and lost when the evidence sinks."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from pathlib import Path

import pytest

from domain.autonomy import AutonomyTerms, Record, after_case, epoch_error, log_stake, lower_bound, started_anew, vetoed

TERMS = AutonomyTerms(bar=0.9, error=0.05, least_cases=50)
BENCH = Path(__file__).parents[2] / "bench" / "promotion.py"


@pytest.mark.parametrize("rate", [0.5, 0.8, 0.9, 0.97])
@pytest.mark.parametrize("approved", [0, 3, 40])
def test_that_a_stake_never_grows_on_average_at_or_below_the_rate_it_bets_against(rate: float, approved: int) -> None:
    before = math.exp(log_stake(approved, 2, rate))
    for true_rate in (rate, rate - 0.1, 0.01):
        after = true_rate * math.exp(log_stake(approved + 1, 2, rate)) + (1 - true_rate) * math.exp(
            log_stake(approved, 3, rate)
        )
        assert after <= before * (1 + 1e-12)


def test_that_the_bound_lies_below_the_share_and_rises_with_the_evidence() -> None:
    bounds = [lower_bound(95 * times, 5 * times, 0.05) for times in (1, 4, 16, 64)]
    assert bounds == sorted(bounds)
    assert all(bound < 0.95 for bound in bounds)
    assert bounds[-1] > 0.94
    assert lower_bound(0, 0, 0.05) == 0


def test_that_the_quick_question_agrees_with_the_bound() -> None:
    rng = random.Random(3)
    for _ in range(300):
        record = Record(approved=rng.randrange(400), other=rng.randrange(40))
        if abs(record.lower_bound(TERMS) - TERMS.bar) > 1e-5:
            assert record.exceeds(TERMS.bar, TERMS) == (record.lower_bound(TERMS) > TERMS.bar)


def test_that_enough_cases_are_needed_however_good_they_are() -> None:
    record, terms = Record(), AutonomyTerms(bar=0.5, least_cases=30)
    changes = []
    for _ in range(30):
        record, change = after_case(record, "approved", terms)
        changes.append(change)
    assert changes == [None] * 29 + ["promoted"]


@pytest.mark.parametrize("outcome", ["edited", "rejected", "expired", "replaced"])
def test_that_every_verdict_but_an_unchanged_approval_counts_against(outcome: str) -> None:
    record, _ = after_case(Record(approved=9), outcome, TERMS)  # type: ignore[arg-type]
    assert (record.approved, record.other) == (9, 1)


def test_that_a_promoted_intent_falls_back_when_its_rate_sinks_and_starts_from_nothing_with_less_to_spend() -> None:
    record, change = Record("promoted", 400, 8), None
    for _ in range(40):
        record, change = after_case(record, "rejected", TERMS)
        if change:
            break
    assert change == "fell_back"
    assert record == Record("earning", 0, 0, 2, 0.0)
    assert sum(epoch_error(0.05, epoch) for epoch in range(1, 10_000)) <= 0.05


def test_that_one_bad_case_right_after_the_promotion_does_not_swing_it_back() -> None:
    record, change = Record(), None
    while change != "promoted":
        record, change = after_case(record, "approved", TERMS)
    record, change = after_case(record, "edited", TERMS)
    assert (record.state, change) == ("promoted", None)


def test_that_no_evidence_promotes_against_a_veto_and_lifting_it_starts_anew() -> None:
    record = vetoed(Record(approved=40))
    for _ in range(1_000):
        record, change = after_case(record, "approved", TERMS)
        assert change is None
    assert (record.state, record.approved) == ("vetoed", 1_040)
    assert started_anew(record) == Record(epoch=2)


def test_that_the_simulator_finds_no_more_false_promotions_than_stated_and_a_usual_bound_does() -> None:
    ran = subprocess.run(
        [sys.executable, BENCH, "--seed", "11", "--streams", "150", "--cases", "600", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    rates = json.loads(ran.stdout)["rates"]
    assert rates["at the bar"]["share"] <= 0.05 < rates["at the bar"]["usual_bound_share"]
    assert (rates["far below"]["promoted"], rates["far above"]["share"]) == (0, 1.0)
