"""WAHA's events beside messages: votes, answers to events, calls, and what concerns nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import ChannelEvent, MessageReceived, SessionRef, Unrecognised
from channels.gateway import File
from channels.whatsapp.waha import WahaGateway
from domain.contents import Media
from domain.messages import Address, AddressKind, MessageKind

CONTACT, GROUP = Address(AddressKind.PHONE, "5511990001111"), Address(AddressKind.GROUP, "120363000000000001")
CHAT = "5511990001111@c.us"
FILE_ID = f"false_{CHAT}_3EB0A1"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


class Files:
    async def read(self, media: Media) -> File:
        return File(b"", media.mime_type)


@pytest.fixture(scope="module")
def gateway() -> WahaGateway:
    return WahaGateway(httpx.AsyncClient(), Files())


def row(number: int) -> dict[str, Any]:
    return {"id": f"false_{CHAT}_3EB0{number}", "timestamp": SECONDS + number, "from": CHAT, "body": f"oi {number}"}


def events(gateway: WahaGateway, name: str, payload: Any, **envelope: Any) -> list[ChannelEvent]:
    number = SessionRef("s1", "waha", config={"session": "default"})
    return gateway.parse({"event": name, "session": "default", "payload": payload, **envelope}, number)


VOTE = {
    "vote": {
        "id": f"false_{CHAT}_3EB0V", "to": "me", "from": CHAT, "fromMe": False, "selectedOptions": ["Sim", "Talvez"],
        "timestamp": SECONDS,
    },
    "poll": {"id": f"true_{CHAT}_3EB0P", "to": CHAT, "from": "me", "fromMe": True},
}  # fmt: skip


def test_that_votes_tell_the_choice_the_voter_and_the_poll(gateway: WahaGateway) -> None:
    (vote,) = events(gateway, "poll.vote", VOTE)
    assert isinstance(vote, MessageReceived)
    assert (vote.kind, vote.text, vote.chat, vote.sent_at) == (MessageKind.POLL_VOTE, "Sim, Talvez", CONTACT, NOW)
    assert (vote.provider_id, vote.quoted_provider_id) == ("3EB0V", "3EB0P")
    assert vote.raw == {"poll_vote": {"options": ["Sim", "Talvez"]}}
    group_vote = {**VOTE["vote"], "id": "false_120363000000000001@g.us_3EB0V", "to": "120363000000000001@g.us"}
    (group,) = events(gateway, "poll.vote", {**VOTE, "vote": group_vote})
    assert isinstance(group, MessageReceived)
    assert (group.chat, group.sender) == (GROUP, CONTACT)
    (failed,) = events(gateway, "poll.vote.failed", {**VOTE, "vote": {**VOTE["vote"], "selectedOptions": []}})
    assert isinstance(failed, MessageReceived)
    assert (failed.kind, failed.text) == (MessageKind.POLL_VOTE, "")


def test_that_answers_to_events_and_calls_are_messages(gateway: WahaGateway) -> None:
    payload = {"id": f"false_{CHAT}_3EB0E", "timestamp": SECONDS, "from": CHAT, "fromMe": False}
    created = {"eventCreationKey": {"id": f"true_{CHAT}_3EB0C"}}
    (going,) = events(gateway, "event.response", {**payload, **created, "eventResponse": {"response": "GOING"}})
    assert isinstance(going, MessageReceived)
    assert (going.kind, going.text, going.quoted_provider_id) == (MessageKind.BUTTON_ANSWER, "GOING", "3EB0C")
    (unread,) = events(gateway, "event.response.failed", {**payload, **created, "eventResponse": None})
    assert isinstance(unread, MessageReceived)
    assert unread.kind is MessageKind.UNKNOWN
    (call,) = events(gateway, "call.received", {"id": "CALL1", "from": CHAT, "timestamp": SECONDS, "isVideo": True})
    assert isinstance(call, MessageReceived)
    assert (call.kind, call.chat, call.provider_id, call.sent_at) == (MessageKind.CALL, CONTACT, "CALL1", NOW)


@pytest.mark.parametrize(
    "name",
    [
        "chat.archive", "engine.event", "state.change", "group.v2.join", "group.v2.leave",
        "group.v2.update", "group.v2.participants", "group.join", "label.upsert", "label.deleted", "label.chat.added",
        "label.chat.deleted", "call.accepted", "call.rejected",
    ],
)  # fmt: skip
def test_that_known_and_unimportant_events_are_nothing(gateway: WahaGateway, name: str) -> None:
    assert events(gateway, name, {"id": CHAT}) == []
    assert events(gateway, name, None) == []


def test_that_posts_and_our_own_reactions_through_waha_are_nothing(gateway: WahaGateway) -> None:
    for chat in ("status@broadcast", "120363000000000009@newsletter"):
        post = {"id": f"false_{chat}_3EB0A1_{CHAT}", "from": chat, "body": "oferta", "timestamp": SECONDS}
        assert events(gateway, "message.any", post) == []
    reaction = {"id": f"true_{CHAT}_3EB0R", "from": CHAT, "fromMe": True, "timestamp": SECONDS}
    about = {"reaction": {"text": "👍", "messageId": FILE_ID}}
    assert events(gateway, "message.reaction", {**reaction, **about, "source": "api"}) == []
    assert len(events(gateway, "message.reaction", {**reaction, **about, "source": "app"})) == 1


@pytest.mark.parametrize(
    ("name", "payload", "envelope"),
    [
        ("message.any", row(1), {"session": "outra"}),
        ("poll.vote", {"vote": {}}, {}),
        ("poll.vote", [], {}),
        ("call.received", {"id": "CALL1"}, {}),
        ("event.response", {"eventResponse": {"response": "GOING"}}, {}),
        ("message.waiting", row(1), {}),
        ("message.teleported", row(1), {}),
    ],
)
def test_that_what_is_not_ours_or_not_understood_is_kept(
    gateway: WahaGateway, name: str, payload: Any, envelope: dict[str, Any]
) -> None:
    (event,) = events(gateway, name, payload, **envelope)
    assert isinstance(event, Unrecognised)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([CHAT, FILE_ID]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = (
    "poll.vote",
    "poll.vote.failed",
    "event.response",
    "event.response.failed",
    "call.received",
    "message.reaction",
)
FIELDS = (
    "vote",
    "poll",
    "id",
    "from",
    "to",
    "timestamp",
    "eventResponse",
    "eventCreationKey",
    "_data",
    "fromMe",
    "source",
)


@given(st.sampled_from(NAMES), st.dictionaries(st.sampled_from(FIELDS), json_values) | json_values)
def test_that_no_json_raises(gateway: WahaGateway, name: str, payload: Any) -> None:
    for event in events(gateway, name, payload):
        assert isinstance(event, MessageReceived | Unrecognised)
