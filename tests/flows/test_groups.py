"""Groups: stored and silent, unless the number may answer there and is meant."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channels.base import MessageReceived
from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind
from flows.session_control import ChannelSessions
from store.database import Row
from store.media import MediaFolder
from store.pacing import WAITS_FOR
from tests.flows.backroom import Backroom, Gateway

ASK, ANSWER = "faz a consulta lenta", "A consulta terminou."
GROUP = Address(AddressKind.GROUP, "120363000000000001")
MARIA, PEDRO = Address(AddressKind.LID, "1001"), Address(AddressKind.LID, "1002")


class InGroup:
    """What people say in one group of the shop's number, and what it answers there."""

    def __init__(self, backroom: Backroom, folder: Path) -> None:
        self.gateway = Gateway()
        self.backroom, self.shop = backroom.with_sender(self.gateway), backroom.shop
        self.control = ChannelSessions(self.shop.db, backroom.wakeup, MediaFolder(folder))
        self._count = 0

    async def say(self, text: str, who: Address = MARIA, name: str = "Maria", **more: Any) -> str:
        self._count += 1
        event = MessageReceived(
            f"g{self._count}", GROUP, datetime.now(UTC), text=text, sender=who, push_name=name, **more
        )
        return await self.shop.inbound.receive(self.shop.session, event)

    async def allow(self, groups: str) -> None:
        await self.control.change(self.shop.tenant_id, self.shop.session.id, groups=groups, actor="test")
        self.shop.inbound.forget(self.shop.session.id)
        self.shop.session = await self.shop.inbound.session(self.shop.session.id)

    async def answers(self) -> list[tuple[str, str]]:
        """What went out so far, as (where to, text)."""
        await self.backroom.rest()
        return [(str(message.to), message.text) for message in self.gateway.taken]

    def quotes(self) -> list[tuple[str | None, str, str]]:
        """What each of them quotes, as (id, words, author)."""
        taken = self.gateway.taken
        return [(one.quoted_provider_id, one.quoted_text, str(one.quoted_sender)) for one in taken]

    async def stored(self) -> list[Row]:
        return await self.shop.fetch("SELECT * FROM message WHERE author = 'contact' ORDER BY id")


@pytest.fixture
def group(backroom: Backroom, tmp_path: Path) -> InGroup:
    return InGroup(backroom, tmp_path)


async def test_that_a_group_is_stored_with_its_authors_and_the_agent_keeps_out_of_it(group: InGroup) -> None:
    await group.say(ASK)
    await group.say(ASK, PEDRO, "Pedro", mentions_me=True)
    assert await group.answers() == []
    first, second = await group.stored()
    assert (first["sender"], first["content"]["sender_name"]) == ("lid:1001", "Maria")
    assert (second["sender"], second["content"]["sender_name"]) == ("lid:1002", "Pedro")
    (conversation,) = await group.shop.fetch("SELECT * FROM conversation")
    assert (conversation["unread"], conversation["last_inbound_id"]) == (2, 0)
    (contact,) = await group.shop.fetch("SELECT * FROM contact")
    assert (contact["is_group"], contact["push_name"]) == (True, None)  # nobody's own name
    assert not await group.shop.fetch("SELECT 1 FROM turn")


async def test_that_where_the_business_says_so_the_agent_answers_who_mentions_or_quotes_it(group: InGroup) -> None:
    await group.allow("mentioned")
    await group.say("charge_card 500 agora", PEDRO, "Pedro")  # said to others: neither answered nor taken for a wish
    await group.say(ASK, PEDRO, "Pedro", quoted_provider_id="g1")  # quotes a member
    assert await group.answers() == []
    await group.say(ASK, mentions_me=True)
    assert await group.answers() == [(str(GROUP), ANSWER)]
    turns = await group.shop.fetch("SELECT upto_message_id FROM turn")
    asked = (await group.stored())[-1]["id"]
    assert [row["upto_message_id"] for row in turns] == [asked]
    (sent,) = await group.shop.fetch("SELECT provider_id FROM outbox_message")
    await group.say("e agora?", PEDRO, "Pedro")
    assert len(await group.answers()) == 1
    await group.say(ASK, PEDRO, "Pedro", quoted_provider_id=sent["provider_id"])
    assert await group.answers() == [(str(GROUP), ANSWER)] * 2
    await group.allow("off")
    await group.say(ASK, mentions_me=True)
    assert len(await group.answers()) == 2


async def test_that_other_talk_in_the_group_does_not_make_a_reply_stale(group: InGroup) -> None:
    await group.allow("mentioned")
    await group.say(ASK, mentions_me=True)
    await group.backroom.work()
    await group.say("bom dia, gente", PEDRO, "Pedro")
    assert await group.answers() == [(str(GROUP), ANSWER)]
    await group.say(ASK, mentions_me=True)
    await group.backroom.work()
    await group.say("charge_card 500", mentions_me=True)  # meant for us, so it does
    await group.backroom.deliver()
    states = await group.shop.fetch("SELECT state FROM outbox_message ORDER BY message_id")
    assert [row["state"] for row in states][:2] == ["sent", "cancelled"]


