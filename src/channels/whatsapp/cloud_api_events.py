"""From a Cloud API webhook's JSON (Graph v25.0) to channel events.

One body may hold several entries, changes, messages and receipts. ``parse`` never raises: whatever is not understood
becomes Unrecognised, and one odd message never takes the others of its delivery with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    Unrecognised,
)
from domain.messages import Ack, Address, AddressKind, MessageKind

from .cloud_api_account import account_event
from .cloud_api_contents import read_content
from .cloud_api_errors import hint_for
from .cloud_api_people import find_person, own_number, read_group, read_phone, read_user_id
from .envelope import pick
from .waha_envelope import brief, read_time, tidy

_ACKS = {"sent": Ack.SERVER, "delivered": Ack.DEVICE, "read": Ack.READ, "played": Ack.PLAYED}
_QUIET_STATUSES = frozenset({"accepted", "pending"})
_LONGEST_ID = 512
_LONGEST_DETAIL = 500


def parse(body: object, *, number: str = "", received_at: datetime | None = None) -> list[ChannelEvent]:
    """The events in one webhook body (decoded JSON of any shape).

    ``number``: the phone number id that it is for; changes of another one are kept as Unrecognised (the door takes
    deliveries apart with cloud_api_webhook.route before). ``received_at`` stands in for times that are not told.
    """
    now = received_at or datetime.now(UTC)
    tidied = tidy(body)
    entries = pick(tidied, "entry")
    if not isinstance(entries, list):
        return [Unrecognised("not_a_delivery", {"body": brief(tidied)})]
    events: list[ChannelEvent] = []
    for entry in entries:
        changes = pick(entry, "changes")
        at = read_time(pick(entry, "time")) or now
        if not isinstance(changes, list):
            events.append(Unrecognised("entry without changes", {"entry": brief(entry)}))
            continue
        for change in changes:
            events += _change_events(change, number, at)
    return events


def _change_events(change: object, number: str, at: datetime) -> list[ChannelEvent]:
    field, value = pick(change, "field"), pick(change, "value")
    if not isinstance(field, str) or not isinstance(value, dict):
        return [Unrecognised("change without field or value", {"change": brief(change)})]
    stated = pick(value, "metadata", "phone_number_id")
    if number and stated is not None and str(stated) != number:
        return [_unknown(f"{field} of another number", field, value)]
    try:
        return _Change(field, value, at).events()
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError, RecursionError) as error:
        return [_unknown(f"{field} unreadable ({type(error).__name__})", field, value)]


def _unknown(name: str, field: str, value: object) -> Unrecognised:
    return Unrecognised(name[:100].strip() or "unnamed", {"field": field[:100], "value": brief(value)})


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID else None


class _Change:
    """One change on its way to events."""

    def __init__(self, field: str, value: dict[str, Any], at: datetime) -> None:
        self._field, self._value, self._at = field, value, at
        self._own = own_number(value)
        self._cards = value.get("contacts")

    def events(self) -> list[ChannelEvent]:
        """The switch over the fields of Meta's webhook."""
        about_account = account_event(self._field, self._value, self._at)
        if about_account is not None:
            return about_account
        match self._field:
            case "history":
                return self._history()
            case "calls":
                return self._calls()
            case "standby" | "messaging_handovers":
                # Another app holds these conversations: it answers, we keep.
                return [_unknown(self._field, self._field, self._value)]
        lists = ("messages", "message_echoes", "statuses")
        if not any(isinstance(self._value.get(name), list) for name in lists):
            return [_unknown(self._field, self._field, self._value)]
        messages, echoes = _items(self._value.get("messages")), _items(self._value.get("message_echoes"))
        events: list[ChannelEvent] = []
        events += self._each(messages, lambda item, n: self._message(item, n, len(messages)))
        events += self._each(echoes, lambda item, n: self._message(item, n, len(echoes), from_me=True))
        events += self._each(_items(self._value.get("statuses")), self._status)
        return events or [_unknown(f"{self._field} with nothing in it", self._field, self._value)]

    def _each(self, items: list[Any], read: Callable[[dict[str, Any], int], ChannelEvent | None]) -> list[ChannelEvent]:
        events: list[ChannelEvent] = []
        for position, item in enumerate(items):
            try:
                event = read(item, position) if isinstance(item, dict) else self._odd(item)
            except (TypeError, ValueError, AttributeError, KeyError, OverflowError, RecursionError):
                event = self._odd(item)
            if event is not None:
                events.append(event)
        return events

    def _odd(self, item: object, why: str = "unreadable item") -> Unrecognised:
        metadata = {"metadata": brief(self._value.get("metadata")), "contacts": brief(self._cards)}
        return Unrecognised(
            f"{self._field}: {why}"[:100], {"field": self._field[:100], **metadata, "item": brief(item)}
        )

    def _message(
        self, message: dict[str, Any], position: int, of: int, *, from_me: bool = False, historical: bool = False
    ) -> ChannelEvent:
        provider_id = _id(message.get("id"))
        if provider_id is None:
            return self._odd(message, "message without id")
        names: list[Address | None]
        if from_me:
            names = [read_phone(message.get("to")), read_user_id(message.get("to_user_id"))]
            names += [read_user_id(message.get("to_parent_user_id"))]
            if self._own is not None and self._own in names:
                names = [read_phone(message.get("from"))]  # turned round: the chat is the end that is not ourselves
        else:
            names = [read_phone(message.get("from")), read_user_id(message.get("from"))]
            names += [read_user_id(message.get("from_user_id")), read_user_id(message.get("from_parent_user_id"))]
        person = find_person(names, self._cards, position=position, of=of)
        group = read_group(message.get("group_id"))
        chat = group or (person.address if person else None)
        if chat is None:
            return self._odd(message, "message of nobody")
        received = MessageReceived(
            provider_id=provider_id,
            chat=chat,
            sent_at=read_time(message.get("timestamp")) or self._at,
            sender=person.address if group and person and not from_me else None,
            alternates=() if group or person is None else person.alternates,
            push_name=None if from_me or person is None else person.push_name,
            from_me=from_me,
            historical=historical,
        )
        return self._typed(received, message)

    def _typed(self, received: MessageReceived, message: dict[str, Any]) -> ChannelEvent:
        """The switch over what is no message of its own; all else is."""
        kind = message.get("type")
        target = _id(pick(message, kind, "original_message_id")) if kind in ("edit", "revoke") else None
        if kind == "edit" and target and isinstance(pick(message, "edit", "message"), dict):
            edited = read_content(message["edit"]["message"])
            return MessageEdited(
                target, received.chat, edited.text, received.sent_at, received.alternates, received.from_me
            )
        if kind == "revoke" and target:
            return MessageRevoked(target, received.chat, received.sent_at, received.alternates, received.from_me)
        content = read_content(message, self._value.get("errors"))
        if content.kind is MessageKind.SYSTEM:
            received = self._moved(received, message.get("system"))
        return replace(
            received,
            kind=content.kind,
            text=content.text,
            raw=content.raw,
            media=content.media,
            quoted_provider_id=content.quoted,
        )

    @staticmethod
    def _moved(received: MessageReceived, system: object) -> MessageReceived:
        """A person changed the number or the id: it is the same contact, who answers under the new name now."""
        new = read_phone(pick(system, "wa_id")) or read_phone(pick(system, "new_wa_id"))
        ids = (read_user_id(pick(system, "user_id")), read_user_id(pick(system, "parent_user_id")))
        if received.chat.kind is AddressKind.GROUP or not (new or any(ids)):
            return received
        names = dict.fromkeys(name for name in (new, received.chat, *received.alternates, *ids) if name)
        return replace(received, chat=next(iter(names)), alternates=tuple(names)[1:])

    def _status(self, status: dict[str, Any], _position: int) -> ChannelEvent | None:
        provider_id, state = _id(status.get("id")), status.get("status")
        if provider_id is None or not isinstance(state, str):
            return self._odd(status, "status without id")
        key = status.get("biz_opaque_callback_data")
        key = key if isinstance(key, str) and key else None
        at = read_time(status.get("timestamp")) or self._at
        if state == "failed":
            return SendFailed((provider_id,), at, _explained(status.get("errors")), key)
        ack = _ACKS.get(state)
        if ack is None:
            return None if state in _QUIET_STATUSES else self._odd(status, f"status {state}")
        ids = (read_user_id(status.get("recipient_user_id")), read_user_id(status.get("recipient_parent_user_id")))
        if status.get("recipient_type") == "group":
            chat = read_group(status.get("recipient_id"))
        else:
            person = find_person((read_phone(status.get("recipient_id")), *ids), None, position=0, of=0)
            chat = person.address if person else None
        return ReceiptChanged((provider_id,), ack, at, chat, key)

    def _history(self) -> list[ChannelEvent]:
        """Past messages of a number that is used in the WhatsApp Business app as well: stored, never answered."""
        late = _items(self._value.get("messages"))  # the files of earlier ones
        events = self._each(late, lambda item, n: self._past(item, n, len(late), None))
        for chunk in _items(self._value.get("history")):
            if problems := pick(chunk, "errors"):
                events.append(self._odd({"errors": problems}, "history is not shared"))
            for thread in _items(pick(chunk, "threads")):
                events += self._thread(thread)
        known = isinstance(self._value.get("history"), list) or late
        return events if known else [_unknown("history", self._field, self._value)]

    def _thread(self, thread: Mapping[str, Any]) -> list[ChannelEvent]:
        return self._each(_items(pick(thread, "messages")), lambda item, n: self._past(item, n, 0, thread))

    def _past(self, message: dict[str, Any], position: int, of: int, thread: Mapping[str, Any] | None) -> ChannelEvent:
        customer, writer = pick(thread, "id"), read_phone(message.get("from"))
        mine = pick(message, "history_context", "from_me")
        from_me = mine if isinstance(mine, bool) else (writer is not None and writer == self._own) or "to" in message
        chat = read_phone(customer) or read_user_id(customer)
        if from_me:
            message = {**message, "to": message.get("to") or (chat.value if chat else None)}
        elif chat is not None and writer is None:
            message = {**message, "from": chat.value}
        return self._message(message, position, of, from_me=from_me, historical=True)

    def _calls(self) -> list[ChannelEvent]:
        """A customer's call is a message of its own kind; how calls go on concerns nobody here."""
        return self._each(_items(self._value.get("calls")), self._call) + self._each(
            [item for item in _items(self._value.get("statuses")) if pick(item, "type") != "call"],
            self._status,
        )

    def _call(self, call: dict[str, Any], position: int) -> ChannelEvent | None:
        event, direction = call.get("event"), call.get("direction")
        if direction != "USER_INITIATED" or event not in ("connect", "terminate"):
            return self._odd(call, f"call {event} {direction}")
        if event == "terminate":
            return None
        facts = {name: call[name] for name in ("event", "direction", "status", "deeplink_payload") if name in call}
        message = {**call, "type": "call", "call": facts}
        received = self._message(message, position, len(_items(self._value.get("calls"))))
        if not isinstance(received, MessageReceived):
            return received
        return replace(received, kind=MessageKind.CALL, text="", raw={"content": {"call": brief(facts)}})


def _explained(errors: object) -> str:
    """Meta's reasons for a message that will not arrive, as one line."""
    lines = []
    for error in _items(errors):
        told = (pick(error, "title"), pick(error, "message"), pick(error, "error_data", "details"))
        words = list(dict.fromkeys(text for text in told if isinstance(text, str) and text))
        code = pick(error, "code")
        line = f"{': '.join(words)} ({code})" if isinstance(code, int) else ": ".join(words)
        hint = hint_for(code)
        lines.append(f"{line}. {hint}" if hint else line)
    return "; ".join(line for line in lines if line)[:_LONGEST_DETAIL]
