"""Whatever stands behind the model's address answers: the turn ends at once, and the customer hears of it in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.flows.backroom import Backroom
from tests.flows.shop import Shop
from tests.openai_server import ScriptedOpenAI

SAID = "Oi! Como posso ajudar?"
DEEP = 50_000


def completion(message: dict[str, Any] | None = None, finish_reason: Any = "stop", **more: Any) -> str:
    """The body of an answer; ``message`` and ``more`` replace what stands in it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": SAID, **(message or {})}}
    body = {"id": "x", "object": "chat.completion", "model": "main", "usage": {"prompt_tokens": 7}}
    return json.dumps({**body, "choices": [{**choice, "finish_reason": finish_reason}], **more})


def calling(name: Any = "nobody_has_this", arguments: Any = "{}", **more: Any) -> str:
    """The body of an answer that calls a function."""
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}, **more}
    return completion({"content": None, "tool_calls": [call]}, "tool_calls")


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = "end"
    for _ in range(depth):
        value = [value]
    return value


ANSWERED = {  # odd, but what the model says can be read
    "infinite usage": completion().replace("7}", "1e999}"),
    "usage beyond 64 bits": completion(usage={"prompt_tokens": 10**30, "completion_tokens": 10**25}),
    "negative usage": completion(usage={"prompt_tokens": -5, "completion_tokens": -1e300}),
    "usage in words": completion(usage={"prompt_tokens": "many", "prompt_tokens_details": [1]}),
    "a model's name with NUL": completion(model="ma\x00in"),
    "a model's name with half a surrogate": completion(model="ma\ud83d"),
    "a model's name without end": completion(model="m" * 1_000_000),
    "a reason with NUL": completion(finish_reason="st\x00op"),
    "a reason that is an object": completion(finish_reason={"a": nested(500)}),
    "a mark of byte order": "\ufeff" + completion(),
}
UNUSABLE = {
    "lists that never end": "[" * DEEP,
    "lists in lists": "[" * DEEP + "]" * DEEP,
    "lists for a text": completion().replace(f'"{SAID}"', "[" * DEEP + "]" * DEEP),
    "objects for arguments": calling(arguments='{"a":' * DEEP + "1" + "}" * DEEP),
    "nested arguments that are no text": calling(arguments=nested(500)),
    "objects for a handoff's reason": calling("hand_off", '{"reason":' * DEEP + "1" + "}" * DEEP),
    "a handoff with NUL": calling("hand_off", '{"reason": "outside_policy", "summary": "a\\u0000b \\ud83d"}'),
    "an infinite argument": calling("slow_lookup", '{"seconds": 1e999}'),
    "a function's name with NUL": calling("slow\x00lookup"),
    "a function's name with half a surrogate": calling("slow\ud83dlookup"),
    "a function's name in letters of everywhere": calling("consultação_☃\u202e"),
    "a function's name without end": calling("x" * 2_000_000),
    "a call's id that is an object": calling(id={"a": 1}),
    "a call's id with NUL": calling(id="c\x00"),
    "calls without number": completion({"content": None, "tool_calls": [{"function": {"name": "nobody"}}] * 5_000}),
    "calls that are none": completion({"content": None, "tool_calls": [{}, None, 3, {"function": {"name": None}}]}),
    "an invisible reply": completion({"content": "\u200b\u200d\ufeff"}),
    "a reply of marks": completion({"content": "<passage></passage>"}),
    "an invisible reply between marks": completion({"content": "<passage>\u200b</passage>"}),
    "an empty reply": completion({"content": ""}, "\ud83d\x00"),
    "a reply in parts": completion({"content": [{"type": "text", "text": "Oi"}]}),
    "a message that is a text": json.dumps({"choices": [{"message": "Oi"}]}),
    "choices by name": json.dumps({"choices": {"0": 1}}),
    "no choices": json.dumps({"choices": None}),
    "a number": "17",
    "null": "null",
    "nothing": "",
    "a stream": 'data: {"choices":[{"delta":{"content":"Oi"}}]}\n\ndata: [DONE]\n\n',
    "a page": "<html><body>502 Bad Gateway</body></html>",
}


async def heard(shop: Shop, backroom: Backroom, body: str) -> list[str]:
    """What the customer got after a question that only the model could answer, which answered with ``body``."""
    async with ScriptedOpenAI([{"when": ".", "body": body}]) as server:
        async with shop.db.transaction(shop.tenant_id) as tx:
            model = {"name": "main", "base_url": server.base_url, "attempts": 1}
            await tx.execute(
                "UPDATE tenant SET settings = settings || $2, profile_version = profile_version + 1 WHERE id = $1",
                shop.tenant_id,
                {"model": model, "threshold": 0.9999, "reply_mode": "auto"},
            )
        await shop.write("maria", "blarg zzyx, glorb o meu treco?")
        await backroom.rest()
        assert server.requests
    return await shop.got("maria")


@pytest.mark.parametrize("body", ANSWERED.values(), ids=ANSWERED)
async def test_that_an_odd_answer_is_still_an_answer(shop: Shop, backroom: Backroom, body: str) -> None:
    assert await heard(shop, backroom, body) == [SAID]


@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
async def test_that_an_answer_without_use_is_followed_by_a_person(shop: Shop, backroom: Backroom, body: str) -> None:
    (announced,) = await heard(shop, backroom, body)
    assert announced.startswith("Vou passar você para uma pessoa da nossa equipe")
    (turn,) = await shop.fetch("SELECT status, decision FROM turn")
    assert (turn["status"], turn["decision"]["kind"]) == ("decided", "hand_off")


@pytest.mark.parametrize(
    ("text", "kept"), [("Oi\x00!", "Oi\ufffd!"), ("Oi \ud83d!", "Oi \ufffd!")], ids=["NUL", "surrogate"]
)
async def test_that_characters_no_database_holds_are_replaced(
    shop: Shop, backroom: Backroom, text: str, kept: str
) -> None:
    assert await heard(shop, backroom, completion({"content": text})) == [kept]


async def test_that_a_reply_without_end_waits_for_a_person(shop: Shop, backroom: Backroom) -> None:
    assert await heard(shop, backroom, completion({"content": "Oi! " * 1_000_000})) == []
    (suggestion,) = await shop.fetch("SELECT text FROM suggestion WHERE status = 'pending'")
    assert suggestion["text"].startswith("Oi! Oi!")
