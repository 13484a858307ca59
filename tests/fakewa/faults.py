"""What may go wrong between WhatsApp and a client, staged: by hand, or by a seed.

A seeded fault belongs to a stanza by its address, its id and how often it was handed over, never by its time or turn:
the same seed does the same to the same stanzas, in whatever order they come. ``done`` lists what was staged.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .nodes import JID, Node

if TYPE_CHECKING:
    from .accounts import Device

Kind = Literal["delay", "duplicate", "reorder", "drop"]
Ending = Literal["515", "503", "replaced", "device_removed", "cut", "mute"]
"""How a connection ends: "restart yourself", an error of the server's, another log-in (what Baileys calls 440), the
phone's owner, without a word, or not at all: the socket stays open and nothing comes any more."""

_STREAM_ERRORS: dict[str, Node] = {
    "515": Node("stream:error", {"code": "515"}),
    "503": Node("stream:error", {"code": "503"}),
    "replaced": Node("stream:error", {}, [Node("conflict", {"type": "replaced"})]),
    "device_removed": Node("stream:error", {"code": "401"}, [Node("conflict", {"type": "device_removed"})]),
}


@dataclass(frozen=True)
class Rates:
    """How likely each fault is for one stanza on its way to a client. ``drop`` cuts the connection before it."""

    delay: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    drop: float = 0.0
    longest_delay: float = 1.0


@dataclass
class Faults:
    """Asked for each message on its way to a client. Without rates nothing goes wrong."""

    seed: int = 0
    rates: Rates = Rates()
    refuse_new_chats: bool = False
    """Answer first messages to somebody who never wrote with error 463, as WhatsApp does to numbers it mistrusts."""
    done: list[tuple[str, str, str]] = field(default_factory=list)
    """(fault, device, stanza id), in the order they were staged."""
    _handed: Counter[tuple[str, str]] = field(default_factory=Counter)
    _held: dict[JID, list[Callable[[], None]]] = field(default_factory=dict)
    _timers: set[asyncio.TimerHandle] = field(default_factory=set)

    def chosen(self, device: JID, stanza_id: str, attempt: int) -> tuple[Kind | None, float]:
        """What happens to the stanza when it is handed over for the ``attempt``-th time, and after how many seconds."""
        dice = random.Random(f"{self.seed} {device} {stanza_id} {attempt}")  # to be repeated
        drawn, seconds = dice.random(), dice.random() * self.rates.longest_delay
        kinds: tuple[Kind, ...] = ("delay", "duplicate", "reorder", "drop")
        for kind in kinds:
            share: float = getattr(self.rates, kind)
            if drawn < share:
                return kind, seconds
            drawn -= share
        return None, 0.0

    def hand_over(self, device: Device, node: Node, send: Callable[[Node], None]) -> None:
        """Send the stanza to the device, or do to it what the seed says. Whatever is not acknowledged comes again."""
        if node.tag != "message":
            send(node)
            return
        stanza_id = node.text("id")
        self._handed[str(device.jid), stanza_id] += 1
        kind, seconds = self.chosen(device.jid, stanza_id, self._handed[str(device.jid), stanza_id])
        if kind is not None:
            self.done.append((kind, str(device.jid), stanza_id))
        match kind:
            case "drop":
                if device.connection is not None:
                    device.connection.socket.abort()
            case "delay":
                self._later(seconds, lambda: send(node))
            case "duplicate":
                send(node)
                send(node)
            case "reorder":
                self._held.setdefault(device.jid, []).append(lambda: send(node))
                self._later(seconds, lambda: self._release(device.jid))
            case _:
                send(node)
                self._release(device.jid)

    def _release(self, jid: JID) -> None:
        """What was to be overtaken follows."""
        for send in self._held.pop(jid, []):
            send()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._timers.add(asyncio.get_running_loop().call_later(seconds, act))

    def stop(self) -> None:
        """Forget what is still to come."""
        for timer in self._timers:
            timer.cancel()

    async def end(self, device: Device, how: Ending) -> None:
        """End the device's connection. Unlinking a device for good is the server's ``unlink``."""
        connection = device.connection
        if connection is None:
            raise LookupError(f"{device.jid} is not connected")
        self.done.append((how, str(device.jid), ""))
        if how == "cut":
            connection.socket.abort()
        elif how == "mute":
            connection.mute = True
        else:
            connection.send(_STREAM_ERRORS[how])
            await asyncio.sleep(0.05)  # WhatsApp lets the client read the reason before it closes
            connection.socket.close()
