"""From an Evolution webhook's JSON to channel events.

The content is WhatsApp's own, in Baileys' JSON, and goes the way that all of it goes (``convert``). Times are taken
from the message: ``date_time`` is local time that calls itself UTC. ``parse`` never raises; what it does not
understand becomes Unrecognised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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

from .baileys import plain, whole_number
from .convert import Ignored, convert_message, unwrap
from .envelope import Envelope, pick
from .evolution_content import finish, with_context
from .evolution_envelope import addresses, message_id, moment, person_alternates, read_chat, read_envelope
from .ids import NEWSLETTER_SERVER
from .presence import typing_in
from .waha_envelope import brief, read_jid, tidy

_ACKS = {"SERVER_ACK": Ack.SERVER, "DELIVERY_ACK": Ack.DEVICE, "READ": Ack.READ, "PLAYED": Ack.PLAYED}
_STATUS_NAMES = ("ERROR", "PENDING", "SERVER_ACK", "DELIVERY_ACK", "READ", "PLAYED")

_STATES = {
    "open": SessionStatus.CONNECTED,
    "connecting": SessionStatus.CONNECTING,
    "close": SessionStatus.DISCONNECTED,
    "closed": SessionStatus.DISCONNECTED,
    "refused": SessionStatus.QR_EXPIRED,
}
_PAIR_AGAIN = "WhatsApp ended the pairing ({}): pair the number again."
_QR_LIMIT = "Nobody scanned the code: start the pairing again."
_RESTART, _BANNED = 515, 402
_ENDED = frozenset({401, 403, 406})

_NO_OPS = frozenset(
    {
        "application.startup",
        "chats.delete",
        "chats.set",
        "chats.update",
        "chats.upsert",
        "contacts.set",
        "contacts.update",
        "contacts.upsert",
        "creds.update",
        "group.participants.update",
        "group.update",
        "groups.update",
        "groups.upsert",
        "instance.create",
        "labels.association",
        "labels.edit",
        "typebot.change.status",
        "typebot.start",
    }
)
"""Nobody's words, and nothing that Atende keeps."""

_GONE = frozenset({"instance.delete", "remove.instance", "logout.instance"})
_REVOKE, _EDIT = ("REVOKE", 0, None), ("MESSAGE_EDIT", 14)


def parse(payload: object, session: SessionRef, *, received_at: datetime | None = None) -> list[ChannelEvent]:
    """The events in one webhook body (decoded JSON of any shape, or a list of such). Never raises.

    ``received_at`` (aware UTC, default now) stands in for times that the gateway does not tell.
    """
    now = received_at or datetime.now(UTC)
    bodies = payload if isinstance(payload, list) else [payload]
    return [event for body in bodies for event in _Webhook(tidy(body), session, now).events()]


def parse_message(record: object, session: SessionRef, *, received_at: datetime) -> MessageReceived | None:
    """A message as ``/chat/findMessages`` lists it; None for what is no message."""
    body = {"event": "messages.upsert", "data": tidy(record), "sender": session.account}
    found = [event for event in _Webhook(body, session, received_at).events() if isinstance(event, MessageReceived)]
    return found[0] if len(found) == 1 else None


