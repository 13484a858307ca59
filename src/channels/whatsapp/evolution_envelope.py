"""Who wrote what to whom and when, read from a message of Evolution's (a Baileys key and what stands beside it)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from domain.messages import Address, AddressKind

from .baileys import whole_number
from .envelope import Envelope
from .ids import BROADCAST_SERVER, GROUP_SERVER, Jid
from .waha_envelope import read_jid, read_time

FIRST_YEAR = 2009
_LONGEST_ID = 200
_LONGEST_NAME = 200
_OTHER_KIND = {AddressKind.PHONE: AddressKind.LID, AddressKind.LID: AddressKind.PHONE}

# Baileys 7 says "Alt"; 2.3.0 and older say which of the two it is. The gateway's Chatwoot bridge keeps "previous".
_CHAT_ALSO = ("remoteJidAlt", "previousRemoteJid")
_CONTACT_ALSO = ("senderPn", "senderLid")
_OURS_ALSO = ("recipientPn", "recipientLid")
_PERSON_ALSO = ("participantAlt", "participantPn", "participantLid", "senderPn", "senderLid")


def message_id(key: Mapping[str, Any]) -> str | None:
    """WhatsApp's bare id. A sender chooses it, so nothing in it is ever taken for anything else."""
    value = key.get("id")
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID else None


def moment(value: object) -> datetime | None:
    """Aware UTC from seconds or milliseconds, of whatever shape; None for what is no time since WhatsApp exists."""
    number = whole_number(value)
    found = read_time(value if number is None else number)
    return found if found and found.year >= FIRST_YEAR else None


def _address(value: object) -> Address | None:
    jid = read_jid(value)
    return jid.address() if jid else None


def addresses(*values: object) -> frozenset[Address]:
    """Those of the values that name somebody."""
    return frozenset(address for value in values if (address := _address(value)))


def alternates(
    key: Mapping[str, Any], chat: Address, *, from_me: bool, own: Collection[Address]
) -> tuple[Address, ...]:
    """The other name of the chat's person: a LID's phone or a phone's LID, never ours. None in groups."""
    wanted = _OTHER_KIND.get(chat.kind)
    for name in (*_CHAT_ALSO, *(_OURS_ALSO if from_me else _CONTACT_ALSO)):
        address = _address(key.get(name))
        if address and address.kind is wanted and address not in own:
            return (address,)
    return ()


def read_chat(key: Mapping[str, Any], own: Collection[Address]) -> tuple[Address, tuple[Address, ...]] | None:
    """The chat that a key names, with its person's other name; None where it names no person and no group."""
    chat = _address(key.get("remoteJid"))
    if chat is None:
        return None
    return chat, alternates(key, chat, from_me=key.get("fromMe") is True, own=own)


def read_envelope(data: Mapping[str, Any], own: Collection[Address], received_at: datetime) -> Envelope | None:
    """Read a message; None without an id or a chat. ``received_at`` stands in for a missing time."""
    key = data.get("key")
    if not isinstance(key, dict):
        return None
    name, chat = message_id(key), read_jid(key.get("remoteJid"))
    if name is None or chat is None:
        return None
    from_me = key.get("fromMe") is True
    person = next(
        (jid for value in (key.get("participant"), data.get("participant")) if (jid := read_jid(value))), None
    )
    if chat.server == BROADCAST_SERVER and not chat.is_status and person is not None:
        chat = person  # sent to us through a list of theirs: it is a private message
    address = chat.address()
    push_name = data.get("pushName")
    # For own messages the gateway writes "Você"; without a name it writes the digits of the participant.
    named = isinstance(push_name, str) and push_name.strip() and not from_me and not push_name.isdigit()
    return Envelope(
        id=name,
        chat=chat,
        at=moment(data.get("messageTimestamp")) or received_at,
        person=_person(chat, person),
        alternates=alternates(key, address, from_me=from_me, own=own) if address else (),
        push_name=push_name[:_LONGEST_NAME] if named and isinstance(push_name, str) else None,
        from_me=from_me,
    )


def _person(chat: Jid, person: Jid | None) -> Address | None:
    return person.address() if chat.server == GROUP_SERVER and person else None


def person_alternates(key: Mapping[str, Any], person: Address | None) -> list[str]:
    """The other names of who wrote in a group, as text."""
    found = addresses(*(key.get(name) for name in _PERSON_ALSO))
    return sorted(str(address) for address in found if address != person)
