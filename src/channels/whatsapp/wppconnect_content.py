"""What a message of WPPConnect's carries: WhatsApp Web's own model of it, flat, with the type as a word."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.messages import Address, MediaReference, MessageKind

from .baileys import whole_number
from .envelope import pick
from .looks import looks
from .waha_envelope import brief, read_jid, read_key

KINDS: Mapping[str, MessageKind] = {
    "chat": MessageKind.TEXT,
    "oversized": MessageKind.TEXT,
    # What another business's system sends with buttons is text to us.
    "hsm": MessageKind.TEXT,
    "list": MessageKind.TEXT,
    "buttons": MessageKind.TEXT,
    "interactive": MessageKind.TEXT,
    "native_flow": MessageKind.TEXT,
    "image": MessageKind.IMAGE,
    "video": MessageKind.VIDEO,
    "gif": MessageKind.VIDEO,
    "ptv": MessageKind.VIDEO,
    "audio": MessageKind.AUDIO,
    "ptt": MessageKind.VOICE,
    "document": MessageKind.DOCUMENT,
    "sticker": MessageKind.STICKER,
    "location": MessageKind.LOCATION,
    "vcard": MessageKind.CONTACT,
    "multi_vcard": MessageKind.CONTACT,
    "poll_creation": MessageKind.POLL,
    "poll_update": MessageKind.POLL_VOTE,
    "buttons_response": MessageKind.BUTTON_ANSWER,
    "template_button_reply": MessageKind.BUTTON_ANSWER,
    "interactive_response": MessageKind.BUTTON_ANSWER,
    "list_response": MessageKind.LIST_ANSWER,
    "call_log": MessageKind.CALL,
    "e2e_notification": MessageKind.SYSTEM,
    "notification": MessageKind.SYSTEM,
    "notification_template": MessageKind.SYSTEM,
    "broadcast_notification": MessageKind.SYSTEM,
    "group_notification": MessageKind.SYSTEM,
    "gp2": MessageKind.SYSTEM,
}
NOBODYS_WORDS = frozenset(
    {
        "album",
        "protocol",
        "reaction",
        "reaction_enc",
        "pinned_message",
        "keep_in_chat",
        "newsletter_notification",
        "debug",
    }
)
"""The header of an album, the devices' chatter, and what comes as an event of its own."""

UNREADABLE = frozenset({"ciphertext", "unknown"})
"""Not decrypted yet: the content follows under the same id."""

_MEDIA = frozenset(
    {
        MessageKind.IMAGE,
        MessageKind.VIDEO,
        MessageKind.AUDIO,
        MessageKind.VOICE,
        MessageKind.DOCUMENT,
        MessageKind.STICKER,
    }
)
_ANSWERS = frozenset({MessageKind.BUTTON_ANSWER, MessageKind.LIST_ANSWER})
_ANSWER_FIELDS = (
    "selectedButtonId", "selectedId", "selectedIndex", "listResponse", "interactivePayload",
    "nativeFlowResponseMessage",
)  # fmt: skip
_HEAVY = frozenset(
    {
        "body", "content", "preview", "thumbnail", "thumbnailHQ", "mediaData", "sender", "senderObj", "chat",
        "quotedMsg", "quotedMsgObj", "mediaKey", "profilePicThumbObj", "scansSidecar", "waveform", "msgRowOpaqueData",
        "messageSecret",
    }
)  # fmt: skip
_WORDS = ("caption", "comment", "title", "description", "eventName", "orderTitle", "pollName", "inviteGrpName")
_LONGEST_WORD = 200
_LONGEST_CARD = 2000


@dataclass(frozen=True, slots=True)
class Content:
    """The part of a message that says what, not who."""

    kind: MessageKind
    text: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    media: MediaReference | None = None
    quoted: str | None = None
    mentions_me: bool = False


_PADDING = 3
"""Bytes by which the length of base64 may differ from the file's."""


def light(body: Mapping[str, Any]) -> Any:
    """A message small enough to keep beside another, without files and people."""
    return brief({name: value for name, value in body.items() if name not in _HEAVY})


def _string(*candidates: object) -> str:
    return next((text for text in candidates if isinstance(text, str) and text), "")


def _words(body: Mapping[str, Any]) -> str:
    """The words of a kind that nobody knows: its ``body`` may as well be a picture in base64."""
    said = body.get("body")
    if isinstance(said, str) and said and (len(said) < _LONGEST_WORD or any(char.isspace() for char in said)):
        return said
    return _string(*(body.get(name) for name in _WORDS))


