"""A customer: a real neonize client in a process of its own, driven over stdin and stdout (see ``jsonlines``).

Run as ``python -m tests.fakewa.customer STORE PROXY_URL``; ``harness.Customer`` does. It uses the library barely and on
its own: nothing of the product is imported, so that it can tell on the product.

Commands: ``send`` (to, text, and optionally server) → event ``sent``; ``read`` (chat, ids) → ``marked``;
``pair_phone`` (phone) → ``code``; ``exit``. What the library refuses becomes ``refused``.
Events: ``qr``, ``connected``, ``disconnected``, ``logged_out``, ``message``, ``receipt``, ``typing``, ``failed``.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pylibmagic  # noqa: F401  # the library's import needs libmagic; this ships it
from neonize._binder import ProxySettings
from neonize.aioze import events
from neonize.aioze.client import NewAClient
from neonize.proto.Neonize_pb2 import Receipt
from neonize.utils.enum import ReceiptType
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

    async def _do_send(self, to: str, text: str, server: str = "s.whatsapp.net") -> None:
        sent = await self._client.send_message(build_jid(to, server), text)
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
        self._line.emit(
            "message",
            id=event.Info.ID,
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
