"""What messages carry, on its way in: late content, votes, the past of a number, and files fetched by its host."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.base import HistoryReceived, MessageReceived, SessionRef
from channels.gateway import File, GatewayRefusedError, GatewayUnavailableError
from domain.messages import MediaReference, MessageKind
from flows.media import MediaFetching
from store.media import MediaFolder
from store.wakeup import Wakeup
from tests.flows.door import LID, PHONE, Door

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
PICTURE = MediaReference("image/png", "foto.png", len(PNG), extra={"part": "imageMessage"})


@pytest.fixture(autouse=True)
async def hosted(door: Door) -> None:
    """The number is one whose connection we hold."""
    await _settings(door, limit_bytes=1_000_000)


# Content that comes later ------------------------------------------------------------------------------------------


def sealed(door: Door, provider_id: str = "late", awaiting: str = "decryption") -> MessageReceived:
    return door.message(
        provider_id=provider_id, text="", kind=MessageKind.UNKNOWN, awaiting=awaiting, raw={"awaiting": awaiting}
    )


async def test_that_late_content_completes_its_message_and_wakes_the_agent(door: Door) -> None:
    assert await door.take(sealed(door)) == "stored"
    before = await door.conversation()
    content = door.message(provider_id="late", text="cadê meu pedido?", media=PICTURE, kind=MessageKind.IMAGE)
    assert await door.take(content) == "changed"
    (message,) = await door.fetch("SELECT * FROM message")
    assert (message["kind"], message["text"]) == ("image", "cadê meu pedido?")
    assert "awaiting" not in message["content"]
    assert [row["state"] for row in await door.fetch("SELECT state FROM media_file")] == ["wanted"]
    after = await door.conversation()
    assert after["fence"] > before["fence"], "a turn that saw the empty message must not answer"
    assert (after["last_preview"], len(await door.jobs())) == ("cadê meu pedido?", 1)
    assert [await door.take(one) for one in (content, sealed(door))] == ["duplicate", "duplicate"]
    assert await door.fetch("SELECT 1 FROM message_change") == []


async def test_that_a_placeholder_after_its_content_changes_nothing(door: Door) -> None:
    await door.take(door.message(provider_id="late", text="oi"))
    assert await door.take(sealed(door)) == "duplicate"
    (message,) = await door.fetch("SELECT text FROM message")
    assert message["text"] == "oi"


# Votes -------------------------------------------------------------------------------------------------------------


def vote(door: Door, *options: str) -> MessageReceived:
    chosen = [hashlib.sha256(option.encode()).hexdigest() for option in options]
    return door.message(text="", kind=MessageKind.POLL_VOTE, quoted_provider_id="poll", raw={"chosen_sha256": chosen})


@pytest.mark.parametrize("whose", ["ours", "the customer's"])
async def test_that_a_vote_is_stored_with_the_names_of_what_was_chosen(door: Door, whose: str) -> None:
    poll = door.message(provider_id="poll", text="Qual cor?", kind=MessageKind.POLL)
    options = ["Azul", "Verde", "Roxo"]
    await door.take(replace(poll, raw={"poll": {"options": options}}) if whose != "ours" else poll)
    if whose == "ours":
        await _as_sent_by_us(door, options)
    await door.take(vote(door, "Verde", "Roxo"))
    await door.take(vote(door))  # taken back
    await door.take(vote(door, "Laranja"))  # of another poll
    votes = await door.fetch("SELECT text, content FROM message WHERE kind = 'poll_vote' ORDER BY id")
    assert [row["text"] for row in votes] == ["Verde, Roxo", "", ""]
    assert votes[0]["content"]["raw"]["poll_vote"] == {"options": ["Verde", "Roxo"]}


async def _as_sent_by_us(door: Door, options: list[str]) -> None:
    """Make the stored message one that went out."""
    async with door.db.transaction(door.session.tenant_id) as tx:
        row = await tx.fetchrow(
            "UPDATE message SET provider_id = NULL, author = 'operator', content = $1 RETURNING *",
            {"carries": {"type": "poll", "options": options, "several": True}},
        )
        await tx.execute(
            "INSERT INTO outbox_message (tenant_id, conversation_id, channel_session_id, message_id, origin, state, "
            "provider_id) VALUES ($1, $2, $3, $4, 'operator', 'sent', 'poll')",
            row["tenant_id"],
            row["conversation_id"],
            row["channel_session_id"],
            row["id"],
        )


# The past ----------------------------------------------------------------------------------------------------------


def past(door: Door, number: int, **more: Any) -> MessageReceived:
    at = datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=number)
    return door.message(provider_id=f"old{number}", text=f"antiga {number}", sent_at=at, historical=True, **more)


async def test_that_a_number_s_past_is_stored_once_and_starts_nothing(door: Door) -> None:
    told = [past(door, n, from_me=n % 2 == 1, alternates=(LID,)) for n in range(120)]
    told.append(past(door, 120, media=PICTURE, kind=MessageKind.IMAGE))
    assert await door.take(HistoryReceived(tuple(told))) == "stored"
    assert await door.take(HistoryReceived(tuple(told))) == "duplicate"
    rows = await door.fetch("SELECT author, historical, text FROM message ORDER BY id")
    assert [row["text"] for row in rows] == [f"antiga {n}" for n in range(121)]
    assert {(row["author"], row["historical"]) for row in rows} == {("contact", True), ("phone", True)}
    conversation = await door.conversation()
    assert (conversation["status"], conversation["unread"], conversation["fence"]) == ("bot", 0, 0)
    assert await door.jobs() == []
    (file,) = await door.fetch("SELECT state, error FROM media_file")
    assert (file["state"], "too old" in file["error"]) == ("failed", True)


async def test_that_a_live_message_after_the_past_is_answered(door: Door) -> None:
    await door.take(HistoryReceived((past(door, 1),)))
    assert await door.take(door.message(text="oi de novo")) == "stored"
    assert len(await door.jobs()) == 1


# Files that only the number's own host can fetch ----------------------------------------------------------------------


@dataclass
class Phone:
    """What a number's connection says when it is asked for a file: each answer once, the last again and again."""

    answers: list[bytes | Exception]
    asked: list[tuple[str, MediaReference]] = field(default_factory=list)

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        self.asked.append((session.id, media))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return File(answer, "text/html", "")


