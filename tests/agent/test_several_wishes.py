"""Several wishes in one message: each is served, one reply answers all; what is one wish is never taken apart."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agent.graph import Agent, build_agent
from agent.turn import CallResult, HistoryMessage, IntentSpec, TurnResult
from domain.decisions import AskApproval, HandOff, HandOffReason, Reply, ReplyMode, StaySilent, Suggest
from domain.messages import Author
from tests.agent.world import INTENTS, NOW, World, said

STATUS = "Pedido 12345: a caminho."
HOURS = "Das 9h às 18h."
BEFORE = (HistoryMessage(1, Author.BOT, "Olá!", NOW),)


@pytest.fixture(scope="module")
def agent() -> Agent:
    return build_agent()


@pytest.fixture
def world() -> World:
    return World()


def _with(world: World, **intents: IntentSpec) -> World:
    world.profile = replace(world.profile, intents={**INTENTS, **intents})
    return world


async def _talk(agent: Agent, world: World, *texts: str) -> list[TurnResult]:
    """One turn per text; the dialogue is handed on as the flows do, the bot's words stand in the history."""
    results: list[TurnResult] = []
    history = list(BEFORE)
    for text in texts:
        dialogue = json.loads(json.dumps(results[-1].dialogue)) if results else {}
        results.append(await agent.run(said(text, dialogue=dialogue, history=tuple(history)), world.context()))
        history += [
            HistoryMessage(10 * len(history), Author.CONTACT, text, NOW),
            HistoryMessage(10 * len(history) + 1, Author.BOT, _text(results[-1]), NOW),
        ]
    return results


def _text(result: TurnResult) -> str:
    decision = result.decision
    assert isinstance(decision, Reply | Suggest | HandOff | AskApproval), decision
    return decision.text


@pytest.mark.parametrize(
    "text",
    [
        "qual o horário e cadê meu pedido 12345?",
        "Oi, bom dia! Qual o horário de vocês? E cadê meu pedido 12345",
        "cadê meu pedido 12345? ah, e qual o horário de vocês?",
    ],
)
async def test_that_two_questions_get_both_answers_in_one_reply(agent: Agent, world: World, text: str) -> None:
    result = await agent.run(said(text), world.context())
    assert isinstance(result.decision, Reply)
    assert sorted(result.decision.text.split("\n\n")) == sorted([HOURS, STATUS])
    assert {(source.kind, source.ref) for source in result.decision.sources} == {
        ("answer", "hours"),
        ("function", "order_status"),
    }
    assert world.calls == [("order_status", {"order_number": "12345"}, 0)]
    codes = {reason.code for reason in result.decision.reasons}
    assert {"several_wishes", "fixed_answer", "function"} <= codes
    assert len(result.trace.tool_calls) == 1
    assert (result.earns, result.dialogue) == (None, {})


async def test_that_messages_in_a_row_may_hold_two_wishes_and_their_details(agent: Agent, world: World) -> None:
    result = await agent.run(said("qual o horário?", "cadê meu pedido", "é o 12345"), world.context())
    assert _text(result) == f"{HOURS}\n\n{STATUS}"


async def test_that_answers_come_in_the_customer_s_language(agent: Agent, world: World) -> None:
    _with(world, order_status=replace(INTENTS["order_status"], replies={"ok": {"pt": "PT", "es": "Está en camino."}}))
    spanish = await agent.run(said("¿a qué horario abren? ¿y cade mi pedido 12345?"), world.context())
    assert (spanish.language, _text(spanish)) == ("es", "De 9 a 18 h.\n\nEstá en camino.")


async def test_that_the_question_comes_last_and_the_rest_is_answered_already(agent: Agent, world: World) -> None:
    asks, done = await _talk(agent, world, "cadê meu pedido e qual o horário?", "12345")
    assert _text(asks) == f"{HOURS}\n\nQual é o número do pedido?"
    assert _text(done) == STATUS


