"""Functions over HTTP in a running shop: declared in files and imported, by intent and by model, with every fault."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import yaml

from domain.errors import AtendeError
from flows.functions import holdings_of
from flows.functions_desk import FunctionDesk
from flows.profiles import bump
from flows.tenant_files import load_tenant
from store.database import Database
from store.secrets import Sealer, SecretUnreadableError
from tests.database import SECRET, make_number
from tests.flows.backroom import Backroom, open_backroom, until
from tests.flows.shop import Shop, open_shop
from tests.openai_server import ScriptedOpenAI
from tests.tools.http_service import Service, open_service
from tools.openapi import ImportChoices, functions_of

TOKEN = "tok-9f2c-never-told"
STATUS = "cadê meu pedido 45678"
CANCEL = "cancela o pedido 45678"
TENANT = """
slug: http-shop
name: HTTP Shop
default_language: pt
languages: [pt]
timezone: America/Sao_Paulo
reply_mode: auto
threshold: 0.3
debounce: {seconds: 0, cap_seconds: 2}
numbers: [{key: sales, name: Sales, provider: simulator}]
users:
  - {name: Ana, email: ana@http-shop.example, role: admin}
  - {name: Rui, email: rui@http-shop.example, role: operator}
"""
INTENTS: list[dict[str, Any]] = [
    {
        "name": "order_status",
        "description": "Wants to know where an order is.",
        "function": "get_order",
        "examples": {"pt": ["cadê meu pedido", "onde está meu pedido", "status do pedido", "meu pedido não chegou"]},
        "replies": {
            "ok": {"pt": "O pedido {{ arguments.orderId }} está {{ result.state }}."},
            "not_found": {"pt": "Não achei o pedido {{ arguments.orderId }}."},
        },
    },
    {
        "name": "cancel_order",
        "description": "Wants an order cancelled.",
        "function": "cancel_order",
        "examples": {
            "pt": ["cancela o pedido", "quero cancelar minha compra", "pode cancelar isso", "desisti, cancele"]
        },
        "replies": {"ok": {"pt": "Cancelei: protocolo {{ result.protocol }}."}},
    },
]


def api(service: Service, **cancel: Any) -> dict[str, Any]:
    order = {"name": "orderId", "in": "path", "required": True, "schema": {"type": "integer"}}
    phone = {"name": "phone", "in": "query", "schema": {"type": "string", "x-atende-bind": "contact.address"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "ERP"},
        "servers": [{"url": f"{service.url}/v1"}],
        "security": [{"Token": []}],
        "components": {"securitySchemes": {"Token": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/orders/{orderId}": {
                "get": {"operationId": "getOrder", "summary": "Where an order is.", "parameters": [order, phone]}
            },
            "/orders/{orderId}/cancel": {
                "post": {"operationId": "cancelOrder", "summary": "Cancels an order.", "parameters": [order], **cancel}
            },
        },
    }


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with open_service() as opened:
        opened.answer = {"state": "a caminho", "protocol": "C-1"}
        yield opened


@pytest.fixture
def folder(tmp_path: Path, service: Service) -> Path:
    shop = tmp_path / "http-shop"
    (shop / "intents").mkdir(parents=True)
    (shop / "functions").mkdir()
    (shop / "tenant.yaml").write_text(TENANT)
    (shop / "functions" / "erp.json").write_text(json.dumps(api(service)))
    for intent in INTENTS:
        (shop / "intents" / f"{intent['name']}.yaml").write_text(yaml.safe_dump(intent, allow_unicode=True))
    return shop


def desk_of(shop: Shop) -> FunctionDesk:
    return FunctionDesk(shop.db, Sealer(SECRET))


@pytest.fixture
async def shop(owner_dsn: str, db: Database, folder: Path, service: Service) -> AsyncIterator[Shop]:
    async with open_shop(owner_dsn, db, folder) as opened:
        await desk_of(opened).allow_host(opened.tenant_id, service.host)
        await desk_of(opened).set_secret(opened.tenant_id, f"{service.host}/Token", TOKEN)
        yield opened


@pytest.fixture
async def backroom(shop: Shop, folder: Path) -> AsyncIterator[Backroom]:
    async with open_backroom(shop, folder) as opened:
        yield opened


async def asked(shop: Shop, backroom: Backroom) -> UUID:
    await shop.write("maria", CANCEL)
    await backroom.rest()
    (row,) = await shop.fetch("SELECT id FROM approval WHERE status = 'pending'")
    found: UUID = row["id"]
    return found


async def declare(shop: Shop, service: Service, **cancel: Any) -> None:
    """Change how the shop's API describes its cancelling."""
    (row,) = await shop.fetch("SELECT source FROM business_function WHERE name = 'cancel_order'")
    described = functions_of(api(service, **cancel), ImportChoices())
    await desk_of(shop).import_described(shop.tenant_id, described, row["source"])


