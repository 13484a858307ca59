"""Lines that flows and evals really tell have words in the reader's language: none of them is left in English."""

from __future__ import annotations

import ast
import random
import re
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

import channels.whatsapp
from domain.sending_pace import SendingPace
from evaluation.comparison import compare
from evaluation.gate_file import CostGate, Gates, LatencyGate, RateGates, RegressionGate
from evaluation.gates import judge
from evaluation.results import BundleRef, CaseResult, Run
from flows.number_pace import lines_of
from store import outbox
from web.figures import Figures
from web.i18n import load_catalogue
from web.told_lines import ToldLines

PT = ToldLines(load_catalogue("pt"), Figures("pt_BR"))
GATEWAYS = Path(channels.whatsapp.__path__[0])
LEFT = (
    *("In the App Dashboard", "Register the number for the Cloud API", "Configure the service to", "In WPPConnect's"),
    *("This version of", "WhatsApp asks for a passkey", "Confirm the passkey", "WAHA reports that the session"),
)
"""How what a gateway leaves to a person begins."""


def test_that_every_line_of_a_number_s_pace_has_words() -> None:
    configs = (
        {},
        {"messages_per_minute": "unlimited", "new_contacts_per_day": "unlimited"},
        {"messages_per_minute": "7.5", "burst": "3", "new_contacts_per_day": "250", "warm_up": "10,25"},
        {"first_contact_gap_seconds": "45", "warm_up": "off"},
    )
    lines = {
        line
        for provider, config, days in product(("neonize", "simulator", "cloud_api", "waha"), configs, (0, 400))
        for line in lines_of(SendingPace.of(provider, config), timedelta(days=days), 12)
    }
    assert len(lines) > 6
    assert [line for line in lines if PT.said(line) is None] == []


GATES = Gates(
    critical_failures=0,
    regression=RegressionGate(),
    pass_rate=RateGates(overall=0.9, suites={"s1": 0.9, "gone": 0.5}, tags={"t": 0.9}, languages={"pt": 0.9}),
    errored_share=0.1,
    cost=CostGate(mean_micros=100.0, increase=0.1),
    latency=LatencyGate(p95_ms=500.0, increase=0.1),
)


def drawn_run(drawn: random.Random) -> Run:
    """Any run: one or two bundles, cases that pass, fail, error, are missing or come from another origin."""
    labels = "AB" if drawn.random() < 0.9 else "A"
    bad, origins = drawn.choice((0.0, 0.1, 0.5, 1.0)), drawn.choice((("live",), ("live", "local", "simulated")))
    states = drawn.choice((("passed", "failed"), ("passed", "failed", "errored"), ("errored",)))
    results = [
        CaseResult(
            suite=f"s{n % 2}",
            case=f"case-{n}",
            bundle=label,
            epoch=1,
            status=states[0] if drawn.random() > bad and label == "A" else drawn.choice(states),  # type: ignore[arg-type]
            origin=drawn.choice(origins),  # type: ignore[arg-type]
            tags=("t",),
            language="pt",
            checks=(),
            steps=(),
            latency_ms=drawn.uniform(1, 900),
            cost_micros=drawn.randrange(300),
            critical=drawn.random() < 0.3,
        )
        for n in range(drawn.choice((1, 2, 40)))
        for label in labels
        if n == 0 or drawn.random() < 0.95
    ]
    bundles = tuple(BundleRef(label, label.lower() * 16) for label in labels)
    return Run("shop", ("s0", "s1"), "live", 1, "2026-11-22T10:00:00+00:00", 2.0, bundles, tuple(results))


@pytest.mark.parametrize("seed", range(40))
def test_that_every_verdict_of_an_eval_has_words(seed: int) -> None:
    run = drawn_run(random.Random(seed))
    comparison = compare(run, "A", "B") if len(run.bundles) == 2 else None
    gates = GATES if seed % 3 else replace(GATES, regression=None)
    verdict = judge(run, comparison, gates)
    told = [verdict.sentence, *(gate.detail for gate in verdict.gates)]
    told += [one.reason for one in comparison.not_compared] if comparison else []
    assert [line for line in told if line and PT.said(line) is None] == []


def test_that_what_gateways_leave_to_a_person_has_words() -> None:
    found = {
        text
        for source in GATEWAYS.glob("*.py")
        for node in ast.walk(ast.parse(source.read_text()))
        if (text := _filled(node)).startswith(LEFT) and text.endswith(".")
    }
    assert {next(start for start in LEFT if text.startswith(start)) for text in found} == set(LEFT)
    assert [line for line in found if PT.said(line) is None] == []


def _filled(node: ast.AST) -> str:
    """A text of the source, with something in place of each value; "" for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_filled(part) or "something" for part in node.values)
    return ""


def test_that_why_a_message_never_left_has_words() -> None:
    kept = {outbox.STOPPED, outbox.OPTED_OUT, outbox.WITHDRAWN}
    for source in Path(outbox.__file__).parent.glob("*.py"):
        kept |= set(re.findall(r"state = 'cancelled', error = '([^']+)'", source.read_text(encoding="utf-8")))
    assert len(kept) >= 5
    assert [line for line in kept if PT.said(line) is None] == []


def test_that_figures_are_written_as_the_language_writes_them() -> None:
    said = PT.said("A against B: surely worse in shop (-26.7 points, simulated).")
    assert said is not None
    assert "-26,7" in said
    figures = Figures("pt_BR")
    told = {6.45e-05: "0,0000645", 114.52: "114,5", 1234.56: "1.235", 0: "0"}
    assert {value: figures.significant(value, 4) for value in told} == told
    assert [figures.signed(one, 1) for one in (-0.04, 2.5, 0)] == ["-0,0", "+2,5", "+0,0"]
    written = {"100.0%": "100,0%", "+0.0039": "+0,0039", "1.2.3": "1.2.3", "v1.2": "v1.2"}
    assert {figure: figures.as_typed(figure) for figure in written} == written
