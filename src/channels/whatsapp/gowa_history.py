"""GOWA's own store of messages, read page by page for reconciliation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from channels.base import MessageReceived
from domain.messages import AddressKind, MediaReference, MessageKind

from .envelope import pick
from .gateway_http import LONGEST_LIST, GatewayHttp, Server
from .gowa_http import ask
from .ids import GROUP_SERVER, jid_of
from .waha_envelope import brief, read_jid, read_key, read_time

_PAGE = 100
_MOST_PAGES = 100
_KINDS = {
    "": MessageKind.TEXT,
    "image": MessageKind.IMAGE,
    "video": MessageKind.VIDEO,
    "video_note": MessageKind.VIDEO,
    "ptv": MessageKind.VIDEO,
    "audio": MessageKind.AUDIO,
    "ptt": MessageKind.VOICE,
    "document": MessageKind.DOCUMENT,
    "sticker": MessageKind.STICKER,
    "location": MessageKind.LOCATION,
    "contact": MessageKind.CONTACT,
    "poll": MessageKind.POLL,
    "call": MessageKind.CALL,
}
_WITHOUT_FILE = frozenset(
    {MessageKind.TEXT, MessageKind.CALL, MessageKind.LOCATION, MessageKind.CONTACT, MessageKind.POLL}
)


async def chats(http: GatewayHttp, server: Server, since: datetime) -> list[str]:
    """JIDs of the private chats and groups with a message since then."""
    found = []
    for page in range(_MOST_PAGES):
        params = {"limit": str(_PAGE), "offset": str(page * _PAGE)}
        results = await ask(http, server, "GET", "/chats", params=params, longest=LONGEST_LIST)
        rows = _rows(results)
        for row in rows:
            jid, at = read_jid(pick(row, "jid")), read_time(pick(row, "last_message_time"))
            if jid is not None and jid.address() is not None and (at is None or at >= since):
                found.append(str(jid))
        if len(rows) < _PAGE:
            break
    return found


async def messages(http: GatewayHttp, server: Server, chat: str, since: datetime) -> AsyncIterator[MessageReceived]:
    """The messages of one chat since then, oldest first (GOWA tells the newest first)."""
    found: dict[str, MessageReceived] = {}
    path = f"/chat/{quote(chat, safe='@')}/messages"
    start = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for page in range(_MOST_PAGES):
        params = {"limit": str(_PAGE), "offset": str(page * _PAGE), "start_time": start}
        rows = _rows(await ask(http, server, "GET", path, params=params, longest=LONGEST_LIST))
        for row in rows:
            if (message := _message(row, chat)) is not None and message.sent_at >= since:
                found.setdefault(message.provider_id, message)
        if len(rows) < _PAGE:
            break
    for message in sorted(found.values(), key=lambda each: each.sent_at):
        yield message


def _rows(results: Any) -> list[Any]:
    rows = pick(results, "data")
    return rows if isinstance(rows, list) else []


def _message(row: Any, chat: str) -> MessageReceived | None:
    """One stored message. None without id, chat or time: it could not be matched with what webhooks told."""
    key, at = read_key(pick(row, "id")), read_time(pick(row, "timestamp"))
    jid, sender = read_jid(pick(row, "chat_jid")) or read_jid(chat), read_jid(pick(row, "sender_jid"))
    address = jid.address() if jid else None
    if key is None or at is None or jid is None or address is None:
        return None
    stated, content = pick(row, "media_type"), pick(row, "content")
    kind = _KINDS.get(stated, MessageKind.UNKNOWN) if isinstance(stated, str) else MessageKind.TEXT
    text = content if isinstance(content, str) and kind is not MessageKind.CALL else ""
    if kind is MessageKind.TEXT and not text:
        kind = MessageKind.UNKNOWN
    from_me = pick(row, "is_from_me") is True
    known = {"content": brief(row)} if kind is MessageKind.UNKNOWN else {}
    if kind is MessageKind.CALL:
        known = {"call": brief(row)}
    person = sender.address() if sender and jid.server == GROUP_SERVER else None
    other = sender.address() if sender and not from_me and jid.server != GROUP_SERVER else None
    alternates = (other,) if other and {other.kind, address.kind} == {AddressKind.PHONE, AddressKind.LID} else ()
    return MessageReceived(
        provider_id=key.id,
        chat=address,
        sent_at=at,
        kind=kind,
        text=text,
        sender=person,
        alternates=alternates,
        media=None if kind in _WITHOUT_FILE else _media(row, key.id, str(jid_of(address))),
        from_me=from_me,
        raw=known,
    )


def _media(row: Any, message_id: str, chat: str) -> MediaReference | None:
    url, size, name = pick(row, "url"), pick(row, "file_length"), pick(row, "filename")
    if not isinstance(url, str) or not url:
        return None
    return MediaReference(
        file_name=name if isinstance(name, str) and name else None,
        size_bytes=size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None,
        extra={"message_id": message_id, "chat": chat, "whatsapp_url": url[:2000]},
    )
