"""Which rule decides whether the agent replies by itself: the most specific, and in a tie the stricter."""

from __future__ import annotations

import itertools
import random

import pytest

from domain.decisions import ReplyMode
from domain.policy import STRICTNESS, Occasion, Policy, PolicyRule, resolve

OFF, SUGGEST, AUTO = ReplyMode.OFF, ReplyMode.SUGGEST, ReplyMode.AUTO
NOW = Occasion("sales", "hours", frozenset({"open", "lunch"}), frozenset({"vip", "new"}))


@pytest.mark.parametrize(
    ("rules", "mode"),
    [
        ([], SUGGEST),
        ([PolicyRule(AUTO, intent="hours")], AUTO),
        ([PolicyRule(AUTO, intent="other"), PolicyRule(AUTO, number="support"), PolicyRule(AUTO, tag="old")], SUGGEST),
        ([PolicyRule(AUTO, hours="closed")], SUGGEST),
        ([PolicyRule(AUTO, hours="lunch")], AUTO),
        ([PolicyRule(OFF, intent="hours"), PolicyRule(AUTO, intent="hours", tag="vip")], AUTO),
        ([PolicyRule(AUTO, intent="hours"), PolicyRule(SUGGEST, tag="vip")], SUGGEST),
        ([PolicyRule(AUTO, number="sales"), PolicyRule(OFF, hours="open"), PolicyRule(SUGGEST, tag="new")], OFF),
        ([PolicyRule(OFF, number="sales", tag="vip"), PolicyRule(AUTO, "sales", "hours", "open", "vip")], AUTO),
    ],
)
def test_that_the_most_specific_rule_decides_and_the_stricter_one_in_a_tie(
    rules: list[PolicyRule], mode: ReplyMode
) -> None:
    for order in itertools.permutations(rules):
        assert resolve(SUGGEST, order, NOW).mode is mode


def test_that_the_explanation_names_the_rule_that_decided() -> None:
    rules = [PolicyRule(AUTO, intent="hours"), PolicyRule(SUGGEST, number="sales", tag="vip")]
    assert str(resolve(OFF, rules, NOW)) == "suggest: suggest for number sales, tag vip"
    assert str(resolve(OFF, [], NOW)) == "off: the tenant's default"


def test_that_no_rule_is_overruled_by_a_less_specific_or_an_equally_specific_looser_one() -> None:
    rng = random.Random(7)
    for _ in range(2_000):
        rules = [
            PolicyRule(
                rng.choice(list(ReplyMode)),
                rng.choice([None, "sales", "support"]),
                rng.choice([None, "hours", "other"]),
                rng.choice([None, "open", "closed", "lunch"]),
                rng.choice([None, "vip", "old"]),
            )
            for _ in range(rng.randrange(6))
        ]
        chosen = resolve(AUTO, rules, NOW).mode
        holding = [rule for rule in rules if rule.holds(NOW)]
        most = max((len(rule.conditions) for rule in holding), default=0)
        best = [rule.mode for rule in holding if len(rule.conditions) == most]
        assert chosen is (min(best, key=STRICTNESS.__getitem__) if best else AUTO)


def test_that_earned_autonomy_replaces_the_intents_own_rule_and_nothing_else() -> None:
    own = PolicyRule(SUGGEST, intent="hours")
    earned = Policy(SUGGEST, (own,), NOW, promoted=frozenset({"hours"}))
    assert earned.choose("hours").mode is AUTO
    assert "earned autonomy" in earned.choose("hours").rule
    assert earned.choose("other").mode is SUGGEST
    assert (
        Policy(SUGGEST, (own, PolicyRule(SUGGEST, tag="vip")), NOW, promoted=frozenset({"hours"})).choose("hours").mode
        is SUGGEST
    )
    assert (
        Policy(SUGGEST, (PolicyRule(OFF, intent="hours"),), NOW, promoted=frozenset({"hours"})).choose("hours").mode
        is OFF
    )


def test_that_the_kill_switch_caps_every_rule_and_silences_announcements() -> None:
    rules = (PolicyRule(AUTO, "sales", "hours", "open", "vip"), PolicyRule(OFF, intent="other"))
    running = Policy(AUTO, rules, NOW, frozenset({"hours"}), announce=frozenset({SUGGEST}))
    stopped = Policy(AUTO, rules, NOW, frozenset({"hours"}), stopped=True, announce=frozenset({SUGGEST}))
    assert [running.choose(intent).mode for intent in ("hours", "other", None)] == [AUTO, OFF, AUTO]
    assert [stopped.choose(intent).mode for intent in ("hours", "other", None)] == [SUGGEST, OFF, SUGGEST]
    assert [running.may_announce(mode) for mode in (AUTO, SUGGEST, OFF)] == [True, True, False]
    assert not any(stopped.may_announce(mode) for mode in ReplyMode)
