"""A customer who is typing, as the gateways tell it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from channels.base import ChannelEvent, ContactTyping, SessionRef
from channels.whatsapp import evolution_events, gowa_events, waha_events
from domain.messages import Address, AddressKind

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
PHONE, LID = "5511990001111@s.whatsapp.net", "149000011210072@lid"


def waha(chat: str, state: Any) -> list[ChannelEvent]:
    payload = {"id": chat, "presences": [{"participant": chat, "lastKnownPresence": state, "lastSeen": None}]}
    return waha_events.parse({"event": "presence.update", "session": "default", "payload": payload}, received_at=NOW)


def evolution(chat: str, state: Any) -> list[ChannelEvent]:
    data = {"id": chat, "presences": {chat: {"lastKnownPresence": state}}}
    return evolution_events.parse(
        {"event": "presence.update", "instance": "i", "data": data}, SessionRef("s1", "evolution"), received_at=NOW
    )


def gowa(chat: str, state: Any) -> list[ChannelEvent]:
    payload = {"from": chat, "chat_id": chat, "state": state, "media": "", "is_group": False}
    return gowa_events.parse({"event": "chat_presence", "payload": payload}, received_at=NOW)


@pytest.mark.parametrize("gateway", [waha, evolution, gowa])
def test_that_typing_and_recording_are_told_and_all_other_presence_is_nothing(gateway: Any) -> None:
    for chat, address in (
        (PHONE, Address(AddressKind.PHONE, "5511990001111")),
        (LID, Address(AddressKind.LID, "149000011210072")),
    ):
        for state in ("composing", "recording"):
            assert gateway(chat, state) == [ContactTyping(address, NOW)]
        for state in ("paused", "available", "unavailable", None, 3, ["composing"]):
            assert gateway(chat, state) == []
    assert waha(PHONE, "typing") == [ContactTyping(Address(AddressKind.PHONE, "5511990001111"), NOW)]
    assert gateway("120363000000000001@g.us", "composing") == []
    assert gateway("nobody", "composing") == []
