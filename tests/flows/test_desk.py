"""What operators do, against the agent, the customer and each other: the first one counts, the other is told."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from domain.conversation import TransitionNotAllowedError
from domain.errors import InvalidInputError, NotFoundError, OutdatedError
from domain.messages import MAX_TEXT_BYTES
from flows import decisions
from flows.desk import Actor
from store.database import Row
from tests.database import make_number
from tests.flows.backroom import Backroom
from tests.flows.shop import Shop

LOOK_UP = "faz a consulta lenta"
DONE = "A consulta terminou."


async def the_conversation(shop: Shop) -> Row:
    (row,) = await shop.fetch("SELECT * FROM conversation")
    return row


async def suggested(shop: Shop, backroom: Backroom) -> UUID:
    """A reply that the agent suggests and that waits for an operator."""
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET settings = settings || $1", {"reply_mode": "suggest"})
        await tx.execute("UPDATE tenant SET profile_version = profile_version + 1")
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    (row,) = await shop.fetch("SELECT id, text FROM suggestion WHERE status = 'pending'")
    assert row["text"] == DONE
    found: UUID = row["id"]
    return found


async def decided(shop: Shop) -> list[tuple[str, str | None]]:
    rows = await shop.fetch("SELECT status, final_text FROM suggestion ORDER BY created_at")
    return [(row["status"], row["final_text"]) for row in rows]


@pytest.mark.parametrize(("text", "status"), [(None, "approved"), (DONE, "approved"), ("Terminou!", "edited")])
async def test_that_an_approved_suggestion_reaches_the_customer_as_the_operator_left_it(
    shop: Shop, backroom: Backroom, text: str | None, status: str
) -> None:
    suggestion_id = await suggested(shop, backroom)
    assert await shop.got("maria") == []
    await shop.desk.approve(shop.operator, suggestion_id, text=text)
    await backroom.rest()
    assert await shop.got("maria") == [text or DONE]
    assert await decided(shop) == [(status, text or DONE)]
    conversation = await the_conversation(shop)
    assert (conversation["status"], conversation["unread"]) == ("bot", 0)
    assert conversation["answered_upto_id"] == conversation["last_inbound_id"]


async def test_that_a_rejected_suggestion_sends_nothing_and_cannot_be_approved_any_more(
    shop: Shop, backroom: Backroom
) -> None:
    suggestion_id = await suggested(shop, backroom)
    await shop.desk.reject(shop.operator, suggestion_id, "wrong_tone")
    with pytest.raises(OutdatedError):
        await shop.desk.approve(shop.operator, suggestion_id)
    await backroom.rest()
    assert await shop.got("maria") == []
    (row,) = await shop.fetch("SELECT status, reject_reason, decided_by FROM suggestion")
    assert tuple(row) == ("rejected", "wrong_tone", shop.operator.user_id)


@pytest.mark.parametrize("newer", ["a message", "an operator's reply", "the phone", "a claim"])
async def test_that_a_suggestion_cannot_be_approved_after_something_newer(
    shop: Shop, backroom: Backroom, newer: str
) -> None:
    suggestion_id = await suggested(shop, backroom)
    conversation_id = (await the_conversation(shop))["id"]
    sent = []
    if newer == "a message":
        await shop.write("maria", "espera, outra coisa")
    elif newer == "an operator's reply":
        await shop.desk.reply(shop.operator, conversation_id, "oi, sou o Rui")
        sent = ["oi, sou o Rui"]
    elif newer == "the phone":
        await shop.write("maria", "oi, sou o Rui", from_me=True)
    else:
        await shop.desk.claim(shop.operator, conversation_id)
    with pytest.raises(OutdatedError):
        await shop.desk.approve(shop.operator, suggestion_id)
    await backroom.deliver()
    assert await shop.got("maria") == sent


async def test_that_two_operators_who_approve_at_once_send_one_message(shop: Shop, backroom: Backroom) -> None:
    suggestion_id = await suggested(shop, backroom)
    results = await asyncio.gather(
        *(shop.desk.approve(shop.operator, suggestion_id, text=f"de {n}") for n in range(5)), return_exceptions=True
    )
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert all(isinstance(result, int | OutdatedError) for result in results)
    await backroom.rest()
    assert len(await shop.got("maria")) == 1


async def test_that_an_operator_s_reply_takes_over_and_stops_a_reply_that_waits(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    conversation = await the_conversation(shop)
    await shop.desk.reply(shop.operator, conversation["id"], "oi, sou o Rui")
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    assert await shop.got("maria") == ["oi, sou o Rui"]
    conversation = await the_conversation(shop)
    assert (conversation["status"], conversation["assignee_id"]) == ("human", shop.operator.user_id)
    assert [row["status"] for row in await shop.fetch("SELECT status FROM turn")] == ["voided"]
    states = await shop.fetch("SELECT state FROM outbox_message ORDER BY message_id")
    assert [row["state"] for row in states] == ["cancelled", "sent"]


async def test_that_an_approved_suggestion_stops_a_reply_that_waits(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    async with shop.db.transaction(shop.tenant_id) as tx:
        conversation_id = await tx.fetchval("UPDATE conversation SET fence = fence + 1 RETURNING id")
        await decisions.suggest(tx, shop.tenant_id, conversation_id, "Reservado.", turn_id=None)
        suggestion_id = await tx.fetchval("SELECT id FROM suggestion")
    await shop.desk.approve(shop.operator, suggestion_id)
    await backroom.rest()
    assert await shop.got("maria") == ["Reservado."]


async def test_that_a_conversation_goes_from_the_agent_to_a_person_and_back(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", "quero falar com um atendente")
    await backroom.rest()
    announced = await shop.got("maria")
    assert len(announced) == 1
    conversation_id = (await the_conversation(shop))["id"]
    assert (await the_conversation(shop))["status"] == "waiting"

    await shop.desk.claim(shop.operator, conversation_id)
    assert (await the_conversation(shop))["assignee_id"] == shop.operator.user_id
    (handoff,) = await shop.fetch("SELECT claimed_by, claimed_at, ended_at FROM handoff")
    assert handoff["claimed_by"] == shop.operator.user_id
    assert handoff["claimed_at"] is not None
    assert handoff["ended_at"] is None
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    assert await shop.got("maria") == announced, "the agent is silent while a person holds the conversation"

    await shop.desk.return_to_bot(shop.operator, conversation_id)
    assert (await the_conversation(shop))["status"] == "bot"
    await backroom.rest()
    assert await shop.got("maria") == announced, "what was written to the person is the person's"
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    assert await shop.got("maria") == [*announced, DONE]
    assert (await shop.fetch("SELECT ended_at FROM handoff"))[0]["ended_at"] is not None

    await shop.desk.close(shop.operator, conversation_id)
    with pytest.raises(TransitionNotAllowedError):
        await shop.desk.return_to_bot(shop.operator, conversation_id)
    assert (await the_conversation(shop))["status"] == "closed"


async def test_that_the_announcement_of_a_handoff_is_owed_also_after_a_claim_and_a_newer_message(
    shop: Shop, backroom: Backroom
) -> None:
    await shop.write("maria", "quero falar com um atendente")
    await backroom.work()
    await shop.write("maria", "alô?")
    await shop.desk.claim(shop.operator, (await the_conversation(shop))["id"])
    await backroom.rest()
    assert len(await shop.got("maria")) == 1


async def test_that_another_tenant_s_things_do_not_exist(owner_dsn: str, shop: Shop, backroom: Backroom) -> None:
    suggestion_id = await suggested(shop, backroom)
    conversation = await the_conversation(shop)
    other = await make_number(owner_dsn, "other")
    stranger = Actor(other.tenant_id, other.user_id, "Eva")
    for actor, suggestion, conversation_id in (
        (stranger, suggestion_id, conversation["id"]),
        (shop.operator, uuid4(), uuid4()),
    ):
        for attempt in (
            shop.desk.approve(actor, suggestion),
            shop.desk.reject(actor, suggestion, "wrong_tone"),
            shop.desk.reply(actor, conversation_id, "oi"),
            shop.desk.claim(actor, conversation_id),
            shop.desk.close(actor, conversation_id),
            shop.desk.settle_unknown(actor, uuid4(), arrived=True),
            shop.desk.decide_call(actor, uuid4(), approved=True),
        ):
            with pytest.raises(NotFoundError):
                await attempt
        await shop.desk.mark_read(actor, conversation_id)
    assert await the_conversation(shop) == conversation
    assert await decided(shop) == [("pending", None)]


@pytest.mark.parametrize(
    "text", ["", " \n\u00a0 ", "á" * (MAX_TEXT_BYTES // 2) + "a"], ids=["empty", "blank", "too long"]
)
async def test_that_a_text_nobody_can_send_is_refused_and_changes_nothing(
    shop: Shop, backroom: Backroom, text: str
) -> None:
    suggestion_id = await suggested(shop, backroom)
    before = await the_conversation(shop)
    with pytest.raises(InvalidInputError):
        await shop.desk.approve(shop.operator, suggestion_id, text=text)
    with pytest.raises(InvalidInputError):
        await shop.desk.reply(shop.operator, before["id"], text)
    assert await the_conversation(shop) == before
    assert await decided(shop) == [("pending", None)]


async def test_that_a_claim_and_a_deciding_turn_cannot_both_win(shop: Shop, backroom: Backroom) -> None:
    """The operator claims while the agent is deciding: either way nothing automatic leaves afterwards."""
    await shop.take_seconds("slow_lookup", 0.4)
    await shop.write("maria", LOOK_UP)
    conversation_id = (await the_conversation(shop))["id"]
    running = asyncio.create_task(backroom.work())
    await asyncio.sleep(0.2)
    await shop.desk.claim(shop.operator, conversation_id)
    await running
    await backroom.rest()
    assert await shop.got("maria") == []
