"""A whole turn through the real graph: what a customer writes, and what is decided about it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from agent.graph import Agent, build_agent
from agent.nodes.approve import ApprovalNotPendingError
from agent.turn import CallResult, HistoryMessage, IntentSpec, TurnResult
from domain.decisions import AskApproval, HandOff, HandOffReason, Reply, ReplyMode, StaySilent, Suggest
from domain.messages import Author, MessageKind
from store.approval_threads import open_approval_threads
from store.database import Database
from tests.agent.world import NOW, World, said
from tests.database import SECRET

THREAD_TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
BEFORE = (HistoryMessage(1, Author.BOT, "Olá!", NOW),)


@pytest.fixture(scope="module")
def agent() -> Agent:
    return build_agent(InMemorySaver())


@pytest.fixture
def world() -> World:
    return World()


async def _talk(agent: Agent, world: World, *texts: str) -> list[TurnResult]:
    """One turn per text, the dialogue handed on as the flows do: through JSON."""
    results: list[TurnResult] = []
    for text in texts:
        dialogue = json.loads(json.dumps(results[-1].dialogue)) if results else {}
        results.append(await agent.run(said(text, dialogue=dialogue, history=BEFORE), world.context()))
    return results


def _text(result: TurnResult) -> str:
    assert isinstance(result.decision, Reply | Suggest | HandOff), result.decision
    return result.decision.text


async def test_that_a_complete_question_is_answered_from_the_function_with_its_evidence(
    agent: Agent, world: World
) -> None:
    result = await agent.run(said("Oi, cadê meu pedido 12345?"), world.context())
    assert isinstance(result.decision, Reply)
    assert result.decision.text == "Pedido 12345: a caminho."
    assert [(s.kind, s.ref) for s in result.decision.sources] == [("function", "order_status")]
    assert {"intent", "function", "reply_mode"} <= {reason.code for reason in result.decision.reasons}
    trace = result.trace
    assert (trace.intent, trace.confidence, trace.language) == ("order_status", 0.95, "pt")
    assert trace.tool_calls[0].result == {"number": "12345", "status": "a caminho"}
    assert set(trace.stages_ms) == {"understand", "act", "decide"}
    assert len(trace.prompt_bundle) == 16
    assert result.dialogue == {}


async def test_that_messages_in_a_row_are_read_together(agent: Agent, world: World) -> None:
    result = await agent.run(said("oi", "cadê meu pedido", "é o 12345"), world.context())
    assert _text(result) == "Pedido 12345: a caminho."
    assert len(world.calls) == 1


async def test_that_what_is_missing_is_asked_for_one_question_at_a_time(agent: Agent, world: World) -> None:
    asks, asks_more, asked = await _talk(agent, world, "quero trocar um produto", "é o 12345", "ficou pequeno")
    assert _text(asks) == "Qual é o número do pedido?"
    assert "uma das opções" in _text(asks_more)
    assert "ficou pequeno, defeito" in _text(asks_more)
    assert isinstance(asked.decision, AskApproval)
    assert asked.decision.arguments == {"order_number": "12345", "reason": "size"}
    assert "confirmar com a nossa equipe" in asked.decision.text
    assert world.calls == []


async def test_that_three_misses_in_a_row_go_to_a_person(agent: Agent, world: World) -> None:
    first, second, third, fourth = await _talk(agent, world, "cadê meu pedido?", "é o 12", "hmm sei lá", "não sei")
    assert _text(first) == "Qual é o número do pedido?"
    assert "conferir" in _text(second)
    assert "não encontrei o número do pedido" in _text(third)
    assert isinstance(fourth.decision, HandOff)
    assert fourth.decision.reason is HandOffReason.REPEATED_FAILURE
    assert fourth.dialogue == {}


async def test_that_a_function_in_progress_can_be_dropped(agent: Agent, world: World) -> None:
    _, dropped, later = await _talk(agent, world, "cadê meu pedido?", "ah, deixa pra lá", "12345")
    assert "deixei pra lá" in _text(dropped)
    assert dropped.dialogue == {}
    assert world.calls == []
    assert "não entendi" in _text(later)


async def test_that_the_customer_may_change_the_subject(agent: Agent, world: World) -> None:
    _, changed, back = await _talk(agent, world, "cadê meu pedido?", "aliás, qual o horário?", "legal! é o 12345")
    assert _text(changed) == "Das 9h às 18h."
    assert _text(back) == "Pedido 12345: a caminho."


async def test_that_a_new_wish_with_the_asked_value_in_it_is_the_new_wish(agent: Agent, world: World) -> None:
    _, changed = await _talk(agent, world, "cadê meu pedido?", "quero trocar o 12345")
    assert "uma das opções" in _text(changed)
    assert world.calls == []


async def test_that_an_answer_is_not_taken_for_a_new_subject(agent: Agent, world: World) -> None:
    results = await _talk(agent, world, "tenho um problema", "o horário da entrega passou e nada")
    assert "o que aconteceu" in _text(results[0])
    assert _text(results[1]) == "Anotei: o horário da entrega passou e nada"


async def test_that_a_corrected_value_alone_runs_the_function_again(agent: Agent, world: World) -> None:
    refused, found = await _talk(agent, world, "cadê meu pedido 99999?", "ops, é 12345")
    assert _text(refused) == "Não achei o pedido 99999."
    assert _text(found) == "Pedido 12345: a caminho."


async def test_that_the_same_refusal_three_times_goes_to_a_person(agent: Agent, world: World) -> None:
    results = await _talk(agent, world, "cadê meu pedido 99999?", "99998", "99997")
    assert isinstance(results[-1].decision, HandOff)
    assert results[-1].decision.reason is HandOffReason.REPEATED_FAILURE


@pytest.mark.parametrize(
    ("outcome", "reason"), [("failed", HandOffReason.TOOL_FAILURE), ("unknown", HandOffReason.UNKNOWN_OUTCOME)]
)
async def test_that_a_function_without_a_known_good_outcome_is_announced_and_handed_off(
    agent: Agent, world: World, outcome: Any, reason: HandOffReason
) -> None:
    world.outcomes["order_status"] = CallResult(outcome, error_code="secret-internal-detail")
    result = await agent.run(said("cadê meu pedido 12345"), world.context())
    assert isinstance(result.decision, HandOff)
    assert result.decision.reason is reason
    assert result.decision.text
    assert "secret" not in result.decision.text
    assert "order_number=12345" in result.decision.summary


async def test_that_a_call_refused_by_the_fence_voids_the_turn(agent: Agent, world: World) -> None:
    world.outcomes["order_status"] = CallResult("refused")
    result = await agent.run(said("cadê meu pedido 12345"), world.context())
    assert (result.void, result.decision, result.trace.tool_calls) == (True, None, ())


async def test_that_a_broken_template_never_reaches_the_customer(agent: Agent, world: World) -> None:
    result = await agent.run(said("chegou quebrado o 12345"), world.context())
    assert isinstance(result.decision, HandOff)
    assert result.decision.reason is HandOffReason.TOOL_FAILURE
    assert "{{" not in result.decision.text
    assert "template_failed" in {reason.code for reason in result.decision.reasons}


async def test_that_an_approved_call_acts_and_answers_and_a_second_answer_is_refused(
    agent: Agent, world: World
) -> None:
    asked = await agent.run(said("quero trocar o 12345, ficou pequeno"), world.context())
    assert asked.approval is not None
    await agent.start_approval("thread-1", json.loads(json.dumps(asked.approval)))
    assert world.calls == []
    done = await agent.resume_approval("thread-1", approved=True, context=world.context())
    assert world.calls == [("request_exchange", {"order_number": "12345", "reason": "size"}, 0)]
    assert _text(done) == "Troca aberta, Ana! Protocolo TR1."
    assert "approved_by_a_person" in {reason.code for reason in done.decision.reasons} if done.decision else False
    with pytest.raises(ApprovalNotPendingError):
        await agent.resume_approval("thread-1", approved=True, context=world.context())
    assert len(world.calls) == 1


async def test_that_a_rejected_call_does_not_act_and_the_customer_is_told(agent: Agent, world: World) -> None:
    asked = await agent.run(said("quero trocar o 12345, ficou pequeno"), world.context())
    await agent.start_approval("thread-2", asked.approval or {})
    result = await agent.resume_approval("thread-2", approved=False, context=world.context())
    assert "não foi possível confirmar" in _text(result)
    assert world.calls == []
    await agent.prune_approval("thread-2")
    with pytest.raises(ApprovalNotPendingError):
        await agent.resume_approval("thread-2", approved=True, context=world.context())


class _Vanishing(InMemorySaver):
    """Another run ends and prunes the thread once this one has looked at it."""

    armed = False

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        found = await super().aget_tuple(config)
        if self.armed:
            await self.adelete_thread(config["configurable"]["thread_id"])
        return found


async def test_that_an_approval_which_another_run_ends_at_the_same_moment_is_not_pending(world: World) -> None:
    saver = _Vanishing()
    agent = build_agent(saver)
    asked = await agent.run(said("quero trocar o 12345, ficou pequeno"), world.context())
    await agent.start_approval("thread-4", asked.approval or {})
    saver.armed = True
    with pytest.raises(ApprovalNotPendingError):
        await agent.resume_approval("thread-4", approved=True, context=world.context())
    assert world.calls == []


async def test_that_an_approval_stores_json_values_only_and_survives_another_process(world: World) -> None:
    saver = InMemorySaver()
    asked = await build_agent().run(said("quero trocar o 12345, ficou pequeno"), world.context())
    await build_agent(saver).start_approval("thread-3", asked.approval or {})
    kept = [value for blobs in (saver.blobs.values(),) for value in blobs]
    assert all(kind in {"msgpack", "null", "empty"} for kind, _ in kept)
    assert not any(b"agent." in data or b"domain." in data for _, data in kept)
    result = await build_agent(saver).resume_approval("thread-3", approved=True, context=world.context())
    assert _text(result).startswith("Troca aberta")


async def test_that_a_trusted_write_runs_at_once(agent: Agent, world: World) -> None:
    world.profile = replace(world.profile, trusted_writes=frozenset({"request_exchange"}))
    assert _text(await agent.run(said("quero trocar o 12345, defeito"), world.context())).startswith("Troca aberta")


async def test_that_fixed_answers_come_in_the_customers_language_or_the_default(agent: Agent, world: World) -> None:
    assert _text(await agent.run(said("¿a qué hora abren?"), world.context())) == "De 9 a 18 h."
    english = await agent.run(said("what is your horario please"), world.context())
    assert english.language == "en"
    assert _text(english) == "We have this information in Portuguese only:\n\nDas 9h às 18h."


@pytest.mark.parametrize(
    ("text", "reason", "announced"),
    [
        ("quero falar com um atendente", HandOffReason.REQUESTED, "pessoa da nossa equipe"),
        ("quiero hablar con una persona", HandOffReason.REQUESTED, "persona de nuestro equipo"),
        ("I want to talk to a human", HandOffReason.REQUESTED, "someone on our team"),
        ("isso é um absurdo, ninguém resolve", HandOffReason.ANGER, "Sinto muito"),
        ("é um assunto jurídico", HandOffReason.RESTRICTED_INTENT, "pessoa da nossa equipe"),
    ],
)
async def test_that_handoffs_are_announced_in_the_customers_language(
    agent: Agent, world: World, text: str, reason: HandOffReason, announced: str
) -> None:
    result = await agent.run(said(text), world.context())
    assert isinstance(result.decision, HandOff)
    assert result.decision.reason is reason
    assert announced in result.decision.text
    assert text in result.decision.summary


async def test_that_the_announcement_tells_the_queue_position_or_that_the_team_is_away(
    agent: Agent, world: World
) -> None:
    world.queue = 3
    assert "3º na fila" in _text(await agent.run(said("quero um atendente"), world.context()))
    closed = replace(world.profile.hours, weekly=((("09:00", "10:00"),),) * 7)
    world.profile = replace(world.profile, hours=closed)
    assert "fora do horário" in _text(await agent.run(said("quero um atendente"), world.context()))


async def test_that_without_a_model_knowledge_answers_then_one_question_back_then_a_person(
    agent: Agent, world: World
) -> None:
    known = await agent.run(said("aceitam pix?"), world.context())
    assert isinstance(known.decision, Reply)
    assert "Aceitamos Pix, cartão e boleto." in known.decision.text
    assert known.decision.sources[0].ref == "pagamento#1"
    clarify, person = await _talk(agent, world, "glorb zzyx", "frumious blarg")
    assert "não entendi" in _text(clarify)
    assert isinstance(person.decision, HandOff)
    assert person.decision.reason is HandOffReason.LOW_CONFIDENCE


async def test_that_courtesies_get_short_answers_and_bare_signs_none(agent: Agent, world: World) -> None:
    assert "Loja Teste" in _text(await agent.run(said("oi, bom dia!"), world.context()))
    assert "Por nada" in _text(await agent.run(said("obrigada!", history=BEFORE), world.context()))
    for text, kind in (("ok", MessageKind.TEXT), ("👍", MessageKind.TEXT), ("", MessageKind.REACTION)):
        result = await agent.run(said(text, kind=kind, history=BEFORE), world.context())
        assert isinstance(result.decision, StaySilent), text
    assert isinstance((await agent.run(said("pode encerrar"), world.context())).decision, StaySilent)


async def test_that_media_alone_goes_to_a_person_and_media_with_text_is_read(agent: Agent, world: World) -> None:
    alone = await agent.run(said("", kind=MessageKind.IMAGE), world.context())
    assert isinstance(alone.decision, HandOff)
    assert alone.decision.reason is HandOffReason.MEDIA
    captioned = await agent.run(said("cadê meu pedido 12345", kind=MessageKind.IMAGE), world.context())
    assert isinstance(captioned.decision, Reply)


async def test_that_invisible_text_gets_a_question_back(agent: Agent, world: World) -> None:
    assert "não entendi" in _text(await agent.run(said("\u200b\u202e \u200d"), world.context()))


async def test_that_the_reply_policy_of_the_intent_overrides_the_tenants(agent: Agent, world: World) -> None:
    world.profile = replace(world.profile, reply_mode=ReplyMode.SUGGEST)
    suggested = await agent.run(said("qual o horário?"), world.context())
    assert isinstance(suggested.decision, Suggest)
    assert suggested.decision.sources
    hours = replace(world.profile.intents["hours"], reply_mode=ReplyMode.AUTO)
    world.profile = replace(world.profile, intents={**world.profile.intents, "hours": hours})
    assert isinstance((await agent.run(said("qual o horário?"), world.context())).decision, Reply)


async def test_that_switched_off_the_agent_does_nothing_but_hand_off(agent: Agent, world: World) -> None:
    world.profile = replace(world.profile, reply_mode=ReplyMode.OFF)
    for text in ("cadê meu pedido 12345", "glorb zzyx", "qual o horário?"):
        assert isinstance((await agent.run(said(text), world.context())).decision, StaySilent), text
    assert world.calls == []
    assert isinstance((await agent.run(said("quero um atendente"), world.context())).decision, HandOff)


async def test_that_one_understood_message_among_others_is_served(agent: Agent, world: World) -> None:
    result = await agent.run(said("vi no site", "cadê meu pedido 12345"), world.context())
    assert _text(result) == "Pedido 12345: a caminho."


async def test_that_hostile_text_is_only_data_in_replies_and_templates(agent: Agent, world: World) -> None:
    results = await _talk(agent, world, "tenho um problema", "{{ 7*7 }} {% for x in range(9) %}")
    assert _text(results[1]) == "Anotei: {{ 7*7 }} {% for x in range(9) %}"


async def test_that_a_tenants_own_words_win_and_a_broken_one_falls_back(agent: Agent, world: World) -> None:
    texts = {"greeting": {"pt": "Fala! Aqui é a {{ business }}."}, "thanks": {"pt": "{{ nope }}"}}
    world.profile = replace(world.profile, texts=texts)
    assert _text(await agent.run(said("oi"), world.context())) == "Fala! Aqui é a Loja Teste."
    assert "Por nada" in _text(await agent.run(said("obrigado"), world.context()))


async def test_that_an_intent_of_a_missing_function_goes_to_a_person(agent: Agent, world: World) -> None:
    gone = IntentSpec("order_status", function="gone")
    world.profile = replace(world.profile, intents={"order_status": gone})
    result = await agent.run(said("cadê meu pedido 12345"), world.context())
    assert isinstance(result.decision, HandOff)
    assert result.decision.reason is HandOffReason.TOOL_FAILURE


async def test_that_an_approval_waits_encrypted_in_postgres(world: World, db: Database, owner_dsn: str) -> None:
    asked = await build_agent().run(said("quero trocar o 12345, ficou pequeno"), world.context())
    owner = await asyncpg.connect(owner_dsn)
    try:
        async with open_approval_threads(db.queue_url, SECRET) as saver:
            await build_agent(saver).start_approval("thread-9", asked.approval or {})
        kept = str([await owner.fetch(f"SELECT * FROM approvals.{table}") for table in THREAD_TABLES])
        assert "thread-9" in kept
        assert not any(word in kept for word in ("request_exchange", "12345", "Ana"))
        async with open_approval_threads(db.queue_url, SECRET) as saver:
            agent = build_agent(saver)
            done = await agent.resume_approval("thread-9", approved=True, context=world.context())
            assert _text(done) == "Troca aberta, Ana! Protocolo TR1."
            await agent.prune_approval("thread-9")
        assert [await owner.fetch(f"SELECT * FROM approvals.{table}") for table in THREAD_TABLES] == [[], [], []]
    finally:
        await owner.close()
