"""The reply policy of one turn: the tenant's rules and everything that they ask about, put together."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from agent.hours import names_of
from agent.turn import TenantProfile, TurnContext, TurnInput
from domain.policy import EARNED, UNSUPPORTED, Occasion, Policy, PolicyRule

if TYPE_CHECKING:
    from agent.state import Reading


def policy_of(
    profile: TenantProfile,
    now: datetime,
    *,
    number: str | None = None,
    tags: Collection[str] = (),
    promoted: Collection[str] = (),
    stopped: bool = False,
) -> Policy:
    """The policy at ``now`` for a contact with ``tags`` who writes to the number with the key ``number``.

    ``promoted``: intents that have earned ``auto``; they count only while the tenant lets intents earn it.
    """
    return Policy(
        default=profile.reply_mode,
        rules=rules_of(profile),
        occasion=Occasion(number=number, hours=names_of(profile.hours, now, profile.timezone), tags=frozenset(tags)),
        promoted=frozenset(promoted) if profile.autonomy else frozenset(),
        stopped=stopped,
        announce=profile.announce_under,
    )


def policy_in(context: TurnContext) -> Policy:
    """The turn's policy."""
    return context.policy or policy_of(context.profile, context.now)


def rules_of(profile: TenantProfile) -> tuple[PolicyRule, ...]:
    """All rules of the tenant: the written ones, and those that its intents declare for themselves."""
    declared = tuple(
        PolicyRule(spec.reply_mode, intent=name, origin="the intent's own")
        for name, spec in profile.intents.items()
        if spec.reply_mode is not None
    )
    if profile.unmatched_mode is not None:
        declared += (PolicyRule(profile.unmatched_mode, intent=UNSUPPORTED, origin="unmatched_mode"),)
    return (*profile.policy_rules, *declared)


def is_audited(reading: Reading, turn: TurnInput, context: TurnContext) -> bool:
    """Whether a reply that earned autonomy would send is shown to an operator first, so that the evidence goes on.

    Chosen by the conversation and its last message alone: a turn that runs again chooses the same.
    """
    terms = context.profile.autonomy
    if terms is None or EARNED not in reading.rule:
        return False
    drawn = hashlib.sha256(f"{turn.conversation_id}/{turn.unanswered[-1].id}".encode()).digest()
    return int.from_bytes(drawn[:8]) < terms.audit_share * 2**64
