"""Why this reply? Each message of the assistant and each suggestion explains itself to the operators of its tenant."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx

from agent.turn import TurnResult
from domain.decisions import Decision, ModelCall, Reason, Reply, Source, Suggest, ToolCall, TurnTrace
from flows import decisions
from store import turns
from tests.database import Number
from tests.web.site import Site

HOSTILE = "<img src=x onerror=alert(1)>"


async def decided(site: Site, shop: Number, conversation: UUID, decision: Decision, **trace: Any) -> UUID:
    """Write a turn's decision as the worker does; returns the turn's id."""
    found = TurnTrace(
        prompt_bundle="0123456789abcdef",
        model="gpt-test",
        intent="order_status",
        confidence=0.93,
        alternatives=(("hours", 0.04),),
        tool_calls=(ToolCall("find_order", {"cpf": "529.982.247-25"}, "succeeded", {"eta": HOSTILE}, 12.0),),
        model_calls=(ModelCall("gpt-test", "stop", 120, 30, 7, 431.0),),
        input_tokens=120,
        output_tokens=30,
        cost_micros=7,
        stages_ms={"read": 1.5, "converse": 440.0},
        **trace,
    )
    async with site.db.transaction(shop.tenant_id) as tx:
        row = await turns.read(tx, conversation)
        assert row is not None
        result = TurnResult(decision, found)
        assert await decisions.write(tx, row, result, upto_message_id=row["unanswered"][-1][0], latency_ms=455)
        turn_id: UUID = await tx.fetchval("SELECT id FROM turn ORDER BY created_at DESC LIMIT 1")
    return turn_id


REASONS = (Reason("model_answered", "gpt-test"),)
SOURCES = (Source("knowledge", "faq#2", "Prazos de entrega", 0.71),)


async def test_that_a_bot_message_offers_its_explanation_which_tells_everything(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop, "cadê meu pedido? cpf 529.982.247-25")
    turn = await decided(site, shop, conversation, Reply("Chega amanhã.", REASONS, SOURCES), masked=True)
    path = f"/inbox/{conversation}/turns/{turn}"
    page = (await operator.get(f"/inbox/{conversation}", headers={"HX-Target": "pane"})).text
    assert f'data-why="{path}"' in page
    assert "Por que esta resposta?" in page
    why = (await operator.get(path)).text
    for told in (
        "cadê meu pedido? cpf 529.982.247-25",
        "order_status",
        "93 %",
        "hours 4 %",
        "find_order",
        "funcionou",
        "O modelo de linguagem respondeu",
        "Prazos de entrega · 71 %",
        "Aguardando envio",
        "gpt-test",
        "120 + 30",
        "0,000007",
        "440,0 ms",
        "0123456789abcdef",
        str(turn),
        "não viu dados pessoais",
    ):
        assert told in why, told
    assert "&lt;img src=x" in why
    assert HOSTILE not in why


async def test_that_a_suggestion_offers_its_explanation_and_then_tells_who_edited_it(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop, "trocam?")
    turn = await decided(site, shop, conversation, Suggest("Trocamos em 7 dias.", REASONS))
    path = f"/inbox/{conversation}/turns/{turn}"
    card = (await operator.get(f"/inbox/{conversation}/live")).text
    assert f'data-why="{path}"' in card
    waiting = (await operator.get(path)).text
    assert "A sugestão espera por um atendente" in waiting
    assert "Nada foi enviado." in waiting
    async with site.db.transaction(shop.tenant_id) as tx:
        suggestion = await tx.fetchval("SELECT id FROM suggestion")
    sent = await operator.post(f"/inbox/{conversation}/suggestions/{suggestion}/approve", data={"text": "Em 30 dias."})
    assert f'data-why="{path}"' in sent.text  # the operator's own message explains itself too
    why = (await operator.get(path)).text
    assert "A sugestão foi editada e enviada" in why
    assert "<del>Trocamos em 7</del><ins>Em 30</ins> dias." in why
    assert why.count("Ana") >= 2


async def test_that_the_trace_as_json_is_masked_unless_it_is_asked_for_whole(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop, "cadê meu pedido? cpf 529.982.247-25")
    turn = await decided(site, shop, conversation, Reply("Chega amanhã.", REASONS, SOURCES))
    answer = await operator.get(f"/inbox/{conversation}/turns/{turn}/trace")
    assert answer.headers["content-type"] == "application/json"
    trace = answer.json()
    assert trace["turn"]["id"] == str(turn)
    assert trace["tool_calls"][0]["arguments"] == {"cpf": "[CPF]"}
    assert "529.982" not in answer.text
    whole = await operator.get(f"/inbox/{conversation}/turns/{turn}/trace?reveal=true")
    assert whole.json()["tool_calls"][0]["arguments"] == {"cpf": "529.982.247-25"}


async def test_that_a_turn_of_another_conversation_or_tenant_is_unknown(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    own = await site.message(shop, "oi")
    second = await site.message(shop, "oi", "Carla Díaz")
    turn = await decided(site, shop, own, Reply("Olá!"))
    other = await site.number("other")
    theirs = await site.message(other, "segredo")
    foreign = await decided(site, other, theirs, Reply("segredo"))
    for conversation, wanted in ((second, turn), (theirs, foreign), (own, foreign)):
        for path in (f"/inbox/{conversation}/turns/{wanted}", f"/inbox/{conversation}/turns/{wanted}/trace"):
            answer = await operator.get(path)
            assert answer.status_code == 404
            assert "segredo" not in answer.text
