"""What gateways tell of a customer who is typing: "there is more to come", for the wait before an answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from channels.base import ChannelEvent, ContactTyping
from domain.messages import AddressKind

from .envelope import pick
from .waha_envelope import read_jid

_TYPING = frozenset({"typing", "composing", "recording"})


def typing_in(payload: object, at: datetime) -> list[ChannelEvent]:
    """Who is typing in a private chat, by a presence event's payload (WAHA, Evolution, GOWA; JSON of any shape).

    Somebody who came, went or stopped typing is nothing, and so is a group."""
    chat = read_jid(pick(payload, "chat_id")) or read_jid(pick(payload, "id"))
    address = chat.address() if chat else None
    if address is None or address.kind is AddressKind.GROUP:
        return []
    states = {state for state in _states(payload) if isinstance(state, str)}
    return [ContactTyping(address, at)] if states & _TYPING else []


def _states(payload: object) -> Iterator[Any]:
    yield pick(payload, "state")
    presences = pick(payload, "presences")
    for one in presences.values() if isinstance(presences, dict) else presences if isinstance(presences, list) else ():
        yield pick(one, "lastKnownPresence")
