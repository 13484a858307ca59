"""Passing messages, receipts and typing notices from client to client, unread."""

from __future__ import annotations

import time
from collections.abc import Iterator

from .accounts import Device, Directory
from .connection import Connection
from .groups import Group, Groups
from .nodes import JID, LID, PHONE, Attributes, Node

_PRIVATE_RECEIPTS = ("sender", "peer_msg", "hist_sync")
"""Receipts for one's own devices; the other side never sees them."""


def _now() -> str:
    return str(int(time.time()))


def _spoilt(node: Node) -> Node:
    """The ciphertext with one bit in its middle flipped."""
    if not isinstance(node.content, bytes):
        return node
    at = len(node.content) // 2
    return Node(node.tag, node.attrs, node.content[:at] + bytes([node.content[at] ^ 1]) + node.content[at + 1 :])


class Relay:
    """``transcript`` keeps what clients sent, as (sender's JID, stanza), for a test to look at."""

    def __init__(self, directory: Directory, groups: Groups) -> None:
        self._directory, self._groups = directory, groups
        self.transcript: list[tuple[str, Node]] = []
        self.hold_acks = False
        """Relay messages and do not acknowledge them, until ``release_acks``."""
        self.spoil_next = 0
        """So many messages reach the other side with a bit flipped: it cannot decrypt them, and asks for a repeat."""
        self.withhold_next = 0
        """So many messages reach the other side without their content, as those that only the phone may show."""
        self.held: list[tuple[Connection, Node]] = []
        self._wrote: set[tuple[str, str]] = set()

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
        account = self._directory.find(to)
        if account is not None and not account.owns(sender):
            pair = (sender.jid.user, account.phone)
            if self._directory.faults.refuse_new_chats and pair[::-1] not in self._wrote:
                self._directory.faults.done.append(("463", str(sender.jid), node.text("id")))
                refusal: Attributes = {"class": "message", "id": node.text("id"), "from": to, "error": "463"}
                client.send(Node("ack", refusal))
                return
            self._wrote.add(pair)
        # A wrong hash makes the client ask again which devices the recipient has.
        stale = "2:stale000" if self._names_wrong_devices(sender, node) else None
        ack: Attributes = {"class": "message", "id": node.text("id"), "from": to, "t": _now(), "phash": stale}
        self.held.append((client, Node("ack", ack)))
        if not self.hold_acks:
            self.release_acks()
        if group := self._groups.find(to):
            self._to_group(sender, group, node)
            return
        rest = [child for child in node.children if child.tag not in ("participants", "enc")]
        spoil, withhold = self.spoil_next > 0, self.withhold_next > 0
        self.spoil_next, self.withhold_next = max(self.spoil_next - 1, 0), max(self.withhold_next - 1, 0)
        for jid, sealed in self._addressees(node):
            ciphertexts = [_spoilt(one) for one in sealed] if spoil else sealed
            if withhold:
                ciphertexts = [Node("unavailable", {"type": "view_once"})]
            for device in self._directory.encrypted_for(jid):
                if device is not sender:
                    device.push(self._relayed(sender, device, jid, node, ciphertexts + rest))

    def _to_group(self, sender: Device, group: Group, node: Node) -> None:
        """Each device gets the key that was sealed for it, and the message that the key opens."""
        keys = {child.jid("jid"): child.children for child in node.within("participants")}
        common = [child for child in node.children if child.tag != "participants"]
        attrs: Attributes = {
            "from": group.jid,
            "participant": sender.lid,
            "participant_pn": sender.jid,
            "addressing_mode": "lid",
            "id": node.text("id"),
            "type": node.text("type"),
            "t": _now(),
            "notify": sender.push_name or sender.jid.user,
        }
        for device in [device for member in group.members for device in member.devices.values()]:
            if device is not sender:
                sealed = keys.get(device.lid) or keys.get(device.jid) or []
                device.push(Node("message", attrs, [*sealed, *common]))

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

    def _other_name(self, sender: Device, *, by_lid: bool) -> JID | None:
        """What the recipient learns besides the address that wrote; nothing of who keeps it to itself."""
        account = self._directory.account(sender.jid.user)
        return (sender.jid if by_lid else sender.lid).bare() if account.tells_both_names else None

    def _relayed(self, sender: Device, device: Device, jid: JID, node: Node, content: list[Node]) -> Node:
        by_lid = jid.server == LID and not self._directory.account(sender.jid.user).writes_by_phone
        attrs: Attributes = {
            "from": sender.lid if by_lid else sender.jid,
            "id": node.text("id"),
            "type": node.text("type"),
            "t": _now(),
            "notify": sender.push_name or sender.jid.user,
            "sender_pn" if by_lid else "sender_lid": self._other_name(sender, by_lid=by_lid),
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