async def test_that_of_two_questions_one_is_asked_and_the_other_wish_follows(agent: Agent, world: World) -> None:
    asks, next_one, last = await _talk(
        agent, world, "cadê meu pedido? e tenho um problema, como resolvo o problema?", "12345", "a caixa veio aberta"
    )
    assert _text(asks).startswith("Depois disso, já vejo o outro assunto")
    assert _text(asks).endswith("Qual é o número do pedido?")
    assert _text(next_one).startswith(f"{STATUS}\n\n")
    assert "o que aconteceu" in _text(next_one)
    assert _text(last) == "Anotei: a caixa veio aberta"
    assert [name for name, _, _ in world.calls] == ["order_status", "note_problem"]


async def test_that_dropping_the_first_leads_on_to_the_other(agent: Agent, world: World) -> None:
    _, dropped = await _talk(agent, world, "cadê meu pedido? e como resolvo um problema?", "deixa pra lá")
    assert "deixei pra lá" in _text(dropped)
    assert "o que aconteceu" in _text(dropped)


async def test_that_each_part_gives_its_own_values(agent: Agent, world: World) -> None:
    world.records.rows["orders", "54321"] = {"number": "54321", "status": "entregue"}
    both = await agent.run(said("cadê meu pedido 12345? e cadê o 54321?"), world.context())
    assert _text(both) == f"{STATUS}\n\nPedido 54321: entregue."
    assert [ordinal for _, _, ordinal in world.calls] == [0, 1]
    world.calls.clear()
    asks = await agent.run(said("cadê meu pedido 12345 e quero trocar um produto"), world.context())
    assert _text(asks) == f"{STATUS}\n\nQual é o número do pedido?"
    points_back = await agent.run(
        said("cadê meu pedido 12345 e quero trocar ele porque esse ficou pequeno"), world.context()
    )
    assert isinstance(points_back.decision, AskApproval)
    assert points_back.decision.arguments == {"order_number": "12345", "reason": "size"}


async def test_that_an_act_that_needs_a_yes_is_asked_for_beside_the_answer(agent: Agent, world: World) -> None:
    text = "qual o horário? quero trocar o pedido 12345, ficou pequeno"
    result = await agent.run(said(text), world.context())
    assert isinstance(result.decision, AskApproval)
    assert result.decision.arguments == {"order_number": "12345", "reason": "size"}
    assert result.decision.text.startswith(f"{HOURS}\n\n")
    assert "confirmar com a nossa equipe" in result.decision.text
    assert result.approval is not None
    assert world.calls == []


async def test_that_under_suggest_nothing_is_lost_beside_an_act(agent: Agent, world: World) -> None:
    world.profile = replace(world.profile, reply_mode=ReplyMode.SUGGEST)
    result = await agent.run(said("qual o horário? quero trocar o pedido 12345, ficou pequeno"), world.context())
    assert isinstance(result.decision, HandOff)
    assert HOURS in result.decision.summary
    assert "request_exchange(order_number=12345, reason=size)" in result.decision.summary


async def test_that_where_one_part_needs_a_person_the_whole_is_explained(agent: Agent, world: World) -> None:
    result = await agent.run(said("qual o horário? e quero falar do assunto jurídico"), world.context())
    decision = result.decision
    assert isinstance(decision, HandOff)
    assert decision.reason is HandOffReason.RESTRICTED_INTENT
    assert decision.text.startswith(f"{HOURS}\n\nPara o outro assunto, vou chamar uma pessoa")
    assert "Já respondido: Das 9h às 18h.. Em aberto: lawsuit." in decision.summary


async def test_that_a_person_asked_for_beside_a_question_comes_with_the_answer(agent: Agent, world: World) -> None:
    result = await agent.run(said("qual o horário de vocês? e quero falar com um atendente"), world.context())
    assert isinstance(result.decision, HandOff)
    assert result.decision.reason is HandOffReason.REQUESTED
    assert result.decision.text.startswith(HOURS)
    assert "Vou chamar uma pessoa" in result.decision.text


async def test_that_a_failed_part_goes_to_a_person_with_the_other_s_answer(agent: Agent, world: World) -> None:
    world.outcomes["order_status"] = CallResult("failed", error_code="secret-internal-detail")
    result = await agent.run(said("qual o horário e cadê meu pedido 12345?"), world.context())
    assert isinstance(result.decision, HandOff)
    assert result.decision.reason is HandOffReason.TOOL_FAILURE
    assert result.decision.text.startswith(HOURS)
    assert "secret" not in result.decision.text + result.decision.summary


