"""From the events of a generic webhook (docs/generic-webhook.md) to channel events.

Liberal in what it takes: addresses as objects, JIDs or plain digits, times in seconds, milliseconds or RFC 3339, one
event or many. ``parse`` never raises: what is not understood becomes Unrecognised.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from channels.base import (
    ChannelEvent,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReceiptChanged,
    SendFailed,
    SessionChanged,
    Unrecognised,
)
from domain.messages import Ack, Address, AddressKind, MediaReference, MessageKind, SessionStatus

from .waha_envelope import brief, read_jid, read_time, tidy

_LONGEST_ID = 512
_LONGEST_NAME = 200
_LONGEST_ADDRESS = 200
_KINDS = {"phone": AddressKind.PHONE, "lid": AddressKind.LID, "group": AddressKind.GROUP}
_ACKS = {"sent": Ack.SERVER, "delivered": Ack.DEVICE, "read": Ack.READ, "played": Ack.PLAYED}
_KEPT = ("location", "contacts", "choice", "poll", "referral", "raw")
_SHORTEST_KEY = 16


def verify(secret: object, raw_body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether the delivery was signed with ``secret``, in one of two ways, in constant time over the raw body.

    Standard Webhooks: ``webhook-signature`` holds ``v1,<base64 HMAC-SHA256 of "id.timestamp.body">``, several of them
    while a secret is rotated. Plain: ``x-webhook-signature`` is ``sha256=<hex HMAC-SHA256 of the body>``. The time is
    not judged: a delivery that waited for us is as true as a new one, and one that comes twice changes nothing.
    """
    if not isinstance(secret, str) or not secret:
        return False
    name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signed = f"{name}.{at}.".encode("utf-8", "replace") + raw_body
    standard = [
        given.partition(",")[2].encode("utf-8", "replace")
        for given in headers.get("webhook-signature", "").split(" ")[:20]
        if given.startswith("v1,") and name and at
    ]
    plain = headers.get("x-webhook-signature", "").strip().removeprefix("sha256=").lower().encode("utf-8", "replace")
    found = False
    for key in _keys(secret):
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
        for given in standard:
            found |= hmac.compare_digest(expected, given)
        found |= hmac.compare_digest(hmac.new(key, raw_body, hashlib.sha256).hexdigest().encode(), plain)
    return found


def _keys(secret: str) -> list[bytes]:
    """The secret as it is, and, as libraries for Standard Webhooks take it, the bytes that it is base64 of."""
    keys = [secret.encode("utf-8", "replace")]
    try:
        decoded = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return keys
    return [*keys, decoded] if len(decoded) >= _SHORTEST_KEY else keys


def parse(body: object, *, received_at: datetime | None = None) -> list[ChannelEvent]:
    """The events in one delivery: an event, a list of events, or ``{"events": […]}``."""
    now = received_at or datetime.now(UTC)
    tidied = tidy(body)
    items = tidied.get("events") if isinstance(tidied, dict) and "event" not in tidied else tidied
    if not isinstance(items, list):
        items = [items]
    events = [_event(item, now) for item in items if isinstance(item, dict)]
    if len(events) < len(items) or not events:
        # However many there are, what is not even an object is kept once.
        others = [item for item in items if not isinstance(item, dict)]
        events.append(Unrecognised("not_an_event", {"count": len(others), "body": brief(others or tidied)}))
    return events


def read_address(value: object) -> Address | None:
    """``{"phone": …}``, ``{"lid": …}`` or ``{"group": …}``; a JID; or a phone number's digits."""
    if isinstance(value, dict):
        found = [(kind, value[name]) for name, kind in _KINDS.items() if value.get(name)]
        return _address(*found[0]) if len(found) == 1 else None
    if not isinstance(value, str):
        return None
    if "@" in value:
        jid = read_jid(value)
        return jid.address() if jid else None
    name, colon, rest = value.partition(":")
    return _address(_KINDS[name], rest) if colon and name in _KINDS else _address(AddressKind.PHONE, value)


def _address(kind: AddressKind, value: object) -> Address | None:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if kind is not AddressKind.GROUP:
        text = re.sub(r"[\s()+.-]", "", text)
        usable = text.isascii() and text.isdigit() and len(text) <= 20
    else:
        usable = 0 < len(text) <= _LONGEST_ADDRESS and text.isprintable()
    return Address(kind, text) if usable else None


def _event(item: dict[str, Any], now: datetime) -> ChannelEvent:
    name, data = item.get("event"), item.get("data")
    if not isinstance(name, str) or not isinstance(data, dict):
        return Unrecognised("not_an_event", {"body": brief(item)})
    at = read_time(data.get("timestamp")) or read_time(item.get("timestamp")) or now
    read = {
        "message": read_message,
        "message_status": _status,
        "message_edited": _edited,
        "message_revoked": _revoked,
        "status_change": _status_change,
        "qr_code": _qr_code,
    }.get(name)
    event = read(data, at) if read else None
    return event or Unrecognised(name[:100] or "unnamed", {"event": name[:100], "data": brief(data)})


