"""A customer: a real neonize client in a process of its own, driven over stdin and stdout (see ``jsonlines``).

Run as ``python -m tests.fakewa.customer STORE PROXY_URL``; ``harness.Customer`` does. It uses the library barely and on
its own: nothing of the product is imported, so that it can tell on the product.

Commands: ``send`` (to, text or ``content``: whatsmeow's Message as JSON, and optionally server) → event ``sent``;
``upload`` (base64, kind) → ``uploaded`` with the fields of the message; ``download`` (id) → ``downloaded``;
``vote`` (id of a poll that came, options) → ``sent``; ``tell_history`` (to: our own number, history: HistorySync as
JSON) → ``sent``; ``read`` (chat, ids) → ``marked``; ``pair_phone`` (phone) → ``code``; ``exit``. What the library
refuses becomes ``refused``.
Events: ``qr``, ``connected``, ``disconnected``, ``logged_out``, ``message``, ``receipt``, ``typing``, ``failed``.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
import zlib
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pylibmagic  # noqa: F401  # the library's import needs libmagic; this ships it
from google.protobuf.json_format import MessageToDict, ParseDict
from neonize._binder import ProxySettings
from neonize.aioze import events
from neonize.aioze.client import NewAClient
from neonize.proto.Neonize_pb2 import Receipt
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import (
    ContextInfo,
    ExtendedTextMessage,
    HistorySyncNotification,
    Message,
    ProtocolMessage,
)
from neonize.proto.waHistorySync.WAWebProtobufsHistorySync_pb2 import HistorySync
from neonize.utils.enum import MediaType, ReceiptType
from neonize.utils.jid import Jid2String, JIDToNonAD, build_jid

from .jsonlines import Fields, Line

STORE_OPTIONS = "?_foreign_keys=on&_journal_mode=WAL&_synchronous=OFF&z="
"""Makes sqlite fast; the library appends its own question mark, which ``z`` swallows."""


def _text(message: Any) -> str:
    return str(message.conversation or message.extendedTextMessage.text)


class Customer:
    """The client, its event handlers and its commands."""

    def __init__(self, line: Line, store: str) -> None:
        self._line = line
        self._came: dict[str, Any] = {}
        self._client = NewAClient(store + STORE_OPTIONS, uuid="customer")
        self._client.event.qr(self._on_qr)
        handlers: dict[Any, Callable[[Any], None]] = {
            events.ConnectedEv: lambda _: line.emit("connected"),
            events.DisconnectedEv: lambda _: line.emit("disconnected"),
            events.LoggedOutEv: lambda _: line.emit("logged_out"),
            events.MessageEv: self._on_message,
            events.ReceiptEv: self._on_receipt,
            events.ChatPresenceEv: self._on_typing,
        }
        for kind, handler in handlers.items():
            self._client.event(kind)(self._reported(handler))

    async def connect(self, proxy_url: str) -> None:
        task = await self._client.connect(ProxySettings(proxy_url))
        task.add_done_callback(self._on_end)

    async def obey(self, command: Fields) -> None:
        try:
            await getattr(self, "_do_" + command["do"])(**command["with"])
        except Exception as error:
            traceback.print_exc()
            self._line.emit("refused", error=str(error))

    async def _do_send(
        self, to: str, text: str = "", server: str = "s.whatsapp.net", content: Fields | None = None
    ) -> None:
        message = ParseDict(content, Message()) if content is not None else text
        # A phone puts a secret into each message, for the reactions and edits to come; the library only if told to.
        sent = await self._client.send_message(build_jid(to, server), message, add_msg_secret=True)
        self._line.emit("sent", id=sent.ID, to=to)

    async def _do_upload(self, base64: str, kind: str) -> None:
        done = await self._client.upload(b64decode(base64), MediaType[kind])
        named = {"mediaKey": done.MediaKey, "fileEncSHA256": done.FileEncSHA256, "fileSHA256": done.FileSHA256}
        fields = {name: b64encode(value).decode() for name, value in named.items()}
        place = {"directPath": done.DirectPath, "fileLength": done.FileLength}
        self._line.emit("uploaded", url=done.url, fields={**place, **fields})

    async def _do_download(self, id: str) -> None:  # noqa: A002 - the command's field
        data = await self._client.download_any(self._came[id].Message)
        self._line.emit("downloaded", id=id, base64=b64encode(data).decode())

    async def _do_vote(self, id: str, options: list[str]) -> None:  # noqa: A002
        info = self._came[id].Info
        vote = await self._client.build_poll_vote(info, options)
        sent = await self._client.send_message(info.MessageSource.Chat, vote)
        self._line.emit("sent", id=sent.ID, to="poll")

    async def _do_tell_history(self, to: str, history: Fields) -> None:
        blob = zlib.compress(ParseDict(history, HistorySync()).SerializeToString())
        done = await self._client.upload(blob, MediaType.MediaHistory)
        said = HistorySyncNotification(
            fileSHA256=done.FileSHA256,
            fileEncSHA256=done.FileEncSHA256,
            fileLength=done.FileLength,
            mediaKey=done.MediaKey,
            directPath=done.DirectPath,
            syncType="RECENT",
        )
        kind = "HISTORY_SYNC_NOTIFICATION"
        message = Message(protocolMessage=ProtocolMessage(type=kind, historySyncNotification=said))
        sent = await self._client.send_message(build_jid(to), message)
        self._line.emit("sent", id=sent.ID, to=to)

    async def _do_send_group(self, to: str, text: str, mention: str = "", quote: str = "", author: str = "") -> None:
        """``mention``: who is named in the text; ``quote``: the id of a message of ``author`` (JIDs as text)."""
        context = ContextInfo(mentionedJID=[mention] if mention else [])
        if quote:
            context.stanzaID, context.participant = quote, author
            context.quotedMessage.conversation = "?"
        message = Message(extendedTextMessage=ExtendedTextMessage(text=text, contextInfo=context))
        sent = await self._client.send_message(build_jid(to, "g.us"), message)
        self._line.emit("sent", id=sent.ID, to=to)

    async def _do_read(self, chat: str, ids: list[str], played: bool = False) -> None:
        user, server = chat.split("@")
        jid = build_jid(user, server)
        kind = ReceiptType.PLAYED if played else ReceiptType.READ
        await self._client.mark_read(*ids, chat=jid, sender=jid, receipt=kind)
        self._line.emit("marked", ids=ids)

    async def _do_pair_phone(self, phone: str) -> None:
        self._line.emit("code", code=await self._client.PairPhone(phone, show_push_notification=True))

    async def _do_exit(self) -> None:
        os._exit(0)

    def _reported(self, handler: Callable[[Any], None]) -> Callable[[Any, Any], Awaitable[None]]:
        async def run(_client: Any, event: Any) -> None:
            try:
                handler(event)
            except Exception:
                self._line.emit("failed", error=traceback.format_exc())

        return run

    async def _on_qr(self, _client: Any, code: bytes) -> None:
        self._line.emit("qr", code=code.decode())

    def _on_message(self, event: Any) -> None:
        source = event.Info.MessageSource
        self._came[event.Info.ID] = event
        self._line.emit(
            "message",
            id=event.Info.ID,
            content=MessageToDict(event.Message),
            text=_text(event.Message),
            chat=Jid2String(JIDToNonAD(source.Chat)),
            sender=Jid2String(source.Sender),
            sender_alt=Jid2String(source.SenderAlt),
            timestamp=event.Info.Timestamp,
        )

    def _on_receipt(self, event: Any) -> None:
        kind = Receipt.ReceiptType.Name(event.Type).lower()
        self._line.emit("receipt", ids=list(event.MessageIDs), kind=kind)

    def _on_typing(self, event: Any) -> None:
        self._line.emit("typing", chat=Jid2String(event.MessageSource.Chat), state=int(event.State))

    def _on_end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        self._line.emit("failed" if error else "ended", error=str(error))


async def main(store: str, proxy_url: str) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(8))  # connect() holds one thread for life
    line = Line()
    customer = Customer(line, store)
    await customer.connect(proxy_url)
    running = set()
    while True:
        task = asyncio.create_task(customer.obey(await line.command()))
        running.add(task)
        task.add_done_callback(running.discard)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
