"""The check of the demo: it plays the real product, and it can fail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from flows.demo_outcomes import StepSeen, TurnSeen, mismatches
from flows.demo_scripts import Expectation
from tests.app.serving import atende

AURORA = Path(__file__).parents[2] / "tenants" / "loja-aurora"

REPLY = TurnSeen(
    decision="reply",
    text="O pedido 10231 está em transporte",
    intent="order_status",
    confidence=0.97,
    handoff_reason=None,
    functions=("order_status",),
    calls=(),
    reasons=(),
    latency_ms=3.0,
)
SEEN = StepSeen(turns=(REPLY,), received=("O pedido 10231 está em transporte",), status="bot", seconds=1.0)


def test_that_a_step_as_scripted_has_no_mismatch() -> None:
    expect = Expectation(
        decision="reply",
        intent="order_status",
        function="order_status",
        contains="PEDIDO 10231",
        lacks="entregue",
        received=("em transporte",),
        turns=1,
        status="bot",
    )
    assert list(mismatches(expect, SEEN)) == []
    assert list(mismatches(Expectation(decision="none", received=()), StepSeen((), (), "human", 1.0))) == []


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        (Expectation(decision="suggest"), "decision reply instead of suggest"),
        (Expectation(decision="none"), "decision reply instead of none"),
        (Expectation(intent="greeting"), "intent order_status instead of greeting"),
        (Expectation(decision="reply", handoff_reason="anger"), "handoff reason None instead of anger"),
        (Expectation(function="invoice_copy"), "without invoice_copy"),
        (Expectation(contains="entregue"), "lacks 'entregue'"),
        (Expectation(lacks="transporte"), "has 'transporte'"),
        (Expectation(received=()), "1 messages reached the customer instead of 0"),
        (Expectation(received=("entregue",)), "without 'entregue'"),
        (Expectation(turns=2), "1 turns instead of 2"),
        (Expectation(status="human"), "status bot instead of human"),
    ],
)
def test_that_each_expectation_can_fail(expect: Expectation, says: str) -> None:
    problems = list(mismatches(expect, SEEN))
    assert len(problems) == 1
    assert says in problems[0]


@pytest.mark.timeout(300)
def test_that_a_script_that_differs_fails_the_check_and_the_others_pass(tmp_path: Path) -> None:
    shop = tmp_path / "loja-aurora"
    shutil.copytree(AURORA, shop, ignore=shutil.ignore_patterns("__pycache__"))
    script = shop / "demo" / "03-missing-parameters.yaml"
    assert "decision: reply" in script.read_text()
    script.write_text(script.read_text().replace("decision: reply", "decision: hand_off", 1))
    names = ("order-status", "quick-messages", "missing-parameters", "suggestion-approved", "exchange-approved")
    only = [part for name in names for part in ("--only", name)]
    # Whatever is set outside counts for nothing: the check brings its own database.
    played = atende("demo", "--check", "--json", "--tenant", str(shop), *only, DATABASE_URL="postgresql://nowhere/x")
    assert played.returncode == 1, played.stderr
    found = {one["name"]: one for one in json.loads(played.stdout)["conversations"]}
    assert {name for name, one in found.items() if not one["as_scripted"]} == {"missing-parameters"}
    problems = [problem for step in found["missing-parameters"]["steps"] for problem in step["problems"]]
    assert problems == ["decision reply instead of hand_off"]
    assert len(found["quick-messages"]["steps"][0]["turns"]) == 1


def test_that_an_unknown_script_is_refused() -> None:
    refused = atende("demo", "--check", "--only", "no-such")
    assert refused.returncode == 2
    assert refused.stderr.startswith("There is no script no-such.")
