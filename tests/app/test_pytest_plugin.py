"""Cases beside a team's tests are tests: they pass, fail readably, and err where nothing was found out."""

from __future__ import annotations

import pytest

from tests.evaluation.playing import TINY

pytest_plugins = ("pytester",)
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:asyncio", "-p", "no:langsmith_plugin")
"""What the plugin under test needs none of; it itself comes by its entry point, as for everybody."""

CASES = f"""
suite: beside
tenant: {TINY}
cases:
  - name: passes
    critical: true
    say: que horas abrem?
    expect: {{intent: hours}}
  - name: fails
    steps:
      - {{say: que horas abrem?, expect: {{intent: book, contains: segunda}}}}
  - name: errs
    say: que horas abrem?
    expect: {{rubric: Is it kind?}}
"""


def test_that_each_case_is_a_test_that_fails_readably(pytester: pytest.Pytester) -> None:
    pytester.makefile(".eval.yaml", some=CASES)
    found = pytester.runpytest_inprocess("-v", *OPTIONS)
    found.assert_outcomes(passed=1, failed=1, errors=1)
    found.stdout.fnmatch_lines(
        [
            "some.eval.yaml::passes PASSED*",
            "some.eval.yaml::fails FAILED*",
            "some.eval.yaml::errs ERROR*",
            "The case needs a model that judges its rubric, and this run has none.*",
            "some.eval.yaml:8",
            "  1  customer  que horas abrem?",
            "  1  agent     [[]reply] *",
            "✗ step 1: intent: expected book, got hours",
        ]
    )
    assert "Traceback" not in found.stdout.str()
    assert "contains" not in found.stdout.str()
    pytester.runpytest_inprocess("-m", "eval_critical", *OPTIONS).assert_outcomes(passed=1, deselected=2)


def test_that_a_broken_file_is_pointed_at(pytester: pytest.Pytester) -> None:
    pytester.makefile(".eval.yaml", some=CASES.replace("critical: true", "critcal: true"))
    found = pytester.runpytest_inprocess(*OPTIONS)
    found.assert_outcomes(errors=1)
    found.stdout.fnmatch_lines(["*some.eval.yaml:5: critcal: is not a known key. Did you mean `critical`?"])
