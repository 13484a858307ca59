"""Whatever a message carries: it is stored, its oddity noted, or refused with a reason, and no other one is lost."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.base import ChannelEvent, MessageEdited, ReceiptChanged, Unrecognised
from channels.simulator import parse_door_message
from domain.errors import InvalidInputError
from domain.messages import MAX_TEXT_BYTES, Ack, MessageKind
from flows.inbound import Outcome
from tests.flows.door import PHONE, Door

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
        (row,) = await door.fetch("SELECT convert_from(body, 'UTF8')::jsonb AS raw, name FROM quarantined_event")
        assert row["name"] == "na\ufffdme"
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
