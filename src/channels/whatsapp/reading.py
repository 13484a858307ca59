"""Which messages wait to be marked as read: WhatsApp expects that somebody who answers has read first."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .envelope import jid_from, pick
from .ids import Jid

if TYPE_CHECKING:
    from .neonize_client import NeonizeClient

log = logging.getLogger(__name__)

_CHATS = 1000
_PER_CHAT = 50


class UnreadMessages:
    """Remembers the newest unread messages of the latest chats; what a restart forgets only lacks its blue ticks."""

    def __init__(self) -> None:
        self._chats: OrderedDict[Jid, list[tuple[Jid, str]]] = OrderedDict()

    def add(self, message: Mapping[str, Any]) -> None:
        """Note a message event of the library's (own messages are not)."""
        info = pick(message, "Info")
        source, message_id = pick(info, "MessageSource"), pick(info, "ID")
        chat, sender = jid_from(pick(source, "Chat")), jid_from(pick(source, "Sender"))
        if chat is None or sender is None or not message_id or pick(source, "IsFromMe"):
            return
        waiting = self._chats.setdefault(chat.bare(), [])
        waiting.append((sender.bare(), message_id))
        del waiting[:-_PER_CHAT]
        self._chats.move_to_end(chat.bare())
        if len(self._chats) > _CHATS:
            self._chats.popitem(last=False)

    def take(self, chat: Jid) -> Iterator[tuple[Jid, list[str]]]:
        """What waits in a chat, by sender; it waits no longer."""
        by_sender: dict[Jid, list[str]] = {}
        for sender, message_id in self._chats.pop(chat.bare(), []):
            by_sender.setdefault(sender, []).append(message_id)
        yield from by_sender.items()

    async def attend(
        self, client: NeonizeClient, chat: Jid, typing_seconds: float, is_ready: Callable[[], bool]
    ) -> None:
        """Mark what waits in the chat as read and show "typing…". Fails silently: the message matters more."""
        from .neonize_client import SendFailedError  # noqa: PLC0415 - this module is of use without the library

        try:
            for sender, ids in self.take(chat):
                await client.mark_read(chat, sender, ids)
            if typing_seconds > 0:
                await client.show_typing(chat, typing=True)
                await asyncio.sleep(typing_seconds)
                if is_ready():
                    await client.show_typing(chat, typing=False)
        except SendFailedError as error:
            log.info("could not show attention in %s: %s", chat, error)
