"""What a run must hold to be released, and what a verdict is worth as an exit code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.comparison import compare
from evaluation.gate_file import CostGate, LatencyGate, RateGates, RegressionGate
from evaluation.gates import GateFileError, Gates, Verdict, judge, load_gates
from evaluation.results import BESIDE, CaseResult, Run
from tests.evaluation.runs import paired, result, run

SHIPPED = Path(__file__).parents[2] / "evals" / "gates.yaml"


def verdict(of: Run, gates: Gates) -> Verdict:
    """Judged with A as the candidate, against B where the run has it."""
    comparison = compare(of, "A", "B") if len(of.bundles) > 1 else None
    return judge(of, comparison, gates)


def test_that_the_shipped_gates_are_readable_and_ask_for_all_that_every_run_has() -> None:
    gates = load_gates(SHIPPED)
    assert gates.critical_failures == 0
    assert gates.regression == RegressionGate(0.05, "holm", 0.01, ("passed", "scores"))
    assert gates.errored_share is not None
    assert gates.pass_rate.overall is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("critical_failures: 0\nregresion: {}\n", ["2: unknown key regresion; did you mean regression?"]),
        (
            "regression:\n  level: 2\n  correction: bonferroni\n  metrics: [speed]\n",
            ["2: regression.level is 2;", "3: regression.correction is 'bonferroni';", "4: regression.metrics is"],
        ),
        ("pass_rate:\n  suites:\n    shop: 95\n", ["3: pass_rate.suites.shop is 95; it must be a number from 0 to 1"]),
        ("pass_rate:\n  suites: [shop]\n", ["2: pass_rate.suites must hold"]),
        ("cost: 3\n", ["1: cost must hold: mean_micros, increase"]),
        ("critical_failures: 0\ncritical_failures: 1\n", ["2: critical_failures stands here twice"]),
        ("critical_failures: true\nerrored_share: .nan\n", ["1: critical_failures is True", "2: errored_share is nan"]),
        ("a: [\n", ["2: is not valid YAML"]),
        ("just words", [" holds no gates"]),
        ("", [" holds no gates"]),
        ("a: \x00", [" is not valid YAML"]),
    ],
)
def test_that_every_mistake_in_a_gates_file_names_its_line(tmp_path: Path, text: str, told: list[str]) -> None:
    path = tmp_path / "gates.yaml"
    path.write_text(text)
    with pytest.raises(GateFileError) as caught:
        load_gates(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(told)
    for line, part in zip(lines, told, strict=True):
        assert line.startswith(f"{path}:{part}")


@pytest.mark.parametrize(
    ("pairs", "kind", "code"),
    [
        (["pf"] * 8 + ["fp"] * 1 + ["pp"] * 40, "worse", 1),
        (["fp"] * 8 + ["pp"] * 40, "better", 0),
        (["pf"] * 4 + ["fp"] * 5 + ["pp"] * 40, "different", 0),
        (["pf"] * 3 + ["pp"] * 40, "no_difference", 0),
        (["pp"] * 40 + ["ff"] * 3, "no_difference", 0),
        (["pf"] * 12 + ["pp"] * 2000, "no_difference", 0),  # sure, but smaller than the gate minds
    ],
)
def test_that_the_verdict_tells_worse_better_different_and_none_apart(pairs: list[str], kind: str, code: int) -> None:
    found = verdict(paired({"s": pairs}), Gates(regression=RegressionGate(minimal_effect=0.01)))
    assert (found.kind, found.exit_code) == (kind, code)
    if kind == "no_difference":
        assert "With a chance of 80 % this run would have shown" in found.sentence


def test_that_a_gate_without_a_minimal_effect_asks_for_no_drop_at_all() -> None:
    told = [
        verdict(paired({"s": ["pp"] * 9}), Gates(regression=RegressionGate(minimal_effect=drop))) for drop in (0, 0.01)
    ]
    details = [gate.detail for one in told for gate in one.gates if gate.gate == "regression"]
    assert details == [
        "no drop is sure (1 comparison, level 0.05)",
        "no drop of 1.0% or more is sure (1 comparison, level 0.05)",
    ]


def test_that_the_correction_may_be_turned_off_and_the_level_set() -> None:
    of = paired({"s": ["pf"] * 5 + ["pp"] * 20, "t": ["pp"] * 20, "u": ["pp"] * 20})
    assert verdict(of, Gates(regression=RegressionGate())).exit_code == 0
    assert verdict(of, Gates(regression=RegressionGate(correction="none"))).exit_code == 1
    assert verdict(of, Gates(regression=RegressionGate(correction="none", level=0.01))).exit_code == 0


def test_that_a_score_that_surely_fell_fails_unless_only_passes_count() -> None:
    of = run(
        [
            result("s", str(n), bundle, "p", scores={"tone": 0.9 if bundle == "B" else 0.5 + n / 100})
            for n in range(20)
            for bundle in "AB"
        ]
    )
    assert verdict(of, Gates(regression=RegressionGate())).kind == "worse"
    assert verdict(of, Gates(regression=RegressionGate(metrics=("passed",)))).kind == "no_difference"


def test_that_a_critical_case_fails_in_any_epoch_and_an_errored_one_is_no_success() -> None:
    def critical(*statuses: str) -> Run:
        return run([result("s", "c", "A", status, epoch=n, critical=True) for n, status in enumerate(statuses)])

    gates = Gates(critical_failures=0)
    assert verdict(critical("p", "p"), gates).exit_code == 0
    assert verdict(critical("p", "f"), gates).exit_code == 1
    assert verdict(critical("p", "e"), gates).exit_code == 3
    assert verdict(run([result("s", "c", "A", "f")]), gates).exit_code == 0


def test_that_pass_rates_are_held_by_each_origin_apart_and_a_name_without_cases_is_shown() -> None:
    results = [result("s", f"l{n}", "A", "p", origin="local", language="pt", tags=("t",)) for n in range(9)]
    results += [result("s", f"r{n}", "A", "p" if n else "f", language="es") for n in range(3)]
    gates = Gates(
        pass_rate=RateGates(overall=0.8, suites={"s": 0.6}, tags={"t": 1.0}, languages={"es": 0.7, "en": 0.9})
    )
    found = verdict(run(results), gates)
    assert [(one.of, one.origin, one.state) for one in found.gates] == [
        ("", "local", "passed"),
        ("suite s", "local", "passed"),
        ("tag t", "local", "passed"),
        ("", "replayed", "failed"),
        ("suite s", "replayed", "passed"),
        ("language es", "replayed", "failed"),
        ("language en", None, "not_judged"),
    ]
    assert found.exit_code == 1


def test_that_cost_and_latency_have_limits_and_a_rise_must_be_sure() -> None:
    def priced(rise: int) -> list[CaseResult]:
        return [
            result("s", str(n), bundle, "p", cost_micros=1000 + n + rise * (bundle == "A"), latency_ms=200 + n)
            for n in range(30)
            for bundle in "AB"
        ]

    rising = Gates(cost=CostGate(increase=0.1), latency=LatencyGate(increase=0.1))
    assert verdict(run(priced(300)), rising).exit_code == 1
    assert verdict(run(priced(20)), rising).exit_code == 0
    states = verdict(run(priced(0)), Gates(cost=CostGate(mean_micros=1000), latency=LatencyGate(p95_ms=228))).gates
    assert [one.state for one in states] == ["failed", "passed"]


@pytest.mark.parametrize(
    "of",
    [
        run([]),
        run([result("s", "a", "A", "e")]),
        run([result("s", str(n), "A", "e" if n < 2 else "p") for n in range(10)]),
        paired({"s": ["pe", "pe", "ee"]}),
        paired({"s": ["pf"] * 8 + ["pe"] * 2}),
        run([result("s", "a", "A", "p", origin="live"), result("s", "a", "B", "p", origin="replayed")]),
        run([result("s", "a", "A", "p"), result("s", "b", "B", "p")]),
    ],
)
def test_that_a_run_that_found_nothing_out_never_passes_nor_blames_the_bundle(of: Run) -> None:
    assert verdict(of, Gates(errored_share=0.1, regression=RegressionGate())).exit_code == 3


def test_that_even_without_gates_a_run_of_errors_is_no_success() -> None:
    assert verdict(run([result("s", "a", "A", "e")]), Gates()).exit_code == 3
    assert verdict(run([result("s", "a", "A", "e"), result("s", "b", "A", "p")]), Gates()).exit_code == 0


def test_that_what_happened_beside_a_draft_is_told_and_not_judged() -> None:
    of = replace(paired({"replayed": ["pf"] * 40 + ["pp"] * 60}), mode=BESIDE)
    assert not of.compares
    verdict = judge(of, None, load_gates(SHIPPED))
    assert (verdict.kind, verdict.exit_code, verdict.gates) == ("beside", 0, ())
    assert verdict.sentence == "40 of 100 turns would have been different; 0 could not be played."
    nothing = replace(paired({"replayed": ["pe"] * 3}), mode=BESIDE)
    assert judge(nothing, None, load_gates(SHIPPED)).exit_code == 3


def test_that_known_weaknesses_are_counted_and_held_by_no_rate() -> None:
    weak = [result("shop", f"weak-{n}", "A", "pff"[n], tags=("known_weakness",)) for n in range(3)]
    judged = verdict(
        run([result("shop", "sure", "A", "p"), *weak]), Gates(critical_failures=0, pass_rate=RateGates(overall=1.0))
    )
    assert judged.passed
    (told,) = [gate for gate in judged.gates if gate.gate == "known_weakness"]
    assert (told.state, told.detail.startswith("3 cases are tagged so and held by no rate; 1 of them")) == (
        "not_judged",
        True,
    )
    strong = verdict(run([result("shop", "sure", "A", "f"), *weak]), Gates(pass_rate=RateGates(overall=1.0)))
    assert not strong.passed
