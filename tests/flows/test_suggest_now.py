"""A suggestion on demand: whatever the policy says, what comes of it is offered to people and never sent."""

from __future__ import annotations

from uuid import UUID

import pytest

from flows.suggest_now import NothingToSuggestError, SuggestNow
from tests.flows.backroom import Backroom
from tests.flows.shop import Shop

LOOK_UP = "faz a consulta lenta"
DONE = "A consulta terminou."


@pytest.fixture
def now(shop: Shop, backroom: Backroom) -> SuggestNow:
    return SuggestNow(shop.db, backroom.wakeup)


async def conversation(shop: Shop) -> UUID:
    (row,) = await shop.fetch("SELECT id FROM conversation")
    found: UUID = row["id"]
    return found


async def pending(shop: Shop) -> list[str]:
    return [row["text"] for row in await shop.fetch("SELECT text FROM suggestion WHERE status = 'pending'")]


async def test_that_an_automatic_reply_that_has_not_left_becomes_a_suggestion(
    shop: Shop, backroom: Backroom, now: SuggestNow
) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.work()  # under this shop's policy the reply would go out by itself
    asked = await now.ask(shop.tenant_id, await conversation(shop), actor="test")
    assert asked.suggestion_id is None
    await backroom.rest()
    assert (await shop.got("maria"), await pending(shop)) == ([], [DONE])
    again = await now.ask(shop.tenant_id, await conversation(shop), actor="test")
    assert again.suggestion_id is not None  # it is there: nothing is done anew
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    assert await shop.got("maria") == [DONE]  # a newer message is under the policy again


async def test_that_a_policy_of_silence_still_lets_people_ask_for_a_suggestion(
    shop: Shop, backroom: Backroom, now: SuggestNow
) -> None:
    await shop.set(reply_mode="off")
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    assert (await shop.got("maria"), await pending(shop)) == ([], [])
    await now.ask(shop.tenant_id, await conversation(shop), actor="test")
    await backroom.rest()
    assert (await shop.got("maria"), await pending(shop)) == ([], [DONE])


async def test_that_what_is_answered_or_held_by_a_person_is_refused(
    shop: Shop, backroom: Backroom, now: SuggestNow
) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    assert await shop.got("maria") == [DONE]
    with pytest.raises(NothingToSuggestError):
        await now.ask(shop.tenant_id, await conversation(shop), actor="test")
    await shop.desk.claim(shop.operator, await conversation(shop))
    with pytest.raises(NothingToSuggestError):
        await now.ask(shop.tenant_id, await conversation(shop), actor="test")
