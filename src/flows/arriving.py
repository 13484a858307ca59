"""What an inbound event becomes before it is stored: storable text, keys that fit, addresses; nothing goes silently."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.base import (
    ChannelEvent,
    HistoryReceived,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReceiptChanged,
    SendFailed,
)
from domain.messages import Address, AddressKind, Author, MessageKind
from domain.text import storable, storable_json, storable_key
from store.messages import NewMessage

CLOCK_TOLERANCE = timedelta(minutes=5)
SILENT_KINDS = frozenset({MessageKind.REACTION, MessageKind.SYSTEM, MessageKind.POLL_VOTE, MessageKind.CALL})
"""What nobody wrote: it waits for no answer, and from our own phone it takes no conversation over."""


def with_keys(event: ChannelEvent) -> ChannelEvent:
    """The event with ids that can be keys. A sender chooses the ids of its messages."""
    match event:
        case MessageReceived(quoted_provider_id=str(quoted)):
            return replace(event, provider_id=storable_key(event.provider_id), quoted_provider_id=storable_key(quoted))
        case HistoryReceived(told):
            return HistoryReceived(tuple(one for each in told if isinstance(one := with_keys(each), MessageReceived)))
        case MessageReceived() | MessageEdited() | MessageRevoked():
            return replace(event, provider_id=storable_key(event.provider_id))
        case ReceiptChanged() | SendFailed():
            return replace(event, provider_ids=tuple(storable_key(id_) for id_ in event.provider_ids))
    return event


def clean(event: MessageReceived, author: Author, *, addressed: bool = True) -> NewMessage:
    """The event as a row: storable text, a time that is not in the future, everything unusual noted in ``content``.

    ``addressed``: whether it is meant for us at all; in a group most of what is said is not (see flows.groups).
    """
    text, problems = storable(event.text)
    now = datetime.now(UTC)
    content: dict[str, Any] = {}
    sent_at = event.sent_at
    if sent_at > now + CLOCK_TOLERANCE:
        problems.append("clock_in_the_future")
        content["stated_sent_at"] = sent_at.isoformat()
        sent_at = now
    if event.media:
        media = event.media
        content["media"] = storable_json(
            {
                "mime_type": media.mime_type,
                "file_name": media.file_name,
                "size_bytes": media.size_bytes,
                "url": media.url,
                **media.extra,
            }
        )
    if event.raw:
        content["raw"] = storable_json(event.raw)
    if event.awaiting:
        content["awaiting"] = event.awaiting
    if problems:
        content["problems"] = problems
    if not addressed:
        content["aside"] = True
    if event.chat.kind is AddressKind.GROUP and not event.from_me and event.push_name:
        content["sender_name"] = storable(event.push_name)[0][:200]
    is_empty_text = event.kind is MessageKind.TEXT and not text.strip()
    return NewMessage(
        provider_id=event.provider_id,
        chat=event.chat,
        author=author.value,
        kind=event.kind.value,
        text=text,
        content=content,
        sent_at=sent_at,
        sender=str(event.sender) if event.sender else None,
        quoted_provider_id=event.quoted_provider_id,
        historical=event.historical,
        starts_turn=(
            author is Author.CONTACT
            and not event.historical
            and event.kind not in SILENT_KINDS
            and not is_empty_text
            and addressed
        ),
    )


def push_name(event: MessageReceived) -> str | None:
    if event.from_me or event.chat.kind is AddressKind.GROUP or not event.push_name:
        return None
    return storable(event.push_name)[0][:200]


def addresses(event: MessageReceived | MessageEdited | MessageRevoked) -> tuple[Address, ...]:
    """All names of the chat's contact. A group has one name; other names there belong to the person who wrote."""
    return (event.chat,) if event.chat.kind is AddressKind.GROUP else (event.chat, *event.alternates)
