"""The server: takes connections, hands stanzas to the part that handles them, and lets a test pull the strings."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time

from . import protobuf, websocket
from .accounts import Directory
from .connection import Connection
from .groups import Groups
from .iq import Requests
from .login import log_in
from .media import HOST as MEDIA_HOST
from .media import PICTURES, MediaHost
from .nodes import JID, LID, PHONE, Node
from .noise import CertificateChain, KeyPair
from .pairing import Pairing
from .relay import Relay

log = logging.getLogger("fakewa")


class FakeWhatsApp:
    """Start it, point clients at ``proxy_url``, then play the phones: ``scan``, ``enter_code``, ``unlink``."""

    def __init__(self, root: KeyPair, tls: ssl.SSLContext) -> None:
        self._chain, self._tls = CertificateChain(root), tls
        self._connections: dict[asyncio.Task[None], Connection | None] = {}
        self._server: asyncio.Server | None = None
        self.directory = Directory()
        self.pairing = Pairing(self.directory)
        self.groups = Groups(self.directory)
        self.relay = Relay(self.directory, self.groups)
        self.requests = Requests(self.directory, self.pairing, self.groups)
        self.media = MediaHost()
        self.qr_codes = 6
        """How many QR codes a client gets before it must give up."""
        self.login_failure = 0
        """A failure reason that every login gets, when not 0."""
        self.closed = False
        """Whether new connections are cut off at once, as if there were no way to WhatsApp."""
        self._told = 0
        self.handshakes_refused = 0
        """Connections that ended before the Noise handshake was through."""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Close the port and cut every connection."""
        self.directory.faults.stop()
        if self._server is not None:
            self._server.close()
        for task, client in list(self._connections.items()):
            if client:
                client.socket.abort()
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def proxy_url(self) -> str:
        """What clients get as their proxy setting."""
        if self._server is None:
            raise RuntimeError("start() the server first")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def scan(self, qr: str, phone: str, *, name: str = "", forged: bool = False, primary: bool = False) -> JID:
        """Scan a client's QR code with the phone of that number; see Pairing.scan."""
        return await self.pairing.scan(qr, phone, name=name, forged=forged, primary=primary)

    async def enter_code(self, code: str, phone: str, *, name: str = "") -> JID:
        """Type a client's pairing code into the phone of that number."""
        return await self.pairing.enter_code(code, phone, name=name)

    def tell_of_picture(self, phone: str, to: str) -> None:
        """Tell the devices of number ``to`` that the picture of ``phone`` is another one now, or none."""
        account = self.directory.account(phone)
        who, at = JID(account.lid, LID), str(int(time.time()))
        change = Node("set", {"jid": who, "author": who, "id": account.picture.id}) if account.picture else None
        for device in self.directory.account(to).devices.values():
            self._told += 1
            head = {"from": who, "type": "picture", "id": f"picture-{self._told}", "t": at}
            device.push(Node("notification", head, [change or Node("delete", {"jid": who, "author": who})]))

    def drop(self, jid: JID) -> None:
        """Cut a device's TCP connection without a word."""
        connection = self.directory.device(jid).connection
        if connection is None:
            raise LookupError(f"{jid} is not connected")
        connection.socket.abort()

    async def unlink(self, jid: JID) -> None:
        """What the phone's owner does under "Linked devices → Log out"."""
        device = self.directory.device(jid)
        del self.directory.account(jid.user).devices[jid.device]
        if connection := device.connection:
            reason = [Node("conflict", {"type": "device_removed"})]
            connection.send(Node("stream:error", {"code": "401"}, reason))
            await asyncio.sleep(0.05)  # WhatsApp lets the client read the reason before it closes
            connection.socket.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:  # asyncio runs this in a task of its own
            raise RuntimeError("not called by the server")
        if self.closed:
            writer.transport.abort()
            return
        self._connections[task] = None
        try:
            if await websocket.tunnel(reader, writer, self._tls) in (MEDIA_HOST, PICTURES):
                await self.media.serve(reader, writer)
                return
            self._connections[task] = client = await self._open(reader, writer)
            if self._admit(client):
                while True:
                    node = await client.receive()
                    if not client.mute:
                        self._dispatch(client, node)
        except asyncio.CancelledError:
            log.debug("the server stops")
        except (websocket.ConnectionEndedError, asyncio.IncompleteReadError, OSError) as error:
            log.debug("connection ended: %r", error)
        except Exception:
            log.exception("connection failed")
        finally:
            self._forget(self._connections.pop(task))
            writer.close()

    async def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Connection:
        socket = await websocket.accept(reader, writer)
        try:
            return await Connection.open(socket, self._chain)
        except websocket.ConnectionEndedError:
            self.handshakes_refused += 1
            raise

    @staticmethod
    def _forget(client: Connection | None) -> None:
        if client and client.device and client.device.connection is client:
            client.device.connection = None

    def _admit(self, client: Connection) -> bool:
        payload = protobuf.Fields(client.payload)
        if 19 in payload:
            self.pairing.offer(client, payload.message(19), self.qr_codes)
            return True
        jid = JID(str(payload.number(1)), PHONE, payload.number(18))
        return log_in(client, self.directory, jid, self.login_failure)

    def _dispatch(self, client: Connection, node: Node) -> None:
        if node.tag == "iq":
            self.requests.accept(client, node)
        elif node.tag == "presence":
            client.peer.push_name = node.text("name", client.peer.push_name)
        elif client.device:
            self.relay.accept(client, node)
