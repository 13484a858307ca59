"""The stand-in model is as good as what the request tells it, and says the same thing every time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.encoder import default_encoder
from agent.language_model import ModelSettings
from domain.decisions import HandOff
from evaluation.bundles import Bundle, load_bundle
from evaluation.model import EvalModels
from evaluation.stand_in import MISTAKES, StandIn
from evaluation.stand_in_reading import RULES, Seen
from tests.evaluation.one_turn import one_turn

AURORA = Path(__file__).parents[2] / "tenants" / "loja-aurora"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(".", AURORA, default_model=ModelSettings("stand-in"))


@pytest.fixture(scope="module")
def stand_in() -> StandIn:
    return StandIn(default_encoder())


def body(bundle: Bundle, asked: str, *, system: str | None = None, **more: Any) -> dict[str, Any]:
    values = dict.fromkeys(bundle.library["converse"].inputs, "") | {"language": "pt", "passages": [], "masked": False}
    rules = system if system is not None else bundle.library["converse"].render(**values)
    messages = [{"role": "system", "content": rules}, {"role": "user", "content": asked}]
    tools = [function.json_schema() for function in bundle.profile.functions.values()]
    hand_off = {"type": "function", "function": {"name": "hand_off", "description": "Give it to a person."}}
    return {"model": "stand-in", "messages": messages, "tools": [*tools, hand_off], "temperature": 0.2, **more}


def called(response: Mapping[str, Any]) -> str | None:
    calls = response["choices"][0]["message"].get("tool_calls")
    return calls[0]["function"]["name"] if calls else None


def test_that_the_shipped_prompt_has_every_rule_that_is_looked_for(bundle: Bundle) -> None:
    assert Seen.of(body(bundle, "oi")).rules == RULES.keys() == MISTAKES.keys()


def test_that_quality_falls_with_every_rule_taken_away_and_every_contradiction(
    bundle: Bundle, stand_in: StandIn
) -> None:
    system = body(bundle, "oi")["messages"][0]["content"]
    figures = [stand_in.quality(body(bundle, "oi", system=system))]
    for number in ("1", "3", "4"):
        system = re.sub(rf"\n{number}\. .*?(?=\n\d\. |\n\n)", "", system, flags=re.DOTALL)
        figures.append(stand_in.quality(body(bundle, "oi", system=system)))
    figures.append(stand_in.quality(body(bundle, "oi", system=system + "\nYou may guess a value.")))
    figures.append(stand_in.quality(body(bundle, "oi", system="")))
    assert figures == sorted(figures, reverse=True)
    assert len(set(figures)) == len(figures)
    assert figures[0] > 0.7
    assert figures[-1] < 0.01


def test_that_a_neutral_edit_leaves_quality_alone_and_a_smaller_model_does_not(
    bundle: Bundle, stand_in: StandIn
) -> None:
    request = body(bundle, "oi")
    system = request["messages"][0]["content"]
    neutral = system.replace("serving its customers on WhatsApp", "helping its customers over WhatsApp")
    assert neutral != system
    assert stand_in.quality(body(bundle, "oi", system=neutral)) == stand_in.quality(request)
    assert stand_in.quality({**request, "model": "stand-in-nano"}) < stand_in.quality(request)
    assert stand_in.quality({**request, "temperature": 1.0}) < stand_in.quality(request)


def test_that_a_spoiled_tool_description_is_picked_less_often(bundle: Bundle, stand_in: StandIn) -> None:
    questions = [f"queria saber se a compra {number} já saiu para entrega" for number in range(10_200, 10_240)]
    good = sum(called(stand_in.respond(body(bundle, one))) == "order_status" for one in questions)
    spoiled = [body(bundle, one) for one in questions]
    for request in spoiled:
        entry = next(tool for tool in request["tools"] if tool["function"]["name"] == "order_status")
        entry["function"] |= {"name": "fn_7", "description": "Internal legacy routine; see the manual."}
    bad = sum(called(stand_in.respond(request)) == "fn_7" for request in spoiled)
    assert good >= 30
    assert bad <= good / 2


def test_that_the_same_request_is_answered_alike_and_another_sample_may_differ(
    bundle: Bundle, stand_in: StandIn
) -> None:
    request = body(bundle, "qual a capital da França?", system="You are an assistant.", temperature=1.0)
    first = stand_in.respond(request)
    assert first == stand_in.respond(request) == StandIn(default_encoder()).respond(request)
    texts = {str(stand_in.respond(request, sample=sample)["choices"][0]["message"]) for sample in range(1, 12)}
    assert len(texts) > 1
    assert StandIn(default_encoder(), seed=5).respond(request)["id"] != first["id"]


@pytest.mark.parametrize(
    ("said", "function"),
    [
        ("queria saber se aquela compra minha de número 10234 já anda por aí", "order_status"),
        ("qual a capital da França?", None),
    ],
)
async def test_that_it_answers_through_the_client_and_the_graph_of_production(
    bundle: Bundle, said: str, function: str | None
) -> None:
    models = EvalModels("simulated", simulation=StandIn(default_encoder(), slip=0.0))
    assert bundle.model is not None
    model = models.model(bundle.model)
    result = await one_turn(bundle, said, model)
    await models.aclose()
    assert model.origin == "simulated"
    assert [call.function for call in result.trace.tool_calls] == ([function] if function else [])
    assert result.decision is not None
    assert not isinstance(result.decision, HandOff)


def test_that_knowledge_in_the_request_is_used(bundle: Bundle) -> None:
    careful = StandIn(default_encoder(), slip=0.0)
    prompt = bundle.library["converse"]
    values = dict.fromkeys(prompt.inputs, "") | {"language": "pt", "masked": False}
    passage = {"ref": "a#1", "title": "Presentes", "text": "Embrulhamos para presente por R$ 7,90. Abrimos às 9h."}
    asked = "vocês embrulham pra presente?"
    for passages, expected in (([passage], "R$ 7,90"), ([], "não tenho")):
        system = prompt.render(**{**values, "passages": passages})
        answer = careful.respond(body(bundle, asked, system=system))["choices"][0]["message"]
        assert expected in answer["content"]
