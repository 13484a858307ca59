"""What a message of the Cloud API carries, by its ``type``. Types that nobody knows are kept as UNKNOWN."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.messages import MediaReference, MessageKind

from .envelope import pick
from .waha_envelope import brief

_LONGEST_CARD = 2000


@dataclass(frozen=True, slots=True)
class Content:
    """The typed parts of a message."""

    kind: MessageKind
    text: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    media: MediaReference | None = None
    quoted: str | None = None


def read_content(message: Mapping[str, Any], errors: object = None) -> Content:
    """What ``message`` says. ``errors``: those of the whole webhook, which explain a message without content."""
    kind = message.get("type")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    body = message.get(kind) if isinstance(kind, str) else None
    content = read(body) if read is not None and isinstance(body, dict | list) else None
    if content is None and kind in _SILENT:
        content = Content(MessageKind.SYSTEM, raw={"type": kind, **({"content": brief(body)} if body else {})})
    if content is None:
        raw = {"type": _string(kind)[:100], "content": brief({k: v for k, v in message.items() if k not in _ENVELOPE})}
        if problems := message.get("errors") or errors:
            raw["errors"] = brief(problems)
        content = Content(MessageKind.UNKNOWN, raw=raw)
    return _with_context(content, message)


_ENVELOPE = frozenset({"from", "from_user_id", "from_parent_user_id", "id", "timestamp", "context", "to"})
_SILENT = frozenset({"request_welcome"})
"""Nobody wrote anything: the customer opened the chat for the first time."""


def _with_context(content: Content, message: Mapping[str, Any]) -> Content:
    context, raw = message.get("context"), dict(content.raw)
    quoted = content.quoted or _string(pick(context, "id")) or None
    if pick(context, "forwarded") or pick(context, "frequently_forwarded"):
        raw["forwarded"] = True
    if product := pick(context, "referred_product"):
        raw["referred_product"] = brief(product)
    if referral := message.get("referral"):
        raw["referral"] = brief(referral)
    if identity := message.get("identity"):
        raw["identity"] = brief(identity)
    return Content(content.kind, content.text, raw, content.media, quoted)


def _string(*candidates: object) -> str:
    return next((text for text in candidates if isinstance(text, str) and text), "")


def _text(body: Any) -> Content | None:
    words = pick(body, "body")
    return Content(MessageKind.TEXT, words) if isinstance(words, str) else None


def _media(kind: MessageKind) -> Callable[[Any], Content | None]:
    def read(body: Any) -> Content | None:
        if not isinstance(body, dict):
            return None
        found = MessageKind.VOICE if kind is MessageKind.AUDIO and body.get("voice") is True else kind
        extra = {name: body[name] for name in ("id", "sha256", "animated") if body.get(name) is not None}
        size = body.get("file_size")
        reference = MediaReference(
            mime_type=_string(body.get("mime_type")) or None,
            file_name=_string(body.get("filename")) or None,
            size_bytes=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
            url=_string(body.get("url"), body.get("link")) or None,
            extra=extra,
        )
        return Content(found, _string(body.get("caption")), media=reference)

    return read


def _location(body: Any) -> Content | None:
    if not isinstance(body, dict):
        return None
    place = {name: body[name] for name in ("latitude", "longitude", "name", "address", "url") if name in body}
    return Content(MessageKind.LOCATION, _string(body.get("name"), body.get("address")), {"location": brief(place)})


def _contacts(body: Any) -> Content | None:
    cards = [card for card in body if isinstance(card, dict)] if isinstance(body, list) else []
    if not cards:
        return None
    kept = []
    for card in cards[:20]:
        name = _string(pick(card, "name", "formatted_name"), pick(card, "name", "first_name"))
        phones = card.get("phones") if isinstance(card.get("phones"), list) else []
        numbers = [_string(pick(phone, "wa_id"), pick(phone, "phone")) for phone in phones or []]
        vcard = _string(card.get("vcard"))[:_LONGEST_CARD]
        facts = {key: value for key, value in card.items() if key not in ("name", "vcard")}
        kept.append({"name": name, "phones": [n for n in numbers if n], "vcard": vcard, "card": brief(facts)})
    return Content(MessageKind.CONTACT, ", ".join(card["name"] for card in kept if card["name"]), {"contacts": kept})


def _reaction(body: Any) -> Content | None:
    target = _string(pick(body, "message_id"))
    # Without an emoji the customer took the reaction back.
    return Content(MessageKind.REACTION, _string(pick(body, "emoji")), quoted=target) if target else None


def _button(body: Any) -> Content | None:
    if not isinstance(body, dict):
        return None
    text = _string(body.get("text"), body.get("payload"))
    return Content(MessageKind.BUTTON_ANSWER, text, {"content": {"button": brief(body)}})


def _interactive(body: Any) -> Content | None:
    kind = pick(body, "type")
    answer = pick(body, kind) if isinstance(kind, str) else None
    if not isinstance(answer, dict):
        return None
    raw: dict[str, Any] = {"content": {kind: brief(answer)}}
    match kind:
        case "button_reply":
            return Content(MessageKind.BUTTON_ANSWER, _string(answer.get("title"), answer.get("id")), raw)
        case "list_reply":
            return Content(MessageKind.LIST_ANSWER, _string(answer.get("title"), answer.get("id")), raw)
        case "nfm_reply":
            answers = _form(answer.get("response_json"))
            lines = "\n".join(f"{name}: {value}" for name, value in answers.items() if name != "flow_token")
            if answers:
                raw["content"][kind] = {**raw["content"][kind], "response": brief(answers)}
            return Content(MessageKind.BUTTON_ANSWER, lines or _string(answer.get("body")), raw)
        case "call_permission_reply":
            return Content(MessageKind.SYSTEM, "", raw)
        case _:
            text = _string(answer.get("title"), answer.get("body"), answer.get("text"))
            return Content(MessageKind.UNKNOWN, text, {"type": "interactive", **raw})


def _form(answers: object) -> dict[str, Any]:
    """The answers of a form (a "flow"), which come as JSON in a string."""
    try:
        found = json.loads(answers) if isinstance(answers, str) else answers
    except (ValueError, RecursionError):
        return {}
    return (
        {str(name)[:100]: brief(value) for name, value in list(found.items())[:100]} if isinstance(found, dict) else {}
    )


def _order(body: Any) -> Content | None:
    if not isinstance(body, dict):
        return None
    items = body.get("product_items")
    lines = [line for item in items[:50] if (line := _order_line(item))] if isinstance(items, list) else []
    text = "\n".join(filter(None, [_string(body.get("text")), *lines]))
    return Content(MessageKind.UNKNOWN, text, {"type": "order", "content": {"order": brief(body)}})


def _order_line(item: object) -> str:
    quantity, price = pick(item, "quantity"), pick(item, "item_price")
    name, currency = _string(pick(item, "product_retailer_id")), _string(pick(item, "currency"))
    if not name:
        return ""
    amount = f" ({f'{price} {currency}'.strip()})" if isinstance(price, int | float) and math.isfinite(price) else ""
    return f"{quantity if isinstance(quantity, int | float) else 1} × {name}{amount}"


def _system(body: Any) -> Content | None:
    return Content(MessageKind.SYSTEM, _string(pick(body, "body")), {"content": {"system": brief(body)}})


_READERS: Mapping[str, Callable[[Any], Content | None]] = {
    "text": _text,
    "image": _media(MessageKind.IMAGE),
    "video": _media(MessageKind.VIDEO),
    "audio": _media(MessageKind.AUDIO),
    "voice": _media(MessageKind.VOICE),
    "document": _media(MessageKind.DOCUMENT),
    "sticker": _media(MessageKind.STICKER),
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "button": _button,
    "interactive": _interactive,
    "order": _order,
    "system": _system,
}
