"""A slice of the gate's own trial: it seldom cries wolf, and finds what is large. Whole: python -m evals.gate_trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evals.gate_trial.pairs import Terms, pair
from evals.gate_trial.trial import cell

from evaluation.figures import wilson
from evaluation.gates import load_gates

SEED = 20261122
GATES = load_gates(Path(__file__).parents[2] / "evals" / "gates.yaml")


@pytest.mark.parametrize("terms", [Terms(120), Terms(120, stir=1.5), Terms(60, epochs=3)])
def test_that_neutral_edits_are_seldom_stopped(terms: Terms) -> None:
    found = cell("neutral", terms, 60, (SEED, 1), GATES)
    assert GATES.regression is not None
    assert wilson(found.stopped, found.pairs)[0] <= GATES.regression.level
    assert set(found.verdicts) <= {"better", "worse", "different", "no_difference"}


def test_that_a_large_drop_is_stopped_and_a_gain_is_not() -> None:
    assert cell("drop", Terms(240, change=-0.2, stir=0.5), 20, (SEED, 2), GATES).stopped >= 18
    gain = cell("gain", Terms(240, change=0.15, stir=0.5), 20, (SEED, 3), GATES)
    assert gain.stopped == 0
    assert gain.verdicts["better"] >= 12


def test_that_the_pairs_differ_by_what_was_asked_for() -> None:
    generator = np.random.default_rng(SEED)
    differences = []
    for _ in range(40):
        run = pair(Terms(400, change=-0.08, stir=1.0), generator)
        rates = {label: np.mean([one.status == "passed" for one in run.of(label)]) for label in "AB"}
        differences.append(rates["A"] - rates["B"])
    assert np.mean(differences) == pytest.approx(-0.08, abs=0.02)


def test_that_the_trials_edits_fit_the_prompt_and_the_shop_as_they_are(tmp_path: Path) -> None:
    from evals.gate_trial.conversations import TENANT, write_cases  # noqa: PLC0415
    from evals.gate_trial.edits import EDITS, bundle_file  # noqa: PLC0415

    from evaluation.bundles import load_bundle  # noqa: PLC0415
    from evaluation.suites import find_suites  # noqa: PLC0415

    (suite,) = find_suites([str(write_cases(tmp_path / "edits.jsonl"))])
    assert len(suite.cases) > 100
    contents = [edit.before or edit.after for edit in EDITS]
    hashes = {
        load_bundle(bundle_file(content, tmp_path / str(n)), TENANT).hash for n, content in enumerate([{}, *contents])
    }
    assert len(hashes) == len(EDITS) + 1
    assert {(one.part, one.direction) for one in EDITS} == {
        (part, direction)
        for part in ("prompt", "tool", "threshold", "knowledge")
        for direction in ("bad", "good", "neutral")
    }
