"""The reply policy: whether the agent replies by itself, suggests, or does nothing, for one reply on one occasion.

A pure function of the tenant's rules. The rule with most conditions decides; among equally specific ones the stricter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from domain.decisions import ReplyMode

OPEN: Final = "open"
CLOSED: Final = "closed"
"""Names of the hours that every tenant has; others are the tenant's own (``hours.named``)."""
UNSUPPORTED: Final = "(unsupported)"
"""Stands for the intent of a language model's reply behind which there is no function result and no passage."""
EARNED: Final = "earned autonomy"
STOPPED: Final = "the kill switch"

STRICTNESS: Final = {ReplyMode.OFF: 0, ReplyMode.SUGGEST: 1, ReplyMode.AUTO: 2}
"""Least first: what a customer may get without a person."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """``mode`` wherever every condition given holds. No condition at all holds always."""

    mode: ReplyMode
    number: str | None = None
    """Key of the tenant's number."""
    intent: str | None = None
    hours: str | None = None
    """``open``, ``closed``, or a name of the tenant's own hours."""
    tag: str | None = None
    """A tag of the contact."""
    origin: str = ""
    """Where it comes from if it is no written rule: an intent's own declaration, earned autonomy …"""

    @property
    def conditions(self) -> dict[str, str]:
        """The conditions given, by name."""
        given = {"number": self.number, "intent": self.intent, "hours": self.hours, "tag": self.tag}
        return {name: value for name, value in given.items() if value is not None}

    def holds(self, occasion: Occasion) -> bool:
        """Whether every condition given is met."""
        return (
            self.number in {None, occasion.number}
            and self.intent in {None, occasion.intent}
            and (self.hours is None or self.hours in occasion.hours)
            and (self.tag is None or self.tag in occasion.tags)
        )

    def __str__(self) -> str:
        conditions = ", ".join(f"{name} {value}" for name, value in self.conditions.items()) or "everything"
        return f"{self.mode} for {conditions}" + (f" ({self.origin})" if self.origin else "")


@dataclass(frozen=True, slots=True)
class Occasion:
    """When and to whom the agent would reply. ``hours`` holds all names of hours that it is in."""

    number: str | None = None
    intent: str | None = None
    hours: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """The mode, and for a person which rule decided."""

    mode: ReplyMode
    rule: str

    def __str__(self) -> str:
        return f"{self.mode}: {self.rule}"


@dataclass(frozen=True, slots=True)
class Policy:
    """All that decides about replies of a tenant on one occasion, apart from the intent.

    ``promoted``: intents that have earned ``auto``. ``stopped``: the kill switch, for the tenant or this number; it
    caps whatever the rules say. ``announce``: modes beside ``auto`` under which the customer is still told of a
    handoff, with the disclosure where it is due; never while stopped.
    """

    default: ReplyMode
    rules: tuple[PolicyRule, ...] = ()
    occasion: Occasion = field(default_factory=Occasion)
    promoted: frozenset[str] = frozenset()
    stopped: bool = False
    announce: frozenset[ReplyMode] = frozenset()

    def choose(self, intent: str | None = None) -> PolicyChoice:
        """The mode for a reply that serves ``intent`` (None: no intent matched)."""
        now = self.occasion
        occasion = Occasion(now.number, intent, now.hours, now.tags)
        choice = resolve(self.default, _with_earned(self.rules, self.promoted, intent), occasion)
        if self.stopped and choice.mode is ReplyMode.AUTO:
            return PolicyChoice(ReplyMode.SUGGEST, f"{STOPPED}, over {choice.rule}")
        return choice

    def may_reply_any(self) -> bool:
        """Whether a reply to some intent, or to none, could go out by itself."""
        named = {rule.intent for rule in self.rules if rule.mode is ReplyMode.AUTO} | self.promoted | {None}
        return any(self.choose(intent).mode is ReplyMode.AUTO for intent in named)

    def may_announce_any(self) -> bool:
        """The same where no intent matters."""
        return self.may_announce(self.choose().mode)

    def may_announce(self, mode: ReplyMode) -> bool:
        """Whether the customer may be told something automatically under ``mode`` that is no reply."""
        return not self.stopped and (mode is ReplyMode.AUTO or mode in self.announce)


def resolve(default: ReplyMode, rules: Iterable[PolicyRule], occasion: Occasion) -> PolicyChoice:
    """The most specific rule that holds; the stricter wins in a tie; ``default`` where none holds."""
    holding = [rule for rule in rules if rule.holds(occasion)]
    if not holding:
        return PolicyChoice(default, "the tenant's default")
    best = min(holding, key=lambda rule: (-len(rule.conditions), STRICTNESS[rule.mode]))
    return PolicyChoice(best.mode, str(best))


def _with_earned(rules: tuple[PolicyRule, ...], promoted: frozenset[str], intent: str | None) -> tuple[PolicyRule, ...]:
    """An intent that has earned it replaces its own plain rule, but no rule that names more or another condition."""
    if intent is None or intent not in promoted:
        return rules
    own = {"intent": intent}
    if any(rule.conditions == own and rule.mode is ReplyMode.OFF for rule in rules):
        return rules
    kept = tuple(rule for rule in rules if rule.conditions != own)
    return (*kept, PolicyRule(ReplyMode.AUTO, intent=intent, origin=EARNED))
