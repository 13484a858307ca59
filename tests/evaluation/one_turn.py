"""One customer message through the production graph over a bundle, with a model of the test's choice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agent.encoder import default_encoder
from agent.language_model import LanguageModel
from agent.turn import CallResult, HistoryMessage, TurnContext, TurnInput, TurnResult
from domain.messages import Author
from evaluation.bundles import Bundle
from evaluation.model import CANARY
from evaluation.tenant import OfflineTenant
from tools.declaration import BusinessFunction, ToolContext

_TENANTS: dict[str, OfflineTenant] = {}
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)


async def one_turn(bundle: Bundle, text: str, model: LanguageModel, *, canary: str = CANARY) -> TurnResult:
    # Making one takes seconds; what it knows is named by this part of the bundle.
    tenant = _TENANTS.get(bundle.parts["knowledge"])
    if tenant is None:
        tenant = _TENANTS[bundle.parts["knowledge"]] = OfflineTenant(
            bundle.declaration, default_encoder(), today=NOW.date()
        )
    known = tenant

    async def call(function: BusinessFunction, arguments: Mapping[str, Any], ordinal: int) -> CallResult:
        context = ToolContext(
            tenant_id=bundle.profile.id,
            contact_id="c1",
            contact_addresses=("simulator:5531999990000",),
            language="pt",
            timezone=bundle.profile.timezone,
            now=NOW,
            records=known.records,
            idempotency_key=f"k/{ordinal}",
        )
        return await known.call(function, arguments, context)

    context = TurnContext(
        profile=bundle.profile,
        classify=tenant.classify,
        search=tenant.search,
        call=call,
        now=NOW,
        model=model,
        canary=canary,
    )
    message = HistoryMessage(1, Author.CONTACT, text, NOW)
    return await bundle.agent().run(TurnInput("conversation-1", (), (message,), "c1", "Maria Silva"), context)
