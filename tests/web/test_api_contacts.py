"""``/api/v1/contacts``: found, changed, exported and erased, as a tenant's program does it over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from domain.messages import Address, AddressKind
from store import contacts
from store.database import Database
from tests.web.api_world import World, opened_world

CONTACTS = "/api/v1/contacts"


@pytest.fixture
async def world(owner_dsn: str, db: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with opened_world(owner_dsn, db, tmp_path) as opened:
        yield opened


async def test_that_contacts_are_found_and_changed_by_version_and_nobody_overwrites_another(world: World) -> None:
    found = (await world.ours.get(CONTACTS, params={"search": "bruno"})).json()["contacts"]
    assert [one["push_name"] for one in found] == ["Bruno Lima"]
    assert (await world.ours.get(CONTACTS, params={"search": "100%"})).json()["contacts"] == []
    path = f"{CONTACTS}/{found[0]['id']}"
    tag = (await world.ours.get(path)).headers["etag"]
    change = {"name": "Bruno L.", "tags": ["VIP"], "fields": {"cidade": "Recife", "pontos": "12"}}
    changed = await world.ours.patch(path, json=change, headers={"If-Match": tag})
    assert changed.status_code == 200, changed.text
    assert changed.json()["tags"] == ["vip"]
    assert changed.json()["fields"] == {"cidade": "Recife", "pontos": "12"}
    late = await world.ours.patch(path, json={"name": "X"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["type"]) == (412, "urn:atende:problem:version-passed")
    assert (await world.ours.patch(path, json={"name": "X"})).status_code == 428
    fresh = {"If-Match": changed.headers["etag"]}
    gone = await world.ours.patch(path, json={"fields": {"pontos": None}}, headers=fresh)
    assert gone.json()["fields"] == {"cidade": "Recife"}
    wrong = await world.ours.patch(path, json={"nome": "X"}, headers={"If-Match": "*"})
    assert wrong.json()["errors"] == [{"pointer": "/nome", "detail": "extra inputs are not permitted"}]
    assert (await world.theirs.get(path)).status_code == 404
    assert (await world.ours.get(CONTACTS, params={"tag": "vip"})).json()["contacts"][0]["name"] == "Bruno L."


async def test_that_an_opt_out_is_noted_in_the_ledger_and_stops_what_the_business_begins(world: World) -> None:
    contact = world.known["contacts/{contact_id}"][0]
    path = f"{CONTACTS}/{contact}"
    out = await world.ours.put(f"{path}/consent", json={"opted_out": True})
    assert out.json()["opted_out_at"] is not None
    await world.ours.put(f"{path}/consent", json={"opted_out": True})
    export = (await world.ours.get(f"{path}/export")).json()
    assert [(one["granted"], one["said"]) for one in export["consent"]] == [(False, "api key crm")]
    order = {"to": world.known["conversations/{conversation_id}"][0], "text": "Promoção!"}
    sent = await world.ours.post(
        f"/api/v1/sessions/{world.tenant.session_id}/messages", json=order, headers={"Idempotency-Key": "promo"}
    )
    assert sent.json()["type"] == "urn:atende:problem:opted-out"


async def test_that_an_erased_contact_leaves_no_trace_but_a_hash_that_keeps_the_business_from_writing_again(
    world: World, owner_dsn: str
) -> None:
    contact = world.known["contacts/{contact_id}"][0]
    conversation = world.known["conversations/{conversation_id}"][0]
    path, session = f"{CONTACTS}/{contact}", f"/api/v1/sessions/{world.tenant.session_id}"
    secret = "segredo do bruno"
    await world.ours.patch(path, json={"fields": {"nota": secret}}, headers={"If-Match": "*"})
    await world.ours.post(f"/api/v1/conversations/{conversation}/notes", json={"text": secret})
    await world.site.message(world.tenant, f"meu {secret}", "Bruno Lima")
    order = {"to": conversation, "text": f"sobre o {secret}"}
    await world.ours.post(f"{session}/messages", json=order, headers={"Idempotency-Key": "k"})
    await world.ours.post(f"/api/v1/conversations/{conversation}/suggestions", json={"text": secret})
    export = (await world.ours.get(f"{path}/export")).text
    assert export.count(secret) >= 5
    assert "Bruno Lima" in export

    assert (await world.ours.delete(path)).status_code == 422  # it has to be said
    assert (await world.theirs.delete(path, params={"confirm": "erase"})).status_code == 404
    erased = await world.ours.delete(path, params={"confirm": "erase"})
    assert erased.status_code == 200, erased.text
    assert erased.json()["conversations"] == 1
    assert erased.json()["messages"] >= 3
    assert (await world.ours.get(path)).status_code == 404

    owner = await asyncpg.connect(owner_dsn)
    try:
        tables = await owner.fetch(
            "SELECT table_schema || '.' || quote_ident(table_name) AS name FROM information_schema.tables "
            "WHERE table_schema IN ('public', 'queue') AND table_type = 'BASE TABLE'"
        )
        for table in tables:
            left = await owner.fetch(
                f"SELECT t::text FROM {table['name']} t WHERE t::text ILIKE ANY ($1)", [f"%{secret}%", "%Bruno Lima%"]
            )
            assert not left, f"{table['name']} still holds {left[0]['t'][:300]}"
    finally:
        await owner.close()

    async with world.db.transaction(world.tenant.tenant_id) as tx:
        again = await contacts.resolve(
            tx, world.tenant.tenant_id, [Address(AddressKind.SIMULATOR, "Bruno Lima")], push_name="Bruno"
        )
        assert await tx.fetchval("SELECT opted_out_at FROM contact WHERE id = $1", again) is not None
        other = await contacts.resolve(tx, world.tenant.tenant_id, [Address(AddressKind.SIMULATOR, "Outra Pessoa")])
        assert await tx.fetchval("SELECT opted_out_at FROM contact WHERE id = $1", other) is None
