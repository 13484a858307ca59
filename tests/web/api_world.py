"""The API of a tenant in which there is one of everything, and of another tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from flows.api_keys import SCOPES, ApiKeys
from store.database import Database
from store.wakeup import Wakeup
from tests.database import Number, make_number
from tests.web.part import running_web
from tests.web.site import Site

HOURS = {"name": "hours", "examples": ["que horas abre?", "what time do you open?"], "answer": "Das 9h às 18h."}
FUNCTION = {
    "description": "Find where an order is.",
    "effect": "read",
    "method": "GET",
    "url": "https://erp.example.com/orders/{number}",
    "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
}


@dataclass
class World:
    """``ours`` may do everything in its tenant, ``theirs`` in another one; ``reader`` has no scope but one."""

    ours: httpx.AsyncClient
    theirs: httpx.AsyncClient
    stranger: httpx.AsyncClient
    token: str
    tenant: Number
    db: Database
    site: Site
    known: dict[str, list[str]] = field(default_factory=dict)

    async def program(self, *scopes: str) -> httpx.AsyncClient:
        """A program of our tenant with just these scopes."""
        token = (await ApiKeys(self.db).create(self.tenant.tenant_id, "other", list(scopes), actor="x")).token
        return client_of(self.stranger, token)

    async def row(self, query: str, *values: Any) -> Any:
        """One row of our tenant."""
        async with self.db.transaction(self.tenant.tenant_id) as tx:
            return await tx.fetchrow(query, *values)


def client_of(stranger: httpx.AsyncClient, token: str) -> httpx.AsyncClient:
    """A program with a key."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=stranger.base_url, headers=headers, trust_env=False, timeout=60)


@asynccontextmanager
async def opened_world(owner_dsn: str, db: Database, folder: Path) -> AsyncIterator[World]:
    """The web process as it is shipped, over a database with two tenants."""
    tenant, other = await make_number(owner_dsn, "ours"), await make_number(owner_dsn, "theirs")
    keys = ApiKeys(db)
    wakeup = Wakeup(db)
    site = Site("", None, db, wakeup, owner_dsn)
    try:
        async with running_web(owner_dsn, folder) as stranger:
            token = (await keys.create(tenant.tenant_id, "crm", list(SCOPES), actor="x")).token
            theirs = (await keys.create(other.tenant_id, "crm", list(SCOPES), actor="x")).token
            async with client_of(stranger, token) as ours, client_of(stranger, theirs) as second:
                world = World(ours, second, stranger, token, tenant, db, site)
                await _filled(world)
                yield world
    finally:
        await wakeup.close()


async def _filled(world: World) -> None:
    """One of everything, and ``known`` of it."""
    conversation = await world.site.message(world.tenant, "Quero trocar o tamanho", "Bruno Lima")
    other = await world.site.message(world.tenant, "Cadê meu pedido?", "Carla Dias")
    suggestion = await world.site.suggestion(world.tenant, conversation)
    await world.site.hand_off(world.tenant, other, "Pedido atrasado")
    contact = await world.row("SELECT contact_id AS id FROM conversation WHERE id = $1", conversation)
    handoff = await world.row("SELECT id FROM handoff")
    assert (await world.ours.post("/api/v1/intents", json=HOURS)).status_code == 201
    assert (await world.ours.put("/api/v1/functions/order_status", json=FUNCTION)).status_code == 201
    document = await world.ours.put("/api/v1/knowledge/documents/trocas.md", content="# Trocas\n\nAté 30 dias.")
    assert document.status_code == 201, document.text
    hook = await world.ours.post("/api/v1/webhooks", json={"url": "https://crm.example.com/in", "kinds": ["*"]})
    assert hook.status_code == 201, hook.text
    team = await world.ours.post("/api/v1/teams", json={"name": "Vendas"})
    assert team.status_code == 201, team.text
    canned = await world.ours.post("/api/v1/canned-replies", json={"shortcut": "oi", "text": "Oi!"})
    assert canned.status_code == 201, canned.text
    task = await world.ours.post("/api/v1/tasks", json={"contact_id": str(contact["id"]), "title": "Ligar"})
    assert task.status_code == 201, task.text
    world.known = {
        "sessions/{session_id}": [str(world.tenant.session_id)],
        "chats/{chat}": [str(conversation), "simulator:Bruno Lima"],
        "chats/{address}": ["simulator:Bruno Lima"],
        "conversations/{conversation_id}": [str(conversation), str(other)],
        "contacts/{contact_id}": [str(contact["id"])],
        "suggestions/{suggestion_id}": [str(suggestion)],
        "handoffs/{handoff_id}": [str(handoff["id"])],
        "intents/{name}": ["hours"],
        "intents/{intent}": ["hours"],
        "functions/{name}": ["order_status"],
        "documents/{ref}": ["trocas.md"],
        "webhooks/{endpoint_id}": [hook.json()["id"]],
        "leads/{contact_id}": [str(contact["id"])],
        "users/{user_id}": [str(world.tenant.user_id)],
        "teams/{team_id}": [team.json()["id"]],
        "canned-replies/{reply_id}": [canned.json()["id"]],
        "tasks/{task_id}": [task.json()["id"]],
        "secrets/{name}": ["erp.example.com/bearer"],
    }


def ids(world: World, place: str) -> UUID:
    """The first known id of a place."""
    return UUID(world.known[place][0])
