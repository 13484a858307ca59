"""The reply policy changed by people and programs: how replies to one intent go out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.decisions import ReplyMode
from flows.policy_version import check_policy
from flows.policy_view import PolicyView, policy_view
from flows.tenant_settings import SET_BY_HAND
from flows.versions import ANY
from store import events, policy
from store.database import Database
from store.wakeup import EVENTS, PROFILES, Wakeup


class PolicyRules:
    """Rules written here win over the tenant's files, also over later imports. Raises NotFoundError and
    ChangedMeanwhileError."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db, self._wakeup = db, wakeup

    async def view(self, tenant_id: UUID) -> PolicyView:
        """The whole policy."""
        async with self._db.transaction(tenant_id) as tx:
            return await policy_view(tx)

    async def for_intent(
        self, tenant_id: UUID, intent: str, mode: ReplyMode | None, *, actor: str, version: str | None = ANY
    ) -> PolicyView:
        """How replies to this intent go out wherever no more specific rule holds; None: no rule of its own."""
        async with self._db.transaction(tenant_id) as tx:
            await policy.check_intent(tx, intent)
            await check_policy(tx, version)
            settings = dict(await tx.fetchval("SELECT settings FROM tenant WHERE id = $1 FOR UPDATE", tenant_id))
            before: list[dict[str, Any]] = list(settings.get("policy", []))
            after = [rule for rule in before if _conditions(rule) != {"intent": intent}]
            if mode is not None:
                after.append({"intent": intent, "mode": mode.value})
            if after != before:
                by_hand = {**settings.get(SET_BY_HAND, {}), "policy": after}
                await tx.execute(
                    "UPDATE tenant SET settings = $2, profile_version = profile_version + 1 WHERE id = $1",
                    tenant_id,
                    {**settings, "policy": after, SET_BY_HAND: by_hand},
                )
                was = next((rule["mode"] for rule in before if _conditions(rule) == {"intent": intent}), None)
                now = mode.value if mode else None
                payload = {"intent": intent, "mode": now, "changes": {"mode": [was, now]}}
                await events.append(tx, tenant_id, "policy.changed", payload=payload, actor=actor)
            view = await policy_view(tx)
        self._wakeup.signal(PROFILES, EVENTS)
        return view


def _conditions(rule: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in rule.items() if name != "mode" and value is not None}