class _Webhook:
    """One webhook on its way to events."""

    def __init__(self, body: Any, session: SessionRef, now: datetime) -> None:
        self._body: dict[str, Any] = body if isinstance(body, dict) else {}
        self._whole, self._now = body, now
        name = self._body.get("event")
        self._name = name[:100] if isinstance(name, str) else ""
        self._instance = session.config.get("instance")
        self._own = addresses(self._body.get("sender"), session.account)

    def events(self) -> list[ChannelEvent]:
        """One event or none for each thing that the webhook carries, in its order."""
        if not self._name:
            return [Unrecognised("unnamed", self._kept(self._whole))]
        stated = self._body.get("instance")
        if isinstance(stated, str) and isinstance(self._instance, str) and stated != self._instance:
            return [Unrecognised("event of another instance", {**self._kept(self._body), "data": "left out"})]
        name, data = self._name.lower().replace("_", ".").replace("-", "."), self._body.get("data")
        if name in _NO_OPS:
            return []
        if name == "presence.update":
            return typing_in(data, self._now)
        if isinstance(listed := pick(data, "messages"), list):
            data = listed
        items = data if isinstance(data, list) else [data]
        return [event for item in items for event in self._one(name, item)]

    def _one(self, name: str, data: Any) -> Iterator[ChannelEvent]:
        """The typed switch over Evolution's event names."""
        if not isinstance(data, dict):
            yield self._unknown(f"{name} without data", data)
            return
        match name:
            case "messages.upsert" | "send.message":
                yield from self._message(data)
            case "messages.set" | "messaging.history.set":
                for event in self._message(data):
                    yield replace(event, historical=True) if isinstance(event, MessageReceived) else event
            case "messages.update":
                yield from self._updated(data)
            case "messages.edited" | "send.message.update":
                yield from self._changed(data)
            case "messages.delete":
                yield from self._deleted(data)
            case "connection.update" | "status.instance":
                yield self._connection(data)
            case "qrcode.updated":
                yield self._qr_code(data)
            case "call":
                yield from self._call(data)
            case _ if name in _GONE:
                yield SessionChanged(SessionStatus.DISCONNECTED, self._now, "The number was taken out of Evolution.")
            case _:
                yield self._unknown(self._name, data)

    @staticmethod
    def _kept(value: Any) -> dict[str, Any]:
        kept = brief(plain(value))
        named = kept if isinstance(kept, dict) else {"body": kept}
        return {name: item for name, item in named.items() if name.lower() not in ("apikey", "api_key")}

    def _unknown(self, name: str, data: Any) -> Unrecognised:
        about = {key: self._body[key] for key in ("instance",) if isinstance(self._body.get(key), str)}
        return Unrecognised(name[:100], {**about, "event": self._name, "data": brief(plain(data))})

    def _message(self, data: dict[str, Any]) -> Iterator[ChannelEvent]:
        envelope = read_envelope(data, self._own, self._now)
        if envelope is None:
            yield self._unknown("message without id or chat", data)
            return
        if envelope.chat.is_status or envelope.chat.server == NEWSLETTER_SERVER:
            return  # a status post, or a post in a channel that the number follows
        chat, content = envelope.address, plain(data.get("message"))
        if chat is None:
            yield self._unknown(f"message in {envelope.chat.server[:50]}", data)
        elif not isinstance(content, dict) or not content:
            # What could not be decrypted: its content follows under the same id.
            yield self._unknown("message without content", data)
        else:
            yield from self._content(data, envelope, chat, with_context(content, plain(data.get("contextInfo"))))

    def _content(
        self, data: dict[str, Any], envelope: Envelope, chat: Address, content: dict[str, Any]
    ) -> Iterator[ChannelEvent]:
        key = data["key"]
        converted = convert_message(
            {
                "Info": {"Chat": str(envelope.chat), "ID": envelope.id},
                "Message": content,
                "IsViewOnce": key.get("isViewOnce") is True,
            },
            received_at=envelope.at,
            own=self._own,
        )
        match converted:
            case MessageReceived():
                others = person_alternates(key, envelope.person) if envelope.person else []
                event = replace(
                    finish(converted, content, data),
                    sent_at=envelope.at,
                    sender=envelope.person,
                    alternates=envelope.alternates,
                    push_name=envelope.push_name,
                    from_me=envelope.from_me,
                )
                yield replace(event, raw={**event.raw, "sender_alternates": others}) if others else event
            case MessageEdited() | MessageRevoked() if isinstance(converted.provider_id, str):
                yield replace(converted, chat=chat, alternates=envelope.alternates, from_me=envelope.from_me)
            case Ignored():
                return
            case _:
                yield self._unknown("unreadable message", data)

    def _updated(self, data: dict[str, Any]) -> Iterator[ChannelEvent]:
        """A status of one message; with ``message`` it is an edit, whose status means nothing."""
        nested = data.get("key") if isinstance(data.get("key"), dict) else None
        key = nested or {**data, "id": data.get("keyId") or data.get("id")}
        update = data.get("update") if isinstance(data.get("update"), dict) else data
        name, place = message_id(key), read_chat(key, self._own)
        if name is None:
            yield self._unknown("messages.update without id", data)
            return
        from_me = key.get("fromMe") is True
        if isinstance(content := pick(update, "message"), dict) and content:
            yield self._edit(name, place, plain(content), data, from_me=from_me)
            return
        stated = pick(update, "status")
        number = whole_number(stated)
        status = _STATUS_NAMES[number] if number is not None and 0 <= number < len(_STATUS_NAMES) else stated
        if status == "DELETED" or status not in (*_ACKS, "ERROR", "PENDING"):
            # Before 2.3.5 "DELETED" says only that there was no status: a deletion comes as messages.delete.
            yield self._unknown("messages.update without a status", data)
        elif status == "ERROR" and from_me:
            yield SendFailed((name,), self._now, "Evolution reports that WhatsApp refused the message.")
        elif from_me and isinstance(status, str) and status in _ACKS:
            yield ReceiptChanged((name,), _ACKS[status], self._now, place[0] if place else None)

    def _edit(
        self, name: str, place: tuple[Address, tuple[Address, ...]] | None, content: Any, data: Any, *, from_me: bool
    ) -> ChannelEvent:
        if place is None or not isinstance(content, dict):
            return self._unknown("edit without chat or content", data)
        inner, _ = unwrap(content)
        inner = pick(inner, "protocolMessage", "editedMessage") or inner
        event = convert_message(
            {
                "Info": {"Chat": "0@s.whatsapp.net", "ID": name},
                "Message": {"protocolMessage": {"type": "MESSAGE_EDIT", "key": {"id": name}, "editedMessage": inner}},
            },
            received_at=self._now,
        )
        if not isinstance(event, MessageEdited):
            return self._unknown("unreadable edit", data)
        at = moment(pick(content, "timestampMs")) or self._now
        return replace(event, chat=place[0], alternates=place[1], at=at, from_me=from_me)

    def _changed(self, data: dict[str, Any]) -> Iterator[ChannelEvent]:
        """A protocol message as it came: mostly an edit or a revoke, from its author's point of view."""
        body = plain(data.get("protocolMessage") or data)
        key, kind = pick(body, "key"), pick(body, "type")
        number = whole_number(kind)
        kind = number if number is not None else kind
        edited = pick(body, "editedMessage")
        is_edit = kind in _EDIT or (kind is None and isinstance(edited, dict))
        if not is_edit and kind not in _REVOKE:
            return  # the devices' own chatter: keys, history, disappearing messages
        name = message_id(key) if isinstance(key, dict) else None
        if name is None or not isinstance(key, dict):
            yield self._unknown("change without id", data)
            return
        place, from_me = read_chat(key, self._own), key.get("fromMe") is True
        if place is None or (from_me and not self._is_our_view(place[0])):
            yield self._unknown("change without its chat", data)
        elif is_edit:
            event = self._edit(name, place, edited, data, from_me=from_me)
            at = moment(pick(body, "timestampMs"))
            yield replace(event, at=at) if at and isinstance(event, MessageEdited) else event
        else:
            yield MessageRevoked(name, place[0], self._now, place[1], from_me)

    def _is_our_view(self, chat: Address) -> bool:
        """Whether an "own" change is ours indeed: to every author a change is his own, and the chat is called after
        the other end, which may be us, by phone or by a LID that is never told. Such a change is told once more from
        our side, by messages.update or messages.delete."""
        if self._name.lower().replace("_", ".") == "send.message.update" or chat.kind is AddressKind.GROUP:
            return True
        return chat.kind is AddressKind.PHONE and bool(self._own) and chat not in self._own

    def _deleted(self, data: dict[str, Any]) -> Iterator[ChannelEvent]:
        keys = data.get("keys") if isinstance(data.get("keys"), list) else [data.get("key") or data]
        for key in keys or []:
            name = message_id(key) if isinstance(key, dict) else None
            place = read_chat(key, self._own) if isinstance(key, dict) else None
            if isinstance(key, dict) and (jid := read_jid(key.get("remoteJid"))) and jid.is_status:
                continue
            if name is None or place is None:
                yield self._unknown("messages.delete without id or chat", data)
                continue
            yield MessageRevoked(name, place[0], self._now, place[1], key.get("fromMe") is True)

    def _connection(self, data: dict[str, Any]) -> ChannelEvent:
        stated = data.get("state") or data.get("status")
        status = _STATES.get(stated, SessionStatus.UNKNOWN) if isinstance(stated, str) else None
        if status is None:
            return self._unknown(f"{self._name} without state", data)
        reason = whole_number(data.get("statusReason", data.get("disconnectionReasonCode")))
        detail, account = "", None
        if status is SessionStatus.CONNECTED and isinstance(wuid := data.get("wuid"), str):
            account = wuid[:200] if read_jid(wuid) else None
        elif status is SessionStatus.QR_EXPIRED:
            detail = _QR_LIMIT
        elif status is SessionStatus.DISCONNECTED and reason == _RESTART:
            status = SessionStatus.CONNECTING  # WhatsApp asks for this after every pairing; it comes back by itself
        elif status is SessionStatus.DISCONNECTED and reason == _BANNED:
            status, detail = SessionStatus.RESTRICTED, "WhatsApp has banned this number for a while."
        elif status is SessionStatus.DISCONNECTED and reason in _ENDED:
            detail = _PAIR_AGAIN.format(reason)
        elif status is SessionStatus.UNKNOWN:
            detail = f"Evolution reports the state {str(stated)[:100]}."
        return SessionChanged(status, self._now, detail, account=account)

    def _qr_code(self, data: dict[str, Any]) -> ChannelEvent:
        code = pick(data, "qrcode", "code") or data.get("code")
        if isinstance(code, str) and code:
            return SessionChanged(SessionStatus.AWAITING_QR, self._now, qr=code)
        if isinstance(data.get("message"), str):
            return SessionChanged(SessionStatus.QR_EXPIRED, self._now, _QR_LIMIT)
        return self._unknown("qrcode.updated without code", data)

    def _call(self, data: dict[str, Any]) -> Iterator[ChannelEvent]:
        """A call that rings. How it ended comes under the same id and says nothing that anybody answers."""
        if data.get("status") != "offer":
            return
        name, caller = message_id(data), read_jid(data.get("from") or data.get("chatId"))
        group = read_jid(data.get("groupJid"))
        talk = group or caller
        chat = talk.address() if talk else None
        if name is None or chat is None:
            yield self._unknown("call without id or caller", data)
            return
        at = moment(data.get("date")) or self._now
        person = caller.address() if group and caller else None
        raw = {"call": {"video": data.get("isVideo") is True}}
        yield MessageReceived(name, chat, at, MessageKind.CALL, sender=person, raw=raw)
