"""When a conversation goes to a person, and what is said of it: every trigger, and each switched off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from agent.budgeted_model import BudgetedModel
from agent.graph import Agent, build_agent
from agent.language_model import LanguageModel, ModelClients, ModelSettings, Usage
from agent.policy import policy_of
from agent.turn import BusinessHours, CallResult, HandOffTerms, HistoryMessage, IntentSpec, TurnResult
from domain.decisions import AskApproval, HandOff, HandOffReason, Reason, Reply, ReplyMode, Suggest
from domain.messages import Author, MessageKind
from domain.policy import PolicyRule
from tests.agent.world import NOW, ZONE, World, said
from tests.openai_server import ScriptedOpenAI

BEFORE = (HistoryMessage(1, Author.BOT, "Olá!", NOW),)
ORDER = "cadê meu pedido 66666?"


@pytest.fixture(scope="module")
def agent() -> Agent:
    return build_agent()


@pytest.fixture
def world() -> World:
    return World()


def without(world: World, *reasons: HandOffReason) -> None:
    world.profile = replace(world.profile, hand_off=replace(world.profile.hand_off, switched_off=frozenset(reasons)))


async def talk(agent: Agent, world: World, texts: Sequence[str], **context: Any) -> list[TurnResult]:
    results: list[TurnResult] = []
    for text in texts:
        dialogue = json.loads(json.dumps(results[-1].dialogue)) if results else {}
        turn = said(text, dialogue=dialogue, history=BEFORE)
        results.append(await agent.run(turn, replace(world.context(), **context)))
    return results


def reason_of(result: TurnResult) -> HandOffReason | None:
    return result.decision.reason if isinstance(result.decision, HandOff) else None


def tags(world: World, *names: str) -> dict[str, Any]:
    return {"policy": policy_of(world.profile, NOW, tags=names)}


RESTRICTED = IntentSpec("hours", restricted=True)


@pytest.mark.parametrize(
    ("reason", "texts"),
    [
        (HandOffReason.REQUESTED, ["quero falar com um atendente"]),
        (HandOffReason.ANGER, ["vocês são uns golpistas"]),
        (HandOffReason.LOW_CONFIDENCE, ["glorb zzyx", "frumious blarg"]),
        (HandOffReason.REPEATED_FAILURE, ["cadê meu pedido?", "xx", "yy", "zz"]),
        (HandOffReason.REPEATED_FAILURE, ["cadê meu pedido 00001?", "00002", "00003"]),
        (HandOffReason.TOOL_FAILURE, [ORDER]),
        (HandOffReason.RESTRICTED_INTENT, ["qual o horário?"]),
        (HandOffReason.VIP, ["qual o horário?"]),
    ],
)
async def test_that_each_trigger_hands_off_and_none_does_once_it_is_switched_off(
    agent: Agent, world: World, reason: HandOffReason, texts: list[str]
) -> None:
    if reason is HandOffReason.RESTRICTED_INTENT:
        world.profile = replace(world.profile, intents={**world.profile.intents, "hours": RESTRICTED})
    names = ("vip",) if reason is HandOffReason.VIP else ()
    results = await talk(agent, world, texts, **tags(world, *names))
    assert [reason_of(result) for result in results] == [None] * (len(texts) - 1) + [reason]
    without(world, reason)
    results = await talk(agent, world, [*texts, texts[-1]], **tags(world, *names))
    assert reason not in {reason_of(result) for result in results}
    assert all(result.decision is not None for result in results)


async def test_that_a_message_that_waited_too_long_goes_to_a_person_unless_a_newer_one_came(
    agent: Agent, world: World
) -> None:
    world.profile = replace(world.profile, hand_off=HandOffTerms(old_after=timedelta(hours=2)))
    old = replace(said("qual o horário?").unanswered[0], at=NOW - timedelta(hours=2, minutes=1))
    newer = replace(old, id=101, text="e no sábado?", at=NOW - timedelta(minutes=1))
    for unanswered, expected in (((old,), HandOffReason.OLD_MESSAGE), ((old, newer), None)):
        turn = replace(said("x", history=BEFORE), unanswered=unanswered)
        result = await agent.run(turn, world.context())
        assert reason_of(result) is expected
    result = await agent.run(replace(said("x", history=BEFORE), unanswered=(old,)), world.context())
    assert isinstance(result.decision, HandOff)
    assert "Desculpe a demora" in result.decision.text
    world.profile = replace(world.profile, hand_off=HandOffTerms(old_after=None))
    result = await agent.run(replace(said("x", history=BEFORE), unanswered=(old,)), world.context())
    assert reason_of(result) is None


async def test_that_what_replaces_a_restricted_intent_waits_for_a_person(agent: Agent, world: World) -> None:
    world.profile = replace(world.profile, intents={**world.profile.intents, "hours": RESTRICTED})
    without(world, HandOffReason.RESTRICTED_INTENT)
    (result,) = await talk(agent, world, ["qual o horário?"])
    assert isinstance(result.decision, Suggest)


class Purse:
    """A budget that allows what it has left."""

    def __init__(self, tokens: int) -> None:
        self.is_limited, self.left, self.used = True, tokens, Usage()

    async def hold(self, most: Usage) -> str | None:
        return f"{self.left} left" if most.input_tokens + most.output_tokens > self.left else None

    def spend(self, usage: Usage) -> None:
        self.used += usage


@pytest.mark.parametrize("masked", [False, True])
async def test_that_a_used_up_budget_is_an_announced_handoff_before_the_model_is_asked(
    agent: Agent, world: World, masked: bool
) -> None:
    world.profile = replace(world.profile, mask_model_prompts=masked)
    clients = ModelClients()
    async with ScriptedOpenAI([{"when": ".", "reply": "Oi! Como posso ajudar?"}]) as server:
        model = LanguageModel(ModelSettings("m", server.base_url), clients)
        for tokens, asked in ((10, 0), (1_000_000, 1)):
            purse = Purse(tokens)
            world.model = BudgetedModel(model, purse)
            result = await agent.run(said("blarg"), world.context())
            assert len(server.requests) == asked
            assert purse.used.input_tokens == 2 * 120 * asked  # the reply, and its second reading
            if not asked:
                assert isinstance(result.decision, HandOff)
                assert (result.decision.reason, result.decision.announce) == (HandOffReason.COST_CAP, True)
                assert result.decision.text
                assert Reason("cost_cap", "10 left") in result.decision.reasons
            else:
                assert not isinstance(result.decision, HandOff)
    await clients.aclose()


async def test_that_a_person_is_offered_once_and_then_fetched(agent: Agent, world: World) -> None:
    first, second = await talk(agent, world, ["glorb zzyx", "sim, por favor"])
    assert isinstance(first.decision, Reply)
    assert "*sim*" in first.decision.text
    assert reason_of(second) is HandOffReason.LOW_CONFIDENCE
    first, declined, third = await talk(agent, world, ["glorb zzyx", "não", "frumious blarg"])
    assert isinstance(declined.decision, Reply)
    assert reason_of(third) is HandOffReason.LOW_CONFIDENCE
    asked = await talk(agent, world, ["cadê meu pedido?", "xx", "yy"])
    offers = ["*sim*" in result.decision.text for result in asked if isinstance(result.decision, Reply)]
    assert offers == [False, False, True]
    (await_yes,) = (await talk(agent, world, ["cadê meu pedido?", "xx", "yy", "quero"]))[3:]
    assert reason_of(await_yes) is HandOffReason.REPEATED_FAILURE


async def test_that_an_order_behind_the_offer_is_no_yes(agent: Agent, world: World) -> None:
    *_, last = await talk(agent, world, ["glorb zzyx", "quero trocar o 12345, ficou pequeno"])
    assert reason_of(last) is None
    world.profile = replace(world.profile, hand_off=HandOffTerms(offer_first=False))
    first, _ = await talk(agent, world, ["glorb zzyx", "frumious blarg"])
    assert isinstance(first.decision, Reply)
    assert "*sim*" not in first.decision.text


OFFICE = BusinessHours(((("09:00", "18:00"),),) * 5 + ((), ()))
SUNDAY = datetime(2026, 11, 22, 11, 0, tzinfo=ZONE)
MONDAY = datetime(2026, 11, 23, 11, 0, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("text", "now", "part"),
    [
        ("quero falar com um atendente", MONDAY, "3º na fila"),
        ("quiero hablar con una persona", MONDAY, "número 3"),
        ("I want to talk to a human", MONDAY, "number 3"),
        ("quero falar com um atendente", SUNDAY, "amanhã às 09:00"),
        ("quiero hablar con una persona", SUNDAY, "mañana a las 9:00"),
        ("I want to talk to a human", SUNDAY, "tomorrow at 9:00"),
    ],
)
async def test_that_the_announcement_gives_the_place_in_the_queue_or_the_next_opening_in_the_customers_language(
    agent: Agent, world: World, text: str, now: datetime, part: str
) -> None:
    world.profile, world.now, world.queue = replace(world.profile, hours=OFFICE), now, 3
    result = await agent.run(said(text), world.context())
    assert isinstance(result.decision, HandOff)
    assert part in result.decision.text
    assert result.notices == (("outside_hours",) if now is SUNDAY else ())


@pytest.mark.parametrize(("told", "again"), [(timedelta(minutes=5), False), (timedelta(days=5), True)])
async def test_that_the_hours_are_told_once_per_closed_time(
    agent: Agent, world: World, told: timedelta, again: bool
) -> None:
    world.profile, world.now = replace(world.profile, hours=OFFICE), SUNDAY
    result = await agent.run(said("quero um atendente", told_closed_at=SUNDAY - told), world.context())
    assert isinstance(result.decision, HandOff)
    assert ("amanhã às 09:00" in result.decision.text) is again
    assert result.notices == (("outside_hours",) if again else ())


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        (MessageKind.LOCATION, "", "“[localização]”"),
        (MessageKind.POLL_VOTE, "", "“[voto em enquete]”"),
        (MessageKind.UNKNOWN, "", "“[mensagem sem texto]”"),
        (MessageKind.TEXT, "\u200b", "“[mensagem sem texto]”"),
    ],
)
async def test_that_the_summary_names_what_has_no_text_in_the_business_s_language(
    agent: Agent, world: World, kind: MessageKind, text: str, shown: str
) -> None:
    turn = said("quero um atendente")
    last = HistoryMessage(99, Author.CONTACT, text, NOW, kind=kind)
    result = await agent.run(replace(turn, unanswered=(*turn.unanswered, last)), world.context())
    assert isinstance(result.decision, HandOff)
    assert result.decision.summary.endswith(f"Última mensagem: {shown}")


async def test_that_the_operator_gets_a_summary_what_was_collected_and_what_to_do(agent: Agent, world: World) -> None:
    *_, last = await talk(agent, world, ["quero trocar, ficou pequeno", "quero um atendente"])
    decision = last.decision
    assert isinstance(decision, HandOff)
    assert "quero um atendente" in decision.summary
    assert decision.collected == {"reason": "size"}
    assert "Ainda falta: o número do pedido" in decision.next_step


@pytest.mark.parametrize(
    ("mode", "announce", "is_said"),
    [
        (ReplyMode.AUTO, frozenset[ReplyMode](), True),
        (ReplyMode.SUGGEST, frozenset[ReplyMode](), False),
        (ReplyMode.SUGGEST, frozenset({ReplyMode.SUGGEST}), True),
        (ReplyMode.OFF, frozenset({ReplyMode.SUGGEST}), False),
        (ReplyMode.OFF, frozenset({ReplyMode.OFF}), True),
    ],
)
async def test_that_announcement_and_disclosure_go_out_under_off_and_suggest_only_if_the_tenant_allows_them(
    agent: Agent, world: World, mode: ReplyMode, announce: frozenset[ReplyMode], is_said: bool
) -> None:
    texts = {"disclosure": {"pt": "Sou um robô."}}
    world.profile = replace(world.profile, reply_mode=mode, announce_under=announce, texts=texts)
    result = await agent.run(said("quero um atendente"), world.context())
    assert isinstance(result.decision, HandOff)
    assert result.decision.announce is is_said
    assert result.decision.text.startswith("Sou um robô.") is is_said
    assert ("disclosure" in result.notices) is is_said


@pytest.mark.parametrize("first", ["qual o horário?", "quero trocar o 12345, ficou pequeno", "quero um atendente"])
async def test_that_the_first_automatic_text_whatever_it_is_says_that_an_assistant_answers(
    agent: Agent, world: World, first: str
) -> None:
    world.profile = replace(world.profile, texts={"disclosure": {"pt": "Sou um robô."}})
    result = await agent.run(said(first), world.context())
    assert isinstance(result.decision, Reply | AskApproval | HandOff)
    assert result.decision.text.startswith("Sou um robô.\n\n")
    assert "disclosure" in result.notices
    later = await agent.run(said(first, is_first_reply=False), world.context())
    assert isinstance(later.decision, Reply | AskApproval | HandOff)
    assert "robô" not in later.decision.text
    world.profile = replace(world.profile, reply_mode=ReplyMode.SUGGEST)
    suggested = await agent.run(said("qual o horário?"), world.context())
    assert isinstance(suggested.decision, Suggest)
    assert "robô" not in suggested.decision.text


async def test_that_the_kill_switch_makes_replies_suggestions_and_asks_before_trusted_writes(
    agent: Agent, world: World
) -> None:
    world.profile = replace(world.profile, trusted_writes=frozenset({"request_exchange"}))
    stopped = {"policy": policy_of(world.profile, NOW, stopped=True)}
    (answer,) = await talk(agent, world, ["qual o horário?"], **stopped)
    assert isinstance(answer.decision, Suggest)
    assert any("kill switch" in reason.detail for reason in answer.decision.reasons)
    (write,) = await talk(agent, world, ["quero trocar o 12345, ficou pequeno"], **stopped)
    assert isinstance(write.decision, AskApproval)
    assert write.decision.text == ""
    assert [name for name, _, _ in world.calls] == []
    (handed,) = await talk(agent, world, ["quero um atendente"], **stopped)
    assert isinstance(handed.decision, HandOff)
    assert not handed.decision.announce


async def test_that_rules_by_number_hours_and_tag_reach_the_decision_with_their_explanation(
    agent: Agent, world: World
) -> None:
    rules = (PolicyRule(ReplyMode.SUGGEST, hours="closed"), PolicyRule(ReplyMode.AUTO, hours="closed", tag="friend"))
    world.profile, world.now = replace(world.profile, hours=OFFICE, policy_rules=rules), SUNDAY
    kinds = []
    for names in ((), ("friend",)):
        policy = policy_of(world.profile, SUNDAY, tags=names)
        result = await agent.run(said("qual o horário?"), replace(world.context(), policy=policy))
        assert result.decision is not None
        kinds.append((result.decision.kind, next(r.detail for r in result.decision.reasons if r.code == "reply_mode")))
    assert kinds == [
        ("suggest", "suggest: suggest for hours closed"),
        ("reply", "auto: auto for hours closed, tag friend"),
    ]


async def test_that_a_share_of_what_earned_autonomy_sends_is_still_shown_first(agent: Agent, world: World) -> None:
    from domain.autonomy import AutonomyTerms  # noqa: PLC0415

    world.profile = replace(world.profile, reply_mode=ReplyMode.SUGGEST, autonomy=AutonomyTerms(audit_share=0.25))
    policy = policy_of(world.profile, NOW, promoted=["hours"])
    shown = 0
    for number in range(400):
        turn = replace(said("qual o horário?"), conversation_id=f"c{number}")
        runs = [await agent.run(turn, replace(world.context(), policy=policy)) for _ in range(1 + (number < 20))]
        assert len({type(run.decision) for run in runs}) == 1
        if isinstance(runs[0].decision, Suggest):
            shown += 1
            assert runs[0].earns == "hours"
        else:
            assert isinstance(runs[0].decision, Reply)
    assert 70 <= shown <= 130


async def test_that_a_failed_look_up_without_a_handoff_asks_to_try_later(agent: Agent, world: World) -> None:
    world.outcomes["order_status"] = CallResult("failed", error_code="Timeout")
    without(world, HandOffReason.TOOL_FAILURE)
    (result,) = await talk(agent, world, ["cadê meu pedido 12345?"])
    assert isinstance(result.decision, Reply)
    assert "tentar de novo" in result.decision.text


@pytest.mark.parametrize("text", ["", "meu pedido"])
async def test_that_a_message_of_an_unsupported_kind_goes_to_a_person(agent: Agent, world: World, text: str) -> None:
    turn = said(text, history=BEFORE)
    unread = tuple(replace(message, kind=MessageKind.UNKNOWN) for message in turn.unanswered)
    result = await agent.run(replace(turn, unanswered=unread), world.context())
    assert reason_of(result) is HandOffReason.MEDIA
    assert "unsupported_kind" in [reason.code for reason in result.decision.reasons]
