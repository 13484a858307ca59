"""WAHA's events beside messages: poll votes, answers to events, calls, and those that concern nobody here."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from channels.base import ChannelEvent, MessageReceived, Unrecognised
from domain.messages import Address, MessageKind

from .envelope import pick
from .waha_envelope import brief, own_addresses, read_envelope, read_jid, read_key, read_time, tidy

UNIMPORTANT = frozenset(
    {
        "chat.archive",
        "engine.event",
        "state.change",  # WEBJS's own word for what session.status says
        "group.join",
        "group.leave",
        "group.update",
        "group.v2.join",
        "group.v2.leave",
        "group.v2.update",
        "group.v2.participants",
        "label.upsert",
        "label.deleted",
        "label.chat.added",
        "label.chat.deleted",
        "call.accepted",
        "call.rejected",
    }
)
_POSTS = frozenset({"status post", "newsletter post"})
_ANSWERS = frozenset({"poll.vote", "poll.vote.failed", "event.response", "event.response.failed", "call.received"})


def parse_more(payload: object, *, received_at: datetime | None = None) -> list[ChannelEvent] | None:
    """The events of a webhook that this module knows; None for any other. Never raises."""
    name = payload.get("event") if isinstance(payload, dict) else None
    if not isinstance(payload, dict) or not isinstance(name, str):
        return None
    if name in UNIMPORTANT:
        return []
    if name not in _ANSWERS:
        return None
    body = tidy(payload)
    content, own = body.get("payload"), own_addresses(body.get("me"))
    at = read_time(body.get("timestamp")) or received_at or datetime.now(UTC)
    found: ChannelEvent | None = None
    if isinstance(content, dict):
        if name == "call.received":
            found = _call(content, at)
        elif name.startswith("poll."):
            found = _vote(content, own, at)
        else:
            found = _response(content, own, at)
    return [found or Unrecognised(name, brief(body))]


def is_unimportant(event: ChannelEvent) -> bool:
    """Posts and the devices' chatter, which the message reader tells by name."""
    return isinstance(event, Unrecognised) and (event.name in _POSTS or event.name.startswith("ignored: "))


def _message(content: dict[str, Any], own: frozenset[Address], at: datetime) -> MessageReceived | None:
    """Who answered where and when."""
    envelope = read_envelope(content, own, at)
    chat = envelope.address if envelope else None
    if envelope is None or chat is None:
        return None
    return MessageReceived(
        provider_id=envelope.id,
        chat=chat,
        sent_at=envelope.at,
        sender=envelope.person,
        alternates=envelope.alternates,
        push_name=envelope.push_name,
        from_me=envelope.from_me,
    )


def _id(value: object) -> str | None:
    key = read_key(value)
    return key.id if key else None


def _vote(content: dict[str, Any], own: frozenset[Address], at: datetime) -> MessageReceived | None:
    """Somebody's present choice; each change of it comes anew. None of the options where WAHA could not decrypt it."""
    vote = content.get("vote")
    if not isinstance(vote, dict):
        return None
    stated = vote.get("selectedOptions")
    chosen = [option for option in stated if isinstance(option, str)] if isinstance(stated, list) else []
    # In a group the voter stands in ``from``.
    message = _message({"participant": vote.get("from"), **vote, "_data": content.get("_data")}, own, at)
    if message is None:
        return None
    quoted, raw = _id(pick(content, "poll", "id")), {"poll_vote": {"options": chosen[:20]}}
    text = ", ".join(chosen)[:1000]
    return replace(message, kind=MessageKind.POLL_VOTE, text=text, quoted_provider_id=quoted, raw=raw)


def _response(content: dict[str, Any], own: frozenset[Address], at: datetime) -> MessageReceived | None:
    """An answer to an event that was planned on the phone."""
    message, answer = _message(content, own, at), content.get("eventResponse")
    if message is None:
        return None
    said, quoted = pick(answer, "response"), _id(pick(content, "eventCreationKey", "id"))
    if not isinstance(said, str):
        return replace(message, kind=MessageKind.UNKNOWN, quoted_provider_id=quoted, raw={"content": brief(content)})
    raw = {"event_response": brief(answer)}
    return replace(message, kind=MessageKind.BUTTON_ANSWER, text=said, quoted_provider_id=quoted, raw=raw)


def _call(content: dict[str, Any], at: datetime) -> MessageReceived | None:
    key, jid = read_key(content.get("id")), read_jid(content.get("from"))
    chat = jid.address() if jid else None
    if key is None or chat is None:
        return None
    return MessageReceived(
        provider_id=key.id,
        chat=chat,
        sent_at=read_time(content.get("timestamp")) or at,
        kind=MessageKind.CALL,
        raw={"call": brief(content)},
    )
