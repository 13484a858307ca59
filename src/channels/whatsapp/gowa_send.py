"""Which request of GOWA's sends what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from channels.base import SendRejectedError
from channels.gateway import File, NotOfferedError
from domain.contents import Buttons, ContactCard, Edit, ListMenu, Location, Media, Poll, Reaction, Revoke, Template
from domain.messages import Outbound

from .gateway_http import form

PROVIDER = "gowa"
CONTENT_TYPES = frozenset({"media", "location", "contact", "reaction", "poll", "edit", "revoke"})

_SAME = {"image/jpg": "image/jpeg", "audio/mp4": "audio/m4a", "audio/x-m4a": "audio/m4a", "audio/opus": "audio/ogg"}
_TAKEN = {
    # GOWA compares the whole Content-Type of the part, without parameters; anything else goes as a document.
    "image": frozenset({"image/jpeg", "image/png"}),
    "video": frozenset({"video/mp4", "video/x-matroska", "video/avi", "video/x-msvideo"}),
    "audio": frozenset(
        {
            "audio/aac", "audio/amr", "audio/flac", "audio/m4a", "audio/m4r", "audio/mp3", "audio/mpeg", "audio/ogg",
            "audio/wma", "audio/x-ms-wma", "audio/wav", "audio/vnd.wav", "audio/vnd.wave", "audio/wave",
            "audio/x-pn-wav", "audio/x-wav",
        }
    ),
    "sticker": frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"}),
}  # fmt: skip
_NOT_OFFERED = {Buttons: "A message with buttons", ListMenu: "A list", Template: "A template"}


@dataclass(frozen=True, slots=True)
class Request:
    """One POST. ``body`` is JSON values or a form."""

    path: str
    body: Any


def request_of(message: Outbound, phone: str, file: File | None = None) -> Request:
    """The request that sends ``message`` to the JID ``phone``; ``file`` are the bytes of its Media.

    Raises NotOfferedError, and SendRejectedError for what GOWA would refuse.
    """
    to, text = {"phone": phone}, message.text
    answered = {"reply_message_id": message.quoted_provider_id} if message.quoted_provider_id else {}
    match message.content:
        case None:
            return Request("/send/message", {**to, "message": text, **answered})
        case Media() as media:
            return _file(media, file or File(b""), {**to, **answered}, text)
        case Location(latitude, longitude):
            # As text, and never as 1e-05: they are checked by a pattern.
            place = {"latitude": f"{latitude:.7f}", "longitude": f"{longitude:.7f}"}
            return Request("/send/location", {**to, **place})
        case ContactCard(name, number):
            return Request("/send/contact", {**to, "contact_name": name, "contact_phone": number})
        case Poll(options, several):
            answers = {"options": list(options), "max_answer": len(options) if several else 1}
            return Request("/send/poll", {**to, "question": text, **answers})
        case Reaction(provider_id, emoji):
            return Request(f"/message/{_step(provider_id)}/reaction", {**to, "emoji": emoji})
        case Edit(provider_id):
            return Request(f"/message/{_step(provider_id)}/update", {**to, "message": text})
        case Revoke(provider_id):
            return Request(f"/message/{_step(provider_id)}/revoke", to)
        case other:
            raise NotOfferedError(PROVIDER, _NOT_OFFERED.get(type(other), "This kind of content"))


def _step(provider_id: str) -> str:
    """A message's id as one step of a path."""
    if not provider_id or provider_id in (".", ".."):
        raise SendRejectedError("This message's id names nothing.")
    return quote(provider_id, safe="")


def _file(media: Media, file: File, fields: Mapping[str, str], caption: str) -> Request:
    mime = (media.mime_type or file.mime_type).partition(";")[0].strip().lower()
    mime = _SAME.get(mime, mime)
    named = replace(file, mime_type=mime, file_name=media.file_name or file.file_name)
    kind = "audio" if media.kind == "voice" else media.kind
    if mime in _TAKEN.get(kind, frozenset()):
        extra = {"ptt": "true"} if media.kind == "voice" else {}
        if kind in ("image", "video") and caption:
            extra["caption"] = caption
        if kind == "sticker":
            fields = {name: value for name, value in fields.items() if name == "phone"}  # it answers nothing
        return Request(f"/send/{kind}", form({**fields, **extra}, kind, named))
    if kind == "sticker":
        raise SendRejectedError(f"{mime or 'This'} is no format of stickers.", hint="Make it a WebP picture.")
    words = {"caption": caption} if caption else {}
    return Request("/send/file", form({**fields, **words}, "file", named))
