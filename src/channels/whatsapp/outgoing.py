"""What we send as WhatsApp's own message, in the JSON form of its protobuf (field names of whatsmeow's ``waE2E``).

Buttons and lists are no longer shown for numbers that are linked devices: WhatsApp drops them on most phones, without
a word. They go out as numbered text, which every phone shows.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.gateway import NotOfferedError
from domain.contents import (
    Buttons,
    Choice,
    ContactCard,
    Edit,
    LinkPreview,
    ListMenu,
    Location,
    Media,
    MediaKind,
    Poll,
    Reaction,
    Revoke,
    Template,
)
from domain.messages import Outbound

from .ids import GROUP_SERVER, Jid, jid_of
from .pictures import look
from .sounds import heard

PROVIDER = "neonize"
CONTENT_TYPES = frozenset(
    {"media", "location", "contact", "reaction", "poll", "buttons", "list", "edit", "revoke", "link_preview"}
)
"""All of ``domain.contents`` but templates, which only the official Cloud API has."""
AS_TEXT = frozenset({"buttons", "list"})
"""Of these, what the customer sees as numbered text."""

UPLOADED_AS: Mapping[MediaKind, str] = {
    "image": "image",
    "sticker": "image",
    "video": "video",
    "audio": "audio",
    "voice": "audio",
    "document": "document",
}
"""The kinds of WhatsApp's media host; the key of a file depends on it."""

