"""What comes in becomes durable facts: once, whole, and under the right contact."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from channels.base import ChannelEvent, MessageEdited, MessageReceived, MessageRevoked
from domain.messages import Address, AddressKind
from store import conversations, thread
from tests.database import make_number
from tests.flows.backroom import Backroom, Gateway
from tests.flows.door import GROUP, LID, PHONE, Door
from tests.flows.shop import Shop

LOOK_UP = "faz a consulta lenta"


# Once ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contact", ["known", "new", "new with two names"])
async def test_that_twenty_copies_at_once_are_one_message_and_one_turn(door: Door, contact: str) -> None:
    if contact == "known":
        await door.take(door.message(text="antes"))
    alternates = (LID,) if contact == "new with two names" else ()
    event = door.message(text="uma vez só", alternates=alternates)
    outcomes = await asyncio.gather(*(door.take(event) for _ in range(20)))
    assert sorted(outcomes) == ["duplicate"] * 19 + ["stored"]
    assert len(await door.fetch("SELECT 1 FROM message WHERE text = 'uma vez só'")) == 1
    conversation = await door.conversation()
    assert [job["lock"] for job in await door.jobs()] == [f"conversation:{conversation['id']}"]
    assert conversation["unread"] == (2 if contact == "known" else 1)
    assert conversation["fence"] == conversation["unread"], "a duplicate must not make a running turn stale"


async def test_that_twenty_first_messages_of_a_new_contact_make_one_contact_and_one_conversation(door: Door) -> None:
    names = [(LID, PHONE), (PHONE, LID)]
    outcomes = await asyncio.gather(
        *(
            door.take(door.message(names[n % 2][0], str(n), alternates=names[n % 2][1:], push_name="Bia"))
            for n in range(20)
        )
    )
    assert outcomes == ["stored"] * 20
    assert len(await door.fetch("SELECT 1 FROM contact")) == 1
    conversation = await door.conversation()
    assert conversation["unread"] == conversation["fence"] == 20
    last = await door.fetch("SELECT max(id) AS id FROM message")
    assert conversation["last_inbound_id"] == last[0]["id"]
    assert len(await door.jobs()) == 1


async def test_that_messages_edits_and_copies_of_one_contact_at_once_all_get_through(door: Door) -> None:
    first = door.message(text="primeira")
    await door.take(first)
    events: list[ChannelEvent] = []
    for n in range(12):
        events += [
            first,
            door.message(text=f"outra {n}", push_name=f"Bia {n}", alternates=(LID,)),
            MessageEdited(first.provider_id, PHONE, f"mudada {n}", datetime.now(UTC), alternates=(LID,)),
        ]
    outcomes = await asyncio.gather(*(door.take(event) for event in events))
    assert outcomes == ["duplicate", "stored", "changed"] * 12
    assert len(await door.fetch("SELECT 1 FROM message")) == 13


async def test_that_an_edit_delivered_twice_is_one_edit(door: Door) -> None:
    first = door.message()
    await door.take(first)
    edit = MessageEdited(first.provider_id, PHONE, "mudada", datetime.now(UTC))
    assert [await door.take(edit) for _ in range(3)] == ["changed", "duplicate", "duplicate"]
    assert (await door.conversation())["fence"] == 2


async def test_that_the_same_ids_on_another_tenant_s_number_are_other_messages(owner_dsn: str, door: Door) -> None:
    other = await make_number(owner_dsn, "other")
    event = door.message(provider_id="same")
    await door.take(event)
    session = await door.inbound.session(other.session_id)
    assert await door.inbound.receive(session, event) == "stored"


# One person, two names -------------------------------------------------------------------------------------------


async def test_that_one_chat_under_two_names_becomes_one_history_without_doubles(door: Door) -> None:
    await door.take(door.message(LID, "só no lid", provider_id="a"))
    await door.take(door.message(PHONE, "nos dois", provider_id="b"))
    await door.take(door.message(LID, "nos dois", provider_id="b"))
    await door.take(door.message(PHONE, "só no telefone", provider_id="c"))
    assert len(await door.fetch("SELECT 1 FROM conversation")) == 2
    assert await door.take(door.message(PHONE, "nos dois", provider_id="b", alternates=(LID,))) == "duplicate"
    conversation = await door.conversation()
    texts = await door.fetch("SELECT text FROM message WHERE conversation_id = $1 ORDER BY id", conversation["id"])
    assert [row["text"] for row in texts] == ["só no lid", "nos dois", "só no telefone"]
    assert len(await door.fetch("SELECT 1 FROM contact")) == 1
    assert len(await door.fetch("SELECT 1 FROM contact_address")) == 2
    # Whichever conversation's job was waiting, the merged one has a turn to come.
    assert f"conversation:{conversation['id']}" in {job["lock"] for job in await door.jobs()}
    assert await door.take(door.message(LID, "só no telefone", provider_id="c")) == "duplicate"


@pytest.mark.parametrize("held_by_a_person", ["older", "newer"])
async def test_that_of_two_merged_conversations_the_human_one_wins(door: Door, held_by_a_person: str) -> None:
    await door.take(door.message(LID))
    await door.take(door.message(PHONE))
    held = LID if held_by_a_person == "older" else PHONE
    async with door.db.transaction(door.session.tenant_id) as tx:
        conversation_id = await tx.fetchval("SELECT id FROM conversation WHERE address = $1", str(held))
        user_id = await tx.fetchval("SELECT user_id FROM membership LIMIT 1")
        await conversations.apply(tx, conversation_id, conversations.Event.CLAIMED, actor="test", user_id=user_id)
    await door.take(door.message(PHONE, alternates=(LID,)))
    conversation = await door.conversation()
    assert (conversation["status"], conversation["assignee_id"]) == ("human", user_id)


@pytest.mark.parametrize("answered_under", [LID, PHONE])
async def test_that_a_merge_neither_loses_nor_repeats_an_answer(
    shop: Shop, backroom: Backroom, answered_under: Address
) -> None:
    """One name's reply waits to be sent when the other name's message arrives and the two turn out to be one person."""
    backroom = backroom.with_sender(gateway := Gateway())
    other = PHONE if answered_under is LID else LID
    take, now = shop.inbound.receive, datetime.now(UTC)
    await take(shop.session, MessageReceived("x", answered_under, now, text=LOOK_UP))
    await backroom.work()
    await take(shop.session, MessageReceived("x", other, now, text=LOOK_UP))
    await take(shop.session, MessageReceived("x", other, now, text=LOOK_UP, alternates=(answered_under,)))
    await backroom.rest()
    assert gateway.texts == ["A consulta terminou."]
    assert not await shop.fetch("SELECT 1 FROM conversation WHERE answered_upto_id < last_inbound_id")


async def test_that_a_message_answered_under_one_name_is_not_answered_again_under_the_other(
    shop: Shop, backroom: Backroom
) -> None:
    backroom = backroom.with_sender(gateway := Gateway())
    take, now = shop.inbound.receive, datetime.now(UTC)
    await take(shop.session, MessageReceived("x", LID, now, text=LOOK_UP))
    job = await backroom.take_job()
    assert job is not None
    await take(shop.session, MessageReceived("x", PHONE, now, text=LOOK_UP))
    await backroom.rest()  # answers the copy under the phone; the first turn is still on its way
    await take(shop.session, MessageReceived("x", PHONE, now, text=LOOK_UP, alternates=(LID,)))
    await backroom.run_job(job)
    await backroom.rest()
    assert gateway.texts == ["A consulta terminou."]


async def test_that_a_merge_withdraws_suggestions_and_keeps_what_is_queued(shop: Shop, backroom: Backroom) -> None:
    backroom = backroom.with_sender(gateway := Gateway())
    take = shop.inbound.receive
    for address in (LID, PHONE):
        await take(shop.session, MessageReceived(f"x{address}", address, datetime.now(UTC), text="obrigado"))
    rows = await shop.fetch("SELECT id FROM conversation ORDER BY created_at")
    for number, row in enumerate(rows):
        await shop.desk.reply(shop.operator, row["id"], f"resposta {number}")
    async with shop.db.transaction(shop.tenant_id) as tx:
        for row in rows:
            await tx.execute(
                "INSERT INTO suggestion (tenant_id, conversation_id, text, fence) VALUES ($1, $2, 'velha', 0)",
                shop.tenant_id,
                row["id"],
            )
    await take(shop.session, MessageReceived("y", LID, datetime.now(UTC), text="oi", alternates=(PHONE,)))
    await backroom.rest()
    assert sorted(gateway.texts) == ["resposta 0", "resposta 1"]
    (conversation,) = await shop.fetch("SELECT id FROM conversation")
    suggestions = await shop.fetch("SELECT conversation_id, status FROM suggestion")
    assert {row["conversation_id"] for row in suggestions} == {conversation["id"]}
    assert {row["status"] for row in suggestions} <= {"superseded", "pending"}
    assert sum(row["status"] == "pending" for row in suggestions) <= 1


async def test_that_a_group_is_kept_in_silence_and_is_not_the_person_who_wrote_there(door: Door) -> None:
    await door.take(door.message(PHONE, "em particular", push_name="Bia"))
    await door.take(door.message(GROUP, "no grupo", sender=PHONE, alternates=(LID,), push_name="Bia"))
    people = await door.fetch(
        "SELECT a.kind, c.is_group, c.push_name FROM contact c JOIN contact_address a ON a.contact_id = c.id"
    )
    assert sorted(tuple(row) for row in people) == [("group", True, None), ("phone", False, "Bia")]
    (private,) = await door.fetch("SELECT id FROM conversation WHERE address = $1", str(PHONE))
    assert [job["lock"] for job in await door.jobs()] == [f"conversation:{private['id']}"]
    (message,) = await door.fetch("SELECT sender FROM message WHERE text = 'no grupo'")
    assert message["sender"] == str(PHONE)


# Edits and revokes -----------------------------------------------------------------------------------------------


async def test_that_the_next_turn_reads_what_was_edited_and_not_what_was_revoked(
    shop: Shop, backroom: Backroom
) -> None:
    chat, now = Address(AddressKind.SIMULATOR, "maria"), datetime.now(UTC)
    await shop.write("maria", "quero reservar uma mesa", provider_id="a")
    await shop.write("maria", "cobra no meu cartão", provider_id="b")
    await shop.inbound.receive(shop.session, MessageRevoked("b", chat, now))
    # Edits may come in the wrong order.
    await shop.inbound.receive(shop.session, MessageEdited("a", chat, LOOK_UP, now + timedelta(seconds=2)))
    await shop.inbound.receive(shop.session, MessageEdited("a", chat, "cobrar cartão", now + timedelta(seconds=1)))
    await backroom.rest()
    assert await shop.got("maria") == ["A consulta terminou."]


async def test_that_an_edit_or_revoke_that_comes_before_its_message_counts_when_the_message_comes(
    shop: Shop, backroom: Backroom
) -> None:
    chat, now = Address(AddressKind.SIMULATOR, "maria"), datetime.now(UTC)
    await shop.inbound.receive(shop.session, MessageEdited("a", chat, LOOK_UP, now + timedelta(seconds=2)))
    await shop.inbound.receive(shop.session, MessageRevoked("b", chat, now + timedelta(seconds=2)))
    await backroom.rest()
    assert await shop.got("maria") == []
    await shop.write("maria", "cobra no meu cartão", provider_id="b")
    await shop.write("maria", "quero reservar uma mesa", provider_id="a")
    await backroom.rest()
    assert await shop.got("maria") == ["A consulta terminou."]
    (conversation,) = await shop.fetch("SELECT id FROM conversation")
    async with shop.db.transaction(shop.tenant_id) as tx:
        said = await thread.messages(tx, conversation["id"])
    assert [(one.text, one.edited, one.revoked) for one in said if one.author == "contact"] == [
        ("cobra no meu cartão", False, True),
        (LOOK_UP, True, False),
    ]


async def test_that_an_edit_overtakes_a_turn_that_read_the_old_text(shop: Shop, backroom: Backroom) -> None:
    chat = Address(AddressKind.SIMULATOR, "maria")
    await shop.take_seconds("slow_lookup", 0.5)
    await shop.write("maria", LOOK_UP, provider_id="a")
    running = asyncio.create_task(backroom.work())
    await asyncio.sleep(0.2)
    await shop.inbound.receive(
        shop.session, MessageEdited("a", chat, "quero falar com um atendente", datetime.now(UTC))
    )
    await running
    await backroom.rest()
    kinds = await shop.fetch("SELECT decision ->> 'kind' AS kind FROM turn")
    assert [row["kind"] for row in kinds] == ["hand_off"]


async def test_that_a_revoked_message_leaves_nothing_waiting(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", LOOK_UP, provider_id="a")
    await shop.inbound.receive(
        shop.session, MessageRevoked("a", Address(AddressKind.SIMULATOR, "maria"), datetime.now(UTC))
    )
    await backroom.rest()
    assert await shop.got("maria") == []
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE conversation SET last_message_at = now() - interval '1 hour'")
    assert await shop.db.gate("forgotten_conversations", timedelta(minutes=1)) == []


# Closed conversations --------------------------------------------------------------------------------------------


async def test_that_a_closed_conversation_reopens_with_a_fresh_window(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    (conversation,) = await shop.fetch("SELECT id FROM conversation")
    await shop.desk.close(shop.operator, conversation["id"])
    await shop.write("maria", "quero a consulta lenta por favor")
    (reopened,) = await shop.fetch("SELECT * FROM conversation")
    first_new = await shop.fetch("SELECT max(id) AS id FROM message")
    assert (reopened["status"], reopened["window_start_id"]) == ("bot", first_new[0]["id"])
    await backroom.rest()
    assert len(await shop.got("maria")) == 2
