"""What changed is known at once, and everything is learned anew behind it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from agent.encoder import default_encoder
from flows.intent_learning import Learning

SHOP = {
    "order_status": ["onde está meu pedido?", "cadê meu pacote", "meu pedido não chegou", "quando chega a encomenda?"],
    "exchange": ["quero trocar um produto", "a roupa não serviu", "preciso devolver a calça", "trocar o tamanho"],
    "opening_hours": [
        "que horas abrem?",
        "abre no domingo?",
        "horário de funcionamento",
        "até que horas ficam?",
    ],
}
GIFT = ["embrulha para presente?", "quero embalagem de presente", "vem com cartão de presente?"]


def rows(shop: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [
        {"intent": intent, "language": "pt", "text": text, "encoder": "", "embedding": None}
        for intent, texts in sorted(shop.items())
        for text in sorted(texts)
    ]


async def test_that_a_change_is_known_before_everything_is_learned_anew() -> None:
    learning, tenant = Learning(default_encoder(), at_once=0), uuid4()
    first = await learning.learn(tenant, rows(SHOP), None)
    second = await learning.learn(tenant, rows({**SHOP, "gift_wrap": GIFT}), first)
    quick = second.classifier
    assert (await second.classify("dá para embrulhar como presente?")).intent == "gift_wrap"
    third = await learning.learn(tenant, rows({"gift_wrap": GIFT, **SHOP, "exchange": SHOP["exchange"][:2]}), second)
    assert (await third.classify("dá para embrulhar como presente?")).intent == "gift_wrap"
    await learning.settled()
    assert third.classifier is not quick
    assert (await third.classify("dá para embrulhar como presente?")).intent == "gift_wrap"
    whole = Learning(default_encoder())
    anew = await whole.learn(tenant, rows({"gift_wrap": GIFT, **SHOP, "exchange": SHOP["exchange"][:2]}), None)
    for text in ("cadê minha encomenda", "abrem no sábado?", "não serviu, quero trocar"):
        assert (await third.classify(text)).confidence == pytest.approx((await anew.classify(text)).confidence)
