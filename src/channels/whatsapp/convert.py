"""From WhatsApp's messages to channel events, for the neonize library and for WAHA's GOWS engine alike.

``contents`` says what becomes of each kind. Nothing that somebody wrote is dropped: what is not understood becomes a
message of the kind UNKNOWN with its content in ``raw``; what has no chat becomes Unrecognised. Only what ``contents``
names as nobody's words is Ignored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from channels.base import ChannelEvent, MessageEdited, MessageReceived, MessageRevoked, ReceiptChanged, Unrecognised
from domain.messages import Ack, Address, MediaReference, MessageKind

from .baileys import plain_bytes, whole_number
from .contents import COMPANIONS, IGNORED, PROTOCOL, RULES, VIEW_ONCE, WRAPPERS, Rule
from .envelope import Envelope, Json, jid_from, pick, read_envelope, time_from
from .ids import NEWSLETTER_SERVER
from .looks import looks


@dataclass(frozen=True, slots=True)
class Ignored:
    """Left out on purpose; ``reason`` is for the log."""

    reason: str


Converted = ChannelEvent | Ignored

_LONGEST_RAW_TEXT = 2000
_PREVIEWED = ("documentMessage", "videoMessage")
_TARGETS = {MessageKind.REACTION: "key", MessageKind.POLL_VOTE: "pollCreationMessageKey"}
"""Where content that is about another message names it."""
_REVOKE, _EDIT = ("REVOKE", 0), ("MESSAGE_EDIT", 14)
_REFERRAL = (
    "conversionSource",
    "conversionData",
    "entryPointConversionSource",
    "entryPointConversionApp",
    "entryPointConversionExternalSource",
    "entryPointConversionExternalMedium",
    "ctwaSignals",
    "ctwaPayload",
)
_MEDIA_EXTRA = (
    "directPath", "mediaKey", "mediaKeyTimestamp", "fileSHA256", "fileEncSHA256", "seconds", "width", "height",
)  # fmt: skip

_ACKS = {
    "DELIVERED": Ack.DEVICE,
    "INACTIVE": Ack.DEVICE,  # delivered to a device that shows itself offline, as companions do
    "READ": Ack.READ,
    "PLAYED": Ack.PLAYED,
}
_IGNORED_RECEIPTS = frozenset(
    {"SENDER", "RETRY", "READ_SELF", "PLAYED_SELF", "SERVER_ERROR", "PEER_MSG", "HISTORY_SYNC"}
)


def convert_message(event: Json, *, received_at: datetime, own: Collection[Address] = ()) -> Converted:
    """Convert one message event: neonize's as a dictionary, or ``payload._data`` of a WAHA webhook from GOWS.

    ``own`` are the paired number's addresses, by which mentions of it are seen. ``received_at`` (aware UTC) is used
    where the event carries no time.
    """
    envelope = read_envelope(pick(event, "Info") or {}, received_at)
    if envelope is None:
        return Unrecognised("message_without_chat_or_id", _short(event))
    if envelope.chat.is_status:
        return Ignored("a status post")
    if envelope.chat.server == NEWSLETTER_SERVER:
        return Ignored("a post in a channel that the number follows")
    content = pick(event, "Message") or pick(event, "RawMessage") or pick(event, "Raw") or {}
    if envelope.address is None:
        return Unrecognised(f"message_in_{envelope.chat.server}", _short(event))
    return _Conversion(envelope, envelope.address, own).run(content, view_once=bool(pick(event, "IsViewOnce")))


def convert_undecryptable(event: Json, *, received_at: datetime) -> Converted:
    """Convert neonize's event of a message that it could not decrypt: its place is kept until its content comes.

    What WhatsApp gives to the phone only (a picture to be viewed once) never comes.
    """
    envelope = read_envelope(pick(event, "Info") or {}, received_at)
    if envelope is None or envelope.address is None or envelope.chat.is_status:
        return Unrecognised("undecryptable_message", _short(event))
    if pick(event, "DecryptFailMode") in ("DECRYPT_FAIL_HIDE", 1):
        return Ignored("a message that WhatsApp wants hidden where it cannot be read")
    awaiting = "phone_only" if pick(event, "IsUnavailable") else "decryption"
    return _Conversion(envelope, envelope.address, ()).awaited(awaiting)


def convert_receipt(event: Json, *, received_at: datetime) -> Converted:
    """Convert neonize's receipt event (its time is in seconds) as a dictionary."""
    source, kind = pick(event, "MessageSource") or {}, pick(event, "Type")
    ids = tuple(str(message_id) for message_id in pick(event, "MessageIDs") or ())
    if kind in _IGNORED_RECEIPTS:
        return Ignored(f"a receipt of the kind {kind}")
    if pick(source, "IsFromMe"):
        return Ignored("a receipt of our own other device")
    if kind not in _ACKS or not ids:
        return Unrecognised("receipt", _short(event))
    chat = jid_from(pick(source, "Chat"))
    at = time_from(int(pick(event, "Timestamp") or 0) * 1000) or received_at
    return ReceiptChanged(ids, _ACKS[kind], at, chat.address() if chat else None)


