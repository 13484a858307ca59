"""Proving who one is: asked before a sensitive function, decided by the tenant's own function, never by a model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from agent.graph import Agent, build_agent
from agent.identity import IdentityInMemory
from agent.language_model import LanguageModel, ModelClients, ModelSettings
from agent.turn import HistoryMessage, TurnResult
from domain.decisions import AskApproval, HandOff, HandOffReason, Reply
from domain.identity import IdentityTerms
from domain.messages import Author
from tests.agent.world import NOW, World, said
from tests.openai_server import ScriptedOpenAI
from tools.declaration import BusinessError, Parameter, ParameterKind, ToolContext, business_function

CPF, OTHER_CPF = "529.982.247-25", "111.444.777-35"
STATUS = {"name": "order_status", "arguments": {"order_number": "12345"}}


@business_function(
    effect="read",
    parameters=[
        Parameter("cpf", ParameterKind.CPF, ask={"pt": "Qual é o seu CPF?", "en": "What is your CPF?"}),
        Parameter("born_on", ParameterKind.DATE, ask={"pt": "E a data de nascimento?", "en": "And your birthday?"}),
    ],
)
async def confirm_customer(ctx: ToolContext, cpf: str, born_on: str) -> dict[str, Any]:
    """Confirm who a customer is."""
    if ("".join(filter(str.isdigit, cpf)), born_on) != ("52998224725", "1990-05-20"):
        raise BusinessError("no_match")
    return {"verified": True}


@dataclass
class Chat:
    """One conversation, whose dialogue is handed on as the flows do: through JSON."""

    agent: Agent
    world: World
    identity: IdentityInMemory = field(default_factory=IdentityInMemory)
    dialogue: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[HistoryMessage, ...] = ()
    codes: list[str] = field(default_factory=list)

    async def __call__(self, text: str, **more: Any) -> TurnResult:
        context = replace(self.world.context(), identity=self.identity)
        turn = said(text, dialogue=json.loads(json.dumps(self.dialogue)), history=self.history, **more)
        result = await self.agent.run(turn, context)
        if not result.needs_model:
            self.dialogue = result.dialogue
            self.history += (*turn.unanswered, HistoryMessage(200, Author.BOT, text_of(result), NOW))
            self.codes = [reason.code for reason in result.decision.reasons] if result.decision else []
        return result

    @property
    def called(self) -> list[str]:
        return [name for name, _, _ in self.world.calls]


def text_of(result: TurnResult) -> str:
    return getattr(result.decision, "text", "")


@pytest.fixture(scope="module")
def agent() -> Agent:
    return build_agent()


@pytest.fixture
def world() -> World:
    made = World()
    sensitive = replace(made.profile.functions["order_status"], needs_identity=True)
    functions = {**made.profile.functions, "order_status": sensitive, "confirm_customer": confirm_customer}
    terms = IdentityTerms("confirm_customer", functions=frozenset({"request_exchange"}))
    made.profile = replace(made.profile, functions=functions, identity=terms)
    return made


@pytest.fixture
def chat(agent: Agent, world: World) -> Chat:
    return Chat(agent, world)


async def test_that_a_sensitive_function_runs_once_the_contact_has_proven_who_it_is(chat: Chat) -> None:
    asks = await chat("cadê meu pedido 12345?")
    assert text_of(asks) == "Antes, preciso confirmar que é você. Qual é o seu CPF?"
    assert {"identity_required", "asks_for_identity"} <= set(chat.codes)
    more = await chat(CPF)
    assert text_of(more) == "Falta só isto para confirmar que é você. E a data de nascimento?"
    assert chat.called == []
    served = await chat("20/05/1990")
    assert text_of(served) == "Pedido 12345: a caminho."
    assert "identity_verified" in chat.codes
    assert [call.function for call in served.trace.tool_calls] == ["confirm_customer", "order_status"]
    again = await chat("cadê meu pedido 12345?")
    assert (text_of(again), "identity_verified_before" in chat.codes) == ("Pedido 12345: a caminho.", True)
    assert chat.called.count("confirm_customer") == 1


async def test_that_what_was_said_at_once_is_not_asked_for_again(chat: Chat) -> None:
    served = await chat(f"cadê meu pedido 12345? meu cpf é {CPF}, nasci em 20/05/1990")
    assert text_of(served) == "Pedido 12345: a caminho."


async def test_that_attempts_are_limited_and_a_person_takes_over(chat: Chat) -> None:
    await chat("cadê meu pedido 12345?")
    for attempt in range(3):
        result = await chat(f"{OTHER_CPF} e nasci em 20/05/1990")
        assert isinstance(result.decision, Reply if attempt < 2 else HandOff), attempt
        assert ("não conferem" in text_of(result)) == (attempt < 2)
    assert isinstance(result.decision, HandOff)
    assert result.decision.reason is HandOffReason.OUTSIDE_POLICY
    assert "identity_attempts_used_up" in chat.codes
    late = await chat(f"cadê meu pedido 12345? {CPF} 20/05/1990")
    assert isinstance(late.decision, HandOff), "the right answer comes too late"
    assert "order_status" not in chat.called


async def test_that_only_own_words_prove_anything(chat: Chat) -> None:
    await chat("cadê meu pedido 12345?")
    quoted = f'ela me mandou: "meu cpf é {CPF} e nasci em 20/05/1990"'
    result = await chat(quoted)
    assert isinstance(result.decision, Reply)
    assert "confirmar que é você" in text_of(result)
    assert chat.called == []


async def test_that_another_subject_is_served_and_the_question_is_dropped(chat: Chat) -> None:
    await chat("cadê meu pedido 12345?")
    assert text_of(await chat("qual o horario?")) == "Das 9h às 18h."
    assert chat.dialogue == {}
    await chat("cadê meu pedido 12345?")
    for _ in range(2):
        assert "confirmar que é você" in text_of(await chat("bla bla"))
    assert isinstance((await chat("bla bla")).decision, HandOff)


async def test_that_a_write_waits_for_the_identity_before_it_waits_for_a_person(chat: Chat) -> None:
    asks = await chat("quero trocar o 12345, ficou pequeno")
    assert isinstance(asks.decision, Reply)
    assert "CPF" in text_of(asks)
    asked = await chat(f"{CPF}, 20/05/1990")
    assert isinstance(asked.decision, AskApproval)
    assert asked.decision.arguments == {"order_number": "12345", "reason": "size"}


async def test_that_without_a_way_to_check_a_person_takes_over(chat: Chat, world: World) -> None:
    world.profile = replace(world.profile, identity=None)
    result = await chat("cadê meu pedido 12345?")
    assert isinstance(result.decision, HandOff)
    assert "identity_cannot_be_checked" in chat.codes
    assert chat.called == []


@pytest.mark.parametrize(
    ("language", "text", "question"),
    [
        ("es", "hola, cade mi pedido 12345, por favor, dónde está?", "Antes necesito confirmar que eres tú."),
        ("en", "where is my order? it is the number 12345, please", "First I need to confirm that it's you."),
    ],
)
async def test_that_it_is_asked_in_the_customers_language(chat: Chat, language: str, text: str, question: str) -> None:
    result = await chat(text, language=language)
    assert text_of(result).startswith(question)


# With a language model ----------------------------------------------------------------------------------------------


@pytest.fixture
async def clients() -> AsyncIterator[ModelClients]:
    made = ModelClients()
    yield made
    await made.aclose()


async def with_model(chat: Chat, clients: ModelClients, script: Sequence[dict[str, Any]], *texts: str) -> list[Any]:
    async with ScriptedOpenAI(script) as server:
        chat.world.model = LanguageModel(ModelSettings("main", server.base_url, "key", max_attempts=1), clients, seed=1)
        for text in texts:
            result = await chat(text)
        return [result, server.requests]


async def test_that_a_model_goes_on_once_the_identity_is_proven(chat: Chat, clients: ModelClients) -> None:
    script = [{"tool_calls": [STATUS]}, {"tool_calls": [STATUS]}, {"reply": "Está a caminho."}]
    texts = ("minha encomenda 12345 anda ou não anda, glorb?", CPF, "20/05/1990")
    result, requests = await with_model(chat, clients, script, *texts)
    assert text_of(result) == "Está a caminho."
    assert chat.called == ["confirm_customer", "order_status"]
    assert all("confirm_customer" not in json.dumps(request["tools"]) for request in requests if "tools" in request)


async def test_that_a_model_cannot_say_who_somebody_is(chat: Chat, clients: ModelClients) -> None:
    claim = {"name": "confirm_customer", "arguments": {"cpf": CPF, "born_on": "1990-05-20"}}
    script = [{"tool_calls": [claim]}, {"tool_calls": [STATUS]}, {"reply": "Verificado! Está a caminho."}]
    result, _ = await with_model(chat, clients, script, f"minha encomenda 12345, glorb? {CPF}")
    assert "data de nascimento" in text_of(result)
    assert chat.called == []
    assert "model_call_unusable" in chat.codes


async def test_that_a_proven_identity_outlives_the_move_to_the_models_queue(chat: Chat, clients: ModelClients) -> None:
    async with ScriptedOpenAI([{"tool_calls": [STATUS]}, {"tool_calls": [STATUS]}, {"reply": "A caminho."}]) as server:
        chat.world.model = LanguageModel(ModelSettings("main", server.base_url, "key", max_attempts=1), clients, seed=1)
        await chat("minha encomenda 12345 anda ou não anda, glorb?")
        chat.world.may_call_model = False
        assert (await chat(f"{CPF} 20/05/1990")).needs_model
        chat.world.may_call_model = True
        assert text_of(await chat(f"{CPF} 20/05/1990")) == "A caminho."
    assert chat.called == ["confirm_customer", "order_status"]
