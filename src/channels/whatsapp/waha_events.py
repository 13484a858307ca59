"""From a WAHA webhook's JSON to channel events.

WAHA's own fields say who, when and which id; what the message carries is read from the engine's blob where it holds
WhatsApp's own content (GOWS, NOWEB), else from WAHA's fields and WEBJS's type. ``parse`` never raises: whatever is not
understood becomes Unrecognised.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
from domain.messages import Ack, Address, MediaReference, MessageKind, SessionStatus

from .convert import Ignored, convert_message
from .envelope import Envelope, pick
from .ids import NEWSLETTER_SERVER
from .looks import looks, looks_of
from .presence import typing_in
from .waha_envelope import (
    brief,
    name_of_act,
    own_addresses,
    person_alternates,
    read_envelope,
    read_jid,
    read_key,
    read_time,
    tidy,
)

_ACKS = {"SERVER": Ack.SERVER, "DEVICE": Ack.DEVICE, "READ": Ack.READ, "PLAYED": Ack.PLAYED}
_ACK_NAMES = {-1: "ERROR", 0: "PENDING", 1: "SERVER", 2: "DEVICE", 3: "READ", 4: "PLAYED"}

STATUSES = {
    "STOPPED": SessionStatus.DISCONNECTED,
    "STARTING": SessionStatus.CONNECTING,
    "SCAN_QR_CODE": SessionStatus.AWAITING_QR,
    # Pairing waits for a person here too; the detail says for what.
    "PASSKEY_REQUIRED": SessionStatus.AWAITING_QR,
    "PASSKEY_CONFIRMATION_REQUIRED": SessionStatus.AWAITING_QR,
    "WORKING": SessionStatus.CONNECTED,
    "FAILED": SessionStatus.ERROR,
}
STATUS_DETAILS = {
    "PASSKEY_REQUIRED": "WhatsApp asks for a passkey: finish the pairing in WAHA.",
    "PASSKEY_CONFIRMATION_REQUIRED": "Confirm the passkey's code on the phone to finish the pairing.",
    "FAILED": "WAHA reports that the session failed: restart it there, or pair the number again.",
}

_WEBJS_KINDS = {
    "chat": MessageKind.TEXT,
    "interactive": MessageKind.TEXT,
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
    "buttons_response": MessageKind.BUTTON_ANSWER,
    "template_button_reply": MessageKind.BUTTON_ANSWER,
    "list_response": MessageKind.LIST_ANSWER,
    "call_log": MessageKind.CALL,
    "e2e_notification": MessageKind.SYSTEM,
    "notification": MessageKind.SYSTEM,
    "notification_template": MessageKind.SYSTEM,
    "broadcast_notification": MessageKind.SYSTEM,
    "gp2": MessageKind.SYSTEM,
}
_WEBJS_UNDECRYPTED = "ciphertext"
_MEDIA_KINDS = frozenset(
    {
        MessageKind.IMAGE,
        MessageKind.AUDIO,
        MessageKind.VOICE,
        MessageKind.VIDEO,
        MessageKind.DOCUMENT,
        MessageKind.STICKER,
    }
)
_PLACE = ("latitude", "longitude", "name", "title", "address", "description", "url", "live")


def parse(payload: object, *, received_at: datetime | None = None) -> list[ChannelEvent]:
    """The events in one webhook body (decoded JSON of any shape). Never raises.

    Empty only for what concerns nobody: a receipt for somebody else's message, or one that says "pending".
    ``received_at`` (aware UTC, default now) stands in for times that the gateway does not tell.
    """
    now = received_at or datetime.now(UTC)
    body = tidy(payload)
    if not isinstance(body, dict):
        return [Unrecognised("not_an_object", {"body": brief(body)})]
    name, content = body.get("event"), body.get("payload")
    if not isinstance(name, str) or not name or not isinstance(content, dict):
        return [Unrecognised(name[:100] if isinstance(name, str) and name else "unnamed", brief(body))]
    return _Webhook(name, content, body, read_time(body.get("timestamp")) or now).events()


def _string(*candidates: object) -> str | None:
    return next((text for text in candidates if isinstance(text, str) and text), None)


@dataclass(frozen=True, slots=True)
class _Content:
    kind: MessageKind
    text: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    media: MediaReference | None = None
    quoted: str | None = None
    mentions_me: bool = False


class _Webhook:
    """One webhook on its way to events."""

    def __init__(self, name: str, payload: dict[str, Any], body: dict[str, Any], at: datetime) -> None:
        self._name, self._payload, self._body, self._at = name, payload, body, at
        self._own = own_addresses(body.get("me"))

    def events(self) -> list[ChannelEvent]:
        """The typed switch over WAHA's event names."""
        match self._name:
            case "message" | "message.any":
                return [self._message()]
            case "message.reaction":
                return [self._reaction()]
            case "message.edited":
                return [self._edited()]
            case "message.revoked":
                return [self._revoked()]
            case "message.ack" | "message.ack.group":
                return self._receipt()
            case "session.status":
                return [self._status()]
            case "presence.update":
                return typing_in(self._payload, self._at)
            case _:
                # "message.waiting" is among them: its content follows as a message with the same id, which must
                # then be the first that is stored under it.
                return [self._unknown(self._name)]

    def _unknown(self, name: str) -> Unrecognised:
        about = {key: self._body[key] for key in ("id", "session", "engine") if key in self._body}
        return Unrecognised(name[:100], {**brief(about), "event": self._name[:100], "payload": brief(self._payload)})

    def _envelope(self, payload: dict[str, Any]) -> Envelope | None:
        return read_envelope(payload, self._own, self._at)

    def _message(self) -> ChannelEvent:
        envelope = self._envelope(self._payload)
        if envelope is None:
            return self._unknown(f"{self._name} without id or chat")
        chat = envelope.address
        if chat is None:
            what = "status post" if envelope.chat.is_status else f"message in {envelope.chat.server}"
            return self._unknown("newsletter post" if envelope.chat.server == NEWSLETTER_SERVER else what)
        data = self._payload.get("_data")
        if pick(data, "type") == _WEBJS_UNDECRYPTED:
            return self._unknown("undecrypted message")
        content = pick(data, "Message")
        if not isinstance(content, dict) or not content:
            return self._received(envelope, chat, self._plain_content())
        converted = convert_message(
            {
                "Info": {"Chat": str(envelope.chat), "ID": envelope.id},
                "Message": content,
                "IsViewOnce": pick(data, "IsViewOnce") is True,
            },
            received_at=envelope.at,
            own=self._own,
        )
        match converted:
            case MessageReceived():
                return self._received(envelope, chat, self._engine_content(converted))
            case MessageEdited() | MessageRevoked() if isinstance(converted.provider_id, str):
                target = read_key(converted.provider_id)
                if target is None:
                    return self._unknown("change of an unreadable message")
                return replace(
                    converted,
                    provider_id=target.id,
                    chat=chat,
                    alternates=envelope.alternates,
                    from_me=envelope.from_me,
                )
            case Ignored():
                return self._unknown(f"ignored: {converted.reason}")
            case _:
                return self._unknown("unreadable message")

    def _received(self, envelope: Envelope, chat: Address, content: _Content) -> MessageReceived:
        quoted = read_key(pick(self._payload, "replyTo", "id")) or read_key(content.quoted)
        others = person_alternates(self._payload.get("_data")) if envelope.person else []
        return MessageReceived(
            provider_id=envelope.id,
            chat=chat,
            sent_at=envelope.at,
            kind=content.kind,
            text=content.text,
            sender=envelope.person,
            alternates=envelope.alternates,
            push_name=envelope.push_name,
            quoted_provider_id=quoted.id if quoted else None,
            media=self._media(content),
            from_me=envelope.from_me,
            mentions_me=content.mentions_me or self._is_mentioned(),
            raw={**content.raw, **({"sender_alternates": others} if others else {})},
        )

    def _engine_content(self, converted: MessageReceived) -> _Content:
        """What the engine's own content says; WAHA's ``body`` where that holds no words."""
        body = self._payload.get("body")
        has_words = converted.kind not in (MessageKind.LOCATION, MessageKind.CONTACT)
        return _Content(
            converted.kind,
            converted.text or (body if has_words and isinstance(body, str) else ""),
            converted.raw,
            converted.media,
            converted.quoted_provider_id if isinstance(converted.quoted_provider_id, str) else None,
            converted.mentions_me,
        )

    def _plain_content(self) -> _Content:
        """What WAHA's own fields say, for WEBJS and for payloads without an engine's blob."""
        data, body = self._payload.get("_data"), self._payload.get("body")
        text = body if isinstance(body, str) else ""
        stated = pick(data, "type")
        kind = _WEBJS_KINDS.get(stated) if isinstance(stated, str) else None
        if isinstance(place := self._payload.get("location"), dict) or kind is MessageKind.LOCATION:
            # WEBJS's ``body`` is the map's picture here.
            place = place if isinstance(place, dict) else {}
            raw = {"location": brief({name: place[name] for name in _PLACE if name in place})}
            return _Content(
                MessageKind.LOCATION, _string(*(place.get(n) for n in ("description", "name", "title"))) or "", raw
            )
        if (cards := self._payload.get("vCards")) or kind is MessageKind.CONTACT:
            cards = cards if isinstance(cards, list) else [body]
            kept = [card[:2000] for card in cards if isinstance(card, str)][:20]
            return _Content(
                MessageKind.CONTACT,
                _card_name(kept),
                {"contacts": [{"name": _card_name([c]), "vcard": c} for c in kept]},
            )
        raw = {"referral": {"advertisement": brief(ad)}} if (ad := pick(data, "ctwaContext")) else {}
        if kind is None and isinstance(stated, str) and stated:
            return _Content(MessageKind.UNKNOWN, text, {**raw, "type": stated[:100]})
        if kind is None or (kind is MessageKind.TEXT and self._has_media()):
            kind = self._kind_of_media() if self._has_media() else MessageKind.TEXT if text else MessageKind.UNKNOWN
        if kind is MessageKind.UNKNOWN:
            raw["content"] = brief(self._payload)
        return _Content(kind, text, raw)

    def _has_media(self) -> bool:
        return self._payload.get("hasMedia") is True or isinstance(self._payload.get("media"), dict)

    def _kind_of_media(self) -> MessageKind:
        mime = _string(pick(self._payload, "media", "mimetype"), pick(self._payload, "_data", "mimetype")) or ""
        kinds = {"image/webp": MessageKind.STICKER, "audio/ogg; codecs=opus": MessageKind.VOICE}
        families = {"image": MessageKind.IMAGE, "audio": MessageKind.AUDIO, "video": MessageKind.VIDEO}
        return kinds.get(mime) or families.get(mime.partition("/")[0], MessageKind.DOCUMENT)

    def _media(self, content: _Content) -> MediaReference | None:
        """Where WAHA keeps the file. Without ``url`` it must be asked for it again, by ``extra["message_id"]``."""
        if not (self._has_media() or content.media or content.kind in _MEDIA_KINDS):
            return None
        media, data, engine = self._payload.get("media"), self._payload.get("_data"), content.media
        size = engine.size_bytes if engine else pick(data, "size")
        facts = {
            "message_id": self._payload.get("id"),
            "s3": pick(media, "s3"),
            "error": pick(media, "error"),
            "seconds": engine.extra.get("seconds") if engine else pick(data, "duration"),
        }
        return MediaReference(
            mime_type=_string(pick(media, "mimetype"), engine.mime_type if engine else None, pick(data, "mimetype")),
            file_name=_string(pick(media, "filename"), engine.file_name if engine else None, pick(data, "filename")),
            size_bytes=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
            url=_string(pick(media, "url"), self._payload.get("mediaUrl")),
            extra={
                **{name: brief(value) for name, value in facts.items() if value is not None},
                **self._looks(content),
            },
        )

    def _looks(self, content: _Content) -> dict[str, Any]:
        """WEBJS tells a file's miniature as the ``body`` of WhatsApp Web's own message."""
        if content.media:
            return looks_of(content.media.extra)
        data = self._payload.get("_data")
        if content.kind not in (MessageKind.DOCUMENT, MessageKind.VIDEO) or pick(data, "isViewOnce"):
            return {}
        return looks(pick(data, "body"), pick(data, "pageCount"))

    def _is_mentioned(self) -> bool:
        ids = self._payload.get("mentionedIds") or pick(self._payload, "_data", "mentionedJidList")
        jids = (read_jid(item) for item in ids) if isinstance(ids, list) else ()
        return any(jid.address() in self._own for jid in jids if jid)

    def _reaction(self) -> ChannelEvent:
        envelope, target = self._envelope(self._payload), read_key(pick(self._payload, "reaction", "messageId"))
        emoji, chat = pick(self._payload, "reaction", "text"), envelope.address if envelope else None
        if envelope is None or chat is None or target is None:
            return self._unknown("message.reaction without id, chat or target")
        if target.id == envelope.id:
            # A message of that id exists already: the reaction needs a name of its own, the same at each delivery.
            told = None if envelope.at == self._at else str(int(envelope.at.timestamp()))
            envelope = replace(envelope, id=name_of_act(f"{envelope.id}.reaction", told, emoji))
        text = emoji if isinstance(emoji, str) else ""
        content = _Content(MessageKind.REACTION, text, quoted=target.id)
        return replace(self._received(envelope, chat, content), quoted_provider_id=target.id, media=None)

    def _edited(self) -> ChannelEvent:
        envelope = self._envelope(self._payload)
        if envelope is None or envelope.address is None:
            return self._unknown("message.edited without id or chat")
        target, body = read_key(self._payload.get("editedMessageId")), self._payload.get("body")
        return MessageEdited(
            provider_id=target.id if target else envelope.id,
            chat=envelope.address,
            text=body if isinstance(body, str) else "",
            at=envelope.at,
            alternates=envelope.alternates,
            from_me=envelope.from_me,
        )

    def _revoked(self) -> ChannelEvent:
        sides = [side for name in ("after", "before") if isinstance(side := self._payload.get(name), dict)]
        engine = {"_data": self._payload.get("_data")}
        envelope = next((found for side in (*sides, engine) if (found := self._envelope(side))), None)
        target = read_key(self._payload.get("revokedMessageId")) or next(
            (key for side in reversed(sides) if (key := read_key(side.get("id")))), None
        )
        if envelope is None or envelope.address is None or target is None:
            return self._unknown("message.revoked without id or chat")
        return MessageRevoked(target.id, envelope.address, envelope.at, envelope.alternates, envelope.from_me)

    def _receipt(self) -> list[ChannelEvent]:
        number, key = self._payload.get("ack"), read_key(self._payload.get("id"))
        name = _ACK_NAMES.get(number) if isinstance(number, int) else None
        name = name or _string(self._payload.get("ackName"))
        if key is None:
            return [self._unknown(f"{self._name} without id")]
        envelope = self._envelope(self._payload)  # None for a bare id without its chat, which is enough here
        said = self._payload.get("fromMe", key.from_me)
        # GOWS calls the phone's failure to upload a file again a receipt of ours with an error.
        is_upload = pick(self._payload, "_data", "Type") == "server-error"
        if said is False or name == "PENDING" or is_upload:
            return []
        at = envelope.at if envelope else self._at
        if name == "ERROR":
            return [SendFailed((key.id,), at, "WAHA reports that WhatsApp refused the message.")]
        ack = _ACKS.get(name or "")
        if ack is None:
            return [self._unknown(self._name)]
        return [ReceiptChanged((key.id,), ack, at, envelope.address if envelope else None)]

    def _status(self) -> ChannelEvent:
        stated = self._payload.get("status")
        if not isinstance(stated, str) or not stated:
            return self._unknown(self._name)
        status = STATUSES.get(stated, SessionStatus.UNKNOWN)
        history = self._payload.get("statuses")
        last = history[-1] if isinstance(history, list) and history else None
        at = read_time(pick(last, "timestamp")) if pick(last, "status") == stated else None
        unknown = f"WAHA reports the state {stated[:100]}." if status is SessionStatus.UNKNOWN else ""
        me = self._body.get("me")
        return SessionChanged(
            status=status,
            at=at or self._at,
            detail=STATUS_DETAILS.get(stated, unknown),
            account=_string(pick(me, "jid"), pick(me, "id")) if status is SessionStatus.CONNECTED else None,
        )


def _card_name(cards: list[str]) -> str:
    """The display name of the first vCard."""
    lines = cards[0].splitlines() if cards else []
    return next((line.partition(":")[2].strip() for line in lines if line.upper().startswith("FN")), "")
