"""One client's connection: frames under Noise, stanzas out, stanzas in, and requests that wait for their answer."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from . import binary_xml
from .accounts import Device, KeyBundle
from .nodes import Node
from .noise import CertificateChain, Established, ServerHandshake
from .websocket import WebSocket

log = logging.getLogger("fakewa")
_HEADER_SIZE = 4


@dataclass
class Registration:
    """A client that shows a QR code: its keys, and the references its codes carry."""

    noise_key: bytes
    keys: KeyBundle
    references: list[str] = field(default_factory=list)


class Frames:
    """Frames with a three-byte length over websocket messages, whose borders mean nothing."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._buffer = bytearray()

    async def receive(self) -> bytes:
        size = int.from_bytes(await self.take(3), "big")
        return await self.take(size)

    async def take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._buffer += await self._socket.receive()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def send(self, data: bytes) -> None:
        self._socket.send(len(data).to_bytes(3, "big") + data)


class Connection:
    """After the handshake. ``device`` is set by a login, ``registration`` by a client that wants to be paired."""

    def __init__(self, socket: WebSocket, frames: Frames, handshake: Established) -> None:
        self.socket = socket
        self.client_static, self.payload, self._transport = handshake
        self._frames = frames
        self._answers: dict[str, asyncio.Future[Node]] = {}
        self.device: Device | None = None
        self.registration: Registration | None = None
        self.active = False
        """Whether the client has asked for what waits for it; before that nothing is relayed to it."""
        self.mute = False
        """A dead connection that nobody closed: what is sent here does not arrive, and what arrives is not read."""

    @classmethod
    async def open(cls, socket: WebSocket, chain: CertificateChain) -> Connection:
        """Run the Noise handshake. Raises ConnectionEndedError when the client refuses our certificates."""
        frames = Frames(socket)
        handshake = ServerHandshake(chain, await frames.take(_HEADER_SIZE))
        frames.send(handshake.hello(await frames.receive()))
        return cls(socket, frames, handshake.finish(await frames.receive()))

    @property
    def peer(self) -> Device:
        """The device that is logged in here."""
        if self.device is None:
            raise LookupError("the client is not logged in")
        return self.device

    @property
    def candidate(self) -> Registration:
        """The client that waits to be paired here."""
        if self.registration is None:
            raise LookupError("the client does not wait to be paired")
        return self.registration

    async def receive(self) -> Node:
        node = binary_xml.unmarshal(self._transport.open(await self._frames.receive()))
        log.debug("<< %s %s", self.device.jid if self.device else "?", node)
        return node

    def send(self, node: Node) -> None:
        if self.mute:
            return
        log.debug(">> %s %s", self.device.jid if self.device else "?", node)
        self._frames.send(self._transport.seal(binary_xml.marshal(node)))

    async def request(self, node: Node, *, answer: str = "", seconds: float = 60) -> Node:
        """Send and wait for the answer: the result of that id, or what is filed under the name ``answer``."""
        waiting = self._answers[answer or node.text("id")] = asyncio.get_running_loop().create_future()
        self.send(node)
        return await asyncio.wait_for(waiting, seconds)

    def answer(self, name: str, node: Node) -> None:
        """Wake up whoever waits for this answer."""
        waiting = self._answers.pop(name, None)
        if waiting and not waiting.done():
            waiting.set_result(node)
