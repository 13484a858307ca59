"""From a GOWA webhook's JSON to channel events (aldinokemal/go-whatsapp-web-multidevice, versions 7 to 9).

``parse`` never raises: whatever is not understood becomes Unrecognised. Special contents (places, cards, lists) are
WhatsApp's own structures and are read by ``convert``; older webhooks are first put into the newer words.
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
    Unrecognised,
)
from domain.messages import Ack, Address, AddressKind, MediaReference, MessageKind

from .convert import convert_message
from .gowa_legacy import first_end, is_legacy, modernised
from .gowa_media import MEDIA_KINDS, caption_of, media_of
from .ids import BROADCAST_SERVER, GROUP_SERVER, NEWSLETTER_SERVER, Jid, jid_of
from .presence import typing_in
from .waha_envelope import brief, read_jid, read_key, read_time, tidy

_RECEIPTS = {
    "": Ack.DEVICE,
    "delivered": Ack.DEVICE,
    "inactive": Ack.DEVICE,  # delivered to a device that shows itself offline
    "read": Ack.READ,
    "played": Ack.PLAYED,
}
_UNIMPORTANT_RECEIPTS = frozenset(
    # Our own other devices, a device that could not decrypt (it asks again), and the devices' chatter.
    {"sender", "retry", "read-self", "played-self", "server-error", "peer_msg", "hist_sync"}
)
_UNIMPORTANT = frozenset(
    {
        "message.deleted",  # on one device of ours only: nobody else notices
        "group.participants",
        "group.joined",
        "label.edit",
        "label.association",
        "newsletter.joined",
        "newsletter.left",
        "newsletter.message",
        "newsletter.mute",
    }
)
_STRUCTURES = {
    "contact": "contactMessage",
    "contacts_array": "contactsArrayMessage",
    "location": "locationMessage",
    "live_location": "liveLocationMessage",
    "list": "listMessage",
    "order": "orderMessage",
}
_KNOWN_FIELDS = (
    frozenset(
        {
            "id", "timestamp", "is_from_me", "chat_id", "chat_lid", "from", "from_lid", "from_name", "body",
            "sender_display_name", "sender_id", "replied_to_id", "quoted_body", "view_once", "forwarded", "referral",
            "interactive", "interactive_media", "reaction", "reacted_message_id",
        }
    )
    | _STRUCTURES.keys()
    | MEDIA_KINDS.keys()
)  # fmt: skip
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Device:
    """Whose webhooks these are. ``base_url`` completes the paths of files; ``name`` is the device's id or JID at GOWA,
    by which the events of other devices of the same server are told apart; ``account`` our own JID, once known."""

    base_url: str = ""
    name: str = ""
    account: str = ""


def parse(payload: object, device: Device | None = None, *, received_at: datetime | None = None) -> list[ChannelEvent]:
    """The events in one webhook body (decoded JSON of any shape).

    ``received_at`` (aware UTC, default now) stands in for times that the gateway does not tell.
    """
    now, device = received_at or datetime.now(UTC), device or Device()
    body = tidy(payload)
    if not isinstance(body, dict):
        return [Unrecognised("not_an_object", {"body": brief(body)})]
    if is_legacy(body):
        body = modernised(body)
    name, content = body.get("event"), body.get("payload")
    if not isinstance(name, str) or not name or not isinstance(content, dict):
        return [Unrecognised(name[:100] if isinstance(name, str) and name else "unnamed", brief(body))]
    if _is_another_devices(body, device):
        return [Unrecognised("event of another device", brief(body))]
    return _Webhook(name, content, body, device, now).events()


def _is_another_devices(body: dict[str, Any], device: Device) -> bool:
    """A server's one webhook address gets the events of all its devices; only ours may become messages here."""
    session, jid = body.get("session_id"), read_jid(body.get("device_id"))
    expected = read_jid(device.name) or read_jid(device.account)
    if device.name and isinstance(session, str) and session == device.name:
        return False
    if jid is not None and expected is not None and jid.server == expected.server:
        return jid != expected
    return bool(device.name) and isinstance(session, str) and bool(session) and read_jid(device.name) is None


@dataclass(frozen=True, slots=True)
class _Ends:
    """Who wrote where."""

    chat: Jid
    sender: Jid | None
    from_me: bool
    alternates: tuple[Address, ...] = ()
    sender_alternates: list[str] = field(default_factory=list)

    @property
    def person(self) -> Address | None:
        """The author, in a group."""
        return self.sender.address() if self.sender and self.chat.server == GROUP_SERVER else None


