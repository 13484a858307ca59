"""Functions declared by a schema, with lists and objects among their arguments, under the agent's own rules."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agent.authority import Authority, given
from agent.graph import Agent, build_agent
from agent.turn import IntentSpec
from domain.decisions import HandOff
from tests.agent.world import World, said
from tools.declaration import BusinessFunction, ToolContext
from tools.schema import parameters_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"order_id": {"type": "string"}, "quantity": {"type": "integer"}},
            },
        }
    },
    "required": ["items"],
    "additionalProperties": False,
}


async def _call(ctx: ToolContext, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"count": len(items)}


def function(effect: Any) -> BusinessFunction:
    return BusinessFunction("return_items", "Take items back.", effect, parameters_of(SCHEMA), _call, schema=SCHEMA)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def agent() -> Agent:
    return build_agent()


@pytest.mark.parametrize("effect", ["read", "write"])
@pytest.mark.parametrize(
    ("order", "foreign"), [("12345", False), ("99999", True), (12345, False), ({"x": {"order_id": 99999}}, True)]
)
def test_that_what_stands_in_a_list_must_come_from_the_customer_too(
    world: World, effect: Any, order: Any, foreign: bool
) -> None:
    authority = Authority(said("quero devolver o 12345, 2 unidades"), world.context(), "pt")
    arguments = {"items": [{"order_id": order, "quantity": 2}]}
    found = authority.foreign_value(function(effect), arguments)
    assert (found is not None) == foreign
    assert ("items.order_id", order) in [(p.name, v) for p, v in given(function(effect), arguments)] or foreign


async def test_that_no_question_is_asked_for_a_list_without_a_model(agent: Agent, world: World) -> None:
    world.profile = replace(
        world.profile,
        functions={**world.profile.functions, "return_items": function("write")},
        intents={
            **world.profile.intents,
            "exchange": IntentSpec("exchange", "x", "return_items", replies={"ok": {"pt": "Ok."}}),
        },
    )
    result = await agent.run(said("quero trocar o 12345, ficou pequeno"), world.context())
    assert isinstance(result.decision, HandOff)
    assert "cannot_be_collected" in json.dumps([reason.code for reason in result.decision.reasons])
