"""A number's past, as its phone tells it after a pairing: whole chats at once, all of it marked historical.

The source is whatsmeow's ``waHistorySync.HistorySync`` as a dictionary. Status posts, newsletters and what nobody wrote
are left out as in ``convert``; a message that cannot be read becomes UNKNOWN, so that none is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from channels.base import HistoryReceived, MessageReceived
from domain.messages import Address

from .baileys import whole_number
from .convert import Ignored, convert_message
from .envelope import Json, jid_from, pick
from .ids import GROUP_SERVER, Jid

_INSIDE = {"ON_DEMAND", "FULL", "RECENT", "INITIAL_BOOTSTRAP"}


def convert_history(
    history: Json, *, received_at: datetime, own: Collection[Address] = ()
) -> HistoryReceived | Ignored:
    """All messages of one piece, oldest first in each chat."""
    kind = pick(history, "syncType")
    if kind is not None and kind not in _INSIDE:
        return Ignored(f"history without messages ({kind})")
    twins = _twins(history)
    found = [
        message
        for chat in _all(history, "conversations")
        for message in sorted(_chat(chat, twins, received_at, own), key=lambda one: one.sent_at)
    ]
    return HistoryReceived(tuple(found)) if found else Ignored("history without messages")


def _chat(
    chat: Json, twins: Mapping[str, Jid], received_at: datetime, own: Collection[Address]
) -> Iterator[MessageReceived]:
    jid = jid_from(pick(chat, "ID"))
    if jid is None:
        return
    known_as = [name for name in (pick(chat, "pnJID"), pick(chat, "lidJID"), twins.get(str(jid))) if name]
    alternate = next((str(name) for name in known_as if str(name) != str(jid)), None)
    for item in _all(chat, "messages"):
        event = _as_event(pick(item, "message"), jid, alternate)
        converted = convert_message(event, received_at=received_at, own=own) if event else None
        if isinstance(converted, MessageReceived):
            yield replace(converted, historical=True)


def _as_event(web: Any, chat: Jid, alternate: str | None) -> dict[str, Any] | None:
    """One message in the shape in which a live one comes."""
    key = pick(web, "key")
    message_id = pick(key, "ID")
    content = pick(web, "message")
    if not message_id or not isinstance(content, Mapping) or not content:
        return None  # a line that WhatsApp drew itself: "messages are end-to-end encrypted", for one
    from_me = bool(pick(key, "fromMe"))
    is_group = chat.server == GROUP_SERVER
    sender = (pick(key, "participant") or pick(web, "participant")) if is_group else str(chat)
    source = {"Chat": str(chat), "Sender": sender, "IsFromMe": from_me, "IsGroup": is_group}
    if alternate and not is_group:
        source["RecipientAlt" if from_me else "SenderAlt"] = alternate
    seconds = whole_number(pick(web, "messageTimestamp"))
    info = {
        "ID": message_id,
        "MessageSource": source,
        "Pushname": pick(web, "pushName") if not from_me else None,
        "Timestamp": seconds * 1000 if seconds else None,
    }
    return {"Info": info, "Message": content}


def _twins(history: Json) -> dict[str, Jid]:
    """Which LID and which phone number name one person."""
    twins: dict[str, Jid] = {}
    for pair in _all(history, "phoneNumberToLidMappings"):
        phone, lid = jid_from(pick(pair, "pnJID")), jid_from(pick(pair, "lidJID"))
        if phone and lid:
            twins[str(phone.bare())], twins[str(lid.bare())] = lid.bare(), phone.bare()
    return twins


def _all(source: Any, name: str) -> list[Any]:
    found = pick(source, name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
