"""The doors of the API for programs, wired to the flows behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter

from flows.absence import Absence
from flows.api_keys import ApiKeys
from flows.audit import AuditTrail
from flows.autonomy import Autonomy
from flows.canned import CannedReplies
from flows.contact_erasure import ContactErasure
from flows.contacts import Contacts
from flows.conversation_views import ConversationViews
from flows.desk import Desk
from flows.desk_acts import DeskActs
from flows.functions_desk import FunctionDesk
from flows.functions_http import HttpFunctions
from flows.functions_trying import Trying
from flows.handing_off import HandingOff
from flows.idempotency import IdempotentRequests
from flows.knowledge_desk import KnowledgeDesk
from flows.leads import Leads
from flows.message_files import MessageFiles
from flows.notifications import Notifications
from flows.opening_hours import OpeningHours
from flows.outgoing_webhooks import OutgoingWebhooks
from flows.outside_suggestions import OutsideSuggestions
from flows.policy_rules import PolicyRules
from flows.stopping import KillSwitch
from flows.suggest_now import SuggestNow
from flows.targets import ServiceTargets
from flows.tasks import Tasks
from flows.team_people import TeamPeople
from flows.teams import Teams
from flows.tenant_settings import PROGRAM_SETTINGS, TenantSettingsDesk
from store.database import Database
from store.media import MediaStore
from store.secrets import Sealer
from store.wakeup import Wakeup
from tools.http_call import HttpClients
from web.api import Api
from web.api_administration import (
    audit_api_router,
    links_api_router,
    notifications_api_router,
    secrets_api_router,
)
from web.api_api_keys import api_keys_router
from web.api_contacts import contacts_router
from web.api_conversation_acts import Acting, conversation_acts_router
from web.api_conversations import conversations_router
from web.api_functions import functions_router
from web.api_handoffs import handoffs_router
from web.api_knowledge import knowledge_router
from web.api_leads import leads_router, tasks_router
from web.api_media import media_api_router
from web.api_people import teams_router, users_router
from web.api_policy import policy_api_router
from web.api_schema import Once
from web.api_settings import canned_router, hours_router
from web.api_suggestions import suggestions_router
from web.api_targets import targets_router
from web.api_tenant_settings import settings_router
from web.api_turns import turns_router
from web.api_webhooks import webhooks_api_router

if TYPE_CHECKING:
    from agent.encoder import Encoder


@dataclass(frozen=True, slots=True)
class ApiParts:
    """What the flows behind the API share."""

    db: Database
    wakeup: Wakeup
    api: Api
    media: MediaStore
    secret: bytes
    operators: Desk
    hooks: OutgoingWebhooks
    functions: HttpClients


def api_routers(parts: ApiParts, encoder: Callable[[], Encoder]) -> list[APIRouter]:
    """All of the API but what the composition root wires itself: sessions, messages, outgoing messages, intents."""
    db, wakeup, api = parts.db, parts.wakeup, parts.api
    once = Once(api, IdempotentRequests(db))
    desk = FunctionDesk(db, Sealer(parts.secret))
    views, contacts = ConversationViews(db, parts.secret), Contacts(db, wakeup)
    people, acts = TeamPeople(db, wakeup, parts.secret), DeskActs(db, wakeup)
    acting = Acting(parts.operators, acts, views)
    proposals = OutsideSuggestions(db, wakeup), SuggestNow(db, wakeup)
    return [
        conversations_router(api, views),
        media_api_router(api, MessageFiles(db), parts.media),
        conversation_acts_router(api, once, acting),
        suggestions_router(api, once, views, parts.operators, proposals),
        handoffs_router(api, once, views, acts, HandingOff(db, wakeup)),
        contacts_router(api, contacts, ContactErasure(db, wakeup, parts.media)),
        leads_router(api, contacts, Leads(db, wakeup)),
        tasks_router(api, once, Tasks(db, wakeup)),
        users_router(api, once, people),
        teams_router(api, once, Teams(db, wakeup)),
        hours_router(api, OpeningHours(db, wakeup)),
        targets_router(api, ServiceTargets(db)),
        canned_router(api, once, CannedReplies(db)),
        settings_router(api, TenantSettingsDesk(db, wakeup, Sealer(parts.secret), PROGRAM_SETTINGS)),
        functions_router(api, desk, Trying(desk, {"http": HttpFunctions(parts.functions)})),
        knowledge_router(api, KnowledgeDesk(db, encoder)),
        policy_api_router(api, PolicyRules(db, wakeup), KillSwitch(db, wakeup), Autonomy(db, wakeup)),
        webhooks_api_router(api, once, parts.hooks),
        api_keys_router(api, once, ApiKeys(db)),
        turns_router(api, db, parts.secret),
        audit_api_router(api, AuditTrail(db)),
        notifications_api_router(api, Notifications(db)),
        secrets_api_router(api, desk),
        links_api_router(api, once, people, Absence(db, wakeup)),
    ]
