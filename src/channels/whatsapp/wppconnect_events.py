"""From a WPPConnect webhook's JSON to channel events.

Each is one flat object: the event's name, the session, and the data spread between them. Ids and people come as text
or as objects with ``_serialized``. ``parse`` never raises; what it does not understand becomes Unrecognised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    SessionRef,
    Unrecognised,
)
from domain.messages import Ack, Address, AddressKind, MessageKind, SessionStatus

from .baileys import whole_number
from .envelope import pick
from .evolution_envelope import moment
from .ids import BROADCAST_SERVER, GROUP_SERVER, NEWSLETTER_SERVER, Jid
from .waha_envelope import MessageKey, brief, name_of_act, read_jid, read_key, tidy
from .wppconnect_content import NOBODYS_WORDS, UNREADABLE, light, read_content

_ACKS = {1: Ack.SERVER, 2: Ack.DEVICE, 3: Ack.READ, 4: Ack.PLAYED}
_FAILURES = {
    -1: "failed", -2: "expired", -3: "its file is gone", -4: "its file is too big", -5: "its file cannot be uploaded",
    -6: "inactive", -7: "refused by the phone",
}  # fmt: skip

_STATUSES = {
    "inchat": (SessionStatus.CONNECTED, ""),
    "islogged": (SessionStatus.CONNECTED, ""),
    "connected": (SessionStatus.CONNECTED, ""),
    "chatsavailable": (SessionStatus.CONNECTED, ""),
    "qrreadsuccess": (SessionStatus.CONNECTING, ""),
    "notlogged": (SessionStatus.CONNECTING, "The number is not paired: a code to scan follows."),
    "qrreaderror": (SessionStatus.QR_EXPIRED, "WhatsApp refused the scanned code: start the pairing again."),
    "qrreadfail": (SessionStatus.QR_EXPIRED, "The scan of the code was broken off: start the pairing again."),
    "autoclosecalled": (SessionStatus.QR_EXPIRED, "Nobody scanned the code: start the pairing again."),
    "browserclose": (SessionStatus.DISCONNECTED, "WPPConnect's browser was closed: restart the number."),
    "serverclose": (SessionStatus.DISCONNECTED, "WPPConnect lost its browser: restart the number."),
    "phonenotconnected": (SessionStatus.DISCONNECTED, "WPPConnect cannot reach the phone."),
    "disconnectedmobile": (SessionStatus.DISCONNECTED, "WhatsApp ended the pairing: pair the number again."),
    "desconnectedmobile": (SessionStatus.DISCONNECTED, "WhatsApp ended the pairing: pair the number again."),
    "deletetoken": (SessionStatus.DISCONNECTED, "WhatsApp ended the pairing: pair the number again."),
}
_NO_OPS = frozenset({"onpresencechanged", "onparticipantschanged", "onupdatelabel", "location", "onaddedtogroup"})
_MESSAGES = frozenset({"onmessage", "onanymessage", "onselfmessage", "unreadmessages", "received-message"})
_OTHER_KIND = {AddressKind.PHONE: AddressKind.LID, AddressKind.LID: AddressKind.PHONE}
_LONGEST_NAME = 200


def parse(payload: object, session: SessionRef, *, received_at: datetime | None = None) -> list[ChannelEvent]:
    """The events in one webhook body (decoded JSON of any shape, or a list of such). Never raises.

    ``received_at`` (aware UTC, default now) stands in for times that the gateway does not tell.
    """
    now = received_at or datetime.now(UTC)
    bodies = payload if isinstance(payload, list) else [payload]
    return [event for body in bodies for event in _Webhook(tidy(body), session, now).events()]


def parse_message(record: object, session: SessionRef, *, received_at: datetime) -> MessageReceived | None:
    """A message as ``get-messages`` lists it; None for what nobody wrote."""
    body = tidy(record)
    if not isinstance(body, dict) or body.get("isNotification") is True or body.get("type") == "revoked":
        return None
    found = parse({**body, "event": "onmessage", "session": None}, session, received_at=received_at)
    message = found[0] if len(found) == 1 else None
    return message if isinstance(message, MessageReceived) and message.kind is not MessageKind.SYSTEM else None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something happened, and who did it."""

    chat: Address
    alternates: tuple[Address, ...]
    person: Address | None
    from_me: bool