async def reasons(shop: Shop) -> list[str]:
    return [row["reason"] for row in await shop.fetch("SELECT reason FROM handoff")]


# By intent -------------------------------------------------------------------------------------------------------


async def test_an_intent_is_served_by_a_function_of_the_tenants_api_without_a_model(
    shop: Shop, backroom: Backroom, service: Service
) -> None:
    await shop.write("maria", STATUS)
    await backroom.rest()
    assert await shop.got("maria") == ["O pedido 45678 está a caminho."]
    (got,) = service.got
    assert (got.method, got.target) == ("GET", "/v1/orders/45678?phone=simulator%3Amaria")
    assert got.headers["authorization"] == f"Bearer {TOKEN}"
    service.mishaps = [404]
    await shop.write("maria", STATUS)
    await backroom.rest()
    assert (await shop.got("maria"))[-1] == "Não achei o pedido 45678."
    service.mishaps = [500]
    await shop.write("maria", STATUS)
    await backroom.rest()
    assert await reasons(shop) == ["tool_failure"]


async def test_a_write_waits_for_a_person_and_acts_once_after_a_restart(
    shop: Shop, folder: Path, service: Service
) -> None:
    async with open_backroom(shop, folder) as before:
        approval_id = await asked(shop, before)
    assert service.got == []
    async with open_backroom(shop, folder) as after:
        await shop.desk.decide_call(shop.operator, approval_id, approved=True)
        await after.rest()
        assert (await shop.got("maria"))[-1] == "Cancelei: protocolo C-1."
    (call,) = await shop.fetch("SELECT id, status, arguments FROM function_call")
    assert (call["status"], call["arguments"]) == ("succeeded", {"orderId": "45678"})
    assert [one.headers["idempotency-key"] for one in service.got] == [f"call-{call['id']}"]


@pytest.mark.parametrize("mishap", ["reset", 500])
async def test_a_write_whose_answer_is_lost_goes_to_a_person_and_is_never_made_again(
    shop: Shop, backroom: Backroom, service: Service, mishap: int | str
) -> None:
    approval_id = await asked(shop, backroom)
    service.mishaps = [mishap]
    await shop.desk.decide_call(shop.operator, approval_id, approved=True)
    await backroom.rest()
    await backroom.rescue()
    await backroom.rest()
    assert len(service.got) == 1
    assert await reasons(shop) == ["unknown_outcome"]
    assert "Cancelei" not in str(await shop.got("maria"))


