"""What may go out by itself, as people see it: switches, rules, what intents have earned, and what changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.policy import rules_of
from domain.autonomy import AutonomyTerms
from domain.decisions import ReplyMode
from domain.policy import PolicyRule
from flows.autonomy import Standing, standings, terms_of
from flows.policy_version import version_of_policy
from flows.tenant_profile import profile_of
from store import policy
from store.database import Connection
from store.policy import Change, NumberSwitch


@dataclass(frozen=True, slots=True)
class PolicyView:
    """``terms`` is None where intents cannot earn autonomy."""

    stopped_at: datetime | None
    default: ReplyMode
    rules: tuple[PolicyRule, ...]
    numbers: tuple[NumberSwitch, ...]
    terms: AutonomyTerms | None
    intents: tuple[Standing, ...]
    changes: tuple[Change, ...]
    version: str
    """Sent back with a change, so that it overwrites no other one."""


async def policy_view(tx: Connection) -> PolicyView:
    """Of the transaction's tenant."""
    tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = current_tenant()")
    intents = await tx.fetch("SELECT declaration FROM intent ORDER BY name")
    profile = profile_of(tenant, intents)
    return PolicyView(
        stopped_at=tenant["stopped_at"],
        default=profile.reply_mode,
        rules=rules_of(profile),
        numbers=tuple(await policy.number_switches(tx)),
        terms=terms_of(tenant["settings"]),
        intents=tuple(await standings(tx, tenant["settings"])),
        changes=tuple(await policy.changes(tx)),
        version=await version_of_policy(tx),
    )
