"""What comes in becomes durable facts: once, whole, under the right contact, and never at another message's expense."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from channels.base import ChannelEvent, MessageEdited, MessageReceived, MessageRevoked, ReceiptChanged, Unrecognised
from channels.simulator import parse_door_message
from domain.errors import InvalidInputError
from domain.messages import MAX_TEXT_BYTES, Ack, Address, AddressKind, MessageKind
from flows.inbound import Inbound, Outcome, SessionInfo
from store import conversations
from store.database import Database, Row
from store.wakeup import Wakeup
from tests.database import Number, make_number
from tests.flows.backroom import Backroom, Gateway, until
from tests.flows.shop import Shop

LID = Address(AddressKind.LID, "900100200300")
PHONE = Address(AddressKind.PHONE, "5531900000001")
GROUP = Address(AddressKind.GROUP, "120363000000000001")
LOOK_UP = "faz a consulta lenta"


@dataclass
class Door:
    """A number without any tenant behind it: what the way in alone does."""

    db: Database
    inbound: Inbound
    session: SessionInfo
    owner_dsn: str
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    async def take(self, event: ChannelEvent) -> Outcome:
        return await self.inbound.receive(self.session, event)

    def message(self, chat: Address = PHONE, text: str = "oi", **more: Any) -> MessageReceived:
        return MessageReceived(
            more.pop("provider_id", f"m{next(self._ids)}"),
            chat,
            more.pop("sent_at", datetime.now(UTC)),
            text=text,
            **more,
        )

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        async with self.db.transaction(self.session.tenant_id) as tx:
            return list(await tx.fetch(statement, *values))

    async def conversation(self) -> Row:
        """The only one there is."""
        (row,) = await self.fetch("SELECT * FROM conversation")
        return row

    async def jobs(self) -> list[Row]:
        owner = await asyncpg.connect(self.owner_dsn)
        try:
            return list(await owner.fetch("SELECT lock, status FROM queue.procrastinate_jobs"))
        finally:
            await owner.close()


@pytest.fixture
async def door(owner_dsn: str, db: Database, number: Number) -> AsyncIterator[Door]:
    wakeup = Wakeup(db)
    inbound = Inbound(db, wakeup)
    yield Door(db, inbound, await inbound.session(number.session_id), owner_dsn)
    await wakeup.close()


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


# Our own number --------------------------------------------------------------------------------------------------


async def test_that_writing_on_the_paired_phone_takes_the_conversation_over(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", LOOK_UP)
    async with shop.db.transaction(shop.tenant_id) as tx:
        conversation_id = await tx.fetchval(
            "INSERT INTO suggestion (tenant_id, conversation_id, text, fence) "
            "SELECT tenant_id, id, 'oferta', fence FROM conversation RETURNING conversation_id"
        )
    await shop.write("maria", "deixa que eu atendo", from_me=True)
    await backroom.rest()
    assert await shop.got("maria") == []
    (conversation,) = await shop.fetch("SELECT * FROM conversation WHERE id = $1", conversation_id)
    assert conversation["status"] == "human"
    assert conversation["answered_upto_id"] == conversation["last_inbound_id"]
    assert [row["status"] for row in await shop.fetch("SELECT status FROM suggestion")] == ["superseded"]
    assert await shop.fetch("SELECT 1 FROM turn") == []
    authors = await shop.fetch("SELECT author FROM message ORDER BY id")
    assert [row["author"] for row in authors] == ["contact", "phone"]


async def test_that_writing_on_the_paired_phone_stops_a_reply_that_waits_to_be_sent(
    shop: Shop, backroom: Backroom
) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    await shop.write("maria", "deixa que eu atendo", from_me=True)
    await backroom.rest()
    assert await shop.got("maria") == []
    (conversation,) = await shop.fetch("SELECT * FROM conversation")
    assert (conversation["status"], conversation["answered_upto_id"]) == ("human", conversation["last_inbound_id"])


@pytest.mark.parametrize("when", ["before the send returned", "after"])
async def test_that_the_echo_of_our_own_message_is_not_a_person(shop: Shop, backroom: Backroom, when: str) -> None:
    backroom = backroom.with_sender(gateway := Gateway())
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    gateway.open.clear()
    await backroom.delivery.run_due()
    await until(lambda: len(gateway.taken) == 1)

    async def echo() -> str:
        return await shop.write("maria", gateway.texts[0], provider_id=f"sent-{gateway.taken[0].key}", from_me=True)

    if when == "after":
        gateway.open.set()
        await backroom.delivery.wait_idle()
        assert await echo() == "duplicate"
    else:
        assert await echo() == "held"
        gateway.open.set()
        await backroom.delivery.wait_idle()
    assert await shop.fetch("SELECT 1 FROM held_event") == []
    (conversation,) = await shop.fetch("SELECT status FROM conversation")
    assert conversation["status"] == "bot"
    assert len(await shop.fetch("SELECT 1 FROM message")) == 2


@pytest.mark.parametrize("who", ["ours", "a person's"])
async def test_that_an_own_message_beside_a_send_of_unknown_outcome_is_told_apart_by_its_text(
    shop: Shop, backroom: Backroom, who: str
) -> None:
    backroom = backroom.with_sender(Gateway(mishaps=[TimeoutError()]))
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    text = "A consulta terminou." if who == "ours" else "oi, aqui é o Rui"
    assert await shop.write("maria", text, provider_id="own", from_me=True) == "held"
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE held_event SET created_at = now() - interval '5 minutes'")
    assert await backroom.keep_house() == 1
    (row,) = await shop.fetch("SELECT o.state, o.provider_id, c.status FROM outbox_message o, conversation c")
    assert tuple(row) == (("sent", "own", "bot") if who == "ours" else ("unknown", None, "human"))


async def test_that_an_echo_that_comes_while_its_send_is_being_recorded_is_not_a_person(
    owner_dsn: str, shop: Shop, backroom: Backroom
) -> None:
    backroom = backroom.with_sender(gateway := Gateway())
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    gateway.open.clear()
    await backroom.delivery.run_due()
    await until(lambda: len(gateway.taken) == 1)
    owner = await asyncpg.connect(owner_dsn)
    try:
        # Makes the echo wait where it asks which conversation it belongs to, until the send has been recorded.
        waiting = owner.transaction()
        await waiting.start()
        await owner.execute("LOCK TABLE contact_address IN ACCESS EXCLUSIVE MODE")
        echo = asyncio.create_task(
            shop.write("maria", gateway.texts[0], provider_id=f"sent-{gateway.taken[0].key}", from_me=True)
        )
        await asyncio.sleep(0.2)
        gateway.open.set()
        await backroom.delivery.wait_idle()
        await waiting.commit()
        assert await echo == "duplicate"
    finally:
        await owner.close()
    (conversation,) = await shop.fetch("SELECT status FROM conversation")
    assert conversation["status"] == "bot"


# Receipts --------------------------------------------------------------------------------------------------------


async def test_that_receipts_that_come_before_the_send_returned_are_applied_and_acks_never_go_back(
    shop: Shop, backroom: Backroom
) -> None:
    backroom = backroom.with_sender(gateway := Gateway())
    await shop.write("maria", LOOK_UP)
    await backroom.work()
    gateway.open.clear()
    await backroom.delivery.run_due()
    await until(lambda: len(gateway.taken) == 1)
    provider_id = f"sent-{gateway.taken[0].key}"

    async def receipt(ack: Ack) -> str | None:
        await shop.inbound.receive(shop.session, ReceiptChanged((provider_id, "of another"), ack, datetime.now(UTC)))
        (row,) = await shop.fetch("SELECT ack FROM outbox_message")
        found: str | None = row["ack"]
        return found

    assert await receipt(Ack.READ) is None
    assert await receipt(Ack.DEVICE) is None
    gateway.open.set()
    await backroom.delivery.wait_idle()
    (row,) = await shop.fetch("SELECT state, ack FROM outbox_message")
    assert tuple(row) == ("sent", "read")
    assert [await receipt(ack) for ack in (Ack.SERVER, Ack.DEVICE, Ack.PLAYED, Ack.READ)] == [
        "read",
        "read",
        "played",
        "played",
    ]


# Edits and revokes -----------------------------------------------------------------------------------------------


async def test_that_the_next_turn_reads_what_was_edited_and_not_what_was_revoked(
    shop: Shop, backroom: Backroom
) -> None:
    chat, now = Address(AddressKind.SIMULATOR, "maria"), datetime.now(UTC)
    await shop.write("maria", "quero reservar uma mesa", provider_id="a")
    await shop.write("maria", "cobra no meu cartão", provider_id="b")
    await shop.inbound.receive(shop.session, MessageRevoked("b", chat, now))
    # An edit may come before its message, and edits may come in the wrong order.
    await shop.inbound.receive(shop.session, MessageEdited("a", chat, LOOK_UP, now + timedelta(seconds=2)))
    await shop.inbound.receive(shop.session, MessageEdited("a", chat, "cobrar cartão", now + timedelta(seconds=1)))
    await backroom.rest()
    assert await shop.got("maria") == ["A consulta terminou."]


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


# Bad input -------------------------------------------------------------------------------------------------------

EXACTLY = "á" * (MAX_TEXT_BYTES // 2)
REPLACED = "\ufffd"
METACHARACTERS = "'; DROP TABLE message; -- <script>alert(1)</script> {{ 7*7 }} {% raw %} \\x00 $1 %s"
KEPT_AS_IT_IS = {
    "exactly 64 KiB": EXACTLY,
    "zero-width characters": "o\u200bi\u200d\ufeff tudo\u2060 bem",
    "right-to-left text": "\u202eمرحبا\u202c שלום",
    "metacharacters of SQL, HTML and Jinja": METACHARACTERS,
    "nothing": "",
    "only blanks": " \n\t ",
}
NOTED = {
    "one byte more than 64 KiB": (EXACTLY + "a", EXACTLY, f"cut_from_{MAX_TEXT_BYTES + 1}_bytes"),
    "NUL characters": ("o\x00i", f"o{REPLACED}i", "nul_characters_replaced"),
    "a lone surrogate": ("o\ud83di", f"o{REPLACED}i", "invalid_unicode_replaced"),
}


async def beside_others(door: Door, event: ChannelEvent) -> Outcome:
    """Takes the event in between two others, which must be there afterwards."""
    await door.take(door.message(provider_id="before"))
    outcome = await door.take(event)
    await door.take(door.message(provider_id="after"))
    kept = await door.fetch("SELECT provider_id FROM message WHERE provider_id IN ('before', 'after')")
    assert len(kept) == 2
    return outcome


@pytest.mark.parametrize("text", KEPT_AS_IT_IS.values(), ids=KEPT_AS_IT_IS)
async def test_that_unusual_text_is_kept_as_it_was_written(door: Door, text: str) -> None:
    assert (
        await beside_others(door, door.message(text=text, provider_id="it", push_name=text[:100] or None)) == "stored"
    )
    (row,) = await door.fetch("SELECT text, content FROM message WHERE provider_id = 'it'")
    assert (row["text"], row["content"]) == (text, {})


@pytest.mark.parametrize(("text", "kept", "problem"), NOTED.values(), ids=NOTED)
async def test_that_text_no_database_can_hold_is_mended_and_noted(
    door: Door, text: str, kept: str, problem: str
) -> None:
    assert await beside_others(door, door.message(text=text, provider_id="it", push_name=text)) == "stored"
    (row,) = await door.fetch("SELECT text, content FROM message WHERE provider_id = 'it'")
    assert (row["text"], row["content"]) == (kept, {"problems": [problem]})
    assert await door.take(door.message(text=text, provider_id="it")) == "duplicate"
    edited = MessageEdited("after", PHONE, text, datetime.now(UTC))
    assert await door.take(edited) == "changed"


async def test_that_a_clock_in_the_future_does_not_reorder_a_conversation(door: Door) -> None:
    stated = datetime.now(UTC) + timedelta(days=400)
    await beside_others(door, door.message(provider_id="it", sent_at=stated))
    (row,) = await door.fetch("SELECT sent_at, content FROM message WHERE provider_id = 'it'")
    assert row["content"] == {"problems": ["clock_in_the_future"], "stated_sent_at": stated.isoformat()}
    assert row["sent_at"] <= datetime.now(UTC)


@pytest.mark.parametrize("event", ["another message", "an unknown event"])
async def test_that_what_is_not_understood_is_kept_whole(door: Door, event: str) -> None:
    deep: Any = "end"
    for _ in range(900):
        deep = [deep]
    raw = {"strange": {"\x00key": ["\ud800", float("nan"), 2**70, None]}, "deep": deep}
    if event == "another message":
        outcome = await beside_others(door, door.message(kind=MessageKind.UNKNOWN, text="", provider_id="it", raw=raw))
        assert outcome == "stored"
        (row,) = await door.fetch("SELECT content -> 'raw' AS raw FROM message WHERE provider_id = 'it'")
    else:
        assert await beside_others(door, Unrecognised("na\x00me", raw)) == "kept"
        (row,) = await door.fetch("SELECT body -> 'raw' AS raw FROM held_event")
    assert row["raw"]["strange"] == {f"{REPLACED}key": [REPLACED, None, str(2**70), None]}


async def test_that_a_repeated_id_with_other_content_keeps_both_and_answers_the_first(door: Door) -> None:
    await door.take(door.message(text="cancela", provider_id="it"))
    fence = (await door.conversation())["fence"]
    other = door.message(text="paga em dobro", provider_id="it")
    assert [await door.take(other) for _ in range(2)] == ["changed", "duplicate"]
    (row,) = await door.fetch("SELECT text FROM message_as_changed WHERE provider_id = 'it'")
    assert row["text"] == "cancela"
    kept = await door.fetch("SELECT content FROM message_change")
    assert [change["content"] for change in kept] == [{"kind": "text", "text": "paga em dobro"}]
    assert (await door.conversation())["fence"] == fence


@pytest.mark.parametrize(
    "provider_id",
    ["with a \x00", "with a \ud800", random.Random(1).randbytes(4000).hex()],
    ids=["nul", "surrogate", "long"],
)
async def test_that_an_id_that_cannot_be_a_key_still_names_one_message(door: Door, provider_id: str) -> None:
    event = door.message(provider_id=provider_id, quoted_provider_id=provider_id)
    assert await beside_others(door, event) == "stored"
    assert await door.take(event) == "duplicate"
    assert await door.take(MessageEdited(provider_id, PHONE, "mudada", datetime.now(UTC))) == "changed"
    await door.take(ReceiptChanged((provider_id,), Ack.READ, datetime.now(UTC)))
    (row,) = await door.fetch("SELECT text FROM message_as_changed WHERE provider_id NOT IN ('before', 'after')")
    assert row["text"] == "mudada"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({"contact": "maria", "id": "1"}, "text"),
        ({"contact": "maria", "id": "1", "text": 5}, "text"),
        ({"contact": "maria", "id": "1", "text": "oi", "kind": "telepathy"}, "kind"),
        ({"contact": "", "id": "1", "text": "oi"}, "contact"),
        ({"contact": "a\x00b", "id": "1", "text": "oi"}, "contact"),
        ({"contact": "maria", "id": "\ud800", "text": "oi"}, "id"),
        ({"contact": "maria", "id": "1", "text": "oi", "from_me": True}, "from_me"),
    ],
)
def test_that_the_simulator_s_door_refuses_what_is_no_message_and_says_why(body: object, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_door_message(body)
    assert refused.value.field == field
    assert refused.value.problem


async def test_that_the_same_ids_on_another_tenant_s_number_are_other_messages(owner_dsn: str, door: Door) -> None:
    other = await make_number(owner_dsn, "other")
    event = door.message(provider_id="same")
    await door.take(event)
    session = await door.inbound.session(other.session_id)
    assert await door.inbound.receive(session, event) == "stored"