class _Webhook:
    """One webhook on its way to events."""

    def __init__(
        self, name: str, payload: dict[str, Any], body: dict[str, Any], device: Device, received_at: datetime
    ) -> None:
        self._name, self._payload, self._body, self._device = name, payload, body, device
        self._at = read_time(payload.get("timestamp")) or read_time(body.get("timestamp")) or received_at
        jids = (read_jid(value) for value in (body.get("device_id"), device.account, device.name))
        self._own = frozenset(address for jid in jids if jid and (address := jid.address()))

    def events(self) -> list[ChannelEvent]:
        """The typed switch over GOWA's event names."""
        if self._name in _UNIMPORTANT:
            return []
        if self._name == "chat_presence":
            return typing_in(self._payload, self._at)
        ends = self._ends()
        if ends is not None and (ends.chat.is_status or ends.chat.server == NEWSLETTER_SERVER):
            return []
        match self._name:
            case "message":
                return [self._message(ends)]
            case "message.reaction":
                return [self._reaction(ends)]
            case "message.edited":
                return [self._edited(ends)]
            case "message.revoked":
                return [self._revoked(ends)]
            case "message.ack":
                return self._receipt(ends)
            case "call.offer":
                return [self._call(ends)]
            case _:
                return [self._unknown(self._name)]

    def _unknown(self, name: str) -> Unrecognised:
        about = {key: value for key, value in self._body.items() if key != "payload"}
        return Unrecognised(name[:100], {**brief(about), "payload": brief(self._payload)})

    def _ends(self) -> _Ends | None:
        """None without a chat. In a private chat it is the end that is not ourselves, whoever wrote."""
        payload = self._payload
        stated, sender = read_jid(payload.get("chat_id")), read_jid(first_end(payload.get("from")))
        chat_lid, from_lid = read_jid(payload.get("chat_lid")), read_jid(payload.get("from_lid"))
        sender = sender or read_jid(payload.get("sender_id")) or from_lid
        group = read_jid(payload.get("group_jid"))
        chat = group or stated or chat_lid or sender
        if chat is None:
            return None
        said = payload.get("is_from_me")
        if chat.server == GROUP_SERVER:
            from_me = said if isinstance(said, bool) else sender is not None and sender.address() in self._own
            others = {str(address) for jid in (sender, from_lid) if jid and (address := jid.address())}
            others -= {str(sender.address())} if sender else set()
            return _Ends(chat, sender, from_me, (), sorted(others))
        if chat.server == BROADCAST_SERVER and not chat.is_status and sender is not None:
            chat = sender  # sent to us through a list of theirs: it is a private message
        if chat.address() in self._own and sender is not None:
            chat = sender
        from_me = said if isinstance(said, bool) else sender not in (None, chat) and sender.address() in self._own
        named = (stated, chat_lid, *(() if from_me else (sender, from_lid)))
        return _Ends(chat, sender, from_me, self._alternates(chat, named))

    def _alternates(self, chat: Jid, named: tuple[Jid | None, ...]) -> tuple[Address, ...]:
        """The other name of the chat's person: a LID's phone, a phone's LID."""
        here = chat.address()
        wanted = (
            {AddressKind.PHONE: AddressKind.LID, AddressKind.LID: AddressKind.PHONE}.get(here.kind) if here else None
        )
        addresses = (jid.address() for jid in named if jid is not None)
        return next(((a,) for a in addresses if a and a.kind is wanted and a not in self._own), ())

    def _message(self, ends: _Ends | None) -> ChannelEvent:
        received = self._received(ends)
        if received is None:
            return self._unknown("message without id or chat")
        body = self._payload.get("body")
        text = body if isinstance(body, str) else ""
        raw = {**received.raw, **self._marks()}
        for name, kind in MEDIA_KINDS.items():
            if name in self._payload:
                media = media_of(self._payload[name], self._device.base_url)
                where = {"message_id": received.provider_id, "chat": str(jid_of(received.chat))}
                media = replace(media, extra={**media.extra, **where})
                text = text or caption_of(self._payload[name])
                return replace(received, kind=_heard(kind, media), text=text, media=media, raw=raw)
        for name, structure in _STRUCTURES.items():
            if name in self._payload:
                kind, words, facts = self._structure(structure, self._payload[name])
                return replace(received, kind=kind, text=text or words, raw={**raw, **facts})
        interactive = self._payload.get("interactive")
        text = text or (interactive if isinstance(interactive, str) else "")
        if text:
            return replace(received, kind=MessageKind.TEXT, text=text, raw=raw)
        # Polls, templates, payments …: GOWA tells that somebody wrote, but not what.
        return replace(received, kind=MessageKind.UNKNOWN, raw={**raw, "content": brief(self._payload)})

    def _marks(self) -> dict[str, Any]:
        """What a message's typed fields do not say."""
        payload = self._payload
        marks: dict[str, Any] = {name: True for name in ("view_once", "forwarded") if payload.get(name) is True}
        for name in ("referral", "interactive_media"):
            if payload.get(name):
                marks[name] = brief(payload[name])
        if isinstance(quoted := payload.get("quoted_body"), str) and quoted:
            marks["quoted_text"] = quoted[:500]
        unknown = {name: value for name, value in payload.items() if name not in _KNOWN_FIELDS}
        return {**marks, **({"unknown_fields": brief(unknown)} if unknown else {})}

    def _structure(self, name: str, value: Any) -> tuple[MessageKind, str, dict[str, Any]]:
        """Kind, words and facts of one of WhatsApp's own structures."""
        if name == "contactsArrayMessage" and isinstance(value, list):
            cards = [card for card in value if isinstance(card, dict)]
            names = [str(card["displayName"]) for card in cards if card.get("displayName")]
            value = {"contacts": cards, "displayName": ", ".join(names)}
        info = {"Chat": "0@s.whatsapp.net", "ID": "0"}
        converted = convert_message({"Info": info, "Message": {name: value}}, received_at=self._at)
        if not isinstance(converted, MessageReceived):
            return MessageKind.UNKNOWN, "", {"content": brief({name: value})}
        return converted.kind, converted.text, brief(converted.raw)

    def _received(self, ends: _Ends | None) -> MessageReceived | None:
        """A message of no kind yet; None without an id or a chat."""
        key, chat = read_key(self._payload.get("id")), ends.chat.address() if ends else None
        if ends is None or chat is None or key is None:
            return None
        quoted = read_key(self._payload.get("replied_to_id"))
        return MessageReceived(
            provider_id=key.id,
            chat=chat,
            sent_at=self._at,
            sender=ends.person,
            alternates=ends.alternates,
            push_name=None if ends.from_me else self._push_name(ends),
            quoted_provider_id=quoted.id if quoted else None,
            from_me=ends.from_me,
            mentions_me=self._is_mentioned(ends),
            raw={"sender_alternates": ends.sender_alternates} if ends.sender_alternates else {},
        )

    def _push_name(self, ends: _Ends) -> str | None:
        """The name that people gave themselves, else that under which the phone knows them."""
        digits = {jid.user for jid in (ends.chat, ends.sender) if jid}
        names = (self._payload.get("from_name"), self._payload.get("sender_display_name"))
        named = (n.strip() for n in names if isinstance(n, str) and n.strip() and n.partition("@")[0] not in digits)
        return next((name[:_LONGEST_NAME] for name in named), None)

    def _is_mentioned(self, ends: _Ends) -> bool:
        """GOWA lists no mentions, but writes phone numbers for them into the text."""
        body = self._payload.get("body")
        if ends.chat.server != GROUP_SERVER or not isinstance(body, str):
            return False
        words = body.split()
        return any(word.rstrip(".,;:!?)") == f"@{address.value}" for address in self._own for word in words)

    def _reaction(self, ends: _Ends | None) -> ChannelEvent:
        received, target = self._received(ends), read_key(self._payload.get("reacted_message_id"))
        emoji = self._payload.get("reaction", "")
        if received is None or target is None or not isinstance(emoji, str):
            return self._unknown("message.reaction without id, chat or target")
        return replace(received, kind=MessageKind.REACTION, text=emoji, quoted_provider_id=target.id)

    def _edited(self, ends: _Ends | None) -> ChannelEvent:
        target, body = read_key(self._payload.get("original_message_id")), self._payload.get("body")
        chat = ends.chat.address() if ends else None
        if ends is None or chat is None or target is None:
            return self._unknown("message.edited without target or chat")
        if not isinstance(body, str):
            return self._unknown("message.edited without text")  # a caption's: it must not empty the text
        return MessageEdited(target.id, chat, body, self._at, ends.alternates, ends.from_me)

    def _revoked(self, ends: _Ends | None) -> ChannelEvent:
        target, chat = read_key(self._payload.get("revoked_message_id")), ends.chat.address() if ends else None
        if ends is None or chat is None or target is None:
            return self._unknown("message.revoked without target or chat")
        return MessageRevoked(target.id, chat, self._at, ends.alternates, ends.from_me)

    def _receipt(self, ends: _Ends | None) -> list[ChannelEvent]:
        stated, ids = self._payload.get("receipt_type", ""), self._payload.get("ids")
        keys = [key for item in ids if (key := read_key(item))] if isinstance(ids, list) else []
        if not isinstance(stated, str) or not keys:
            return [self._unknown("message.ack without ids or type")]
        if stated.lower() in _UNIMPORTANT_RECEIPTS or (ends is not None and self._is_ours(ends)):
            return []
        ack = _RECEIPTS.get(stated.lower())
        if ack is None:
            return [self._unknown(self._name)]
        chat = ends.chat.address() if ends else None
        return [ReceiptChanged(tuple(key.id for key in keys), ack, self._at, chat)]

    def _is_ours(self, ends: _Ends) -> bool:
        """Our own other device read what the contact wrote."""
        return ends.sender is not None and ends.sender.address() in self._own and ends.chat.address() not in self._own

    def _call(self, ends: _Ends | None) -> ChannelEvent:
        key, chat = read_key(self._payload.get("call_id")), ends.chat.address() if ends else None
        if ends is None or chat is None or key is None:
            return self._unknown("call.offer without id or caller")
        return MessageReceived(
            provider_id=key.id,
            chat=chat,
            sent_at=self._at,
            kind=MessageKind.CALL,
            sender=ends.person,
            alternates=ends.alternates,
            push_name=self._push_name(ends),
            raw={"call": brief(self._payload)},
        )


def _heard(kind: MessageKind, media: MediaReference) -> MessageKind:
    """GOWA does not tell recorded from other audio, but WhatsApp records in Ogg alone."""
    recorded = kind is MessageKind.AUDIO and (media.mime_type or "").startswith("audio/ogg")
    return MessageKind.VOICE if recorded else kind
