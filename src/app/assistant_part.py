"""The pages about the assistant and its first run, wired to the flows behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter

from agent.language_model import ModelClients
from app.settings import Settings
from flows.bundle_editing import BundleEditing, Tools
from flows.bundles import BundleDesk
from flows.first_run import FirstRun
from flows.function_imports import FunctionImports
from flows.functions_http import HttpFunctions
from flows.functions_mcp import McpFunctions
from flows.functions_python import PythonFunctions
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
from store.secrets import Sealer
from store.wakeup import Wakeup
from tools.http_call import HttpClients
from tools.mcp_connection import McpConnections
from web.first_run import first_run_router
from web.functions import functions_router
from web.intents import intent_pages_router
from web.knowledge import knowledge_router
from web.number_pages import number_pages_router
from web.prompts import prompts_router

if TYPE_CHECKING:
    from agent.encoder import Encoder
    from flows.functions import FunctionSource
    from store.functions import Kind


@dataclass(frozen=True, slots=True)
class AssistantParts:
    """What the flows behind these pages share. ``requests`` and ``servers`` are closed by whoever made them."""

    db: Database
    wakeup: Wakeup
    sessions: ChannelSessions
    requests: HttpClients
    servers: McpConnections


def assistant_routers(
    settings: Settings, parts: AssistantParts, encoder: Callable[[], Encoder], clients: ModelClients
) -> list[APIRouter]:
    """To be wired after the pages below ``/numbers``, whose words would be taken for a number's id."""
    db, wakeup, sealer = parts.db, parts.wakeup, Sealer(settings.secret)
    intents = Intents(db, wakeup, encoder)
    sources: dict[Kind, FunctionSource] = {
        "http": HttpFunctions(parts.requests),
        "mcp": McpFunctions(parts.servers),
    }

    def tools() -> Tools:
        found = encoder()
        default = settings.default_model()
        folders = settings.code_folders
        installation = Installation(folders, found, clients, default, function_sources=sources, sealer=sealer)
        profiles = Profiles(db, installation)
        return Tools(BundleDesk(db, wakeup, profiles, found), profiles)

    return [
        number_pages_router(parts.sessions, SessionViews(db)),
        first_run_router(
            FirstRun(db, Inbound(db, wakeup), settings.secret),
            TradeTemplates(db, wakeup, intents),
            parts.sessions,
            TenantSettingsDesk(db, wakeup, sealer),
        ),
        intent_pages_router(intents, Understanding(db, encoder)),
        functions_router(
            FunctionImports(db, sealer, {"python": PythonFunctions(settings.code_folders), **sources}, parts.servers)
        ),
        knowledge_router(KnowledgeDesk(db, encoder)),
        prompts_router(BundleEditing(db, tools)),
    ]
