"""Passing messages, receipts and typing notices from client to client, unread."""

from __future__ import annotations

import time
from collections.abc import Iterator

from .accounts import Device, Directory
from .connection import Connection
from .nodes import JID, LID, PHONE, Attributes, Node

_PRIVATE_RECEIPTS = ("sender", "peer_msg", "hist_sync")
"""Receipts for one's own devices; the other side never sees them."""


def _now() -> str:
    return str(int(time.time()))


class Relay:
    """``transcript`` keeps what clients sent, as (sender's JID, stanza), for a test to look at."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.transcript: list[tuple[str, Node]] = []
        self.hold_acks = False
        """Relay messages and do not acknowledge them, until ``release_acks``."""
        self.held: list[tuple[Connection, Node]] = []

    def accept(self, client: Connection, node: Node) -> None:
        """Handle one stanza of a logged-in client; other tags than these carry nothing to relay."""
        self.transcript.append((str(client.peer.jid), node))
        if node.tag == "message":
            self._message(client, node)
        elif node.tag == "receipt":
            self._receipt(client, node)
        elif node.tag == "ack":
            client.peer.acknowledge(node.text("class"), node.text("id"))
        elif node.tag == "chatstate":
            self._typing(client, node)

    def release_acks(self) -> None:
        """Acknowledge what was held back, and hold back no more."""
        self.hold_acks = False
        while self.held:
            client, ack = self.held.pop(0)
            client.send(ack)

    def _message(self, client: Connection, node: Node) -> None:
        sender, to = client.peer, node.jid("to")
        # A wrong hash makes the client ask again which devices the recipient has.
        stale = "2:stale000" if self._names_wrong_devices(sender, node) else None
        ack: Attributes = {"class": "message", "id": node.text("id"), "from": to, "t": _now(), "phash": stale}
        self.held.append((client, Node("ack", ack)))
        if not self.hold_acks:
            self.release_acks()
        rest = [child for child in node.children if child.tag not in ("participants", "enc")]
        for jid, ciphertexts in self._addressees(node):
            for device in self._directory.addressed_by(jid):
                if device is not sender:
                    device.push(self._relayed(sender, device, jid, node, ciphertexts + rest))

    def _names_wrong_devices(self, sender: Device, node: Node) -> bool:
        account, named = self._directory.find(node.jid("to")), node.child("participants")
        if account is None or named is None:
            return False
        own = {sender.jid.device} if account.owns(sender) else set()
        jids = [child.jid("jid") for child in named.children]
        return {jid.device for jid in jids if self._directory.find(jid) is account} != set(account.devices) - own

    @staticmethod
    def _addressees(node: Node) -> Iterator[tuple[JID, list[Node]]]:
        participants = node.child("participants")
        if participants is None:
            yield node.jid("to"), [child for child in node.children if child.tag == "enc"]
            return
        for child in participants.children:
            yield child.jid("jid"), child.children

    @staticmethod
    def _relayed(sender: Device, device: Device, jid: JID, node: Node, content: list[Node]) -> Node:
        by_lid = jid.server == LID
        attrs: Attributes = {
            "from": sender.lid if by_lid else sender.jid,
            "id": node.text("id"),
            "type": node.text("type"),
            "t": _now(),
            "notify": sender.push_name or sender.jid.user,
            "sender_pn" if by_lid else "sender_lid": (sender.jid if by_lid else sender.lid).bare(),
            "edit": node.text("edit"),
        }
        if device.jid.user == sender.jid.user:  # a copy for the sender's other devices says whom it was for
            attrs["recipient"] = node.jid("to")
            attrs["peer_recipient_pn"] = node.attrs.get("peer_recipient_pn")
        return Node("message", attrs, content)

    def _receipt(self, client: Connection, node: Node) -> None:
        reader, to, kind = client.peer, node.jid("to"), node.text("type")
        for stanza_id in [node.text("id"), *(item.text("id") for item in node.within("list"))]:
            reader.acknowledge("message", stanza_id)  # a client acknowledges a message by its delivery receipt
        ack: Attributes = {"class": "receipt", "id": node.text("id"), "type": kind, "from": to}
        client.send(Node("ack", {**ack, "participant": node.attrs.get("participant")}))
        if to.server not in (LID, PHONE) or kind in _PRIVATE_RECEIPTS:
            return
        attrs: Attributes = {"from": self._as_seen_by(to, reader), "id": node.text("id"), "type": kind, "t": _now()}
        for device in self._directory.addressed_by(to):
            if device is not reader:
                device.push(Node("receipt", attrs, node.content))

    def _typing(self, client: Connection, node: Node) -> None:
        to = node.jid("to")
        for device in self._directory.addressed_by(to):
            if device.connection and device.connection.active:
                device.connection.send(
                    Node("chatstate", {"from": self._as_seen_by(to, client.peer).bare()}, node.content)
                )

    @staticmethod
    def _as_seen_by(to: JID, device: Device) -> JID:
        """A LID answers a LID, a phone number a phone number."""
        return device.lid if to.server == LID else device.jid