@pytest.mark.parametrize("idempotent", [False, True])
async def test_a_worker_killed_in_mid_call_repeats_it_only_under_a_key_that_is_recognised(
    shop: Shop, backroom: Backroom, service: Service, idempotent: bool
) -> None:
    await declare(shop, service, **{"x-atende-idempotent": idempotent})
    approval_id = await asked(shop, backroom)
    service.mishaps = ["hang"]
    await shop.desk.decide_call(shop.operator, approval_id, approved=True)
    job = await backroom.take_job()
    assert job is not None
    running = asyncio.create_task(backroom.run_job(job))
    await until(lambda: len(service.acts) == 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await backroom.queue.job_manager.retry_job(job)
    await backroom.rest()
    assert len(service.got) == (2 if idempotent else 1)
    assert len(service.acts) == 1
    if idempotent:
        assert (await shop.got("maria"))[-1] == "Cancelei: protocolo C-1."
    else:
        assert await reasons(shop) == ["unknown_outcome"]


@pytest.mark.parametrize(("intents", "acts"), [(("cancel_order",), True), (("order_status",), False)])
async def test_a_write_acts_by_itself_only_for_the_intents_it_is_trusted_for(
    shop: Shop, backroom: Backroom, service: Service, intents: tuple[str, ...], acts: bool
) -> None:
    await desk_of(shop).trust(shop.tenant_id, "cancel_order", trusted=True, intents=intents)
    await shop.write("maria", CANCEL)
    await backroom.rest()
    assert len(service.got) == acts
    assert len(await shop.fetch("SELECT 1 FROM approval")) == (not acts)


# By model --------------------------------------------------------------------------------------------------------


async def with_model(shop: Shop, server: ScriptedOpenAI) -> None:
    async with shop.db.transaction(shop.tenant_id) as tx:
        model = {"name": "main", "base_url": server.base_url, "attempts": 1, "deadline_seconds": 30}
        await tx.execute("UPDATE tenant SET settings = settings || $2 WHERE id = $1", shop.tenant_id, {"model": model})
        await bump(tx, shop.tenant_id)


async def test_a_model_calls_it_within_the_schema_and_trust_hangs_on_what_the_customer_said(
    shop: Shop, backroom: Backroom, service: Service
) -> None:
    """The model wants the write although nobody asked for it: trust for some intents never covers that."""
    await desk_of(shop).trust(shop.tenant_id, "cancel_order", trusted=True, intents=["cancel_order"])
    steps = [
        {"tool_calls": [{"name": "get_order", "arguments": {"orderId": 45678, "phone": "+5521999999999"}}]},
        {"tool_calls": [{"name": "get_order", "arguments": {"orderId": "quarenta"}}]},
        {"tool_calls": [{"name": "get_order", "arguments": {"orderId": 45678}}]},
        {"tool_calls": [{"name": "cancel_order", "arguments": {"orderId": 45678}}]},
        {"reply": "O pedido 45678 está a caminho."},
    ]
    service.answer = {"state": "a caminho", "echo": f"Bearer {TOKEN}"}
    async with ScriptedOpenAI(steps) as server:
        await with_model(shop, server)
        await shop.write("maria", "zargh glorb 45678 fnord")
        await backroom.rest()
        seen = json.dumps(server.requests)
    tools = {one["function"]["name"]: one["function"]["parameters"] for one in server.requests[0]["tools"]}
    assert set(tools["get_order"]["properties"]) == {"orderId"}
    assert "unknown parameter" in seen
    assert "must be of type integer" in seen
    assert TOKEN not in seen
    assert [one.target for one in service.got] == ["/v1/orders/45678?phone=simulator%3Amaria"]
    assert len(await shop.fetch("SELECT 1 FROM approval")) == 1


# What is kept ----------------------------------------------------------------------------------------------------


async def test_a_secret_stands_nowhere_in_the_clear(
    owner_dsn: str, shop: Shop, backroom: Backroom, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.answer = lambda got: {"state": got.headers["authorization"], "protocol": got.headers["authorization"]}
    service.mishaps = ["reset", "garbage"]
    for _ in range(2):
        await shop.write("maria", STATUS)
        await backroom.rest()
    owner = await asyncpg.connect(owner_dsn)
    try:
        tables = await owner.fetch(
            "SELECT schemaname || '.' || tablename AS t FROM pg_tables WHERE schemaname !~ '^pg_'"
        )
        for row in tables:
            assert await owner.fetchval(f"SELECT count(*) FROM {row['t']} x WHERE x::text LIKE $1", f"%{TOKEN}%") == 0
        sealed = await owner.fetchval("SELECT sealed FROM tenant_secret")
    finally:
        await owner.close()
    assert TOKEN not in caplog.text
    assert len(service.got) >= 2
    name = f"{service.host}/Token"
    assert Sealer(SECRET).open(shop.tenant_id, name, sealed) == TOKEN
    for tenant_id, other, sealer in (
        (UUID(int=1), name, Sealer(SECRET)),
        (shop.tenant_id, "another/Token", Sealer(SECRET)),
        (shop.tenant_id, name, Sealer(b"another installation's secret")),
    ):
        with pytest.raises(SecretUnreadableError):
            sealer.open(tenant_id, other, sealed)


async def test_another_tenants_hosts_and_secrets_are_not_ones_own(
    owner_dsn: str, db: Database, shop: Shop, service: Service
) -> None:
    other = await make_number(owner_dsn, "other")
    for tenant_id, hosts, names in ((shop.tenant_id, {service.host}, 1), (other.tenant_id, set(), 0)):
        async with db.transaction(tenant_id) as tx:
            holdings = await holdings_of(tx, tenant_id, Sealer(SECRET))
        assert (holdings.allowed_hosts, len(holdings.secrets)) == (hosts, names)
    assert TOKEN not in repr(holdings)


async def test_importing_again_keeps_trust_in_the_same_request_only(shop: Shop, service: Service) -> None:
    desk, tenant_id = desk_of(shop), shop.tenant_id
    document = api(service)
    document["paths"]["/orders/{orderId}/refund"] = {
        "post": {
            "operationId": "refundOrder",
            "parameters": document["paths"]["/orders/{orderId}"]["get"]["parameters"],
        }
    }

    async def bring(**choices: Any) -> Any:
        described = functions_of(document, ImportChoices(prefix="erp_", **choices))
        return await desk.import_described(tenant_id, described, "openapi:ERP")

    async def trusted() -> list[str]:
        rows, _, _ = await desk.all(tenant_id)
        return [row.name for row in rows if row.trusted]

    first = await bring()
    assert (set(first.added), first.problems) == ({"erp_get_order", "erp_cancel_order", "erp_refund_order"}, ())
    await desk.trust(tenant_id, "erp_cancel_order", trusted=True)
    await desk.trust(tenant_id, "erp_refund_order", trusted=True)
    assert set((await bring()).unchanged) == set(first.added)
    document["paths"]["/orders/{orderId}/cancel"]["post"]["summary"] = "Cancels it."
    document["paths"]["/orders/{orderId}/payout"] = document["paths"].pop("/orders/{orderId}/refund")
    assert set((await bring()).changed) == {"erp_cancel_order", "erp_refund_order"}
    assert await trusted() == ["erp_cancel_order"]
    del document["paths"]["/orders/{orderId}/payout"]
    assert (await bring()).removed == ("erp_refund_order",)
    # Names of another source are not taken over, and what a folder declares stays what it is.
    described = functions_of(document, ImportChoices())
    clash = await desk.import_described(tenant_id, described, "openapi:ERP")
    assert {name for name, _ in clash.problems} == {"get_order", "cancel_order"}
    with pytest.raises(AtendeError):
        await desk.trust(tenant_id, "erp_get_order", trusted=True)


FILE = """
name: get_order
description: Where an order is.
effect: read
method: GET
url: https://erp.example/orders/{order}
parameters:
  type: object
  properties:
    order: {type: string, pattern: "^[0-9]{5}$", x-atende-ask: {pt: "Qual é o pedido?"}}
    zone: {type: string, x-atende-in: header}
  required: [order]
credentials: [{kind: bearer, secret: erp}]
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", ""),
        ("effect: read", "effect: reed", "effect: input should be 'read' or 'write'"),
        ("{order}\n", "{number}\n", "the address names number"),
        ("{pt: ", "{es: ", "get_order.order.ask.pt: is missing"),
        ("    zone:", "    tenant_id:", "would let a model say who is served"),
        ("x-atende-in: header", "x-atende-in: moon", "x-atende-in: 'moon'"),
        ("url: https", "uri: https", "uri: extra inputs are not permitted"),
    ],
)
def test_a_function_of_a_file_is_checked_with_the_folder(folder: Path, old: str, new: str, said: str) -> None:
    (folder / "functions" / "erp.json").unlink()
    (folder / "functions" / "get_order.yaml").write_text(FILE.replace(old, new) if old else FILE)
    (folder / "intents" / "cancel_order.yaml").unlink()
    if said:
        with pytest.raises(AtendeError) as caught:
            load_tenant(folder)
        assert said in str(caught.value)
        return
    declared = load_tenant(folder).http_functions["get_order"]
    assert [(part.place, part.name) for part in declared.details.parts] == [("path", "order"), ("header", "zone")]


def test_an_intent_may_name_a_function_that_was_imported_before(folder: Path) -> None:
    (folder / "functions" / "erp.json").unlink()
    with pytest.raises(AtendeError, match="there is no function get_order"):
        load_tenant(folder)
    assert load_tenant(folder, ["get_order", "cancel_order"]).functions == {}
