"""Which request hands a message over to WPPConnect, and what its answer means.

Shapes: src/swagger.json and src/controller/*.ts of the server, 2.10.4.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from channels.base import SendRejectedError, SendRetryableError, SendUncertainError
from channels.gateway import MediaSource, NotOfferedError
from domain.contents import ContactCard, Edit, ListMenu, Location, Media, Poll, Reaction, Revoke
from domain.messages import Address, AddressKind, Outbound

from .envelope import pick
from .gateway_http import Answer, SendError, explanation, read_file
from .ids import GROUP_SERVER, LEGACY_PHONE_SERVER, LID_SERVER
from .waha_envelope import read_key

PROVIDER = "wppconnect"

_SERVERS = {AddressKind.PHONE: LEGACY_PHONE_SERVER, AddressKind.LID: LID_SERVER, AddressKind.GROUP: GROUP_SERVER}
_SHORTEST_SAFE_LID = 15
_NEVER_LEFT = frozenset(
    {
        "chat_not_found", "empty_file", "invalid_image", "invalid_wid", "msg_not_found", "message_not_found",
        "quoted_msg_not_found", "edit_message_not_found", "wid_not_found", "can_not_edit_message", "lid_error",
    }
)  # fmt: skip
_LOOK = "Look at the phone before sending it again."

Find = Callable[[str, bool], Awaitable[str | None]]
"""The gateway's long id of a message of this chat, by WhatsApp's bare id and whether it is our own; None if unknown."""


@dataclass(frozen=True, slots=True)
class Request:
    """``id_is_ours``: the gateway tells no id for this, so that the message is named after its key."""

    path: str
    body: dict[str, Any]
    id_is_ours: bool = False


def chat_id(to: Address) -> str:
    """A chat as the gateway names it. Raises SendRejectedError for an address of another channel."""
    server = _SERVERS.get(to.kind)
    if server is None:
        raise SendRejectedError(f"{to} is not an address on WhatsApp.", hint="Answer on the channel it came from.")
    return f"{to.value}@{server}"


def target(to: Address) -> dict[str, Any]:
    """How every request names its chat. Raises SendRejectedError for an address of another channel."""
    kind = to.kind
    number = chat_id(to).partition("@")[0]
    return {"phone": number, "isGroup": kind is AddressKind.GROUP, "isLid": kind is AddressKind.LID}


def is_misread(to: Address) -> bool:
    """Some of the gateway's routes forget that a number is a LID, and take a short one for somebody's phone."""
    return to.kind is AddressKind.LID and len(to.value) < _SHORTEST_SAFE_LID


async def request_for(message: Outbound, source: MediaSource, find: Find) -> Request:
    """The request for a message. Raises SendRejectedError (NotOfferedError too) or SendRetryableError."""
    to, content = target(message.to), message.content
    quoted = None
    if message.quoted_provider_id and (content is None or isinstance(content, Media)):
        quoted = await find(message.quoted_provider_id, message.quoted_from_me)
    match content:
        case None:
            options = {"options": {"quotedMsg": quoted}} if quoted else {}
            return Request("send-message", {**to, "isNewsletter": False, "message": message.text, **options})
        case Media():
            return await _media(content, message.text, to, source, quoted)
        case Location():
            where = {"lat": str(content.latitude), "lng": str(content.longitude)}
            return Request("send-location", {**to, **where, "title": content.name, "address": content.address})
        case ContactCard():
            if is_misread(message.to):
                raise NotOfferedError(PROVIDER, "A contact's card to somebody whose phone number is not known")
            card = {"contactsId": f"{content.phone}@{LEGACY_PHONE_SERVER}", "name": content.name}
            return Request("contact-vcard", {**to, **card})
        case Poll():
            limit = {"selectableCount": 0 if content.several else 1}
            choices = {"name": message.text, "choices": list(content.options), "options": limit}
            return Request("send-poll-message", {**to, **choices})
        case ListMenu():
            return _list(content, message.text, to)
        case Reaction() | Edit() | Revoke():
            return await _on_message(content, message, to, find)
        case other:
            raise NotOfferedError(PROVIDER, f"A message of the type {other.type}")


async def _on_message(content: Reaction | Edit | Revoke, message: Outbound, to: dict[str, Any], find: Find) -> Request:
    from_me = content.from_me if isinstance(content, Reaction) else True
    name = await find(content.provider_id, from_me)
    if name is None:
        if message.to.kind is AddressKind.GROUP:
            raise SendRejectedError("WPPConnect does not know the message any more.", hint="Do it on the phone.")
        name = f"{str(from_me).lower()}_{chat_id(message.to)}_{content.provider_id}"
    match content:
        case Reaction():
            return Request("react-message", {"msgId": name, "reaction": content.emoji}, id_is_ours=True)
        case Edit():
            return Request("edit-message", {"id": name, "newText": message.text}, id_is_ours=True)
        case Revoke():
            body = {**to, "messageId": name, "onlyLocal": False, "deleteMediaInDevice": True}
            return Request("delete-message", body, id_is_ours=True)


async def _media(media: Media, caption: str, to: dict[str, Any], source: MediaSource, quoted: str | None) -> Request:
    file = await read_file(source, media)
    mime = (media.mime_type or file.mime_type or "application/octet-stream").replace(" ", "")
    data = f"data:{mime};base64,{base64.b64encode(file.data).decode()}"
    if media.kind == "voice":
        body = {**to, "base64Ptt": data}
        return Request("send-voice-base64", {**body, "quotedMessageId": quoted} if quoted else body)
    if media.kind == "sticker":
        return Request("send-sticker", {**to, "path": data})
    name = media.file_name or file.file_name or media.kind
    body = {**to, "isNewsletter": False, "filename": name, "base64": data, "options": {"type": media.kind}}
    if caption:
        body["caption"] = caption
    if quoted:
        body["quotedMessageId"] = quoted
    return Request("send-file-base64", body)


def _list(menu: ListMenu, text: str, to: dict[str, Any]) -> Request:
    rows = [{"rowId": row.id, "title": row.title, "description": row.description} for row in menu.choices]
    # The gateway passes no footer on.
    description = f"{text}\n\n{menu.footer}" if menu.footer else text
    sections = [{"title": menu.button, "rows": rows}]
    body = {**to, "description": description, "buttonText": menu.button, "sections": sections}
    return Request("send-list-message", body)


def judge(answer: Answer) -> SendError | None:
    """404 means that the session is not running; 500 is any failure, and its code sometimes says which."""
    if answer.is_success:
        return None
    body = answer.tidy()
    said = explanation(body)
    if answer.status == HTTPStatus.NOT_FOUND:
        return SendRetryableError(f"The number is not connected in WPPConnect{said}.", hint="Look at its QR code.")
    if answer.status == HTTPStatus.BAD_REQUEST and "existe" in said:
        return SendRejectedError("The recipient is not on WhatsApp.", hint="Check the number.")
    code = pick(body, "error", "code")
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR and isinstance(code, str) and code in _NEVER_LEFT:
        return SendRejectedError(f"WPPConnect refused the message ({code}).")
    return None


def named(answer: Any) -> str | None:
    """WhatsApp's bare id in an answer: of a message, or of the first of a list of them."""
    found = pick(answer, "response")
    first = found[0] if isinstance(found, list) and found else found
    key = read_key(pick(first, "id"))
    return key.id if key and key.from_me is not False else None


def check_done(answer: Any) -> None:
    """Raise SendUncertainError unless the gateway says that a thing without an id was done."""
    if pick(answer, "status") != "success":
        raise SendUncertainError("WPPConnect did not say what became of the message.", hint=_LOOK)
