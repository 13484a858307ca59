"""Which request of WAHA's sends what (the server's OpenAPI document, 2026.7.1)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from channels.base import SendRejectedError
from channels.gateway import File, NotOfferedError
from domain.contents import Buttons, ContactCard, Edit, ListMenu, Location, Media, Poll, Reaction, Revoke, Template
from domain.messages import AddressKind, Outbound

from .waha_http import long_id, step

PROVIDER = "waha"
CONTENT_TYPES = frozenset({"media", "location", "contact", "reaction", "poll", "list", "edit", "revoke"})

_ACTIONS = {
    "image": "sendImage",
    "video": "sendVideo",
    "voice": "sendVoice",
    "audio": "sendFile",
    "document": "sendFile",
}
_VOICE, _VIDEO = "audio/ogg", "video/mp4"
_LONGEST_TITLE = 60
_NOT_OFFERED = {Buttons: "A message with buttons", Template: "A template"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``names_none``: its answer need not name a new message."""

    method: str
    path: str
    body: dict[str, Any] | None
    names_none: bool = False


def request_of(message: Outbound, session: str, chat: str, file: File | None = None) -> Request:
    """The request that sends ``message`` to ``chat``; ``file`` are the bytes of its Media.

    Raises NotOfferedError, and SendRejectedError for what names no message.
    """
    target, text = {"session": session, "chatId": chat}, message.text
    answered = {**target, "reply_to": quoted} if (quoted := reply_to(message, chat)) else target
    match message.content:
        case None:
            return _post("sendText", {**answered, "text": text})
        case Media() as media:
            return _file(media, file or File(b""), answered, text)
        case Location(latitude, longitude, name, address):
            place = {"latitude": latitude, "longitude": longitude, "title": name or address}
            return _post("sendLocation", {**answered, **place})
        case ContactCard(name, phone):
            return _post("sendContactVcard", {**answered, "contacts": [{"vcard": _vcard(name, phone)}]})
        case Poll(options, several):
            poll = {"name": text, "options": list(options), "multipleAnswers": several}
            return _post("sendPoll", {**answered, "poll": poll})
        case ListMenu() as menu:
            return _post("sendList", {**answered, "message": _list(menu, text)})
        case Reaction(provider_id, emoji, from_me):
            target_id = long_id(chat, _existing(provider_id), from_me=from_me)
            body = {"session": session, "messageId": target_id, "reaction": emoji}
            return Request("PUT", "/api/reaction", body, names_none=True)
        case Edit(provider_id):
            return Request("PUT", _message_path(session, chat, provider_id), {"text": text}, names_none=True)
        case Revoke(provider_id):
            return Request("DELETE", _message_path(session, chat, provider_id), None, names_none=True)
        case other:
            raise NotOfferedError(PROVIDER, _NOT_OFFERED.get(type(other), "This kind of content"))


def reply_to(message: Outbound, chat: str) -> str | None:
    """WEBJS finds a quoted message only by its long id, which the other engines take apart at the underscores."""
    quoted = message.quoted_provider_id
    if not quoted or "_" in quoted:
        return None
    # In a group the long id ends with its author, whom we do not know here.
    if message.to.kind is AddressKind.GROUP:
        return quoted
    return long_id(chat, quoted, from_me=message.quoted_from_me)


def _post(action: str, body: dict[str, Any]) -> Request:
    return Request("POST", f"/api/{action}", body)


def _existing(provider_id: str) -> str:
    if not provider_id or provider_id in (".", ".."):
        raise SendRejectedError("This message's id names nothing at WAHA.")
    return provider_id


def _message_path(session: str, chat: str, provider_id: str) -> str:
    name = long_id(chat, _existing(provider_id), from_me=True)
    return f"/api/{step(session)}/chats/{step(chat)}/messages/{step(name)}"


def _file(media: Media, file: File, target: dict[str, Any], caption: str) -> Request:
    action = _ACTIONS.get(media.kind)
    if action is None:
        raise NotOfferedError(PROVIDER, f"A {media.kind}")
    mime = media.mime_type or file.mime_type or "application/octet-stream"
    content = {"mimetype": mime, "data": base64.b64encode(file.data).decode()}
    if name := media.file_name or file.file_name:
        content["filename"] = name
    body: dict[str, Any] = {**target, "file": content}
    if action in ("sendVoice", "sendVideo"):
        body["convert"] = not mime.startswith(_VOICE if action == "sendVoice" else _VIDEO)
    if caption and action != "sendVoice":
        body["caption"] = caption
    return _post(action, body)


def _vcard(name: str, phone: str) -> str:
    shown = (name or f"+{phone}").replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;").replace("\n", " ")
    number = f"TEL;type=CELL;type=VOICE;waid={phone}:+{phone}"
    return "\n".join(["BEGIN:VCARD", "VERSION:3.0", f"FN:{shown}", number, "END:VCARD"])


def _list(menu: ListMenu, text: str) -> dict[str, Any]:
    """The first line stands in bold where it is short, the rest below it."""
    first, _, rest = text.partition("\n")
    title, description = (first, rest.strip()) if len(first) <= _LONGEST_TITLE else (menu.button, text)
    rows = [
        {"title": c.title, "rowId": c.id, **({"description": c.description} if c.description else {})}
        for c in menu.choices
    ]
    message = {"title": title, "button": menu.button, "sections": [{"title": menu.button, "rows": rows}]}
    message |= {"description": description} if description else {}
    return {**message, **({"footer": menu.footer} if menu.footer else {})}
