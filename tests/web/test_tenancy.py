"""No route shows or changes what belongs to another tenant: each is tried with the other tenant's ids."""

from __future__ import annotations

import re
from typing import Any

import httpx
from fastapi.routing import iter_route_contexts

from tests.database import Number
from tests.web.site import Site

PUBLIC = {"/login", "/logout", "/language", "/healthz", "/"}
"""Routes that take no tenant's id: before the sign-in, or about the visitor alone."""
OWN = {"/inbox", "/inbox/list", "/demo"}
"""Routes that show the visitor's own tenant without naming anything."""
NUMBERS = {"/numbers", "/numbers/list", "/policy", "/policy/content"}
"""Likewise, about numbers instead of conversations."""
ADMINISTRATORS = {"/integrations", "/policy/stop", "/policy/resume"}
"""What is not for operators at all, and names nothing: see test_endpoints, test_policy."""
FORM = {
    "text": "oi",
    "reason": "tone",
    "decision": "approve",
    "outcome": "arrived",
    "before": "1",
    "contact": "Bruno Lima",
}


async def test_that_every_route_treats_another_tenants_ids_as_unknown(site: Site, operator: httpx.AsyncClient) -> None:
    other = await site.number("other")
    ids = await _one_of_each(site, other)
    tried = 0
    for method, path in _routes(site.app):
        if path in PUBLIC | OWN | NUMBERS | ADMINISTRATORS:
            continue
        filled = re.sub(r"{(\w+)}", lambda found: str(ids[found[1]]), path)
        answer = await operator.request(method, filled, params=FORM if method == "GET" else {}, data={**FORM, **ids})
        assert answer.status_code == 404, f"{method} {path} answered {answer.status_code}"
        assert "segredo" not in answer.text
        tried += 1
    assert tried > 12


async def test_that_work_of_another_tenant_is_unknown_also_under_an_own_conversation(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    own = await site.message(shop)
    ids = await _one_of_each(site, await site.number("other")) | {"conversation_id": own}
    for method, path in _routes(site.app):
        if path.count("{") < 2:
            continue
        filled = re.sub(r"{(\w+)}", lambda found: str(ids[found[1]]), path)
        answer = await operator.request(method, filled, data=FORM if method == "POST" else None)
        assert answer.status_code == 404, f"{method} {path} answered {answer.status_code}"


async def test_that_lists_hold_only_the_own_tenants_conversations(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    await site.message(await site.number("other"), "segredo")
    await site.message(shop, "nosso")
    for path in sorted(OWN):
        page = (await operator.get(path)).text
        assert "nosso" in page
        assert "segredo" not in page


async def test_that_the_numbers_page_holds_only_the_own_tenants_numbers(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    other = await site.number("other")
    for path in sorted(NUMBERS):
        page = (await operator.get(path)).text
        assert str(shop.session_id) in page
        assert str(other.session_id) not in page


def _routes(app: Any) -> list[tuple[str, str]]:
    found = [
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or ())
        if route.path and method != "HEAD" and not route.path.startswith("/assets/")
    ]
    assert len(found) > len(PUBLIC | OWN)
    return found


async def _one_of_each(site: Site, number: Number) -> dict[str, Any]:
    conversation = await site.message(number, "segredo")
    suggestion = await site.suggestion(number, conversation, "segredo")
    async with site.db.transaction(number.tenant_id) as tx:
        turn = await tx.fetchval(
            "INSERT INTO turn (tenant_id, conversation_id, status) VALUES ($1, $2, 'decided') RETURNING id",
            number.tenant_id,
            conversation,
        )
        approval = await tx.fetchval(
            "INSERT INTO approval (tenant_id, conversation_id, turn_id, function) VALUES ($1, $2, $3, 'exchange') "
            "RETURNING id",
            number.tenant_id,
            conversation,
            turn,
        )
        message = await tx.fetchval("SELECT max(id) FROM message WHERE conversation_id = $1", conversation)
        outbox = await tx.fetchval(
            "INSERT INTO outbox_message (tenant_id, conversation_id, channel_session_id, message_id, origin, state) "
            "VALUES ($1, $2, $3, $4, 'bot', 'unknown') RETURNING id",
            number.tenant_id,
            conversation,
            number.session_id,
            message,
        )
        await tx.execute("INSERT INTO intent (tenant_id, name) VALUES ($1, 'segredo')", number.tenant_id)
        endpoint = await tx.fetchval(
            "INSERT INTO webhook_endpoint (tenant_id, url) VALUES ($1, 'https://segredo.example') RETURNING id",
            number.tenant_id,
        )
        delivery = await tx.fetchval(
            "INSERT INTO webhook_delivery (tenant_id, endpoint_id, event_id, key, kind, body) "
            "VALUES ($1, $2, 1, 'segredo', 'webhook.test', '{}') RETURNING id",
            number.tenant_id,
            endpoint,
        )
    return {
        "intent": "segredo",
        "endpoint_id": endpoint,
        "delivery_id": delivery,
        "action": "test",
        "tenant_id": number.tenant_id,
        "conversation_id": conversation,
        "suggestion_id": suggestion,
        "turn_id": turn,
        "approval_id": approval,
        "outbox_id": outbox,
        "session_id": number.session_id,
    }
