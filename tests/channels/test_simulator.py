"""The simulated phone's sender and door."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import SessionRef
from channels.simulator import SimulatorSender, parse_door_message
from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind, MessageKind, Outbound
from tests.channels.contract import SenderContract, Subject


class Phone:
    """Keeps one message per key, as the demo's table does."""

    def __init__(self) -> None:
        self.messages: dict[str, Outbound] = {}
        self.is_broken = False

    async def deliver(self, session: SessionRef, message: Outbound) -> None:
        if self.is_broken:
            raise OSError("no phone")
        self.messages.setdefault(message.key, message)


class TestSimulatorSender(SenderContract):
    @pytest.fixture
    def subject(self) -> Subject:
        phone = Phone()

        def break_down() -> None:
            phone.is_broken = True

        return Subject(
            SimulatorSender(phone.deliver),
            SessionRef("s1", "simulator"),
            Address(AddressKind.SIMULATOR, "Maria"),
            lambda: [(message.to, message.text) for message in phone.messages.values()],
            break_down,
        )


def test_that_a_door_message_becomes_an_event() -> None:
    event = parse_door_message({"contact": "Maria", "id": "m1", "text": "oi", "kind": "image", "name": "Maria S."})
    assert (event.chat, event.provider_id, event.text) == (Address(AddressKind.SIMULATOR, "Maria"), "m1", "oi")
    assert (event.kind, event.push_name, event.sent_at.tzinfo is not None) == (MessageKind.IMAGE, "Maria S.", True)
    assert parse_door_message({"contact": "a", "id": "b", "text": ""}).kind is MessageKind.TEXT


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"contact": ""}, "contact"),
        ({"contact": "x" * 65}, "contact"),
        ({"contact": "a\x00b"}, "contact"),
        ({"contact": " "}, "contact"),
        ({"contact": None}, "contact"),
        ({"id": 7}, "id"),
        ({"id": "x" * 129}, "id"),
        ({"text": None}, "text"),
        ({"kind": "telepathy"}, "kind"),
        ({"kind": ["text"]}, "kind"),
        ({"name": ""}, "name"),
        ({"tenant": "other"}, "tenant"),
    ],
)
def test_that_the_door_names_the_field_at_fault(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        parse_door_message({"contact": "Maria", "id": "m1", "text": "oi", **changes})
    assert refusal.value.field == field


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["contact", "id", "text", "kind", "name", "x"]) | st.text(), inner, max_size=6
        )
    ),
    max_leaves=15,
)


@given(json_values)
def test_that_the_door_gives_a_message_or_a_named_refusal_for_any_json(body: Any) -> None:
    try:
        event = parse_door_message(body)
    except InvalidInputError as refusal:
        named = refusal.field
    else:
        named = event.chat.value
    assert named
