"""The pages about the assistant, as the site of the tests serves them."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter

from agent.encoder import default_encoder
from agent.language_model import ModelClients
from flows.bundle_editing import BundleEditing, Tools
from flows.bundles import BundleDesk
from flows.first_run import FirstRun
from flows.function_imports import FunctionImports
from flows.functions_http import HttpFunctions
from flows.inbound import Inbound
from flows.intents import Intents
from flows.knowledge_desk import KnowledgeDesk
from flows.profiles import Installation, Profiles
from flows.session_control import ChannelSessions
from flows.session_views import SessionViews
from flows.tenant_settings import TenantSettingsDesk
from flows.trade_templates import TradeTemplates
from flows.understanding import Understanding
from store.database import Database
from store.media import MediaFolder
from store.secrets import Sealer
from store.wakeup import Wakeup
from tools.http_call import HttpClients
from web.first_run import first_run_router
from web.functions import functions_router
from web.intents import intent_pages_router
from web.knowledge import knowledge_router
from web.number_pages import number_pages_router
from web.prompts import prompts_router

SECRET = b"a secret for tests only"


def assistant_routers(db: Database, wakeup: Wakeup, requests: HttpClients) -> list[APIRouter]:
    """All of them, over the shipped encoder; no model and no MCP server is reached. The caller closes ``requests``."""
    intents, sealer = Intents(db, wakeup), Sealer(SECRET)
    sessions = ChannelSessions(db, wakeup, MediaFolder(Path("/nonexistent")))

    def tools() -> Tools:
        profiles = Profiles(db, Installation((), default_encoder(), ModelClients()))
        return Tools(BundleDesk(db, wakeup, profiles, default_encoder()), profiles)

    return [
        number_pages_router(sessions, SessionViews(db)),
        first_run_router(
            FirstRun(db, Inbound(db, wakeup), SECRET),
            TradeTemplates(db, wakeup, intents),
            sessions,
            TenantSettingsDesk(db, wakeup, sealer),
        ),
        intent_pages_router(intents, Understanding(db, default_encoder)),
        functions_router(FunctionImports(db, sealer, {"http": HttpFunctions(requests)})),
        knowledge_router(KnowledgeDesk(db, default_encoder)),
        prompts_router(BundleEditing(db, tools)),
    ]
