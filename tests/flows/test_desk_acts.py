"""What people do with conversations, against each other, the agent, the customer and the process that sends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.errors import AtendeError, InvalidInputError, NotAllowedError, NotFoundError, OutdatedError
from flows import attendance
from flows.desk import Actor
from flows.desk_acts import DeskActs
from flows.desk_assignment import standing
from store.database import Row
from tests.flows.backroom import Backroom
from tests.flows.shop import Shop
from tests.flows.test_desk import DONE, LOOK_UP, suggested, the_conversation

HOLD = timedelta(seconds=15)


@pytest.fixture
def acts(shop: Shop) -> DeskActs:
    return DeskActs(shop.db, shop.desk._wakeup)


Colleague = Callable[..., Awaitable[Actor]]


@pytest.fixture
def colleague(shop: Shop, owner_dsn: str) -> Colleague:
    """Makes further people of the business."""

    async def make(name: str = "Bia", role: str = "operator") -> Actor:
        owner = await asyncpg.connect(owner_dsn)
        try:
            user = await owner.fetchval("SELECT gate.put_user($1, $2, 'x', 'pt')", f"{name.lower()}@desk.example", name)
            await owner.execute("SELECT gate.put_member($1, $2, $3)", shop.tenant_id, user, role)
        finally:
            await owner.close()
        return Actor(shop.tenant_id, user, name)

    return make


async def kinds(shop: Shop) -> list[str]:
    """What was told of the conversation, in order."""
    rows = await shop.fetch("SELECT kind FROM event WHERE conversation_id IS NOT NULL ORDER BY id")
    return [row["kind"] for row in rows]


async def waiting(shop: Shop, backroom: Backroom) -> Row:
    """A conversation that was handed off."""
    await shop.write("maria", "quero falar com um atendente")
    await backroom.rest()
    row = await the_conversation(shop)
    assert row["status"] == "waiting"
    return row


async def test_that_a_conversation_given_to_a_colleague_is_theirs_and_says_who_gave_it(
    shop: Shop, backroom: Backroom, acts: DeskActs, colleague: Colleague
) -> None:
    row = await waiting(shop, backroom)
    bia = await colleague()
    await acts.assign(shop.operator, row["id"], bia.user_id, seen=standing(row), note="Cliente antiga")
    after = await the_conversation(shop)
    assert (after["status"], after["assignee_id"]) == ("human", bia.user_id)
    (event,) = await shop.fetch("SELECT payload, actor FROM event WHERE kind = 'conversation.assigned'")
    assert (event["payload"]["name"], event["actor"]) == ("Bia", str(shop.operator))
    (note,) = await shop.fetch("SELECT text, user_id FROM conversation_note")
    assert tuple(note) == ("Cliente antiga", shop.operator.user_id)
    (handoff,) = await shop.fetch("SELECT claimed_by FROM handoff WHERE ended_at IS NULL")
    assert handoff["claimed_by"] == bia.user_id


async def test_that_nobody_is_given_a_conversation_who_does_not_answer_customers_here(
    shop: Shop, backroom: Backroom, acts: DeskActs, colleague: Colleague
) -> None:
    row = await waiting(shop, backroom)
    engineer = await colleague("Teo", "prompt_engineer")
    for user_id in (engineer.user_id, uuid4()):
        with pytest.raises(InvalidInputError):
            await acts.assign(shop.operator, row["id"], user_id)
    assert (await the_conversation(shop))["fence"] == row["fence"]


async def test_that_only_who_supervises_moves_what_a_colleague_holds(
    shop: Shop, backroom: Backroom, acts: DeskActs, colleague: Colleague
) -> None:
    row = await waiting(shop, backroom)
    bia = await colleague()
    await acts.assign(bia, row["id"], bia.user_id)
    with pytest.raises(NotAllowedError):
        await acts.transfer(shop.operator, row["id"], None, supervises=False)
    await acts.transfer(bia, row["id"], None, supervises=False)
    await acts.assign(shop.operator, row["id"], shop.operator.user_id, supervises=False)


async def test_that_a_transfer_to_a_team_keeps_the_place_in_the_queue_and_what_the_agent_had_collected(
    shop: Shop, backroom: Backroom, acts: DeskActs
) -> None:
    row = await waiting(shop, backroom)
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE handoff SET summary = 'Quer trocar', collected = $1", {"pedido": "42"})
        insert = "INSERT INTO team (tenant_id, name) VALUES ($1, 'Trocas') RETURNING id"
        team = await tx.fetchval(insert, shop.tenant_id)
    await acts.transfer(shop.operator, row["id"], team, note="É com vocês")
    after = await the_conversation(shop)
    assert (after["status"], after["team_id"], after["assignee_id"]) == ("waiting", team, None)
    assert after["waiting_since"] == row["waiting_since"]
    (open_one,) = await shop.fetch("SELECT reason, summary, collected FROM handoff WHERE ended_at IS NULL")
    assert tuple(open_one) == ("transferred", "Quer trocar", {"pedido": "42"})
    with pytest.raises(NotFoundError):
        await acts.transfer(shop.operator, row["id"], uuid4())


async def test_that_a_transfer_during_a_turn_makes_its_decision_void(
    shop: Shop, backroom: Backroom, acts: DeskActs
) -> None:
    await shop.take_seconds("slow_lookup", 1.0)
    await shop.write("maria", LOOK_UP)
    running = asyncio.create_task(backroom.work())
    await asyncio.sleep(0.3)
    row = await the_conversation(shop)
    await acts.transfer(shop.operator, row["id"], None)
    await running
    await backroom.rest()
    assert await shop.got("maria") == []
    assert not await shop.fetch("SELECT 1 FROM turn WHERE status = 'decided'")
    assert (await the_conversation(shop))["status"] == "waiting"


@pytest.mark.parametrize("reason", ["resolved", "cancelled", "no_answer", "spam", "other"])
async def test_that_a_closing_keeps_its_reason(shop: Shop, backroom: Backroom, reason: str) -> None:
    row = await waiting(shop, backroom)
    await shop.desk.close(shop.operator, row["id"], reason, note="feito")
    after = await the_conversation(shop)
    assert (after["status"], after["closed_reason"]) == ("closed", reason)
    assert after["closed_at"] is not None
    (event,) = await shop.fetch("SELECT payload FROM event WHERE kind = 'conversation.closed'")
    assert event["payload"] == {"reason": reason, "from": "waiting", "to": "closed"}


async def test_that_a_closing_without_a_known_reason_is_refused(shop: Shop, backroom: Backroom) -> None:
    row = await waiting(shop, backroom)
    with pytest.raises(InvalidInputError):
        await shop.desk.close(shop.operator, row["id"], "boring")
    assert (await the_conversation(shop))["status"] == "waiting"


def _state(row: Row) -> dict[str, Any]:
    left_out = {"fence", "undo"}
    return {name: value for name, value in dict(row).items() if name not in left_out}


@pytest.mark.parametrize("was", ["bot", "waiting", "human"])
async def test_that_an_undone_closing_leaves_exactly_what_was(
    shop: Shop, backroom: Backroom, acts: DeskActs, was: str, colleague: Colleague
) -> None:
    if was == "bot":
        await suggested(shop, backroom)
    else:
        row = await waiting(shop, backroom)
        if was == "human":
            await acts.assign(shop.operator, row["id"], (await colleague()).user_id)
    before = await the_conversation(shop)
    assert before["status"] == was
    handoffs = await shop.fetch("SELECT * FROM handoff")
    await shop.desk.close(shop.operator, before["id"])
    await acts.undo_closing(shop.operator, before["id"])
    assert _state(await the_conversation(shop)) == _state(before)
    assert await shop.fetch("SELECT * FROM handoff") == handoffs
    await backroom.rest()
    if was == "bot":  # the suggestion is offered again, and may be accepted
        (offered,) = await shop.fetch("SELECT id FROM suggestion WHERE status = 'pending'")
        await shop.desk.approve(shop.operator, offered["id"])
        await backroom.rest()
        assert await shop.got("maria") == [DONE]
    assert (await kinds(shop)).count("conversation.closing_undone") == 1


async def test_that_a_closing_cannot_be_undone_after_the_customer_wrote_or_a_colleague_reopened_it(
    shop: Shop, backroom: Backroom, acts: DeskActs, colleague: Colleague
) -> None:
    row = await waiting(shop, backroom)
    await shop.desk.close(shop.operator, row["id"])
    await shop.write("maria", "mais uma coisa")
    with pytest.raises(OutdatedError):
        await acts.undo_closing(shop.operator, row["id"])
    await backroom.rest()
    await shop.desk.close(shop.operator, row["id"])
    await acts.reopen(await colleague(), row["id"])
    with pytest.raises(OutdatedError):
        await acts.undo_closing(shop.operator, row["id"])
    with pytest.raises(OutdatedError):
        await acts.reopen(shop.operator, row["id"])
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE conversation SET status = 'human'")
    await shop.desk.close(shop.operator, row["id"])
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE conversation SET closed_at = now() - interval '2 min'")
    with pytest.raises(OutdatedError):
        await acts.undo_closing(shop.operator, row["id"])


async def test_that_of_a_claim_and_a_closing_at_once_one_happens_and_the_other_is_told(
    shop: Shop, backroom: Backroom, colleague: Colleague
) -> None:
    row = await waiting(shop, backroom)
    bia = await colleague()
    seen = standing(row)
    outcomes = await asyncio.gather(
        shop.desk.claim(bia, row["id"], seen=seen),
        shop.desk.close(shop.operator, row["id"], seen=seen),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, OutdatedError)]
    assert len(refused) == 1
    after = await the_conversation(shop)
    assert after["status"] == ("closed" if outcomes[0] in refused else "human")


async def test_that_of_two_who_claim_at_once_the_second_learns_the_firsts_name(
    shop: Shop, backroom: Backroom, colleague: Colleague
) -> None:
    row = await waiting(shop, backroom)
    bia = await colleague()
    outcomes = await asyncio.gather(
        *(shop.desk.claim(actor, row["id"], seen=standing(row)) for actor in (bia, shop.operator)),
        return_exceptions=True,
    )
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, AtendeError)]
    holder = (await the_conversation(shop))["assignee_id"]
    assert ("Bia" in str(refused)) == (holder == bia.user_id)


async def test_that_a_snoozed_conversation_comes_back_with_a_message_of_the_contact_at_once(
    shop: Shop, backroom: Backroom, acts: DeskActs
) -> None:
    row = await waiting(shop, backroom)
    await acts.snooze(shop.operator, row["id"], None)
    await shop.desk.reply(shop.operator, row["id"], "Volto já")
    assert (await the_conversation(shop))["snoozed_until"] is not None
    await shop.write("maria", "e aí?")
    assert (await the_conversation(shop))["snoozed_until"] is None
    (event,) = await shop.fetch("SELECT payload FROM event WHERE kind = 'conversation.unsnoozed'")
    assert event["payload"] == {"by": "message"}


async def test_that_the_clock_brings_a_snoozed_conversation_back_and_not_before(
    shop: Shop, backroom: Backroom, acts: DeskActs
) -> None:
    row = await waiting(shop, backroom)
    await acts.snooze(shop.operator, row["id"], datetime.now(UTC) + timedelta(hours=2))
    await attendance.keep_appointments(shop.db, shop.desk._wakeup)
    assert (await the_conversation(shop))["snoozed_until"] is not None
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE conversation SET snoozed_until = now() - interval '1 s', status = 'human'")
    await attendance.keep_appointments(shop.db, shop.desk._wakeup)
    assert (await the_conversation(shop))["snoozed_until"] is None
    for wrong in (datetime.now(UTC) - timedelta(1), datetime.now(UTC) + timedelta(days=500)):
        with pytest.raises(InvalidInputError):
            await acts.snooze(shop.operator, row["id"], wrong)
    await acts.snooze(shop.operator, row["id"], None)
    await acts.unsnooze(shop.operator, row["id"])
    await acts.unsnooze(shop.operator, row["id"])
    assert (await kinds(shop)).count("conversation.unsnoozed") == 2


async def test_that_labels_priority_notes_and_unread_are_noted_once_each(
    shop: Shop, backroom: Backroom, acts: DeskActs
) -> None:
    row = await waiting(shop, backroom)
    actor, conversation_id = shop.operator, row["id"]
    await asyncio.gather(
        acts.label(actor, conversation_id, add=["Troca ", "urgente"]),
        acts.label(actor, conversation_id, add=["vip"]),
    )
    await acts.label(actor, conversation_id, add=["vip"], remove=["URGENTE", "nothing"])
    await acts.prioritise(actor, conversation_id, "urgent")
    await acts.prioritise(actor, conversation_id, "urgent")
    await shop.desk.mark_read(actor, conversation_id)
    await acts.mark_unread(actor, conversation_id)
    await acts.mark_unread(actor, conversation_id)
    await acts.note(actor, conversation_id, " ligar amanhã ")
    after = await the_conversation(shop)
    assert sorted(after["labels"]) == ["troca", "vip"]
    assert (after["priority"], after["unread"]) == (2, 1)
    told = await kinds(shop)
    assert [told.count(f"conversation.{kind}") for kind in ("labelled", "prioritised", "marked_unread", "noted")] == [
        3,
        1,
        1,
        1,
    ]
    for wrong in (
        acts.label(actor, conversation_id, add=["x" * 41]),
        acts.label(actor, conversation_id, add=[f"l{n}" for n in range(30)]),
        acts.prioritise(actor, conversation_id, "now"),
        acts.note(actor, conversation_id, "  "),
    ):
        with pytest.raises(InvalidInputError):
            await wrong


async def test_that_what_people_keep_of_a_contact_is_kept_with_who_did_it(
    shop: Shop, backroom: Backroom, acts: DeskActs
) -> None:
    row = await waiting(shop, backroom)
    actor, contact, here = shop.operator, row["contact_id"], row["id"]
    await acts.rename(actor, contact, "  Maria   Souza ", conversation_id=here)
    await acts.set_fields(actor, contact, {"cidade": "Recife", "bairro": "Boa Vista"}, conversation_id=here)
    await acts.set_fields(actor, contact, {"bairro": ""}, conversation_id=here)
    await acts.set_lead(actor, contact, "qualified", conversation_id=here)
    await acts.set_opt_out(actor, contact, opted_out=True, conversation_id=here)
    (kept,) = await shop.fetch("SELECT * FROM contact WHERE id = $1", contact)
    assert (kept["name"], kept["fields"], kept["lead_status"]) == ("Maria Souza", {"cidade": "Recife"}, "qualified")
    assert kept["opted_out_at"] is not None
    assert kept["version"] == 6
    (entry,) = await shop.fetch("SELECT granted, said FROM consent_entry")
    assert tuple(entry) == (False, str(actor))
    task = await acts.add_task(
        actor, contact, "Ligar", datetime.now(UTC) + timedelta(days=1), assignee_id=actor.user_id, conversation_id=here
    )
    await acts.settle_task(actor, task, done=True)
    await acts.settle_task(actor, task, done=True)
    told = [row["kind"] for row in await shop.fetch("SELECT kind FROM event WHERE actor = $1 ORDER BY id", str(actor))]
    assert told == [
        *("contact.changed",) * 3,
        "lead.changed",
        "contact.opted_out",
        "task.created",
        "task.done",
    ]
    for wrong in (
        acts.set_lead(actor, contact, "maybe"),
        acts.rename(actor, contact, "x" * 200),
        acts.add_task(actor, contact, " ", None),
        acts.set_fields(actor, contact, {f"f{n}": "1" for n in range(60)}),
    ):
        with pytest.raises(InvalidInputError):
            await wrong
    with pytest.raises(NotFoundError):
        await acts.rename(actor, uuid4(), "Eva", conversation_id=here)


async def the_outbox(shop: Shop) -> UUID:
    (row,) = await shop.fetch("SELECT id FROM outbox_message ORDER BY message_id DESC LIMIT 1")
    found: UUID = row["id"]
    return found


async def test_that_a_held_message_is_taken_back_whole(shop: Shop, backroom: Backroom, acts: DeskActs) -> None:
    row = await waiting(shop, backroom)
    got = await shop.got("maria")
    await shop.desk.reply(shop.operator, row["id"], "Um momento!", hold=HOLD)
    await backroom.rest()
    assert await shop.got("maria") == got, "it left although it is held"
    taken_back = await acts.withdraw(shop.operator, row["id"], await the_outbox(shop))
    assert (taken_back.text, taken_back.had_file) == ("Um momento!", False)
    await backroom.rest()
    after = await the_conversation(shop)
    assert await shop.got("maria") == got
    assert (after["status"], after["last_preview"]) == ("human", row["last_preview"])
    assert (after["answered_upto_id"], after["last_message_at"]) == (row["answered_upto_id"], row["last_message_at"])
    with pytest.raises(OutdatedError):
        await acts.withdraw(shop.operator, row["id"], await the_outbox(shop))


async def test_that_a_held_message_leaves_when_its_time_is_over_and_in_order(shop: Shop, backroom: Backroom) -> None:
    row = await waiting(shop, backroom)
    before = await shop.got("maria")
    await shop.desk.reply(shop.operator, row["id"], "um", hold=HOLD)
    await shop.desk.reply(shop.operator, row["id"], "dois")
    await backroom.rest()
    assert await shop.got("maria") == before, "the second overtook the first"
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE outbox_message SET not_before = now() WHERE state = 'queued'")
    await backroom.rest()
    assert await shop.got("maria") == [*before, "um", "dois"]


async def test_that_only_its_writer_takes_a_message_back_and_only_a_held_one(
    shop: Shop, backroom: Backroom, acts: DeskActs, colleague: Colleague
) -> None:
    row = await waiting(shop, backroom)
    await shop.desk.reply(shop.operator, row["id"], "um", hold=HOLD)
    with pytest.raises(NotFoundError):
        await acts.withdraw(await colleague(), row["id"], await the_outbox(shop))
    await shop.desk.reply(shop.operator, row["id"], "dois")
    with pytest.raises(OutdatedError):
        await acts.withdraw(shop.operator, row["id"], await the_outbox(shop))


async def test_that_an_accepted_suggestion_taken_back_is_offered_again_and_was_never_judged(
    shop: Shop, backroom: Backroom, acts: DeskActs
) -> None:
    suggestion_id = await suggested(shop, backroom)
    before = await the_conversation(shop)
    await shop.desk.approve(shop.operator, suggestion_id, hold=HOLD)
    assert await shop.fetch("SELECT 1 FROM intent_autonomy WHERE approved = 1")
    await acts.withdraw(shop.operator, before["id"], await the_outbox(shop))
    (suggestion,) = await shop.fetch("SELECT status, decided_by FROM suggestion")
    assert tuple(suggestion) == ("pending", None)
    assert not await shop.fetch("SELECT 1 FROM intent_autonomy WHERE approved + other > 0")
    await shop.desk.approve(shop.operator, suggestion_id)
    await backroom.rest()
    assert await shop.got("maria") == [DONE]
    assert await shop.fetch("SELECT 1 FROM intent_autonomy WHERE approved = 1")


async def test_that_a_suggestion_replaced_by_own_words_comes_back_unless_the_customer_wrote(
    shop: Shop, backroom: Backroom, acts: DeskActs
) -> None:
    await suggested(shop, backroom)
    row = await the_conversation(shop)
    await shop.desk.reply(shop.operator, row["id"], "outra coisa", hold=HOLD)
    await acts.withdraw(shop.operator, row["id"], await the_outbox(shop))
    assert await shop.fetch("SELECT 1 FROM suggestion WHERE status = 'pending'")
    await shop.desk.reply(shop.operator, row["id"], "outra coisa", hold=HOLD)
    outbox_id = await the_outbox(shop)
    await shop.write("maria", "oi?")
    await acts.withdraw(shop.operator, row["id"], outbox_id)
    assert not await shop.fetch("SELECT 1 FROM suggestion WHERE status = 'pending'")
    assert not await shop.fetch("SELECT 1 FROM intent_autonomy WHERE approved + other > 0")
    assert (await the_conversation(shop))["last_preview"] == "oi?"


async def test_that_undo_and_the_sender_never_both_get_a_message(
    shop: Shop, backroom: Backroom, acts: DeskActs
) -> None:
    row = await waiting(shop, backroom)
    before = await shop.got("maria")
    for n in range(12):
        await shop.desk.reply(shop.operator, row["id"], f"n{n}", hold=HOLD)
        outbox_id = await the_outbox(shop)
        async with shop.db.transaction(shop.tenant_id) as tx:
            await tx.execute("UPDATE outbox_message SET not_before = now() WHERE id = $1", outbox_id)
        outcome, _ = await asyncio.gather(
            acts.withdraw(shop.operator, row["id"], outbox_id), backroom.delivery.run_due(), return_exceptions=True
        )
        await backroom.rest()
        arrived = f"n{n}" in await shop.got("maria")
        assert arrived == isinstance(outcome, OutdatedError), f"message {n}: {outcome}"
    assert len(before) <= len(await shop.got("maria"))