FETCHES: dict[str, tuple[list[bytes | Exception], int, str, str]] = {
    "at once": ([PNG], 1, "stored", ""),
    "after failures": ([GatewayUnavailableError("away"), OSError("cut"), PNG], 3, "stored", ""),
    "gone": ([GatewayRefusedError("WhatsApp no longer has it.", hint="Ask again.")], 3, "failed", "Ask again."),
    "larger than it claimed": ([b"x" * 2048], 1, "too_large", "larger than 1000 bytes"),
    "empty": ([b""], 8, "failed", "empty"),
}
"""What the connection answers, how often it is asked, and what becomes of the file with which words."""


@pytest.mark.parametrize("name", FETCHES)
async def test_that_a_host_fetches_the_files_of_its_own_numbers(door: Door, tmp_path: Path, name: str) -> None:
    answers, tries, state, said = FETCHES[name]
    await _settings(door, limit_bytes=1000)
    await door.take(door.message(kind=MessageKind.IMAGE, media=replace(PICTURE, size_bytes=64), text=""))
    phone, wakeup = Phone(list(answers)), Wakeup(door.db)
    fetching = MediaFetching(door.db, wakeup, {}, MediaFolder(tmp_path), local=lambda: {door.session.id: phone})
    elsewhere = MediaFetching(door.db, wakeup, {}, MediaFolder(tmp_path))
    for _ in range(tries):
        assert await elsewhere.run_due() == 0  # without the connection there is nobody to ask
        assert await fetching.run_due() == 1
        await _make_due(door)
    assert await fetching.run_due() == 0
    (file,) = await door.fetch("SELECT * FROM media_file")
    assert (file["state"], len(phone.asked)) == (state, tries)
    assert phone.asked[0][1].extra == {"part": "imageMessage"}
    assert file["mime_type"] == "image/png"
    assert said in (file["error"] or "")
    if state == "stored":
        assert await MediaFolder(tmp_path).get(door.session.tenant_id, file["sha256"]) == PNG
    (event,) = await door.fetch("SELECT payload FROM event WHERE kind = 'message.media'")
    assert event["payload"]["state"] == state
    await wakeup.close()


async def _settings(door: Door, **media: Any) -> None:
    async with door.db.transaction(door.session.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET settings = settings || $1", {"media": media})
        await tx.execute("UPDATE channel_session SET provider = 'neonize'")
    door.inbound.forget(door.session.id)
    door.session = await door.inbound.session(door.session.id)


async def _make_due(door: Door) -> None:
    async with door.db.transaction(door.session.tenant_id) as tx:
        await tx.execute("UPDATE media_file SET next_attempt_at = now()")


async def test_that_a_file_over_the_tenant_s_limit_is_not_even_asked_for(door: Door, tmp_path: Path) -> None:
    await _settings(door, limit_bytes=10)
    assert await door.take(door.message(PHONE, kind=MessageKind.IMAGE, media=PICTURE, text="olha")) == "stored"
    phone, wakeup = Phone([PNG]), Wakeup(door.db)
    fetching = MediaFetching(door.db, wakeup, {}, MediaFolder(tmp_path), local=lambda: {door.session.id: phone})
    await fetching.run_due()
    (row,) = await door.fetch("SELECT f.state, m.text FROM media_file f JOIN message m ON m.id = f.message_id")
    assert (row["state"], row["text"], phone.asked) == ("too_large", "olha", [])
    await wakeup.close()
