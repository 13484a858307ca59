"""Two bundles compared: held to scipy, to exhaustive enumeration, and to what must never be mixed."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import binomtest

from evaluation.comparison import ALL, UnknownBundleError, compare
from evaluation.figures import passes_every_time, share, wilson
from evaluation.results import CaseResult
from evaluation.significance import (
    bootstrap_interval,
    exact_sign_flip,
    holm,
    paired_share_interval,
    power_at,
    random_sign_flip,
    smallest_effect,
)
from tests.evaluation.runs import paired, result, run


def test_that_one_epoch_each_is_mcnemars_exact_test() -> None:
    for worse, better, same in itertools.product((0, 1, 2, 5, 9, 30), (0, 1, 4, 12), (0, 7, 200)):
        if worse + better + same:
            ours = exact_sign_flip([-1] * worse + [1] * better + [0] * same)
            theirs = binomtest(worse, worse + better).pvalue if worse + better else 1.0
            assert ours.two_sided == pytest.approx(theirs, abs=1e-12)


def test_that_several_epochs_are_tested_by_every_way_to_turn_the_cases_around() -> None:
    chance = random.Random(20261122)
    for _ in range(30):
        differences = [chance.randint(-3, 3) for _ in range(chance.randint(1, 9))]
        sums = [
            sum(sign * abs(one) for sign, one in zip(signs, differences, strict=True))
            for signs in itertools.product((-1, 1), repeat=len(differences))
        ]
        ours = exact_sign_flip(differences)
        assert ours.worse == pytest.approx(np.mean([one <= sum(differences) for one in sums]))
        assert ours.better == pytest.approx(np.mean([one >= sum(differences) for one in sums]))
        assert random_sign_flip(differences, seed=1).worse == pytest.approx(ours.worse, abs=0.03)


def rejected_by_holm(raw: list[float], level: float) -> set[int]:
    """The procedure as Holm gave it: from the smallest on, against level / (how many are left), until one fails."""
    rejected: set[int] = set()
    for left, at in zip(range(len(raw), 0, -1), sorted(range(len(raw)), key=raw.__getitem__), strict=True):
        if raw[at] > level / left:
            break
        rejected.add(at)
    return rejected


def test_that_holm_is_his_procedure_and_wilson_is_scipys() -> None:
    chance = random.Random(7)
    for _ in range(50):
        raw = [round(chance.random() ** 3, 3) for _ in range(chance.randint(1, 8))]
        adjusted = holm(raw)
        for level in (0.001, 0.01, 0.05, 0.2, 0.7, 0.999, *(one * 1.000001 for one in adjusted if one < 0.99)):
            assert {at for at, one in enumerate(adjusted) if one <= level} == rejected_by_holm(raw, level)
        cases = chance.randint(1, 400)
        passed = chance.randint(0, cases)
        assert wilson(passed, cases) == pytest.approx(
            tuple(binomtest(passed, cases).proportion_ci(method="wilson")), abs=1e-9
        )


def test_that_pass_k_is_the_share_of_all_ways_to_draw_k_epochs() -> None:
    def epochs(statuses: str) -> list[CaseResult]:
        return [result("s", "c", "A", status, epoch=n) for n, status in enumerate(statuses)]

    cases = [epochs("ppfp"), epochs("pppp"), epochs("fepf")]
    for k in (1, 2, 3):
        shares = [
            np.mean([all(one.status == "passed" for one in drawn) for drawn in itertools.combinations(judged, k)])
            for case in cases
            if len(judged := [one for one in case if one.status != "errored"]) >= k
        ]
        assert passes_every_time(cases, k) == pytest.approx(np.mean(shares))
    assert passes_every_time(cases, 4) == pytest.approx(0.5)
    assert passes_every_time(cases, 5) is None


def test_that_an_errored_case_is_neither_passed_nor_failed() -> None:
    found = share([[result("s", str(n), "A", status)] for n, status in enumerate("ppfe")])
    assert (found.cases, found.passed, found.errored) == (3, 2, 1)
    comparison = compare(paired({"s": ["pp", "pf", "ep", "pe", "fp"]}), "A", "B")
    (one,) = comparison.differences
    assert (one.cases, one.worse, one.better) == (3, 1, 1)
    assert [left.reason for left in comparison.not_compared] == [
        "errored under the baseline",
        "errored under the candidate",
    ]


def test_that_origins_are_reported_apart_and_never_compared_with_each_other() -> None:
    results = [
        result("s", "a", "B", "p", origin="live"),
        result("s", "a", "A", "f", origin="replayed"),
        *(result("s", "b", bundle, "p", origin="simulated") for bundle in "AB"),
        *(result("s", "c", bundle, "p", origin="local") for bundle in "AB"),
        result("s", "d", "B", "p", origin="local"),
        result("s", "d", "A", "f", origin="simulated"),
    ]
    comparison = compare(run(results), "A", "B")
    assert [(one.origin, one.cases, one.worse) for one in comparison.differences] == [
        ("simulated", 2, 1),
        ("local", 1, 0),
    ]
    (refused,) = comparison.not_compared
    assert (refused.case, refused.reason) == ("a", "different origins are never compared: live and replayed")


def test_that_suites_are_tested_apart_together_and_corrected() -> None:
    comparison = compare(paired({"s": ["pf"] * 6 + ["pp"] * 30, "t": ["fp"] + ["pp"] * 20}), "A", "B")
    everything, s, t = comparison.differences
    assert (everything.suite, s.suite, t.suite) == (ALL, "s", "t")
    assert s.p_worse == pytest.approx(0.5**6)
    assert s.p_worse_holm == pytest.approx(3 * 0.5**6)
    assert everything.p_worse_holm == pytest.approx(2 * everything.p_worse)
    assert t.p_worse_holm == 1
    assert s.low < s.difference < s.high < 0
    assert [(one.case, one.to) for one in comparison.flips if one.suite == "t"] == [("case-0", "better")]


def test_that_scores_costs_and_latency_are_paired_and_the_same_for_the_same_seed() -> None:
    chance = random.Random(3)
    results = []
    for n in range(40):
        base, ease = chance.random(), chance.random() / 2
        for bundle, shift in (("B", 0.0), ("A", 0.2)):
            results += [
                result(
                    "s",
                    str(n),
                    bundle,
                    "p",
                    epoch=epoch,
                    scores={"tone": ease + shift + chance.random() / 10},
                    cost_micros=int(1000 * base + 300 * (bundle == "A")),
                    latency_ms=500 * base,
                )
                for epoch in (1, 2)
            ]
    comparison = compare(run(results, epochs=2, seed=5), "A", "B")
    tone = next(one for one in comparison.differences if one.metric == "tone")
    assert 0.15 < tone.low < 0.2 < tone.high < 0.25
    assert tone.p_better < 0.001
    cost, latency = comparison.changes
    assert cost.low is not None
    assert cost.high is not None
    assert 299 < cost.low <= cost.high < 301
    assert (latency.low, latency.high) == (0, 0)
    assert compare(run(results, epochs=2, seed=5), "A", "B") == comparison


def test_that_no_difference_at_all_is_not_taken_for_certainty() -> None:
    low, high = paired_share_interval(0, 0, 20, 0.95)
    assert low < -0.05 < 0.05 < high
    assert bootstrap_interval([0.5], 1, 0.95) is None
    (one,) = compare(paired({"s": ["pp"] * 3}), "A", "B").differences
    assert one.smallest is None
    (one,) = compare(paired({"s": ["pp"] * 100}), "A", "B").differences
    assert one.smallest is not None
    assert 0.05 < one.smallest < 0.12


def test_that_the_power_told_is_the_power_had() -> None:
    generator = np.random.default_rng(11)
    cases, noise, level = 120, 0.06, 0.05
    drop = smallest_effect(cases, noise, level)
    assert drop is not None
    down, up = noise / 2 + drop, noise / 2
    tries = 3000
    counts = generator.multinomial(cases, [down, up, 1 - down - up], size=tries)
    found = np.mean([exact_sign_flip([-1] * w + [1] * b).worse <= level for w, b, _ in counts])
    assert found == pytest.approx(0.8, abs=0.03)
    assert power_at(cases, noise, drop, level) == pytest.approx(0.8, abs=0.001)


def test_that_a_label_that_was_not_played_is_named() -> None:
    with pytest.raises(UnknownBundleError, match=r"'C'.*") as caught:
        compare(paired({"s": ["pp"]}), "A", "C")
    assert caught.value.hint == "It has: A, B."


def test_that_reading_a_run_needs_no_scipy_and_comparing_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['scipy'] = None\n"
        "import evaluation.gates, evaluation.junit, evaluation.markdown\n"
        "from evaluation.significance import exact_sign_flip, StatisticsMissingError\n"
        "try: exact_sign_flip([1])\n"
        "except StatisticsMissingError as error: print(error.sentence())\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "pip install 'atende[evals]'" in told