async def test_that_a_refused_call_voids_the_whole(agent: Agent, world: World) -> None:
    world.outcomes["order_status"] = CallResult("refused")
    result = await agent.run(said("qual o horário e cadê meu pedido 12345?"), world.context())
    assert (result.void, result.decision) == (True, None)


async def test_that_the_strictest_policy_of_the_parts_holds_for_the_reply(agent: Agent, world: World) -> None:
    text = "qual o horário e cadê meu pedido 12345?"
    _with(world, hours=replace(INTENTS["hours"], reply_mode=ReplyMode.SUGGEST))
    assert isinstance((await agent.run(said(text), world.context())).decision, Suggest)
    _with(world, hours=replace(INTENTS["hours"], reply_mode=ReplyMode.OFF))
    partly = (await agent.run(said(text), world.context())).decision
    assert isinstance(partly, Suggest)
    assert partly.text == STATUS
    world.profile = replace(world.profile, reply_mode=ReplyMode.OFF)
    assert isinstance((await agent.run(said(text), world.context())).decision, StaySilent)


async def test_that_what_would_not_go_out_by_itself_is_not_told_with_a_handoff(agent: Agent, world: World) -> None:
    _with(world, hours=replace(INTENTS["hours"], reply_mode=ReplyMode.SUGGEST))
    result = await agent.run(said("qual o horário? e quero falar do assunto jurídico"), world.context())
    assert isinstance(result.decision, HandOff)
    assert HOURS not in result.decision.text
    assert "Resposta pronta, ainda não enviada: Das 9h" in result.decision.summary


async def test_that_a_question_that_only_the_documents_answer_is_served_too(agent: Agent, world: World) -> None:
    text = "qual o horário? e vocês aceitam Pix cartão boleto formas pagamento?"
    result = await agent.run(said(text), world.context())
    assert _text(result).startswith(f"{HOURS}\n\n")
    assert "Aceitamos Pix" in _text(result)
    assert {source.kind for source in result.decision.sources} == {"answer", "knowledge"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "quero trocar a blusa e o tênis do pedido 12345",
        "comprei um tênis e ficou pequeno, quero trocar",
        "quero trocar o 12345. ficou pequeno e não gostei",
        "cadê meu pedido e é o 12345",
        "cadê meu pedido 12345 e quando ele chega?",
        "qual o horário de sábado e domingo?",
        "quero trocar, qual o prazo?",
        "se eu trocar, quem paga o frete?",
        "cadê meu pedido 12345? obrigado!",
        "oi! tudo bem? cadê meu pedido 12345?",
    ],
)
async def test_that_one_wish_stays_one(agent: Agent, world: World, text: str) -> None:
    result = await agent.run(said(text), world.context())
    assert result.decision is not None
    assert "several_wishes" not in {reason.code for reason in result.decision.reasons}


async def test_that_a_text_in_another_language_only_says_so_first(agent: Agent, world: World) -> None:
    _with(world, hours=IntentSpec("hours", answer={"pt": HOURS}))
    english = await agent.run(said("please tell me your horario, what is it on sundays"), world.context())
    assert (english.language, _text(english)) == (
        "en",
        f"We have this information in Portuguese only:\n\n{HOURS}",
    )
    spanish = await agent.run(said("hola, ¿dónde está mi pedido? cade mi pedido 99999"), world.context())
    assert _text(spanish) == "Esta información la tenemos solo en portugués:\n\nNão achei o pedido 99999."
    assert _text(await agent.run(said("qual o horário?"), world.context())) == HOURS
    # An announcement needs no foreign words: Atende has its own in the customer's language.
    _with(world, lawsuit=IntentSpec("lawsuit", restricted=True, answer={"pt": "O jurídico responde."}))
    announced = await agent.run(said("hello, i need to talk about something juridico with you"), world.context())
    assert "someone on our team" in _text(announced)
