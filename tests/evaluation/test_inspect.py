"""A suite as a task of Inspect: the same cases, the same verdicts, and no wrong answer where nothing was found out."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(find_spec("inspect_ai") is None, reason="the extra atende[inspect] is not installed")

SUITE = """\
suite: small
tenant: loja-aurora
cases:
  - {name: right, language: pt, say: quais as formas de pagamento?, expect: {intent: payment_methods, contains: Pix}}
  - {name: wrong, language: pt, say: quais as formas de pagamento?, expect: {decision: hand_off}}
  - {name: judged, language: pt, say: quais as formas de pagamento?, expect: {rubric: Is it kind?}}
"""
RUN = """\
import json, sys
from inspect_ai import eval
from evaluation.inspect_task import atende_suite
(log,) = eval(atende_suite(suite=sys.argv[1]), model="mockllm/model", display="none", log_dir=sys.argv[2],
              fail_on_error=False)
print(json.dumps({
    "status": log.status,
    "samples": {
        sample.id: [score.value + " " + (score.explanation or "") for score in (sample.scores or {}).values()]
        or ["error " + (sample.error.message if sample.error else "")]
        for sample in log.samples or ()
    },
    "accuracy": [one.value for score in (log.results.scores if log.results else ()) for one in score.metrics.values()],
}))
"""


def evaluated(tmp_path: Path, text: str) -> dict[str, Any]:
    """By Inspect in a process of its own: it installs handlers and warns of things that are not ours."""
    suite = tmp_path / "small.eval.yaml"
    aurora = Path(__file__).parents[2] / "tenants" / "loja-aurora"
    suite.write_text(text.replace("tenant: loja-aurora", f"tenant: {aurora}"), encoding="utf-8")
    command = [sys.executable, "-c", RUN, str(suite), str(tmp_path / "logs")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_that_inspect_gives_each_case_the_runners_verdict_and_none_where_nothing_was_found_out(tmp_path: Path) -> None:
    found = evaluated(tmp_path, SUITE)
    assert found["status"] == "success"
    assert found["samples"]["small/right"] == ["C everything as expected"]
    assert found["samples"]["small/wrong"][0].startswith("I decision: expected hand_off, got reply")
    assert found["samples"]["small/judged"][0].startswith("error")
    assert found["accuracy"][0] == 0.5


def test_that_the_documented_command_finds_the_task(tmp_path: Path) -> None:
    suite = tmp_path / "one.eval.yaml"
    aurora = Path(__file__).parents[2] / "tenants" / "loja-aurora"
    suite.write_text(f"suite: one\ntenant: {aurora}\ncases:\n  - {{name: a, say: oi}}\n", encoding="utf-8")
    command = [sys.executable, "-m", "inspect_ai", "eval", "atende/atende_suite", "-T", f"suite={suite}"]
    command += ["--model", "mockllm/model", "--display", "plain", "--log-dir", str(tmp_path / "logs")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "atende_suite (1 sample)" in ran.stdout
