"""The entrance for tests: a running server, the environment that redirects processes to it, and customers.

neonize lives in child processes only, never in pytest: its Go core reads ``SSL_CERT_FILE`` once when it is loaded, and
can abort the process it runs in. Children are killed at the end of ``loopback``; they also end by themselves when their
stdin closes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import platform
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import pytest

from . import certificates
from .jsonlines import Fields
from .nodes import JID
from .noise import KeyPair
from .server import FakeWhatsApp

ROOT = Path(__file__).resolve().parents[2]
INJECT = Path(__file__).resolve().parent / "inject"

linux_only = pytest.mark.skipif(
    platform.system() != "Linux", reason="the loopback server's key is swapped into neonize through /proc: Linux only"
)


class ChildError(AssertionError):
    """A child process did not do what the test waited for; carries the end of its stderr."""


class Child:
    """A Python process that speaks ``jsonlines``. Use ``start``, then ``tell`` and ``expect``."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, log: Path) -> None:
        self._process, self._name, self._log = process, name, log
        self._events: list[Fields] = []
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, name: str, arguments: Sequence[str], environment: dict[str, str], folder: Path) -> Self:
        """Run ``python ARGUMENTS`` from the checkout's root; stderr goes to ``<folder>/<name>.log``."""
        log = folder / f"{name}.log"
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=environment,
                cwd=ROOT,
            )
        return cls(process, name, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, command: str, **arguments: object) -> None:
        """Send a command; what comes of it is an event."""
        if self._process.stdin is None:
            raise ChildError(f"{self._name} has no stdin")
        self._process.stdin.write(json.dumps({"do": command, "with": arguments}).encode() + b"\n")

    async def expect(self, event: str, *, seconds: float = 60, **fields: object) -> Fields:
        """Wait for the next event of this name with these fields, and take it out; earlier others stay."""

        def position() -> int | None:
            for at, seen in enumerate(self._events):
                if seen["event"] == event and all(seen.get(name) == value for name, value in fields.items()):
                    return at
            return None

        async with self._news:
            try:
                async with asyncio.timeout(seconds):
                    while (at := position()) is None:
                        if self._reader.done():
                            raise ChildError(self._complaint(f"ended before {event} {fields}"))
                        await self._news.wait()
            except TimeoutError:
                raise ChildError(self._complaint(f"gave no {event} {fields} in {seconds} s")) from None
            return self._events.pop(at)

    def seen(self, event: str) -> list[Fields]:
        """The events of this name that came and were not taken."""
        return [seen for seen in self._events if seen["event"] == event]

    async def kill(self) -> None:
        """kill -9 (harmless on a process that already ended), and wait until it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        if self._process.stdout is None:
            raise ChildError(f"{self._name} has no stdout")
        async for line in self._process.stdout:
            async with self._news:
                self._events.append(json.loads(line))
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    def _complaint(self, what: str) -> str:
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])
        return f"{self._name} {what}; events not taken: {self._events}\n--- its stderr ends ---\n{tail}"


class Customer(Child):
    """A customer's phone with a real client linked to it; see ``customer`` for the events it gives."""

    phone: str
    jid: JID

    async def send(self, to: str, text: str) -> str:
        """Send a text to a phone number; returns the message id."""
        self.tell("send", to=to, text=text)
        return str((await self.expect("sent", to=to))["id"])

    async def send_group(self, to: str, text: str, **context: str) -> str:
        """Send a text to a group (see ``customer``); returns the message id."""
        self.tell("send_group", to=to, text=text, **context)
        return str((await self.expect("sent", to=to))["id"])

    async def send_content(self, to: str, content: Fields) -> str:
        """Send whatsmeow's Message, given as JSON, to a phone number; returns the message id."""
        self.tell("send", to=to, content=content)
        return str((await self.expect("sent", to=to))["id"])

    async def upload(self, data: bytes, kind: str) -> Fields:
        """Put a file on the media host (``kind``: a name of the library's MediaType); the fields that name it."""
        self.tell("upload", base64=base64.b64encode(data).decode(), kind=kind)
        fields: Fields = (await self.expect("uploaded"))["fields"]
        return fields

    async def download(self, message: Fields) -> bytes:
        """The file of a received ``message`` event."""
        self.tell("download", id=message["id"])
        return base64.b64decode((await self.expect("downloaded", id=message["id"]))["base64"])

    async def read(self, message: Fields) -> None:
        """Mark a received ``message`` event as read."""
        self.tell("read", chat=message["chat"], ids=[message["id"]])
        await self.expect("marked")


class Loopback:
    """A running server with everything that processes need to reach it."""

    def __init__(self, server: FakeWhatsApp, root: KeyPair, tls: certificates.TlsIdentity, folder: Path) -> None:
        self.server, self.folder = server, folder
        self._root_key, self._authority = root.public, tls.authority
        self._children: list[Child] = []

    @property
    def proxy_url(self) -> str:
        """For the product's setting "proxy URL for WhatsApp connections"."""
        return self.server.proxy_url

    def environment(self, *, trusting: bool = True) -> dict[str, str]:
        """Variables for a process, or tree of processes, that loads neonize.

        ``trusting=False`` leaves WhatsApp's own root key in place: the client must then refuse the server.
        """
        path = os.pathsep.join([str(INJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
        key = self._root_key.hex() if trusting else ""
        changes = {"SSL_CERT_FILE": str(self._authority), "FAKEWA_ROOT_KEY": key, "PYTHONPATH": path}
        return {**os.environ, **changes, "PYTHONUNBUFFERED": "1"}

    async def child(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> Child:
        """Start ``python ARGUMENTS``, redirected to this server; killed at the end."""
        child = await Child.start(name, arguments, environment or self.environment(), self.folder)
        self._children.append(child)
        return child

    async def unpaired(self, name: str, *, trusting: bool = True) -> Customer:
        """A client that has connected but is not linked to a phone; its first event is ``qr``."""
        store = self.folder / f"{name}.db"
        arguments = ("-m", "tests.fakewa.customer", str(store), self.proxy_url)
        customer = await Customer.start(name, arguments, self.environment(trusting=trusting), self.folder)
        self._children.append(customer)
        return customer

    async def customer(self, phone: str, name: str = "Cliente", *, primary: bool = False) -> Customer:
        """A customer with this phone number (digits), paired and online. ``primary``: the phone itself, device 0."""
        customer = await self.unpaired(f"{'primary' if primary else 'customer'}-{phone}")
        code = (await customer.expect("qr"))["code"]
        customer.phone, customer.jid = phone, await self.server.scan(code, phone, name=name, primary=primary)
        await customer.expect("connected")
        return customer

    async def close(self) -> None:
        for child in self._children:
            await child.kill()
        await self.server.stop()


@asynccontextmanager
async def loopback(folder: Path) -> AsyncIterator[Loopback]:
    """A server for the time of a test; ``folder`` takes keys, stores and the children's logs."""
    root, tls = KeyPair(), certificates.make(folder / "tls")
    server = FakeWhatsApp(root, tls.context)
    await server.start()
    world = Loopback(server, root, tls, folder)
    try:
        yield world
    finally:
        await world.close()