def read_message(data: Mapping[str, Any], at: datetime) -> MessageReceived | None:
    """A message as the contract describes it; None without an id or a chat. ``at`` stands in for a missing time."""
    provider_id, chat = _id(data.get("id")), read_address(data.get("chat"))
    if provider_id is None or chat is None:
        return None
    stated = data.get("type", "text")
    kind = MessageKind(stated) if isinstance(stated, str) and stated in set(MessageKind) else MessageKind.UNKNOWN
    raw = {name: brief(data[name]) for name in _KEPT if data.get(name)}
    if kind is MessageKind.UNKNOWN:
        raw |= {"type": str(stated)[:100], "content": brief(dict(data))}
    reaction, alternates = data.get("reaction"), data.get("alternates")
    text, quoted = data.get("text"), _id(data.get("quoted_id"))
    if isinstance(reaction, dict):
        kind, quoted = MessageKind.REACTION, _id(reaction.get("message_id")) or quoted
        text = reaction.get("emoji")
    listed = alternates if isinstance(alternates, list) else []
    others = dict.fromkeys(address for item in listed if (address := read_address(item)) and address != chat)
    name, sender = data.get("name"), read_address(data.get("sender"))
    return MessageReceived(
        provider_id=provider_id,
        chat=chat,
        sent_at=read_time(data.get("timestamp")) or at,
        kind=kind,
        text=text if isinstance(text, str) else _title(data),
        sender=sender if chat.kind is AddressKind.GROUP else None,
        alternates=() if chat.kind is AddressKind.GROUP else tuple(others),
        push_name=name[:_LONGEST_NAME] if isinstance(name, str) and name.strip() else None,
        quoted_provider_id=quoted,
        media=_media(data.get("media")),
        from_me=data.get("from_me") is True,
        historical=data.get("historical") is True,
        mentions_me=data.get("mentions_me") is True,
        raw=raw,
    )


def _title(data: Mapping[str, Any]) -> str:
    """The words of a message that has no text of its own: the answer that was chosen, a place's name, a card's."""
    contacts = data.get("contacts")
    first = contacts[0] if isinstance(contacts, list) and contacts else None
    parts = ((data.get("choice"), "title"), (data.get("location"), "name"), (first, "name"))
    found = (part.get(name) for part, name in parts if isinstance(part, dict))
    return next((text for text in found if isinstance(text, str) and text), "")


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID else None


def _media(value: object) -> MediaReference | None:
    if not isinstance(value, dict):
        return None
    texts = {name: text for name in ("mime_type", "file_name", "url") if isinstance(text := value.get(name), str)}
    size, media_id, inside = value.get("size"), _id(value.get("id")), value.get("data")
    return MediaReference(
        mime_type=texts.get("mime_type") or None,
        file_name=texts.get("file_name") or None,
        size_bytes=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        url=texts.get("url") or None,
        extra={
            **({"id": media_id} if media_id else {}),
            **({"data": inside} if isinstance(inside, str) and inside else {}),
        },
    )


def _status(data: Mapping[str, Any], at: datetime) -> ChannelEvent | None:
    listed = data.get("ids") if isinstance(data.get("ids"), list) else [data.get("id")]
    ids = tuple(found for item in listed or [] if (found := _id(item)))
    key = _id(data.get("key")) if len(ids) == 1 else None
    status = data.get("status")
    if not ids or not isinstance(status, str):
        return None
    if status == "failed":
        error = data.get("error")
        return SendFailed(ids, at, error[:500] if isinstance(error, str) else "", key)
    ack = _ACKS.get(status)
    return ReceiptChanged(ids, ack, at, read_address(data.get("chat")), key) if ack else None


def _edited(data: Mapping[str, Any], at: datetime) -> ChannelEvent | None:
    provider_id, chat, text = _id(data.get("id")), read_address(data.get("chat")), data.get("text")
    if provider_id is None or chat is None or not isinstance(text, str):
        return None
    return MessageEdited(provider_id, chat, text, at, from_me=data.get("from_me") is True)


def _revoked(data: Mapping[str, Any], at: datetime) -> ChannelEvent | None:
    provider_id, chat = _id(data.get("id")), read_address(data.get("chat"))
    if provider_id is None or chat is None:
        return None
    return MessageRevoked(provider_id, chat, at, from_me=data.get("from_me") is True)


def _status_change(data: Mapping[str, Any], at: datetime) -> SessionChanged | None:
    return read_state(data, at)


def read_state(data: Mapping[str, Any], at: datetime) -> SessionChanged | None:
    """The state of a number in our own words; None for another word."""
    status, detail, account, qr = (data.get(name) for name in ("status", "detail", "account", "qr"))
    if not isinstance(status, str) or status not in set(SessionStatus):
        return None
    state = SessionStatus(status)
    return SessionChanged(
        state,
        at,
        detail[:500] if isinstance(detail, str) else "",
        qr if isinstance(qr, str) and qr and state is SessionStatus.AWAITING_QR else None,
        account if isinstance(account, str) and account and state is SessionStatus.CONNECTED else None,
    )


def _qr_code(data: Mapping[str, Any], at: datetime) -> ChannelEvent | None:
    code = data.get("code")
    return SessionChanged(SessionStatus.AWAITING_QR, at, qr=code) if isinstance(code, str) and code else None
