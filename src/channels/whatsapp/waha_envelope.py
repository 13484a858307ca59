"""Who wrote what to whom and when, read from a WAHA payload whatever its engine (WEBJS, NOWEB, GOWS)."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.messages import Address, AddressKind
from domain.text import storable

from .envelope import Envelope, jid_from, pick, time_from
from .ids import BROADCAST_SERVER, GROUP_SERVER, Jid

_LONGEST_ID = 200
_LONGEST_NAME = 200
_LONGEST_NUMBER = 20
_DEEPEST = 32
_MILLISECONDS_FROM = 1e11
"""As seconds this is the year 5138; as milliseconds it is 1973. WAHA sends both units, under the same name."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

_SECOND_COPY = "RawMessage"
"""GOWS sends the content twice: unwrapped as Message, and so."""

_MESSAGE_ID = re.compile(r"(?P<mine>true|false)_(?P<chat>[^_]*@[^_]*)_(?P<rest>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MessageKey:
    """A message's name: WhatsApp's bare ``id``, and what else the long form tells."""

    id: str
    chat: Jid | None = None
    participant: Jid | None = None
    from_me: bool | None = None


def tidy(value: Any, depth: int = _DEEPEST) -> Any:
    """JSON that may be walked and stored: not too deep, no NUL characters, no numbers that a database refuses."""
    match value:
        case str():
            return storable(value)[0] if _UNSTORABLE.search(value) else value
        case dict():
            kept = value.items() if depth else ()
            return {tidy(str(key)): tidy(item, depth - 1) for key, item in kept if key != _SECOND_COPY}
        case list():
            return [tidy(item, depth - 1) for item in value] if depth else []
        case float() if not math.isfinite(value):
            return None
        case int() if abs(value) >= 2**63:
            return None
        case None | bool() | int() | float():
            return value
        case _:
            return None


def brief(value: Any, depth: int = 6) -> Any:
    """The same JSON, small enough to keep beside a message: without the engine's own blob, long parts cut."""
    if isinstance(value, str):
        return value if len(value) <= 500 else f"{value[:100]}… ({len(value)} characters)"
    if isinstance(value, dict):
        kept = [(key, item) for key, item in value.items() if key != "_data"][:50]
        return {key[:100]: brief(item, depth - 1) for key, item in kept} if depth else "…"
    if isinstance(value, list):
        return [brief(item, depth - 1) for item in value[:20]] if depth else "…"
    return value


def read_jid(value: object) -> Jid | None:
    """A JID without its device, from text or from WEBJS's object; None for anything that names nobody."""
    text = pick(value, "_serialized") if isinstance(value, dict) else value
    jid = jid_from(text) if isinstance(text, str) else None
    if jid is None or not jid.user:
        return None
    address = jid.address()
    if (
        address
        and address.kind is not AddressKind.GROUP
        and not (jid.user.isdigit() and len(jid.user) <= _LONGEST_NUMBER)
    ):
        return None
    return jid.bare() if len(jid.user) <= _LONGEST_ID else None


def name_of_act(base: str, told_at: str | None, said: object) -> str:
    """A name for an act that has none: the same at each telling.

    ``told_at``: its time as the gateway tells it. Where it tells none, what was ``said`` takes its place: the time of
    arrival would be another at each telling.
    """
    return f"{base}.{told_at or hashlib.sha256(repr(said).encode()).hexdigest()[:16]}"


def read_key(value: object) -> MessageKey | None:
    """A message id in any of its shapes: bare, ``false_<chat>_<id>[_<participant>]``, or an engine's key object."""
    if isinstance(value, dict):
        if key := read_key(pick(value, "_serialized")):
            return key
        key = read_key(value["id"] if isinstance(value.get("id"), str) else value.get("ID"))
        if key is None or key.chat is not None:
            return key
        chat = read_jid(pick(value, "remoteJid") or pick(value, "remote"))
        from_me = value.get("fromMe")
        return MessageKey(
            key.id, chat, read_jid(value.get("participant")), from_me if isinstance(from_me, bool) else None
        )
    if not isinstance(value, str) or not value:
        return None
    found = _MESSAGE_ID.fullmatch(value)
    if found is None:
        return MessageKey(value) if len(value) <= _LONGEST_ID else None
    message_id, participant = found["rest"], None
    # A sender chooses its own ids, underscores included: only what looks like a person is taken off the end.
    head, _, tail = message_id.rpartition("_")
    if head and ("@" in tail or tail == "out"):
        message_id, participant = head, read_jid(tail)
    if len(message_id) > _LONGEST_ID:
        return None
    return MessageKey(message_id, read_jid(found["chat"]), participant, found["mine"] == "true")


def read_time(value: object) -> datetime | None:
    """Aware UTC from seconds or milliseconds (number, digits or JavaScript's Long) or RFC 3339; None for junk."""
    if isinstance(value, dict):
        value = value.get("low")
    if isinstance(value, str):
        if not re.fullmatch(r"\d{1,19}(\.\d{1,9})?", value, re.ASCII):
            return time_from(value) if not value.isdigit() else None
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return None
    try:
        return datetime.fromtimestamp(value / 1000 if value >= _MILLISECONDS_FROM else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def own_addresses(me: object) -> frozenset[Address]:
    """The paired number's own addresses, from the envelope's ``me``."""
    jids = (read_jid(pick(me, name)) for name in ("id", "jid", "lid"))
    return frozenset(address for jid in jids if jid and (address := jid.address()))


def _text(*candidates: object) -> str | None:
    return next((text for text in candidates if isinstance(text, str) and text.strip()), None)


def read_envelope(payload: dict[str, Any], own: Collection[Address], received_at: datetime) -> Envelope | None:
    """Read a message's payload; None if it has no id or no chat. ``received_at`` stands in for a missing time."""
    data = payload.get("_data")
    info, engine_key = pick(data, "Info"), read_key(pick(data, "key"))
    key = read_key(payload.get("id")) or read_key(pick(info, "ID")) or engine_key
    if key is None:
        return None
    from_me = next(
        (said for said in (payload.get("fromMe"), key.from_me, pick(info, "IsFromMe")) if isinstance(said, bool)), False
    )
    chat = _chat(payload, key, from_me, own)
    if chat is None:
        return None
    person = _person(payload, key)
    if chat.server == BROADCAST_SERVER and not chat.is_status and person is not None:
        chat = person  # sent to us through a list of theirs: it is a private message
    is_group = chat.server == GROUP_SERVER
    push_name = _text(pick(info, "PushName"), pick(data, "pushName"), pick(data, "notifyName"))
    return Envelope(
        id=key.id,
        chat=chat,
        at=read_time(payload.get("timestamp")) or read_time(pick(info, "Timestamp")) or received_at,
        person=person.address() if is_group and person else None,
        alternates=_alternates(data, chat, from_me, own),
        push_name=push_name[:_LONGEST_NAME] if push_name else None,
        from_me=from_me,
    )


def _chat(payload: dict[str, Any], key: MessageKey, from_me: bool, own: Collection[Address]) -> Jid | None:
    """The chat stands in the long id; else in the engine's blob; else it is the end that is not ourselves."""
    if key.chat is not None:
        return key.chat
    data = payload.get("_data")
    ends = ("to", "from") if from_me else ("from", "to")
    named = [pick(data, "Info", "Chat"), pick(data, "key", "remoteJid"), *(payload.get(end) for end in ends)]
    jids = [jid for value in named if (jid := read_jid(value))]
    return next((jid for jid in jids if jid.address() not in own), jids[0] if jids else None)


def _person(payload: dict[str, Any], key: MessageKey) -> Jid | None:
    data = payload.get("_data")
    named = (
        payload.get("participant"),
        pick(data, "Info", "Sender"),
        pick(data, "key", "participant"),
        pick(data, "author"),
    )
    return next((jid for value in named if (jid := read_jid(value))), key.participant)


def _alternates(data: object, chat: Jid, from_me: bool, own: Collection[Address]) -> tuple[Address, ...]:
    """The other name of the chat's person. Only a name of the other kind can be one: a LID's phone, a phone's LID.

    None in groups: there the chat is the group, and the author's names would make one contact of the two.
    """
    here = chat.address()
    wanted = {AddressKind.PHONE: AddressKind.LID, AddressKind.LID: AddressKind.PHONE}.get(here.kind) if here else None
    named = (
        pick(data, "Info", "RecipientAlt" if from_me else "SenderAlt"),
        pick(data, "key", "remoteJidAlt"),
        None if from_me else pick(data, "key", "senderPn"),
        None if from_me else pick(data, "key", "senderLid"),
    )
    for value in named:
        jid = read_jid(value)
        address = jid.address() if jid else None
        if address and address.kind is wanted and address not in own:
            return (address,)
    return ()


def person_alternates(data: object) -> list[str]:
    """The other names of who wrote in a group, as text."""
    named = (pick(data, "Info", "SenderAlt"), pick(data, "key", "participantAlt"), pick(data, "key", "participantPn"))
    jids = (read_jid(value) for value in named)
    return sorted({str(address) for jid in jids if jid and (address := jid.address())})
