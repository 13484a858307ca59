"""Earned autonomy: operators' verdicts on suggestions become an intent's record, and the record decides.

Every change is an event that an admin sees on the page and can veto. See domain/autonomy.py for the statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.autonomy import (
    AutonomyChange,
    AutonomyTerms,
    CaseOutcome,
    Record,
    after_case,
    started_anew,
    vetoed,
)
from flows.policy_version import check_policy
from flows.versions import ANY
from store import autonomy, events, policy
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup


@dataclass(frozen=True, slots=True)
class Standing:
    """An intent's record with its bound, as the page and the command line show it."""

    intent: str
    title: str
    record: Record
    bound: float


class Autonomy:
    """What an admin sees and says about earned autonomy."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def veto(self, tenant_id: UUID, intent: str, *, actor: str, version: str | None = ANY) -> None:
        """From now on this intent's replies wait for an operator, whatever they earn. ``version``: the policy's.

        Raises NotFoundError and ChangedMeanwhileError.
        """
        await self._change(tenant_id, intent, "vetoed", actor, version)

    async def lift_veto(self, tenant_id: UUID, intent: str, *, actor: str, version: str | None = ANY) -> None:
        """The intent may earn autonomy again, from nothing. Raises NotFoundError and ChangedMeanwhileError."""
        await self._change(tenant_id, intent, "veto_lifted", actor, version)

    async def _change(
        self, tenant_id: UUID, intent: str, change: AutonomyChange, actor: str, version: str | None
    ) -> None:
        async with self._db.transaction(tenant_id) as tx:
            await policy.check_intent(tx, intent)
            await check_policy(tx, version)
            before = await autonomy.locked(tx, tenant_id, intent)
            if (before.state == "vetoed") == (change == "vetoed"):
                return
            after = vetoed(before) if change == "vetoed" else started_anew(before)
            await autonomy.save(tx, intent, after)
            states: list[str] = [before.state, after.state]
            await _tell(tx, tenant_id, intent, change, after, actor=actor, changes={"state": states})
        self._wakeup.signal(EVENTS)


async def judged(tx: Connection, tenant_id: UUID, suggestion: Row, outcome: CaseOutcome) -> None:
    """A verdict on a suggestion: one more case of its intent, and what that changes. In the verdict's transaction."""
    intent = suggestion["intent"]
    if intent is None:
        return
    settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", tenant_id)
    terms = terms_of(settings)
    before = await autonomy.locked(tx, tenant_id, intent)
    after, change = after_case(before, outcome, terms or AutonomyTerms())
    if terms is None and change is not None:
        # Nothing is earned where the tenant has not asked for it; the record is kept for when it does.
        good = outcome == "approved"
        after, change = Record("earning", before.approved + good, before.other + (not good), before.epoch), None
    await autonomy.save(tx, intent, after)
    if change is not None:
        shown = before if change == "fell_back" else after
        await _tell(tx, tenant_id, intent, change, shown, actor="autonomy", case=outcome)


async def replaced(tx: Connection, conversation: Row, text: str) -> None:
    """A person answered while a suggestion was on offer and current: that is a verdict, whoever typed it where.

    ``conversation``: its row before the answer changed it. A suggestion that a newer message had overtaken is none.
    """
    suggestion = await tx.fetchrow(
        "SELECT * FROM suggestion WHERE conversation_id = $1 AND status = 'pending' AND fence = $2 FOR UPDATE",
        conversation["id"],
        conversation["fence"],
    )
    if suggestion is not None:
        same = text.strip() == suggestion["text"].strip()
        await judged(tx, conversation["tenant_id"], suggestion, "approved" if same else "replaced")


async def taken_back(tx: Connection, tenant_id: UUID, intent: str, before: Record, *, good: bool) -> None:
    """A verdict was given by a message that its writer took back: it does not count.

    ``before``: the record as it was without it; ``good``: whether it counted for the intent.
    """
    now = await autonomy.locked(tx, tenant_id, intent)
    if now.epoch == before.epoch and now.cases != before.cases + 1:  # further verdicts came since: only this one goes
        after = replace(now, approved=max(0, now.approved - good), other=max(0, now.other - (not good)))
    elif now.epoch == before.epoch or (now.epoch == before.epoch + 1 and not now.cases):
        after = before
    else:
        return
    await autonomy.save(tx, intent, after)
    if after.state != now.state and "vetoed" not in {after.state, now.state}:
        change: AutonomyChange = "promoted" if after.state == "promoted" else "fell_back"
        await _tell(tx, tenant_id, intent, change, after, actor="autonomy", case="taken_back")


async def intent_changed(tx: Connection, tenant_id: UUID, intent: str) -> None:
    """The intent is another one by now (an import): what the old one showed says nothing about it."""
    before = await autonomy.locked(tx, tenant_id, intent, create=False)
    if before is None or before.state == "vetoed" or not before.cases:
        return
    await autonomy.save(tx, intent, started_anew(before))
    if before.state == "promoted":
        await _tell(tx, tenant_id, intent, "fell_back", before, actor="import")


def terms_of(settings: Mapping[str, Any]) -> AutonomyTerms | None:
    """What the tenant demands; None where intents cannot earn autonomy."""
    if settings.get("autonomy") is None:
        return None
    from flows.attendance_declaration import AttendanceDeclaration  # noqa: PLC0415 - for tenants that want it only

    declared = AttendanceDeclaration.stored(settings).autonomy
    return declared.terms() if declared else None


async def standings(tx: Connection, settings: Mapping[str, Any]) -> list[Standing]:
    """Every intent with a record, best supported first."""
    terms = terms_of(settings) or AutonomyTerms()
    rows = await autonomy.all_records(tx)
    found = [Standing(name, title, record, record.lower_bound(terms)) for name, title, record in rows]
    return sorted(found, key=lambda one: (-one.bound, one.intent))


async def _tell(
    tx: Connection,
    tenant_id: UUID,
    intent: str,
    change: AutonomyChange,
    record: Record,
    *,
    actor: str,
    case: str | None = None,
    changes: dict[str, list[str]] | None = None,
) -> None:
    await events.append(
        tx,
        tenant_id,
        f"autonomy.{change}",
        payload={"intent": intent, "approved": record.approved, "cases": record.cases, "case": case}
        | ({"changes": changes} if changes else {}),
        actor=actor,
    )