def _addresses(*values: object) -> list[Address]:
    jids = (read_jid(value) for value in values)
    return [address for jid in jids if jid and (address := jid.address())]


class _Webhook:
    """One webhook on its way to events."""

    def __init__(self, body: Any, session: SessionRef, now: datetime) -> None:
        self._body: dict[str, Any] = body if isinstance(body, dict) else {}
        self._whole, self._session, self._now = body, session, now
        name = self._body.get("event")
        self._name = name[:100] if isinstance(name, str) else ""

    def events(self) -> list[ChannelEvent]:
        """One event or none for each thing that the webhook carries, in its order."""
        if not self._name:
            kept = brief(self._whole)
            return [Unrecognised("unnamed", kept if isinstance(kept, dict) else {"body": kept})]
        stated, ours = self._body.get("session"), self._session.config.get("session")
        if isinstance(stated, str) and isinstance(ours, str) and stated != ours:
            return [Unrecognised("event of another session", {"event": self._name, "session": stated[:100]})]
        # A list that the gateway spread over the object has its places as names.
        spread = [self._body[key] for key in sorted((k for k in self._body if k.isdigit()), key=lambda k: (len(k), k))]
        items = [item for item in spread if isinstance(item, dict)] if "id" not in self._body else []
        return [event for item in items or [self._body] for event in self._one(self._name.lower(), item)]

    def _one(self, name: str, body: dict[str, Any]) -> Iterator[ChannelEvent]:
        """The typed switch over WPPConnect's event names."""
        match name:
            case _ if name in _NO_OPS:
                return
            case _ if name in _MESSAGES:
                yield from self._message(body)
            case "onack":
                yield from self._receipt(body)
            case "onreactionmessage":
                yield self._reaction(body)
            case "onrevokedmessage":
                yield self._revoked(body)
            case "onmessageedit":
                yield self._edited(body)
            case "onpollresponse":
                yield self._vote(body)
            case "incomingcall":
                yield from self._call(body)
            case "qrcode":
                yield self._qr_code(body)
            case "phonecode":
                code = str(body.get("phoneCode") or "")[:20]
                yield SessionChanged(SessionStatus.AWAITING_QR, self._now, f"Type this code on the phone: {code}.")
            case "status-find" | "session-logged" | "closesession" | "logoutsession":
                yield self._status(name, body)
            case _:
                yield self._unknown(self._name, body)

    def _unknown(self, name: str, body: Mapping[str, Any]) -> Unrecognised:
        return Unrecognised(name[:100], {**light(body), "event": self._name})

    def _own(self, body: Mapping[str, Any], *, from_me: bool) -> frozenset[Address]:
        return frozenset(_addresses(self._session.account, body.get("from" if from_me else "to")))

    def _place(self, body: Mapping[str, Any], key: MessageKey | None) -> tuple[Jid | None, _Place | None]:
        """The chat as it is named, and as a place; the latter only where it is a person or a group."""
        said = body.get("fromMe")
        from_me = said if isinstance(said, bool) else bool(key and key.from_me)
        other = body.get("to" if from_me else "from")
        named = (key.chat if key else None, *(read_jid(value) for value in (body.get("chatId"), other)))
        chat = next((jid for jid in named if jid), None)
        if chat is None:
            return None, None
        sender = body.get("sender")
        author = (body.get("author"), pick(sender, "id"), sender)
        people = [jid for jid in (read_jid(value) for value in author) if jid and jid.server != GROUP_SERVER]
        person = (key.participant if key else None) or next(iter(people), None)
        if chat.server == BROADCAST_SERVER and not chat.is_status and person is not None:
            chat = person  # sent to us through a list of theirs: it is a private message
        address = chat.address()
        if address is None:
            return chat, None
        in_group = address.kind is AddressKind.GROUP
        also = [other, body.get("chatId"), pick(body, "chat", "contact", "phoneNumber")]
        if not from_me:
            also += [
                *author,
                pick(sender, "phoneNumber"),
                pick(sender, "lid"),
                body.get("senderPn"),
                body.get("senderLid"),
            ]
        own, wanted = self._own(body, from_me=from_me), _OTHER_KIND.get(address.kind)
        others = [one for one in _addresses(*also) if one.kind is wanted and one not in own]
        who = person.address() if in_group and person else None
        return chat, _Place(address, tuple(others[:1]), who, from_me)

    def _message(self, body: dict[str, Any]) -> Iterator[ChannelEvent]:
        key, stated = read_key(body.get("id")), body.get("type")
        chat, place = self._place(body, key)
        if chat is not None and (chat.is_status or chat.server == NEWSLETTER_SERVER):
            return  # a status post, or a post in a channel that the number follows
        if body.get("isStatusV3") is True or (isinstance(stated, str) and stated in NOBODYS_WORDS):
            return
        if key is None or chat is None:
            yield self._unknown("message without id or chat", body)
        elif place is None:
            yield self._unknown(f"message in {chat.server[:50]}", body)
        elif isinstance(stated, str) and stated in UNREADABLE:
            yield self._unknown("undecrypted message", body)
        elif stated == "revoked":
            at = moment(body.get("t")) or self._now
            yield MessageRevoked(key.id, place.chat, at, place.alternates, place.from_me)
        else:
            yield self._received(body, key, place)

    def _received(self, body: dict[str, Any], key: MessageKey, place: _Place) -> MessageReceived:
        content = read_content(body, self._own(body, from_me=place.from_me))
        sender = body.get("sender")
        names = (body.get("notifyName"), pick(sender, "pushname"), pick(sender, "verifiedName"))
        push_name = next((name for name in names if isinstance(name, str) and name.strip()), None)
        lid, phone = pick(sender, "lid"), pick(sender, "phoneNumber")
        others = {str(one) for one in _addresses(lid, phone, pick(sender, "id")) if one != place.person}
        raw = {**content.raw, "sender_alternates": sorted(others)} if place.person and others else content.raw
        return MessageReceived(
            provider_id=key.id,
            chat=place.chat,
            sent_at=moment(body.get("t")) or moment(body.get("timestamp")) or self._now,
            kind=content.kind,
            text=content.text,
            sender=place.person,
            alternates=place.alternates,
            push_name=push_name[:_LONGEST_NAME] if push_name and not place.from_me else None,
            quoted_provider_id=content.quoted,
            media=content.media,
            from_me=place.from_me,
            mentions_me=content.mentions_me,
            raw=raw,
        )

    def _receipt(self, body: dict[str, Any]) -> Iterator[ChannelEvent]:
        key, number = read_key(body.get("id")), whole_number(body.get("ack"))
        if key is None or number is None:
            yield self._unknown("onack without id or number", body)
            return
        said = body.get("fromMe", key.from_me)
        chat = key.chat or read_jid(body.get("to"))
        if said is False or number in (0, 5) or (chat and chat.is_status):
            return  # of somebody else's message, still on its way, or to our own devices
        if number in _FAILURES:
            detail = f"WPPConnect reports that the message was not delivered ({_FAILURES[number]})."
            yield SendFailed((key.id,), self._now, detail)
        elif number in _ACKS:
            yield ReceiptChanged((key.id,), _ACKS[number], self._now, chat.address() if chat else None)
        else:
            yield self._unknown("onack with an unknown number", body)

    def _reaction(self, body: dict[str, Any]) -> ChannelEvent:
        key, target, emoji = read_key(body.get("id")), read_key(body.get("msgId")), body.get("reactionText")
        _, place = self._place(body, key if key and key.chat else target)
        if target is None or place is None:
            return self._unknown("reaction without target or chat", body)
        at = moment(body.get("timestamp"))
        told = str(int(at.timestamp())) if at else None
        named = key.id if key and key.id != target.id else None
        from_me = key.from_me is True if key and key.id != target.id else body.get("fromMe") is True
        return MessageReceived(
            provider_id=named or name_of_act(f"{target.id}.reaction", told, emoji),
            chat=place.chat,
            sent_at=at or self._now,
            kind=MessageKind.REACTION,
            text=emoji if isinstance(emoji, str) else "",
            sender=place.person,
            alternates=place.alternates,
            quoted_provider_id=target.id,
            from_me=from_me,
        )

    def _revoked(self, body: dict[str, Any]) -> ChannelEvent:
        key, target = read_key(body.get("id")), read_key(body.get("refId"))
        _, place = self._place(body, target if target and target.chat else key)
        if target is None or place is None:
            return self._unknown("onrevokedmessage without target or chat", body)
        return MessageRevoked(target.id, place.chat, self._now, place.alternates, place.from_me)

    def _edited(self, body: dict[str, Any]) -> ChannelEvent:
        """The library tells of edits; the server passes them on only where somebody taught it to."""
        message = body.get("msg") if isinstance(body.get("msg"), dict) else body
        key = read_key(body.get("id")) or read_key(pick(message, "id"))
        facts = {**body, **message} if isinstance(message, dict) else body
        _, place = self._place(facts, key)
        if key is None or place is None or not isinstance(pick(message, "body"), str):
            return self._unknown("onmessageedit without id, chat or text", body)
        text = read_content(facts, ()).text
        at = moment(pick(message, "latestEditSenderTimestampMs")) or self._now
        return MessageEdited(key.id, place.chat, text, at, place.alternates, place.from_me)

    def _vote(self, body: dict[str, Any]) -> ChannelEvent:
        poll = read_key(body.get("msgId"))
        voters = _addresses(body.get("sender"), pick(body, "sender", "id"))
        # The poll is mostly ours; the vote is not.
        from_me = bool(voters) and voters[0] in _addresses(self._session.account)
        facts = {**body, "fromMe": from_me, "from": body.get("sender")}
        _, place = self._place(facts, MessageKey(poll.id, poll.chat) if poll else None)
        if poll is None or place is None:
            return self._unknown("onpollresponse without poll or chat", body)
        chosen = body.get("selectedOptions")
        names = [pick(option, "name") for option in chosen] if isinstance(chosen, list) else []
        at = moment(body.get("timestamp"))
        voter = voters[0].value if voters else place.chat.value
        # A vote has no id here: this is the same at each telling, and another for a changed vote.
        told = str(int(at.timestamp() * 1000)) if at else None
        return MessageReceived(
            provider_id=name_of_act(f"{poll.id}.vote.{voter}", told, chosen),
            chat=place.chat,
            sent_at=at or self._now,
            kind=MessageKind.POLL_VOTE,
            text=", ".join(name for name in names if isinstance(name, str)),
            sender=voters[0] if voters and place.chat.kind is AddressKind.GROUP else None,
            alternates=place.alternates,
            quoted_provider_id=poll.id,
            from_me=from_me,
        )

    def _call(self, body: dict[str, Any]) -> Iterator[ChannelEvent]:
        if body.get("outgoing") is True:
            return
        key, caller = read_key(body.get("id")), read_jid(body.get("peerJid"))
        group = read_jid(body.get("groupJid")) if body.get("isGroup") is True else None
        talk = group or caller
        chat = talk.address() if talk else None
        if key is None or chat is None:
            yield self._unknown("incomingcall without id or caller", body)
            return
        at = moment(body.get("offerTime")) or self._now
        person = caller.address() if group and caller else None
        raw = {"call": {"video": body.get("isVideo") is True}}
        yield MessageReceived(key.id, chat, at, MessageKind.CALL, sender=person, raw=raw)

    def _qr_code(self, body: dict[str, Any]) -> ChannelEvent:
        code = body.get("urlcode")
        if not isinstance(code, str) or not code:
            return self._unknown("qrcode without its text", {"session": body.get("session")})
        return SessionChanged(SessionStatus.AWAITING_QR, self._now, qr=code)

    def _status(self, name: str, body: dict[str, Any]) -> ChannelEvent:
        stated = body.get("status")
        if name in ("closesession", "logoutsession"):
            return SessionChanged(SessionStatus.DISCONNECTED, self._now, "The number was stopped in WPPConnect.")
        if name == "session-logged" and isinstance(stated, bool):
            return SessionChanged(SessionStatus.CONNECTED if stated else SessionStatus.DISCONNECTED, self._now)
        if not isinstance(stated, str) or not stated:
            return self._unknown(f"{name} without status", body)
        unknown = (SessionStatus.UNKNOWN, f"WPPConnect reports the state {stated[:100]}.")
        status, detail = _STATUSES.get(stated.lower(), unknown)
        return SessionChanged(status, self._now, detail)
