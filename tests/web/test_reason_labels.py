"""Why the assistant decided so is told in the reader's language: every code, and what turns really say."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from evals.offline import main

import agent
import flows
from domain.decisions import ReplyMode
from domain.policy import EARNED, UNSUPPORTED, Occasion, Policy, PolicyRule
from web.figures import Figures
from web.i18n import BABEL_LOCALES, load_catalogue
from web.pages import labeller
from web.reason_labels import REASONS, ReasonDetails

TELLING = {"Reason", "Finding", "because", "hand_off", "silent", "_give_up", "_to_person"}
FOLDERS = [Path(agent.__path__[0]), Path(flows.__path__[0])]
SHOP = Path(__file__).parents[2] / "tenants" / "loja-aurora"
FREE = {"agent_failed", "asked_for", "media_not_read", "model_call_unusable", "model_failed", "template_failed"}
"""Details that are somebody's words or a foreign system's error: shown as they are."""


def details(language: str) -> ReasonDetails:
    catalogue = load_catalogue(language)
    return ReasonDetails(catalogue, labeller(catalogue), Figures(BABEL_LOCALES[language]))


def codes() -> set[str]:
    """Every literal that stands where a reason's code does."""
    found = set()
    for path in (file for folder in FOLDERS for file in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in TELLING:
                for argument in node.args[:4]:
                    either = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
                    found |= {str(one.value) for one in either if isinstance(one, ast.Constant)}
    return {code for code in found if code and code.islower() and " " not in code and code.isidentifier()}


def test_that_every_code_has_words() -> None:
    assert len(codes()) > 80
    assert codes() - REASONS.keys() == set()


@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_that_every_rule_of_the_policy_is_told(language: str) -> None:
    tell, told = details(language), set()
    rules = (
        PolicyRule(ReplyMode.AUTO, number="vendas", intent="hours", hours="open", tag="vip, gold"),
        PolicyRule(ReplyMode.OFF, intent="hours", origin="the intent's own"),
        PolicyRule(ReplyMode.SUGGEST, intent=UNSUPPORTED, origin="unmatched_mode"),
        PolicyRule(ReplyMode.AUTO),
    )
    occasion = Occasion("vendas", hours=frozenset({"open"}), tags=frozenset({"vip, gold"}))
    for rule in (*rules, None):
        policy = Policy(ReplyMode.SUGGEST, (rule,) if rule else (), occasion)
        for one in (policy, Policy(ReplyMode.AUTO, policy.rules, occasion, stopped=True)):
            choice = one.choose(rule.intent if rule else None)
            told.add(str(tell.said("reply_mode", str(choice))))
    told.add(str(tell.said("reply_mode", str(Policy(ReplyMode.SUGGEST, promoted=frozenset({"a"})).choose("a")))))
    assert len(told) > 8
    left = ("for everything", "for intent", EARNED, "kill switch", "the tenant", "None", "(")
    assert [line for line in told if any(words in line for words in left) and (language != "en" or "(" in line)] == []


def test_that_figures_are_written_as_people_of_the_language_write_them() -> None:
    line = "probability 0.897 among intents, 0.912 in scope"
    assert "0,897" in str(details("pt").said("classified", line))
    assert "0.897" in str(details("en").said("classified", line))


def test_that_what_a_reason_says_cannot_become_markup() -> None:
    for code in ("function", "proposed", "asked_for", "reply_mode", "no_such_code", "unsupported_claims"):
        assert "<img" not in details("pt")({"code": code, "detail": "suggest: <img src=x>"})


def test_that_what_the_example_shop_s_conversations_tell_is_never_left_in_english(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([str(SHOP), "--json"]) == 0
    told = {tuple(line.split(": ", 1)) for line in _reasons(json.loads(capsys.readouterr().out))}
    assert len({code for code, _ in told}) > 20
    tell = details("pt")
    assert {one for one in told if one[0] not in FREE and tell.said(*one) is None} == set()


def _reasons(value: Any) -> Iterator[str]:
    """The reasons of every turn in the document."""
    if isinstance(value, dict):
        yield from value.get("reasons", ())
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _reasons(part)
