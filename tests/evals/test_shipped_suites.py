"""The shipped suites: as large as promised, and played by the very command that people type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from domain.decisions import HandOffReason
from evaluation.cases import Suite
from evaluation.results import Run
from evaluation.suites import load_suite

ROOT = Path(__file__).parents[2]
NEEDS_THE_PRODUCT = {HandOffReason.COST_CAP, HandOffReason.OLD_MESSAGE}
"""Reasons that come from budgets and ages of messages, which only the whole product knows: tests/flows."""


def suite(name: str) -> Suite:
    return load_suite(ROOT / "evals" / name / "suite.yaml")


def test_that_the_shops_suite_has_every_decision_in_three_languages() -> None:
    shop = suite("shop")
    assert len(shop.cases) >= 120
    assert min(Counter(case.content.language for case in shop.cases).get(one, 0) for one in ("pt", "es", "en")) >= 15
    expected = [condition for case in shop.cases for _, condition in case.content.expectations()]
    decisions = {decision for condition in expected for decision in condition.decision}
    assert decisions == {"reply", "suggest", "hand_off", "ask_approval", "stay_silent", "none"}
    reasons = {reason for condition in expected for reason in condition.handoff_reason}
    assert reasons >= set(HandOffReason) - NEEDS_THE_PRODUCT - {HandOffReason.MODEL_FAILURE}
    assert {"message", "turns", "script"} <= {case.content.kind for case in shop.cases}
    assert all(case.content.critical is False for case in shop.cases if "known_weakness" in case.content.tags)
    assert len(suite("noisy_portuguese").cases) >= 60
    assert len(suite("tau2_retail").cases) == 5


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``make evals`` over all suites, and the first cases of those that have scripts of their own."""
    folder = tmp_path_factory.mktemp("evals")
    venv = Path(sys.prefix)
    # The environment is there: it runs this test.
    command = ["make", "-o", f"{venv}/.dev", "evals", f"VENV={venv}", f"EVALS={folder}", "MEASURED=--limit 12"]
    surroundings = {**os.environ, "ATENDE_DATA_DIR": str(folder / "data")}
    surroundings.pop("MAKEFLAGS", None)
    ran = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False, timeout=280)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def test_that_make_evals_writes_one_report_of_all_suites_in_which_only_known_weaknesses_fail(played: Path) -> None:
    run = Run.read(played / "report.json")
    measured = {"red-team", "claims", "claims-read-again", "intents"}
    assert set(run.suites) == {"shop", "noisy-portuguese", "tau2-retail"} | measured
    assert run.mode == "replay"
    assert {result.origin for result in run.results} == {"local", "simulated", "replayed"}
    ours = [result for result in run.results if result.suite in {"shop", "noisy-portuguese", "tau2-retail", "red-team"}]
    failed = [f"{one.suite}/{one.case}" for one in ours if one.status != "passed" and "known_weakness" not in one.tags]
    assert failed == []
    weak = [result for result in run.results if "known_weakness" in result.tags]
    assert 0 < len(weak) < 40
    assert f"{len(weak)} cases are tagged so" in (played / "report.html").read_text(encoding="utf-8")
    # The gates are testcases too.
    assert len(ET.parse(played / "report.xml").getroot().findall(".//testcase")) >= len(run.results)
    assert "shop" in (played / "report.md").read_text(encoding="utf-8")


def test_that_a_claim_is_shown_as_the_assistants_reply_with_what_it_could_know(played: Path) -> None:
    claims = [one for one in Run.read(played / "report.json").results if one.suite == "claims"]
    rows = (ROOT / "evals" / "claims" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    for one in claims:
        (step,) = one.steps
        file, line = one.source.rsplit(":", 1)
        if file.endswith("/dev.jsonl"):
            written = json.loads(rows[int(line) - 1])
            assert (step["say"], step["turns"][0]["decision"]["text"]) == ([written["customer"]], written["reply"])
            assert len(step["turns"][0]["trace"]["tool_calls"]) == len(written["tool_calls"])


def test_that_a_gate_that_fails_is_the_commands_exit_code(played: Path, tmp_path: Path) -> None:
    command = [str(Path(sys.prefix) / "bin" / "atende"), "eval", "merge"]
    files = [str(played / "played.json"), str(played / "measured.json")]
    surroundings = {**os.environ, "ATENDE_DATA_DIR": str(tmp_path / "data")}

    def code(*arguments: str) -> tuple[int, str]:
        ran = subprocess.run(
            [*command, *arguments], env=surroundings, capture_output=True, text=True, check=False, timeout=120
        )
        return ran.returncode, ran.stdout + ran.stderr

    assert code(*files, "--gates", str(ROOT / "evals" / "shipped_gates.yaml"))[0] == 0
    failing = tmp_path / "failing.json"
    document = (played / "played.json").read_text(encoding="utf-8")
    failing.write_text(document.replace('"status": "passed"', '"status": "failed"', 1), encoding="utf-8")
    assert code(str(failing), "--gates", str(ROOT / "evals" / "shipped_gates.yaml"))[0] == 1
    twice, told = code(files[0], files[0])
    assert twice == 2
    assert "there twice" in told