async def test_that_nobody_speaks_for_a_group_and_a_stopped_number_is_silent_there_too(group: InGroup) -> None:
    await group.allow("mentioned")
    await group.say("SAIR", mentions_me=True)
    (contact,) = await group.shop.fetch("SELECT opted_out_at FROM contact")
    assert contact["opted_out_at"] is None
    answered = len(await group.answers())
    async with group.shop.db.transaction(group.shop.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET stopped_at = now()")
    await group.say(ASK, mentions_me=True)
    assert len(await group.answers()) == answered


async def test_that_what_others_said_before_is_no_wish_of_who_mentions_us(group: InGroup) -> None:
    await group.allow("mentioned")
    await group.say(ASK, PEDRO, "Pedro")
    await group.say("xyzzy qwerty plugh", mentions_me=True)
    assert ANSWER not in [text for _, text in await group.answers()]
    assert await group.shop.fetch("SELECT 1 FROM turn")


async def test_that_another_way_with_groups_is_refused(group: InGroup) -> None:
    with pytest.raises(InvalidInputError, match="off, mentioned"):
        await group.allow("always")


async def test_that_a_reply_in_a_group_quotes_the_message_that_it_answers_and_only_there(group: InGroup) -> None:
    await group.allow("mentioned")
    await group.say("bom dia", PEDRO, "Pedro")
    await group.say(ASK, mentions_me=True)
    await group.say("boa tarde", PEDRO, "Pedro")  # said to others while the answer is on its way
    await group.answers()
    assert group.quotes() == [("g2", ASK, str(MARIA))]

    # What a person lets out of a suggestion answers the same message.
    await group.shop.set(reply_mode="suggest")
    await group.say(ASK, PEDRO, "Pedro", mentions_me=True)
    await group.backroom.rest()
    (suggestion,) = await group.shop.fetch("SELECT id FROM suggestion WHERE status = 'pending'")
    await group.shop.desk.approve(group.shop.operator, suggestion["id"])
    await group.answers()
    assert group.quotes()[1:] == [("g4", ASK, str(PEDRO))]

    await group.shop.write("ana", ASK)  # a chat of two needs no quote
    await group.backroom.rest()
    assert not await group.shop.fetch(
        "SELECT 1 FROM message m JOIN conversation c ON c.id = m.conversation_id "
        "WHERE c.address NOT LIKE 'group:%' AND m.quoted_provider_id IS NOT NULL"
    )


async def test_that_an_operator_answers_in_a_group_that_only_talked_to_others_whatever_new_chats_wait_for(
    group: InGroup,
) -> None:
    await group.say("alguém sabe se entregam hoje?")
    async with group.shop.db.transaction(group.shop.tenant_id) as tx:
        await tx.execute(
            "UPDATE channel_session SET status = 'restricted', config = config || $1",
            {"new_contacts_per_day": 0},
        )
    group.shop.inbound.forget(group.shop.session.id)
    (conversation,) = await group.shop.fetch("SELECT id FROM conversation")
    await group.shop.desk.claim(group.shop.operator, conversation["id"])
    await group.shop.desk.reply(group.shop.operator, conversation["id"], "entregamos, sim!")
    (waiting,) = await group.shop.fetch(
        f"SELECT ({WAITS_FOR}) AS waits_for FROM outbox_message o JOIN channel_session n ON n.id = o.channel_session_id"
    )
    assert waiting["waits_for"] is None
    assert await group.answers() == [(str(GROUP), "entregamos, sim!")]


async def test_that_who_asks_in_a_group_takes_the_numbers_pace_and_no_first_contact(group: InGroup) -> None:
    await group.allow("mentioned")
    async with group.shop.db.transaction(group.shop.tenant_id) as tx:
        pace = {"messages_per_minute": 1, "burst": 2, "new_contacts_per_day": 0}
        await tx.execute("UPDATE channel_session SET config = config || $1", pace)
    for who, name in ((MARIA, "Maria"), (PEDRO, "Pedro"), (MARIA, "Maria")):
        await group.say("bom dia a todos", who, name)
        await group.say(ASK, who, name, mentions_me=True)
        await group.answers()
    assert await group.answers() == [(str(GROUP), ANSWER)] * 2
    (third,) = await group.shop.fetch("SELECT waits_for FROM outbox_message WHERE state = 'queued'")
    assert third["waits_for"] == "rate"
    assert not await group.shop.fetch("SELECT 1 FROM first_contact")
