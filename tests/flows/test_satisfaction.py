"""The question after closing: when it is asked, what counts as an answer, and that nothing else is swallowed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from agent.normalise import words
from channels.base import MessageReceived
from domain.messages import Address, AddressKind, MessageKind
from domain.satisfaction import score_of
from flows import desk_closing
from flows.attachments import Offers
from flows.inbound import Inbound
from flows.notices import say
from flows.tidying import Tidying
from store import conversations
from store.database import Database, Row
from store.wakeup import Wakeup
from tests.database import Number, make_number, opened

SETTINGS = {"satisfaction": {"ask": True}, "reply_mode": "auto", "debounce": {"seconds": 0}}


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ("5", 5),
        (" 4 ", 4),
        ("nota 3", 3),
        ("5 - Ótimo", 5),
        ("Ótimo!!", 5),
        ("muito bom, obrigado", 5),
        ("bom", 4),
        ("PÉSSIMO", 1),
        ("muy malo", 1),
        ("great, thanks", 5),
        ("⭐⭐⭐⭐", 4),
        ("3️⃣", 3),
        ("😡", 1),
        ("👍🏽", 5),
        ("5 estrelas ⭐⭐⭐⭐⭐", 5),
        ("cinco", 5),
        ("", None),
        ("oi", None),
        ("5 mas quero trocar o produto", None),
        ("não foi bom", None),
        ("bom dia", None),
        ("10", None),
        ("0", None),
        ("5 ou 4", None),
        ("1234", None),
        ("obrigado", None),
        ("ok", None),
        ("🎂", None),
        ("5 " * 40, None),
        ("⭐⭐⭐⭐⭐⭐", None),
        ("ótimo 😡", None),
    ],
)
def test_that_a_score_is_a_whole_message_and_nothing_more(said: str, score: int | None) -> None:
    assert score_of(said, words(said)) == score


@dataclass
class Counter:
    """A tenant that asks its customers, and one customer of it."""

    db: Database
    wakeup: Wakeup
    number: Number
    inbound: Inbound
    tidying: Tidying
    said: int = 0

    async def write(self, text: str, kind: MessageKind = MessageKind.TEXT, provider_id: str = "") -> str:
        self.said += 1
        event = MessageReceived(
            provider_id or f"m{self.said}", Address(AddressKind.SIMULATOR, "Bruno"), datetime.now(UTC), kind, text
        )
        return await self.inbound.receive(await self.inbound.session(self.number.session_id), event)

    async def rows(self, statement: str, *values: Any) -> list[Row]:
        async with self.db.transaction(self.number.tenant_id) as tx:
            return list(await tx.fetch(statement, *values))

    async def conversation(self) -> Row:
        (row,) = await self.rows("SELECT * FROM conversation")
        return row

    async def close(self, reason: str = "resolved", ago: str = "2 minutes") -> UUID:
        """Somebody closed it some time ago, after an answer."""
        found = (await self.conversation())["id"]
        async with self.db.transaction(self.number.tenant_id) as tx:
            await say(tx, await conversations.lock(tx, found), "Pronto!")
            await tx.execute("UPDATE outbox_message SET state = 'sent', sent_at = now()")
            await desk_closing.close(tx, found, reason, actor=f"user:{self.number.user_id}")
            await tx.execute(
                f"UPDATE conversation_episode SET closed_at = now() - interval '{ago}' WHERE reopened_at IS NULL"
            )
        return found

    async def answers(self) -> list[Row]:
        return await self.rows("SELECT * FROM satisfaction_answer ORDER BY asked_at")

    async def texts(self) -> list[str]:
        return [row["text"] for row in await self.rows("SELECT text FROM message WHERE author = 'bot' ORDER BY id")]


@pytest.fixture
async def counter(owner_dsn: str) -> AsyncIterator[Counter]:
    """A customer wrote, and was served."""
    number = await make_number(owner_dsn, settings=SETTINGS)
    async with opened(owner_dsn) as db:
        wakeup = Wakeup(db)
        made = Counter(db, wakeup, number, Inbound(db, wakeup), Tidying(db, wakeup, Offers({})))
        await made.write("oi")
        yield made
        await wakeup.close()


async def test_that_the_question_is_asked_once_and_its_answer_opens_nothing(counter: Counter) -> None:
    await counter.close(ago="20 seconds")
    assert await counter.tidying.tidy(counter.number.tenant_id) == 0  # a closing may still be taken back
    await counter.rows("UPDATE conversation_episode SET closed_at = now() - interval '2 minutes'")
    assert await counter.tidying.run_due() == 1
    assert await counter.tidying.run_due() == 0
    (menu,) = await counter.rows("SELECT content FROM outbox_message WHERE content <> '{}'")
    assert menu["content"]["choices"][0]["title"] == "5 - Ótimo"
    before = await counter.conversation()
    assert await counter.write("4 - Bom", MessageKind.LIST_ANSWER, "answer") == "stored"
    assert await counter.write("4 - Bom", MessageKind.LIST_ANSWER, "answer") == "duplicate"
    after = await counter.conversation()
    assert (after["status"], after["unread"]) == ("closed", before["unread"])
    assert after["last_inbound_id"] == before["last_inbound_id"]  # nothing for the agent
    (answer,) = await counter.answers()
    assert (answer["score"], answer["comment"]) == (4, "4 - Bom")
    assert (await counter.texts())[-1].startswith("Obrigado")
    assert await counter.write("5") == "stored"  # a slip of the thumb
    assert (await counter.answers())[0]["score"] == 5
    assert sum(text.startswith("Obrigado") for text in await counter.texts()) == 1
    jobs = await counter.rows("SELECT 1 FROM event WHERE kind = 'conversation.reopened'")
    assert jobs == []


async def test_that_whatever_is_no_score_reopens_the_conversation_and_goes_to_the_agent(counter: Counter) -> None:
    await counter.close()
    await counter.tidying.run_due()
    assert await counter.write("5 mas veio quebrado") == "stored"
    row = await counter.conversation()
    assert row["status"] == "bot"
    assert row["last_inbound_id"] > row["answered_upto_id"]
    assert await counter.write("5") == "stored"  # an ordinary message now: the conversation is open
    assert (await counter.answers())[0]["score"] is None


async def test_that_a_score_that_nobody_asked_for_is_an_ordinary_message(counter: Counter) -> None:
    await counter.close()
    assert await counter.write("5") == "stored"
    assert (await counter.conversation())["status"] == "bot"


@pytest.mark.parametrize(
    "why", ["spam", "no_answer", "opted_out", "asked_lately", "policy_off", "not_wanted", "too_late"]
)
async def test_that_it_is_not_asked_where_it_must_not_be(counter: Counter, why: str) -> None:
    found = await counter.close(
        why if why in {"spam", "no_answer"} else "resolved", "2 hours" if why == "too_late" else "2 minutes"
    )
    if why == "opted_out":
        await counter.rows("UPDATE contact SET opted_out_at = now()")
    if why == "asked_lately":
        await counter.rows(
            "INSERT INTO satisfaction_answer (tenant_id, conversation_id, asked_at) "
            "VALUES ($1, $2, now() - interval '29 days')",
            counter.number.tenant_id,
            found,
        )
    if why == "policy_off":
        await counter.rows('UPDATE tenant SET settings = settings || \'{"reply_mode": "off"}\'::jsonb')
    if why == "not_wanted":
        await counter.rows("UPDATE tenant SET settings = settings - 'satisfaction'")
    assert await counter.tidying.tidy(counter.number.tenant_id) == 0
    assert all("atendimento" not in text for text in await counter.texts())


async def test_that_a_quiet_conversation_closes_as_resolved_only_where_nothing_was_left_open(counter: Counter) -> None:
    found = (await counter.conversation())["id"]
    await counter.rows("UPDATE conversation SET last_message_at = now() - interval '25 hours'")
    assert await counter.tidying.run_due() == 0  # the customer waits for an answer
    await counter.rows("UPDATE conversation SET answered_upto_id = last_inbound_id")
    assert await counter.tidying.run_due() == 1
    row = await counter.conversation()
    assert (row["status"], row["closed_reason"]) == ("closed", "other")  # nobody had answered
    await counter.write("oi de novo")
    async with counter.db.transaction(counter.number.tenant_id) as tx:
        await say(tx, await conversations.lock(tx, found), "Pronto!")
        await tx.execute("UPDATE outbox_message SET state = 'sent', sent_at = now()")
        await tx.execute(
            "UPDATE conversation SET answered_upto_id = last_inbound_id, last_message_at = now() - interval '25 hours'"
        )
    assert await counter.tidying.tidy(counter.number.tenant_id) == 1
    assert (await counter.conversation())["closed_reason"] == "resolved"
