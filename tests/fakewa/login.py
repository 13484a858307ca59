"""Logging in, and handing over what waited."""

from __future__ import annotations

import time

from .accounts import Directory
from .connection import Connection
from .nodes import JID, SERVER, Attributes, Node

LOGGED_OUT, BANNED = 401, 402


def log_in(client: Connection, directory: Directory, jid: JID, refusal: int = 0) -> bool:
    """Accept a device that was linked and proves its Noise key; a second login of one device replaces the first.

    ``refusal`` is a failure reason to give in any case. Returns whether the client is in.
    """
    device = directory.find_device(jid)
    if refusal or device is None or device.noise_key != client.client_static:
        ban = {"code": "101", "expire": "7200"} if refusal == BANNED else {}
        client.send(Node("failure", {"reason": str(refusal or LOGGED_OUT), "location": "test", **ban}))
        client.socket.close()
        return False
    if device.connection:
        if not device.connection.mute:
            directory.replaced.append(device.jid)
        device.connection.send(Node("stream:error", {}, [Node("conflict", {"type": "replaced"})]))
        device.connection.socket.close()
    client.device, device.connection = device, client
    now = str(int(time.time()))
    head: Attributes = {"t": now, "props": "1", "location": "test", "lid": device.lid}
    client.send(Node("success", {**head, "display_name": device.push_name}))
    return True


def hand_over(client: Connection) -> None:
    """The client is ready: send what waited for it, then relay as it comes."""
    client.active = True
    waiting = list(client.peer.unacknowledged.values())
    messages = sum(node.tag == "message" for node in waiting)
    counts = {"message": messages, "receipt": len(waiting) - messages, "notification": 0, "appdata": 0}
    preview = {"count": str(len(waiting)), **{name: str(count) for name, count in counts.items()}}
    client.send(Node("ib", {"from": SERVER}, [Node("offline_preview", preview)]))
    client.peer.push_what_waited()
    client.send(Node("ib", {"from": SERVER}, [Node("offline", {"count": str(len(waiting))})]))
