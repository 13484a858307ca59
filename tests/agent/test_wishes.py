"""Which messages hold several wishes, by the example shop's own classifier, in three languages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from langgraph.runtime import Runtime

from agent.dialogue import Dialogue
from agent.encoder import default_encoder
from agent.language import detect_language
from agent.nodes.answer import Answer
from agent.state import Evidence, Reading
from agent.texts import load_texts
from agent.turn import CallResult, TurnContext
from agent.wishes import Wish, Wishes
from domain.decisions import ReplyMode
from evaluation.tenant import OfflineTenant
from flows.tenant_files import load_tenant

SHOP = Path(__file__).parents[2] / "tenants" / "loja-aurora"
SEVERAL = {
    "qual o horário e cadê meu pedido 1042?": "opening_hours order_status",
    "oi boa tarde, vcs aceitam pix? e qual o horário de atendimento?": "payment_methods opening_hours",
    "cadê meu pedido 10234? e quanto custa o frete para 30130-010?": "order_status delivery_estimate",
    "quero trocar um vestido e saber se vocês têm loja física": "request_exchange store_location",
    "qual o endereço de vocês e até que horas abre?": "store_location opening_hours",
    "quanto custa o frete e quais as formas de pagamento?": "delivery_estimate payment_methods",
    "quero a nota fiscal do pedido 10234 e trocar a blusa": "invoice_copy request_exchange",
    "qual o prazo de troca e quanto custa o frete?": "return_policy delivery_estimate",
    "quero saber se meu pedido 10234 já saiu e se vocês abrem domingo": "order_status opening_hours",
    "me manda o código de rastreio do 10234 e me diz o horário de vocês": "order_status opening_hours",
    "¿a qué hora abren y dónde está mi pedido 10234?": "opening_hours order_status",
    "hola, quiero cambiar un vestido y saber qué formas de pago aceptan": "request_exchange payment_methods",
    "¿dónde está mi pedido 10234? además, ¿cuánto cuesta el envío?": "order_status delivery_estimate",
    "what time do you open and where is my order 10234?": "opening_hours order_status",
    "where is my order 10234? also, do you accept pix?": "order_status payment_methods",
    "i want to exchange a dress and know your opening hours": "request_exchange opening_hours",
    "I'd like to cancel order 10234 and get a copy of the invoice for 10252": "cancel_order invoice_copy",
    "apaga meus dados por favor e cancela o pedido 10234": "personal_data cancel_order",
    "¿dónde queda la tienda y qué formas de pago aceptan?": "store_location payment_methods",
    "1) cadê meu pedido 10231 2) quero a segunda via do boleto do 10252": "order_status invoice_copy",
    "oi\n- horário de sábado\n- endereço da loja": "opening_hours store_location",
    "oi! quero saber se meu pedido 10234 já saiu e também se aceita pix": "order_status payment_methods",
    "me diz se vocês abrem domingo e também quanto custa o frete": "opening_hours delivery_estimate",
    "sabe me dizer se abre no feriado e se aceitam pix?": "opening_hours payment_methods",
    "quiero saber si abren el domingo y también si aceptan tarjeta": "opening_hours payment_methods",
    "can you tell me when you open and also if you take pix?": "opening_hours payment_methods",
}
ONE = (
    "quero trocar a blusa e o tênis",
    "comprei um tênis e ele veio com defeito, quero trocar",
    "meu pedido 10234 não chegou e quero saber o que aconteceu",
    "quero saber onde está meu pedido e quando chega",
    "qual o horário de sábado e domingo?",
    "quero devolver o vestido e receber meu dinheiro de volta",
    "paguei o boleto ontem e meu pedido ainda não saiu, cadê?",
    "vocês aceitam pix e cartão?",
    "o tênis ficou pequeno, tem como trocar por um 42?",
    "cadê meu pedido 10234? comprei faz 10 dias e nada",
    "fiz um pedido ontem à noite no site e queria saber se já foi enviado",
    "se eu comprar hoje, quando chega?",
    "como funciona a troca e qual o prazo?",
    "oi, tudo bem? queria saber do meu pedido 10234",
    "quero cancelar porque demorou muito e já comprei em outra loja",
    "where is my order and when will it arrive?",
    "i bought shoes and they are too small, can i exchange them?",
    "compré unos zapatos y me quedan chicos, ¿puedo cambiarlos?",
    "mi pedido no llegó y quiero saber dónde está",
    "o vestido veio rasgado e eu tenho uma festa amanhã, o que eu faço?",
    "não recebi o e-mail de confirmação e o pagamento já caiu no cartão, pode verificar?",
    "quero falar sobre a troca que pedi e ninguém respondeu",
    "vcs tem vestido azul e blusa branca?",
    "meu pedido veio errado e faltando uma peça",
    "pode me ajudar? não consigo finalizar a compra e o cupom não funciona",
    "quando abre e quando fecha?",
    "qual o valor do frete e o prazo de entrega pra 30130-010?",
    "tem camiseta preta M e quanto custa?",
    "I want to return the dress and get a refund",
    "quero trocar: 1) vestido vermelho 2) blusa branca",
    "comprei:\n- um vestido\n- uma blusa\ne nada chegou",
    "sabe me dizer se meu pedido já saiu e quando chega?",
    "me diz quanto custa o frete e também o prazo",
    "quero trocar o vestido e também a blusa",
    "pode me informar se abrem sábado e também domingo?",
    "quiero cambiar el vestido y también los zapatos",
)


@pytest.fixture(scope="module")
def context() -> TurnContext:
    tenant = OfflineTenant(load_tenant(SHOP), default_encoder(), today=date(2026, 3, 2))

    async def call(*_: Any) -> CallResult:
        raise AssertionError("finding wishes calls nothing")

    return TurnContext(tenant.profile, tenant.classify, tenant.search, call, datetime(2026, 3, 2, 15, tzinfo=UTC))


async def _found(context: TurnContext, text: str) -> tuple[Wish, ...]:
    reading = Reading(text, detect_language(text, "pt"), ReplyMode.AUTO, Dialogue())
    return await Wishes(Answer(load_texts())).find(reading, Evidence(), Runtime(context=context))


async def test_that_nine_in_ten_messages_with_two_wishes_are_taken_apart_rightly(context: TurnContext) -> None:
    found = {text: " ".join(wish.name for wish in await _found(context, text)) for text in SEVERAL}
    wrong = {text: names for text, names in found.items() if names != SEVERAL[text]}
    assert len(wrong) <= len(SEVERAL) // 10, wrong
    assert set(wrong.values()) <= {""}, "a message may stay whole, but is never cut into other wishes"


async def test_that_no_message_with_one_wish_is_taken_apart(context: TurnContext) -> None:
    found = {text: [wish.name for wish in await _found(context, text)] for text in ONE}
    assert {text: names for text, names in found.items() if names} == {}