def unwrap(content: Json) -> tuple[Json, bool]:
    """The innermost content, and whether a wrapper on the way says that it may be viewed once."""
    view_once = False
    while True:
        wrapper = next((key for key in content if key in WRAPPERS), None)
        inner = pick(content, wrapper, "message") if wrapper else None
        if not isinstance(inner, Mapping) or not inner:
            return content, view_once
        view_once = view_once or wrapper in VIEW_ONCE
        content = inner


def _short(value: Any) -> Any:
    """JSON small enough to keep beside a message: long texts (mostly base64) are cut."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_RAW_TEXT else f"{value[:100]}… ({len(value)} characters)"
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value]
    return value


def _first_text(body: object, rule: Rule) -> str:
    if isinstance(body, str):
        return body
    return next((text for path in rule.text if isinstance(text := pick(body, *path), str) and text), "")


class _Conversion:
    """One message's way through the table."""

    def __init__(self, envelope: Envelope, chat: Address, own: Collection[Address]) -> None:
        self._envelope, self._chat, self._own = envelope, chat, own

    def run(self, content: Json, *, view_once: bool = False) -> Converted:
        """Convert; a field of a shape that nobody expects makes the message UNKNOWN, it never loses it."""
        try:
            return self._convert(content, view_once=view_once)
        except (TypeError, ValueError, AttributeError, KeyError, OverflowError):
            return self._received(MessageKind.UNKNOWN, raw={"content": _short(content), "unreadable": True})

    def awaited(self, awaiting: str) -> MessageReceived:
        """A message without its content."""
        return replace(self._received(MessageKind.UNKNOWN, raw={"awaiting": awaiting}), awaiting=awaiting)

    def _convert(self, content: Json, *, view_once: bool) -> Converted:
        content, wrapped_once = unwrap(content)
        key = next((name for name, body in content.items() if body is not None and name not in COMPANIONS), None)
        if key is None:
            if content and set(content) <= COMPANIONS:
                return Ignored("keys only")
            return self._received(MessageKind.UNKNOWN, raw={"content": _short(content)})
        if key in IGNORED:
            return Ignored(IGNORED[key])
        if key == PROTOCOL:
            return self._protocol(content[key])
        return self._content(key, content[key], view_once=view_once or wrapped_once)

    def _content(self, key: str, body: Any, *, view_once: bool) -> MessageReceived:
        rule = RULES.get(key, Rule(MessageKind.UNKNOWN))
        context = pick(body, "contextInfo") or {}
        raw = self._raw(key, rule.kind, body) | self._referral(context)
        if view_once:
            raw["view_once"] = True
        if pick(context, "isForwarded"):
            raw["forwarded"] = True
        if seconds := whole_number(pick(context, "expiration")):
            raw["disappears_after_seconds"] = seconds
        target = _TARGETS.get(rule.kind)
        quoted = pick(body, target, "ID") if target else pick(context, "stanzaID")
        kind = MessageKind.VOICE if rule.kind is MessageKind.AUDIO and pick(body, "PTT") else rule.kind
        return self._received(
            kind,
            text=_first_text(body, rule),
            quoted=quoted,
            media=self._media(key, body, view_once=view_once) if rule.media else None,
            mentions_me=any(self._is_own(jid) for jid in pick(context, "mentionedJID") or ())
            or (bool(quoted) and self._is_own(pick(context, "participant"))),
            raw=raw,
        )

    def _received(
        self,
        kind: MessageKind,
        *,
        text: str = "",
        quoted: str | None = None,
        media: MediaReference | None = None,
        mentions_me: bool = False,
        raw: dict[str, Any],
    ) -> MessageReceived:
        return MessageReceived(
            provider_id=self._envelope.id,
            chat=self._chat,
            sent_at=self._envelope.at,
            kind=kind,
            text=text,
            sender=self._envelope.person,
            alternates=self._envelope.alternates,
            push_name=self._envelope.push_name,
            quoted_provider_id=quoted or None,
            media=media,
            from_me=self._envelope.from_me,
            mentions_me=mentions_me,
            raw=raw,
        )

    def _protocol(self, body: Json) -> Converted:
        kind, target = pick(body, "type") or 0, pick(body, "key", "ID")
        alternates, from_me = self._envelope.alternates, self._envelope.from_me
        if kind in _EDIT and target:
            content, _ = unwrap(pick(body, "editedMessage") or {})
            at = time_from(pick(body, "timestampMS")) or self._envelope.at
            key = next((name for name in content if name not in COMPANIONS), "")
            text = _first_text(content.get(key), RULES.get(key, Rule(MessageKind.UNKNOWN)))
            return MessageEdited(target, self._chat, text, at, alternates, from_me)
        if kind in _REVOKE and target:
            return MessageRevoked(target, self._chat, self._envelope.at, alternates, from_me)
        return Ignored(f"the devices' own chatter of the type {kind}")

    def _is_own(self, jid: object) -> bool:
        mentioned = jid_from(jid)
        return mentioned is not None and mentioned.address() in self._own

    @staticmethod
    def _media(key: str, body: Json, *, view_once: bool) -> MediaReference:
        size = whole_number(pick(body, "fileLength"))
        extra = {name: value for name in _MEDIA_EXTRA if (value := pick(body, name)) is not None}
        extra["part"] = key
        if key in _PREVIEWED and not view_once:
            extra |= looks(plain_bytes(pick(body, "JPEGThumbnail")), pick(body, "pageCount"))
        return MediaReference(
            mime_type=pick(body, "mimetype") or None,
            file_name=pick(body, "fileName") or pick(body, "title") or None,
            size_bytes=size if size is not None and 0 <= size < 2**63 else None,
            url=pick(body, "URL") or None,
            extra=extra,
        )

    @staticmethod
    def _referral(context: Json) -> dict[str, Any]:
        """Which advertisement brought the customer here."""
        advertisement = pick(context, "externalAdReply")
        if not advertisement:
            return {}
        facts = {name: value for name in _REFERRAL if (value := pick(context, name)) is not None}
        return {"referral": _short({**facts, "advertisement": advertisement})}

    @staticmethod
    def _raw(key: str, kind: MessageKind, body: Any) -> dict[str, Any]:
        """What the typed fields of a message do not say."""
        if kind is MessageKind.LOCATION:
            place = {name: value for name in ("name", "address", "URL") if (value := pick(body, name))}
            where = {"latitude": pick(body, "degreesLatitude"), "longitude": pick(body, "degreesLongitude")}
            return {"location": {**where, **place, "live": key == "liveLocationMessage"}}
        if kind is MessageKind.CONTACT:
            cards = pick(body, "contacts") or [body]
            return {"contacts": [{"name": pick(c, "displayName"), "vcard": pick(c, "vcard")} for c in cards]}
        if kind is MessageKind.POLL:
            options = [pick(option, "optionName") for option in pick(body, "options") or ()]
            return {"poll": {"options": options, "selectable": pick(body, "selectableOptionsCount")}}
        if kind in (MessageKind.POLL_VOTE, MessageKind.BUTTON_ANSWER, MessageKind.LIST_ANSWER, MessageKind.CALL):
            return {"content": _short({key: _without_context(body)})}
        if kind is MessageKind.UNKNOWN:
            return {"content": _short({key: body})}
        return {}


def _without_context(body: Any) -> Any:
    return {name: value for name, value in body.items() if name != "contextInfo"} if isinstance(body, dict) else body
