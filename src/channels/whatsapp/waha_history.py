"""WAHA's own store of messages, read page by page for reconciliation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from channels.base import MessageReceived
from domain.messages import Address

from .envelope import pick
from .gateway_http import LONGEST_LIST, GatewayHttp, Server
from .waha_envelope import read_jid, read_time
from .waha_events import parse
from .waha_http import chat_of, step

_PAGE = 100
_MOST_PAGES = 100


async def chats(http: GatewayHttp, server: Server, session: str, since: datetime) -> list[Address]:
    """The private chats and groups with a message since then."""
    found = []
    for page in range(_MOST_PAGES):
        params = {"limit": str(_PAGE), "offset": str(page * _PAGE)}
        path = f"/api/{step(session)}/chats/overview"
        rows = await http.ask(server, "GET", path, params=params, longest=LONGEST_LIST)
        rows = rows if isinstance(rows, list) else []
        for row in rows:
            jid, at = read_jid(pick(row, "id")), read_time(pick(row, "lastMessage", "timestamp"))
            address = jid.address() if jid else None
            if address is not None and (at is None or at >= since):
                found.append(address)
        if len(rows) < _PAGE:
            break
    return found


async def messages(
    http: GatewayHttp, server: Server, session: str, chat: Address, since: datetime
) -> AsyncIterator[MessageReceived]:
    """The messages of one chat since then, oldest first. Files are left to be fetched on their own."""
    found: dict[str, MessageReceived] = {}
    path = f"/api/{step(session)}/chats/{step(chat_of(chat))}/messages"
    for page in range(_MOST_PAGES):
        params = {
            "limit": str(_PAGE),
            "offset": str(page * _PAGE),
            "downloadMedia": "false",
            "sortBy": "timestamp",
            "sortOrder": "desc",
            "filter.timestamp.gte": str(int(since.timestamp())),
        }
        rows = await http.ask(server, "GET", path, params=params, longest=LONGEST_LIST)
        rows = rows if isinstance(rows, list) else []
        for row in rows:
            if (message := _message(row, chat)) is not None and message.sent_at >= since:
                found.setdefault(message.provider_id, message)
        if len(rows) < _PAGE:
            break
    for message in sorted(found.values(), key=lambda each: each.sent_at):
        yield message


def _message(row: Any, chat: Address) -> MessageReceived | None:
    """One stored message, as its webhook would have told it. None without a time of its own."""
    if read_time(pick(row, "timestamp")) is None:
        return None
    for event in parse({"event": "message.any", "payload": row}):
        if isinstance(event, MessageReceived):
            # A chat asked for by one name may answer under the other.
            known = () if event.chat == chat or event.chat.kind is chat.kind else (chat,)
            return replace(event, alternates=tuple(dict.fromkeys((*event.alternates, *known))))
    return None