_FIELDS: Mapping[MediaKind, str] = {
    "image": "imageMessage",
    "sticker": "stickerMessage",
    "video": "videoMessage",
    "audio": "audioMessage",
    "voice": "audioMessage",
    "document": "documentMessage",
}
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Chat:
    """Where a message goes, and who we are there."""

    to: Jid
    own: Jid | None = None


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file's bytes, and what WhatsApp's media host said when it took them (fields of the message)."""

    data: bytes
    fields: Mapping[str, Any] = field(default_factory=dict)


def built(message: Outbound, chat: Chat, file: UploadedFile | None = None) -> dict[str, Any]:
    """The message as WhatsApp takes it. ``file`` belongs to a Media. Raises NotOfferedError."""
    match message.content:
        case None:
            return _text(message.text, _context(message, chat))
        case LinkPreview() as preview:
            return _text(message.text, _context(message, chat), preview)
        case Media() as media:
            return _media(media, message, chat, file or UploadedFile(b""))
        case Location() as place:
            return {"locationMessage": _location(place, message.text) | _with(_context(message, chat))}
        case ContactCard() as card:
            shown = {"displayName": card.name, "vcard": vcard(card)}
            return {"contactMessage": shown | _with(_context(message, chat))}
        case Reaction(provider_id=target, emoji=emoji, from_me=from_me):
            key = _key(target, chat, from_me=from_me)
            if not from_me and chat.to.server == GROUP_SERVER and message.quoted_sender is not None:
                key["participant"] = str(jid_of(message.quoted_sender))
            return {"reactionMessage": {"key": key, "text": emoji, "senderTimestampMS": _now()}}
        case Poll() as poll:
            return _poll(poll, message, chat)
        case Buttons() | ListMenu() as menu:
            return _text(numbered(message.text, menu.choices, menu.footer), _context(message, chat))
        case Edit(provider_id=target):
            change = {
                "key": _key(target, chat, from_me=True),
                "type": "MESSAGE_EDIT",
                "editedMessage": {"conversation": message.text},
                "timestampMS": _now(),
            }
            return {"editedMessage": {"message": {"protocolMessage": change}}}
        case Revoke(provider_id=target):
            return {"protocolMessage": {"key": _key(target, chat, from_me=True), "type": "REVOKE"}}
        case Template():
            raise NotOfferedError(PROVIDER, "template")


def numbered(text: str, choices: tuple[Choice, ...], footer: str = "") -> str:
    """A question with its choices as plain text: one line each, numbered from 1."""
    lines = [
        f"{number}. {choice.title}" + (f" — {choice.description}" if choice.description else "")
        for number, choice in enumerate(choices, 1)
    ]
    return "\n\n".join(part for part in (text, "\n".join(lines), footer) if part)


def vcard(card: ContactCard) -> str:
    """A card as phones exchange them (vCard 3.0)."""
    name = card.name.replace("\\", "\\\\").replace("\n", " ").replace("\r", " ")
    name = name.replace(",", "\\,").replace(";", "\\;")
    lines = ("BEGIN:VCARD", "VERSION:3.0", f"N:;{name};;;", f"FN:{name}")
    return "\n".join((*lines, f"TEL;type=CELL;type=VOICE;waid={card.phone}:+{card.phone}", "END:VCARD"))


def _text(text: str, context: dict[str, Any], preview: LinkPreview | None = None) -> dict[str, Any]:
    if not context and preview is None:
        return {"conversation": text}
    body: dict[str, Any] = {"text": text} | _with(context)
    if preview is not None:
        body |= {"matchedText": preview.url, "title": preview.title, "description": preview.description}
        body["previewType"] = "NONE"
        if preview.thumbnail:
            body["JPEGThumbnail"] = preview.thumbnail
    return {"extendedTextMessage": body}


def _media(media: Media, message: Outbound, chat: Chat, file: UploadedFile) -> dict[str, Any]:
    body: dict[str, Any] = {**file.fields, "mimetype": media.mime_type} | _with(_context(message, chat))
    if message.text and media.kind not in ("audio", "voice", "sticker"):
        body["caption"] = message.text
    match media.kind:
        case "image":
            body |= _looks(file.data)
        case "sticker":
            seen = look(file.data)
            body |= {"width": seen.width or 512, "height": seen.height or 512, "isAnimated": seen.is_animated}
        case "audio" | "voice":
            sound = heard(file.data)
            body |= {"seconds": sound.seconds} if sound.seconds else {}
            if media.kind == "voice":
                outline = base64.b64encode(sound.outline).decode()
                body |= {"PTT": True, "mimetype": "audio/ogg; codecs=opus"} | ({"waveform": outline} if outline else {})
        case "document":
            name = media.file_name or "file"
            body |= {"fileName": name, "title": name}
            if message.text:  # a caption is shown only inside this wrapper
                return {"documentWithCaptionMessage": {"message": {"documentMessage": body}}}
        case "video":
            pass
    return {_FIELDS[media.kind]: body}


def _looks(data: bytes) -> dict[str, Any]:
    seen = look(data)
    size = {"width": seen.width, "height": seen.height} if seen.width else {}
    thumbnail = {"JPEGThumbnail": base64.b64encode(seen.thumbnail).decode()} if seen.thumbnail else {}
    return size | thumbnail


def _location(place: Location, text: str) -> dict[str, Any]:
    named = {"name": place.name, "address": place.address, "comment": text}
    where = {"degreesLatitude": place.latitude, "degreesLongitude": place.longitude}
    return where | {name: value for name, value in named.items() if value}


def _poll(poll: Poll, message: Outbound, chat: Chat) -> dict[str, Any]:
    body = {
        "name": message.text,
        "options": [{"optionName": option} for option in poll.options],
        "selectableOptionsCount": 0 if poll.several else 1,
    }
    # Votes are encrypted under this; the library keeps it with the number's keys.
    secret = base64.b64encode(os.urandom(_SECRET_BYTES)).decode()
    field_name = "pollCreationMessage" if poll.several else "pollCreationMessageV3"
    return {field_name: body | _with(_context(message, chat)), "messageContextInfo": {"messageSecret": secret}}


def _context(message: Outbound, chat: Chat) -> dict[str, Any]:
    """Which message this one answers."""
    if message.quoted_provider_id is None:
        return {}
    if message.quoted_from_me and chat.own is not None:
        author = chat.own
    else:
        author = jid_of(message.quoted_sender) if message.quoted_sender else chat.to
    return {
        "stanzaID": message.quoted_provider_id,
        "participant": str(author),
        "quotedMessage": {"conversation": message.quoted_text},
    }


def _with(context: dict[str, Any]) -> dict[str, Any]:
    return {"contextInfo": context} if context else {}


def _key(target: str, chat: Chat, *, from_me: bool) -> dict[str, Any]:
    return {"remoteJID": str(chat.to), "fromMe": from_me, "ID": target}


def _now() -> int:
    return int(time.time() * 1000)
