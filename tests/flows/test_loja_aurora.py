"""The example tenant's own functions over its own data, with the replies that customers read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.templates import render
from flows.tenant_declaration import TenantDeclaration, seed_records
from flows.tenant_files import load_tenant
from tools.declaration import BusinessError, ToolContext
from tools.records import InMemoryRecords

NOON = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)  # a Wednesday, 12:00 in São Paulo


@pytest.fixture(scope="module")
def aurora() -> TenantDeclaration:
    return load_tenant(Path(__file__).parents[2] / "tenants" / "loja-aurora")


@pytest.fixture
def shop(aurora: TenantDeclaration) -> Shop:
    return Shop(aurora)


class Shop:
    """Calls a function as the agent would and renders the reply of its intent."""

    def __init__(self, declaration: TenantDeclaration) -> None:
        self.declaration = declaration
        self.records = InMemoryRecords(seed_records(declaration, NOON.date()))

    async def ask(
        self, function: str, *, language: str = "pt", now: datetime = NOON, key: str = "k1", **arguments: Any
    ) -> tuple[str, Any, str]:
        context = ToolContext(
            tenant_id="t1",
            contact_id="c1",
            contact_addresses=("phone:5531900000000",),
            language=language,
            timezone=ZoneInfo("America/Sao_Paulo"),
            now=now,
            records=self.records,
            idempotency_key=key,
        )
        try:
            outcome, result = "ok", await self.declaration.functions[function].call(context, **arguments)
        except BusinessError as error:
            outcome, result = error.code, error.data
        intent = next(intent for intent in self.declaration.intents.values() if intent.function == function)
        variables = {"result": result, "arguments": arguments, "language": language}
        return outcome, result, render(outcome, intent.replies[outcome][language], variables)


async def test_every_order_can_be_told_in_every_language(shop: Shop) -> None:
    orders = await shop.records.find("orders", {})
    assert len(orders) >= 12
    for order in orders:
        for language in ("pt", "es", "en"):
            outcome, result, text = await shop.ask(
                "order_status", language=language, order_number=f"#{order['number']}"
            )
            assert outcome == "ok"
            assert order["number"] in text
            assert "cpf" not in result
            assert "{" not in text


async def test_a_shipped_order_tells_its_day_and_a_late_one_apologises(shop: Shop) -> None:
    _, _, text = await shop.ask("order_status", order_number="10231")
    assert text == (
        "O pedido 10231 já foi enviado e está em transporte (Correios) 🚚\n"
        "Previsão de entrega: sexta, 20/11.\nCódigo de rastreio: AU123450001BR"
    )
    _, result, text = await shop.ask("order_status", order_number="10258")
    assert result["late"]
    assert "está atrasado" in text


async def test_an_unknown_order_is_a_friendly_no(shop: Shop) -> None:
    outcome, _, text = await shop.ask("order_status", order_number="99999")
    assert outcome == "not_found"
    assert "99999" in text


@pytest.mark.parametrize(
    ("cep", "outcome", "part"),
    [
        ("30140-071", "ok", "de 1 a 2 dias úteis"),
        ("01310100", "ok", "até segunda, 23/11"),
        ("69050-010", "not_served", "69050-010"),
        ("123", "invalid_cep", "8 números"),
    ],
)
async def test_delivery_depends_on_the_cep(shop: Shop, cep: str, outcome: str, part: str) -> None:
    found, _, text = await shop.ask("delivery_estimate", cep=cep)
    assert (found, part in text) == (outcome, True), text


@pytest.mark.parametrize(
    ("now", "language", "part"),
    [
        (NOON, "pt", "agora, até as 18:00"),
        (datetime(2026, 11, 21, 18, 0, tzinfo=UTC), "pt", "voltamos segunda, 23/11 09:00"),
        (datetime(2026, 12, 25, 15, 0, tzinfo=UTC), "en", "closed right now and will be back Saturday, Dec 26 09:00"),
        (NOON, "es", "lunes a viernes: 09:00 a 18:00"),
    ],
)
async def test_hours_know_the_day_the_time_and_the_holidays(
    shop: Shop, now: datetime, language: str, part: str
) -> None:
    _, _, text = await shop.ask("opening_hours", language=language, now=now)
    assert part in text


async def test_an_exchange_asked_twice_with_one_key_is_one_exchange(shop: Shop) -> None:
    _, first, text = await shop.ask("request_exchange", order_number="10234", reason="size", key="turn-7")
    _, again, _ = await shop.ask("request_exchange", order_number="10234", reason="size", key="turn-7")
    assert first == again
    assert first["protocol"] in text
    assert len(await shop.records.find("exchanges", {})) == 1
    outcome, _, text = await shop.ask("request_exchange", order_number="10234", reason="defect", key="turn-9")
    assert outcome == "already_requested"
    assert first["protocol"] in text


@pytest.mark.parametrize(
    ("order_number", "reason", "outcome"),
    [
        ("10231", "size", "not_delivered"),
        ("10294", "defect", "deadline_passed"),
        ("10263", "regret", "deadline_passed"),
        ("10263", "size", "ok"),
        ("11111", "size", "not_found"),
    ],
)
async def test_an_exchange_keeps_the_rules_of_the_shop(
    shop: Shop, order_number: str, reason: str, outcome: str
) -> None:
    assert (await shop.ask("request_exchange", order_number=order_number, reason=reason))[0] == outcome


async def test_an_invoice_needs_the_buyers_cpf_and_says_nothing_to_others(shop: Shop) -> None:
    _, _, text = await shop.ask("invoice_copy", order_number="10234", cpf="083.016.613-05")
    assert "https://loja-aurora.example/nf/10234" in text
    wrong = await shop.ask("invoice_copy", order_number="10234", cpf="52601815906")
    absent = await shop.ask("invoice_copy", order_number="99999", cpf="52601815906")
    assert wrong[0] == absent[0] == "not_found"
    assert wrong[2].replace("10234", "99999") == absent[2]


async def test_a_boleto_is_offered_where_the_invoice_is_not_issued_yet(shop: Shop) -> None:
    _, _, text = await shop.ask("invoice_copy", order_number="10252", cpf="62819482112")
    assert "R$ 159,90 (vencimento: sexta, 20/11)" in text
    outcome, _, text = await shop.ask("invoice_copy", order_number="10234", cpf="08301661305", document="boleto")
    assert (outcome, "não tem boleto" in text) == ("not_issued", True)


@pytest.mark.parametrize(
    ("product", "size", "outcome", "part"),
    [
        ("vestido", "M", "ok", "Vestido midi florido: R$ 189,90 (tamanhos PP, P, M)"),
        ("TENIS corrida", "39", "ok", "Tênis de corrida Vento"),
        ("mochila", "M", "ok", "Mochila urbana impermeável: R$ 189,90\n"),
        ("camisa", None, "ok", "Camisa de linho"),
        ("pijama", None, "out_of_stock", "esgotado"),
        ("vestido", "GG", "size_unavailable", "G, M, P, PP"),
        ("geladeira", None, "not_found", "não trabalha"),
    ],
)
async def test_availability_answers_by_name_and_size(
    shop: Shop, product: str, size: str | None, outcome: str, part: str
) -> None:
    found, _, text = await shop.ask("product_availability", product=product, size=size)
    assert (found, part in text) == (outcome, True), text


def test_every_kind_of_product_that_can_be_asked_for_is_sold(aurora: TenantDeclaration) -> None:
    product = next(p for p in aurora.functions["product_availability"].parameters if p.name == "product")
    assert {choice.value for choice in product.choices} == {p["line"] for p in aurora.records["products"].values()}
