"""A language model that makes things up: nothing of it reaches the customer, and the operator sees what to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from store.thread import pending_suggestion
from tests.flows.backroom import Backroom
from tests.flows.shop import Shop
from tests.openai_server import ScriptedOpenAI

ASKED = "cancela o meu pedido 10240 por favor"
MADE_UP = "Pronto! Já cancelei o pedido 10240 e o reembolso cai em 5 dias úteis."
HARMLESS = "Oi! Para o pedido 10240, você pode me dizer o que aconteceu?"


async def answered(shop: Shop, backroom: Backroom, script: Sequence[dict[str, Any]], mode: str = "auto") -> list[str]:
    """One question that only the scripted model answers; what the customer got."""
    async with ScriptedOpenAI(script) as server:
        async with shop.db.transaction(shop.tenant_id) as tx:
            await tx.execute(
                "UPDATE tenant SET settings = settings || $2, profile_version = profile_version + 1 WHERE id = $1",
                shop.tenant_id,
                {
                    "model": {"name": "main", "base_url": server.base_url},
                    "threshold": 0.9999,
                    "reply_mode": mode,
                },
            )
        await shop.write("maria", ASKED)
        await backroom.rest()
        assert server.requests
    return await shop.got("maria")


async def test_that_a_made_up_cancellation_waits_for_a_person_with_the_made_up_parts_marked(
    shop: Shop, backroom: Backroom
) -> None:
    assert await answered(shop, backroom, [{"reply": MADE_UP}]) == []
    (conversation,) = await shop.fetch("SELECT id FROM conversation")
    async with shop.db.transaction(shop.tenant_id) as tx:
        suggestion = await pending_suggestion(tx, conversation["id"])
    assert suggestion is not None
    assert suggestion.text == MADE_UP
    marked = [MADE_UP[span["start"] : span["end"]] for span in suggestion.unsupported]
    assert "Já cancelei o pedido 10240" in marked
    assert any("5 dias úteis" in part for part in marked)
    (turn,) = await shop.fetch("SELECT decision, trace FROM turn")
    assert turn["decision"]["kind"] == "suggest"
    assert "unsupported_claims" in {reason["code"] for reason in turn["decision"]["reasons"]}
    assert {claim["supported_by"] for claim in turn["trace"]["claims"]} >= {None, "customer"}


async def test_that_a_reply_without_a_claim_still_goes_out_by_itself(shop: Shop, backroom: Backroom) -> None:
    assert await answered(shop, backroom, [{"reply": HARMLESS}]) == [HARMLESS]


async def test_that_what_only_the_second_reading_doubts_waits_with_its_part_marked(
    shop: Shop, backroom: Backroom
) -> None:
    doubt = '{"claims": [{"part": "para o pedido 10240", "quotes": [], "why": "no source", "supported": false}]}'
    assert await answered(shop, backroom, [{"reply": HARMLESS}, {"again": True, "reply": doubt}]) == []
    (suggestion,) = await shop.fetch("SELECT text, unsupported FROM suggestion WHERE status = 'pending'")
    assert [HARMLESS[span["start"] : span["end"]] for span in suggestion["unsupported"]] == ["Para o pedido 10240"]
    (turn,) = await shop.fetch("SELECT decision, trace FROM turn")
    assert {"read_again", "unsupported_claims"} <= {reason["code"] for reason in turn["decision"]["reasons"]}
    assert [call["input_tokens"] for call in turn["trace"]["model_calls"]] == [120, 120]


@pytest.mark.parametrize(("reply", "has_marks"), [(MADE_UP, True), (HARMLESS, False)])
async def test_that_what_waits_anyway_is_marked_too(
    shop: Shop, backroom: Backroom, reply: str, has_marks: bool
) -> None:
    assert await answered(shop, backroom, [{"reply": reply}], mode="suggest") == []
    (suggestion,) = await shop.fetch("SELECT unsupported FROM suggestion WHERE status = 'pending'")
    assert bool(suggestion["unsupported"]) is has_marks
