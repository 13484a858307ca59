"""What counts as a passed eval when a bundle is published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.bundles import evidence_of
from domain.errors import InvalidInputError
from evaluation.results import BESIDE, BundleRef, CaseResult, NotARunError, Run

pytest.importorskip("scipy", reason="comparing two bundles needs the extra evals")

OURS, OTHERS = "a" * 16, "b" * 16


def result(case: str, bundle: str = "A", **more: object) -> CaseResult:
    given = {"suite": "shop", "case": case, "bundle": bundle, "epoch": 1, "status": "passed", "origin": "local"}
    return CaseResult(**{**given, **more})  # type: ignore[arg-type]


def run(*results: CaseResult, against: bool = False) -> Run:
    refs = (BundleRef("A", OURS), BundleRef("B", OTHERS))[: 1 + against]
    return Run("shop", ("shop",), "replay", 1, "2026-11-23T12:00:00+00:00", 1.0, refs, results)


def evidence(tmp_path: Path, document: Run, name: str = OURS, gates: str = "") -> dict[str, object]:
    path = tmp_path / "run.json"
    document.write(path)
    file = None
    if gates:
        file = tmp_path / "gates.yaml"
        file.write_text(gates, encoding="utf-8")
    found = evidence_of(path, name, file)
    assert found.evaluated == OURS
    found.check(OURS)
    return dict(found.run or {})


def test_that_a_run_in_which_every_case_passed_is_evidence(tmp_path: Path) -> None:
    kept = evidence(tmp_path, run(result("one"), result("two")), OURS[:6])
    assert (kept["cases"], kept["passed"], kept["mode"], kept["against"]) == (2, 2, "replay", None)


def test_that_cases_which_write_down_what_a_fooled_model_says_do_not_make_a_run_worthless(tmp_path: Path) -> None:
    assert evidence(tmp_path, run(result("one"), result("fooled", origin="simulated")))["passed"] == 2


def test_that_without_another_bundle_one_failed_case_is_too_many_unless_the_gates_say_otherwise(tmp_path: Path) -> None:
    failed = run(result("one"), result("two", status="failed"))
    with pytest.raises(InvalidInputError, match="did not pass"):
        evidence(tmp_path, failed)
    assert evidence(tmp_path, failed, gates="pass_rate: {overall: 0.4}")["passed"] == 1


def test_that_beside_another_bundle_only_a_significant_loss_counts(tmp_path: Path) -> None:
    cases = [f"case-{number}" for number in range(40)]
    same = [
        result(case, bundle, status="failed" if n % 4 == 0 else "passed")
        for bundle in "AB"
        for n, case in enumerate(cases)
    ]
    assert evidence(tmp_path, run(*same, against=True))["against"] == OTHERS
    worse = [replace(one, status="failed") if one.bundle == "A" else one for one in same]
    with pytest.raises(InvalidInputError, match="did not pass"):
        evidence(tmp_path, run(*worse, against=True))


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (run(result("one", critical=True, status="failed"), result("one", "B"), against=True), "did not pass"),
        (run(result("one", status="errored")), "did not pass"),
        (replace(run(result("one"), result("one", "B"), against=True), mode=BESIDE), "judges nothing"),
        (
            replace(run(result("one", origin="simulated")), mode="simulated"),
            "says nothing about the bundle's own model",
        ),
        (run(), "holds no result"),
        (replace(run(result("one")), bundles=(BundleRef("A", OTHERS),)), "is about other bundles"),
    ],
)
def test_that_no_other_run_is_evidence(tmp_path: Path, document: Run, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        evidence(tmp_path, document)


def test_that_a_file_that_is_no_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(NotARunError):
        evidence_of(tmp_path / "x.json", OURS)
