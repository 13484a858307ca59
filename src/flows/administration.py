"""The flows of the administrators' pages, made together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from flows.api_keys import ApiKeys
from flows.audit import AuditTrail
from flows.canned import CannedReplies
from flows.intents import Intents
from flows.leads import Leads
from flows.notifications import Notifications
from flows.opening_hours import OpeningHours
from flows.platform import Platform
from flows.spending_view import BudgetsDesk
from flows.stopping import KillSwitch
from flows.targets import ServiceTargets
from flows.tasks import Tasks
from flows.team_people import TeamPeople
from flows.teams import Teams
from flows.tenant_settings import TenantSettingsDesk
from flows.trade_templates import TradeTemplates
from store.database import Database
from store.secrets import Sealer
from store.wakeup import Wakeup


@dataclass(frozen=True, slots=True)
class Administration:
    """What the pages of people, teams, settings, leads, tasks and the audit trail act through."""

    people: TeamPeople
    teams: Teams
    hours: OpeningHours
    replies: CannedReplies
    budgets: BudgetsDesk
    settings: TenantSettingsDesk
    targets: ServiceTargets
    keys: ApiKeys
    audit: AuditTrail
    notifications: Notifications
    leads: Leads
    tasks: Tasks
    platform: Platform

    @classmethod
    def of(
        cls,
        db: Database,
        wakeup: Wakeup,
        secret: bytes,
        trades: TradeTemplates | None = None,
        *,
        private_hosts: Collection[str] = (),
    ) -> Administration:
        """All of them over one database; ``secret`` seals what is kept sealed. ``trades``: with what businesses begin,
        None: taught with the shipped encoder. ``private_hosts``: see tools.public_web."""
        settings = TenantSettingsDesk(db, wakeup, Sealer(secret), allowed_hosts=private_hosts)
        trades = trades or TradeTemplates(db, wakeup, Intents(db, wakeup))
        return cls(
            people=TeamPeople(db, wakeup, secret),
            teams=Teams(db, wakeup),
            hours=OpeningHours(db, wakeup),
            replies=CannedReplies(db),
            budgets=BudgetsDesk(db, settings),
            settings=settings,
            targets=ServiceTargets(db),
            keys=ApiKeys(db),
            audit=AuditTrail(db),
            notifications=Notifications(db),
            leads=Leads(db, wakeup),
            tasks=Tasks(db, wakeup),
            platform=Platform(db, wakeup, KillSwitch(db, wakeup), trades),
        )
