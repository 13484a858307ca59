"""Which request hands a message over to Evolution, and what its answer means.

Shapes: src/validate/message.schema.ts and chat.schema.ts of the server, 2.3.7.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from channels.base import SendRejectedError, SendRetryableError, SendUncertainError
from channels.gateway import MediaSource, NotOfferedError
from domain.contents import (
    Buttons,
    ContactCard,
    Edit,
    ListMenu,
    Location,
    Media,
    Poll,
    Reaction,
    Revoke,
)
from domain.messages import Address, Outbound

from .envelope import pick
from .gateway_http import Answer, SendError, explanation, read_file
from .ids import jid_of

PROVIDER = "evolution"
MOST_OPTIONS = 10

_MEDIA_TYPES = {"image": "image", "video": "video", "document": "document", "audio": "audio"}
_RUNTIME_ERROR = re.compile(r"\b(\w*Error|Boom|Timed? ?out)\b", re.IGNORECASE)
_NOT_CONNECTED = re.compile(r"connection closed|not connected|connection (was )?lost", re.IGNORECASE)
_LOOK = "Look at the phone before sending it again."


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` is completed with the instance's name."""

    path: str
    body: dict[str, Any]
    method: str = "POST"


def chat_jid(to: Address) -> str:
    """The whole JID, so that the gateway does not respell the number."""
    return str(jid_of(to))


async def request_for(message: Outbound, source: MediaSource, *, delay_ms: int) -> Request:
    """The request for a message. Raises SendRejectedError (NotOfferedError too) or SendRetryableError."""
    chat = chat_jid(message.to)
    target: dict[str, Any] = {"number": chat}
    if delay_ms > 0:
        target["delay"] = delay_ms
    if message.quoted_provider_id:
        quoted = {"id": message.quoted_provider_id, "remoteJid": chat, "fromMe": message.quoted_from_me}
        target["quoted"] = {"key": quoted}
    match message.content:
        case None:
            return Request("/message/sendText", {**target, "text": message.text})
        case Media():
            return await _media(message.content, message.text, target, source)
        case Location():
            return _location(message.content, target)
        case ContactCard():
            card = message.content
            person = {"fullName": card.name or card.phone, "wuid": card.phone, "phoneNumber": f"+{card.phone}"}
            return Request("/message/sendContact", {"number": chat, "contact": [person]})
        case Reaction() | Edit() | Revoke():
            return _on_message(message.content, message.text, chat)
        case Poll():
            return _poll(message.content, message.text, target)
        case Buttons():
            return _buttons(message.content, message.text, target)
        case ListMenu():
            return _list(message.content, message.text, target)
        case other:
            raise NotOfferedError(PROVIDER, f"A {type(other).__name__.lower()}")


def _on_message(content: Reaction | Edit | Revoke, text: str, chat: str) -> Request:
    from_me = content.from_me if isinstance(content, Reaction) else True
    key = {"remoteJid": chat, "fromMe": from_me, "id": content.provider_id}
    match content:
        case Reaction():
            return Request("/message/sendReaction", {"key": key, "reaction": content.emoji})
        case Edit():
            return Request("/chat/updateMessage", {"number": chat, "text": text, "key": key})
        case Revoke():
            return Request("/chat/deleteMessageForEveryone", key, method="DELETE")


async def _media(media: Media, caption: str, target: dict[str, Any], source: MediaSource) -> Request:
    file = await read_file(source, media)
    data, mime = base64.b64encode(file.data).decode(), media.mime_type or file.mime_type
    if media.kind == "voice":
        # The gateway makes Opus of anything else.
        is_opus = mime.startswith("audio/ogg") and "opus" in mime
        return Request("/message/sendWhatsAppAudio", {**target, "audio": data, "encoding": not is_opus})
    if media.kind == "sticker":
        return Request("/message/sendSticker", {**target, "sticker": data})
    kind = _MEDIA_TYPES.get(media.kind)
    if kind is None:
        raise NotOfferedError(PROVIDER, f"A file of the kind {media.kind}")
    body = {**target, "mediatype": kind, "mimetype": mime, "media": data}
    # The gateway believes the name's ending more than the stated type.
    body["fileName"] = _named(media.file_name or file.file_name or kind, mime)
    return Request("/message/sendMedia", {**body, "caption": caption} if caption else body)


def _named(name: str, mime: str) -> str:
    if mimetypes.guess_type(name)[0]:
        return name
    return f"{name}{mimetypes.guess_extension(mime.partition(';')[0].strip()) or '.bin'}"


def _location(place: Location, target: dict[str, Any]) -> Request:
    where = {"latitude": place.latitude, "longitude": place.longitude, "name": place.name, "address": place.address}
    return Request("/message/sendLocation", {**target, **where})


def _poll(poll: Poll, question: str, target: dict[str, Any]) -> Request:
    if len(poll.options) > MOST_OPTIONS:
        raise NotOfferedError(PROVIDER, f"A poll with more than {MOST_OPTIONS} options")
    # 0 means as many as one likes.
    body = {**target, "name": question, "selectableCount": 0 if poll.several else 1, "values": list(poll.options)}
    return Request("/message/sendPoll", body)


def _buttons(buttons: Buttons, text: str, target: dict[str, Any]) -> Request:
    # The gateway prints the title in bold and the description below it.
    title, _, rest = text.partition("\n")
    choices = [{"type": "reply", "displayText": choice.title, "id": choice.id} for choice in buttons.choices]
    body = {**target, "title": title, "description": rest.strip(), "footer": buttons.footer, "buttons": choices}
    return Request("/message/sendButtons", {name: value for name, value in body.items() if value != ""})


def _list(menu: ListMenu, text: str, target: dict[str, Any]) -> Request:
    rows = []
    for choice in menu.choices:
        row = {"title": choice.title, "rowId": choice.id}
        rows.append({**row, "description": choice.description} if choice.description else row)
    body = {
        **target,
        "title": "",
        "description": text,
        "footerText": menu.footer,
        "buttonText": menu.button,
        "sections": [{"title": menu.button, "rows": rows}],
    }
    return Request("/message/sendList", body)


def judge(answer: Answer) -> SendError | None:
    """Evolution answers nearly every failure with 400, also those after the message left; its words tell them apart."""
    if answer.is_success:
        return None
    body, said = answer.tidy(), explanation(answer.tidy())
    if answer.status == HTTPStatus.FORBIDDEN and said:
        return SendRejectedError(f"Evolution refused the message (403){said}.")
    if answer.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR):
        return None
    if _says_no_such_number(body):
        return SendRejectedError("The recipient is not on WhatsApp.", hint="Check the number.")
    if _NOT_CONNECTED.search(said):
        return SendRetryableError(f"The number is not connected in Evolution{said}.", hint="Look at its QR code.")
    if answer.status == HTTPStatus.BAD_REQUEST and _RUNTIME_ERROR.search(said):
        return SendUncertainError(f"Evolution failed{said}: the message may have been sent.", hint=_LOOK)
    return None


def _says_no_such_number(body: Any) -> bool:
    said = pick(body, "response", "message")
    items = said if isinstance(said, list) else [said]
    return any(isinstance(item, dict) and item.get("exists") is False for item in items)
