"""What an administrator does about automatic messages from the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from app.numbers import prepared_database, tenants_named
from app.settings import Settings
from flows.autonomy import Autonomy
from flows.policy_view import PolicyView, policy_view
from flows.stopping import KillSwitch
from store.database import Database
from store.policy import Change
from store.wakeup import Wakeup

_ACTOR = "command line"


async def describe(settings: Settings, slug: str) -> list[str]:
    """The whole policy in lines. Raises NotFoundError."""
    async with _tenant(settings, slug) as (tenant_id, db, _), db.transaction(tenant_id) as tx:
        return list(_lines(await policy_view(tx)))


async def stop(settings: Settings, slug: str, number: UUID | None) -> list[str]:
    """Stop what is automatic; tells what was taken back. Raises NotFoundError."""
    async with _tenant(settings, slug) as (tenant_id, db, wakeup):
        stopped = await KillSwitch(db, wakeup).stop(tenant_id, number, actor=_ACTOR)
    what = f"number {number}" if number else slug
    lines = [f"Automatic messages of {what} are stopped; {stopped.taken_back} were taken back."]
    if stopped.on_their_way:
        lines.append(f"{stopped.on_their_way} had been handed to the provider already and could not be recalled.")
    return [*lines, "Replies are suggested to operators until: atende policy resume"]


async def resume(settings: Settings, slug: str, number: UUID | None) -> list[str]:
    """Let automatic messages out again. Raises NotFoundError."""
    async with _tenant(settings, slug) as (tenant_id, db, wakeup):
        await KillSwitch(db, wakeup).resume(tenant_id, number, actor=_ACTOR)
        async with db.transaction(tenant_id) as tx:
            view = await policy_view(tx)
    lines = [f"Automatic messages of {f'number {number}' if number else slug} may go out again."]
    still = [one.name for one in view.numbers if one.stopped_at] + (["the whole tenant"] if view.stopped_at else [])
    return lines + ([f"Still stopped: {', '.join(still)}."] if still else [])


async def veto(settings: Settings, slug: str, intent: str) -> list[str]:
    """Forbid an intent earned autonomy. Raises NotFoundError."""
    async with _tenant(settings, slug) as (tenant_id, db, wakeup):
        await Autonomy(db, wakeup).veto(tenant_id, intent, actor=_ACTOR)
    return [f"{intent} replies by itself no more; its replies wait for an operator."]


async def allow(settings: Settings, slug: str, intent: str) -> list[str]:
    """Lift a veto. Raises NotFoundError."""
    async with _tenant(settings, slug) as (tenant_id, db, wakeup):
        await Autonomy(db, wakeup).lift_veto(tenant_id, intent, actor=_ACTOR)
    return [f"{intent} may earn autonomy again, from nothing."]


@asynccontextmanager
async def _tenant(settings: Settings, slug: str) -> AsyncIterator[tuple[UUID, Database, Wakeup]]:
    async with prepared_database(settings) as (url, db):
        tenant_id = (await tenants_named(url, slug))[0][0]
        wakeup = Wakeup(db)
        try:
            yield tenant_id, db, wakeup
        finally:
            await wakeup.close()


def _lines(view: PolicyView) -> list[str]:
    lines = [
        f"automatic messages  {f'stopped since {view.stopped_at:%Y-%m-%d %H:%M} UTC' if view.stopped_at else 'on'}"
    ]
    lines += [
        f"  number            {one.id}  {one.name}: {'stopped' if one.stopped_at else 'on'}" for one in view.numbers
    ]
    lines.append(f"default             {view.default}")
    lines += [f"rule                {rule}" for rule in view.rules]
    terms = view.terms
    if terms is None:
        lines.append("autonomy            cannot be earned (tenant.yaml: autonomy)")
    else:
        lines.append(
            f"autonomy            above {terms.bar:.0%} of at least {terms.least_cases} cases, error {terms.error:.0%}"
        )
    lines += [
        f"intent              {one.intent}: {one.record.state}, {one.record.approved} of {one.record.cases} unchanged, "
        f"surely above {one.bound:.1%}"
        for one in view.intents
    ]
    return lines + [_change(change) for change in view.changes]


def _change(change: Change) -> str:
    about = change.payload.get("intent") or change.payload.get("name") or ""
    return f"{change.at:%Y-%m-%d %H:%M} UTC  {change.kind} {about} by {change.who or change.actor}".replace(
        "  by", " by"
    )