def read_content(body: Mapping[str, Any], own: Collection[Address]) -> Content:
    """Read a message's content. ``own`` are our addresses, by which mentions are seen."""
    kind = _kind(body)
    raw = _raw(kind, body)
    if ad := body.get("ctwaContext"):
        kept = {name: value for name, value in ad.items() if name != "thumbnail"} if isinstance(ad, dict) else ad
        raw["referral"] = {"advertisement": brief(kept)}
    if body.get("isForwarded") is True:
        raw["forwarded"] = True
    if body.get("isViewOnce") is True:
        raw["view_once"] = True
    return Content(
        kind,
        _text(kind, body),
        raw,
        _media(body) if kind in _MEDIA else None,
        _quoted(body),
        any(jid.address() in own for item in _list(body.get("mentionedJidList")) if (jid := read_jid(item))),
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _kind(body: Mapping[str, Any]) -> MessageKind:
    stated, mime = body.get("type"), body.get("mimetype")
    if isinstance(stated, str) and stated:
        return KINDS.get(stated, MessageKind.UNKNOWN)
    if not isinstance(mime, str) or not mime:
        return MessageKind.TEXT if _words(body) else MessageKind.UNKNOWN
    families = {"image": MessageKind.IMAGE, "audio": MessageKind.AUDIO, "video": MessageKind.VIDEO}
    return families.get(mime.partition("/")[0], MessageKind.DOCUMENT)


def _text(kind: MessageKind, body: Mapping[str, Any]) -> str:
    if kind in _MEDIA:
        return _string(body.get("caption"))  # the body is the file itself, or its picture in miniature
    match kind:
        case MessageKind.LOCATION:
            return _string(body.get("comment"), body.get("loc"), body.get("title"))
        case MessageKind.CONTACT:
            cards = _cards(body)
            return _string(body.get("vcardFormattedName"), *(card["name"] for card in cards))
        case MessageKind.POLL:
            return _string(body.get("pollName"), body.get("body"))
        case MessageKind.LIST_ANSWER:
            return _string(body.get("body"), pick(body, "listResponse", "title"))
        case MessageKind.TEXT:
            return _string(body.get("body"), body.get("content"), body.get("caption"))
        case MessageKind.SYSTEM | MessageKind.CALL:
            return ""
        case _:
            return _words(body)


def _cards(body: Mapping[str, Any]) -> list[dict[str, str]]:
    listed = _list(body.get("vcardList")) or [body.get("body")]
    cards = []
    for item in listed[:20]:
        card = item if isinstance(item, str) else _string(pick(item, "vcard"))
        name = _string(pick(item, "displayName"), _formatted_name(card), body.get("vcardFormattedName"))
        if card or name:
            cards.append({"name": name, "vcard": card[:_LONGEST_CARD]})
    return cards


def _formatted_name(card: str) -> str:
    lines = card.splitlines()[:100]
    return next((line.partition(":")[2].strip() for line in lines if line.upper().startswith("FN")), "")


def _raw(kind: MessageKind, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the typed fields do not say."""
    if kind is MessageKind.LOCATION:
        where = {"latitude": body.get("lat"), "longitude": body.get("lng"), "name": body.get("loc")}
        return {"location": {**brief(where), "live": body.get("isLive") is True}}
    if kind is MessageKind.CONTACT:
        return {"contacts": _cards(body)}
    if kind is MessageKind.POLL:
        options = [pick(option, "name") for option in _list(body.get("pollOptions"))]
        return {"poll": brief({"options": options, "selectable": body.get("pollSelectableOptionsCount")})}
    if kind in _ANSWERS:
        return {"content": brief({name: body[name] for name in _ANSWER_FIELDS if name in body})}
    if kind in (MessageKind.UNKNOWN, MessageKind.SYSTEM, MessageKind.CALL, MessageKind.POLL_VOTE):
        return {"type": brief(body.get("type")), "content": light(body)}
    return {}


def _quoted(body: Mapping[str, Any]) -> str | None:
    stanza = body.get("quotedStanzaID")
    for value in (body.get("quotedMsgId"), stanza, pick(body, "quotedMsg", "id"), pick(body, "quotedMsgObj", "id")):
        if key := read_key(value):
            return key.id
    return None


def _inline(body: Mapping[str, Any], size: int | None) -> str | None:
    """The file itself, which comes as ``body`` where the gateway downloads by itself; else that is a miniature."""
    encoded = body.get("body")
    if not isinstance(encoded, str) or not size:
        return None
    data = encoded.rpartition(",")[2]
    return data if abs(len(data) * 3 // 4 - size) <= _PADDING else None


def _looks(body: Mapping[str, Any], file: object) -> dict[str, Any]:
    is_shown = body.get("type") in ("document", "video") and not body.get("isViewOnce")
    return looks(None if file else body.get("body"), body.get("pageCount")) if is_shown else {}


def _media(body: Mapping[str, Any]) -> MediaReference:
    """Where the file can be had. The gateway finds it by the message's long id, as long as WhatsApp Web knows it."""
    size, seconds = whole_number(body.get("size")), whole_number(body.get("duration"))
    url, stated = body.get("fileUrl"), body.get("id")
    name = stated if isinstance(stated, str) else pick(stated, "_serialized")
    facts = {"message_id": name if isinstance(name, str) else None, "seconds": seconds, "base64": _inline(body, size)}
    return MediaReference(
        mime_type=_string(body.get("mimetype")) or None,
        file_name=_string(body.get("filename")) or None,
        size_bytes=size if size is not None and 0 <= size < 2**63 else None,
        url=url if isinstance(url, str) and url.startswith(("http://", "https://")) else None,
        extra={**{fact: value for fact, value in facts.items() if value is not None}, **_looks(body, facts["base64"])},
    )
