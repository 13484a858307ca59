"""Who wrote what to whom and when: the part of a WhatsApp message that is the same for every kind of content.

Two sources carry the same facts in nearly the same JSON: the neonize library (its protobuf as a dictionary: JIDs as
objects, times in milliseconds) and WAHA's GOWS engine (JIDs as text, times as RFC 3339). Field names differ in case
between versions of both ("stanzaID", "stanzaId"), so fields are looked up without regard to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.errors import InvalidInputError
from domain.messages import Address

from .ids import BROADCAST_SERVER, GROUP_SERVER, Jid, parse_jid

Json = Mapping[str, Any]


def pick(data: object, *path: str) -> Any:
    """The value under a path of names, in any case; None when a step is missing."""
    for name in path:
        if not isinstance(data, Mapping):
            return None
        if name in data:
            data = data[name]
            continue
        folded = name.casefold()
        data = next((value for key, value in data.items() if str(key).casefold() == folded), None)
    return data


def jid_from(value: object) -> Jid | None:
    """A JID as text or as neonize's object; None for an empty or a malformed one."""
    if isinstance(value, Mapping):
        user, server = str(pick(value, "User") or ""), str(pick(value, "Server") or "")
        device, agent = int(pick(value, "Device") or 0), int(pick(value, "RawAgent") or 0)
        return Jid(user, server, device, agent) if user and server else None
    try:
        return parse_jid(value) if isinstance(value, str) and value else None
    except InvalidInputError:
        return None


def time_from(value: object) -> datetime | None:
    """Aware UTC from milliseconds (a number, or digits) or from RFC 3339 text; None for Go's zero time and for junk."""
    try:
        if isinstance(value, str) and not value.isdigit():
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.year > 1 and moment.tzinfo else None
        if isinstance(value, int | str) and int(value) > 0:
            return datetime.fromtimestamp(int(value) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


@dataclass(frozen=True, slots=True)
class Envelope:
    """``chat`` is the person or the group; ``person`` who wrote in a group; ``alternates`` the person's other names."""

    id: str
    chat: Jid
    at: datetime
    person: Address | None = None
    alternates: tuple[Address, ...] = ()
    push_name: str | None = None
    from_me: bool = False

    @property
    def address(self) -> Address | None:
        """The chat as an address; None where it is neither a person nor a group."""
        return self.chat.address()


def read_envelope(info: Json, received_at: datetime) -> Envelope | None:
    """Read ``Info`` of either source. ``received_at`` stands in for a missing time. None without a chat or an id."""
    source = pick(info, "MessageSource") or info
    chat, sender = jid_from(pick(source, "Chat")), jid_from(pick(source, "Sender"))
    message_id = pick(info, "ID")
    if chat is None or not isinstance(message_id, str) or not message_id:
        return None
    from_me = bool(pick(source, "IsFromMe"))
    if chat.server == BROADCAST_SERVER and not chat.is_status and sender is not None:
        chat = sender.bare()  # sent to us through a list of theirs: it is a private message
    is_group = chat.server == GROUP_SERVER
    person = sender.address() if is_group and sender else None
    named_also = jid_from(pick(source, "RecipientAlt" if from_me and not is_group else "SenderAlt"))
    alternate = named_also.address() if named_also else None
    known = {person, chat.address()}
    return Envelope(
        id=message_id,
        chat=chat.bare(),
        at=time_from(pick(info, "Timestamp")) or received_at,
        person=person,
        alternates=(alternate,) if alternate and alternate not in known else (),
        push_name=pick(info, "Pushname") or None,
        from_me=from_me,
    )
