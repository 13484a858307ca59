"""Who exists on the server: accounts (phones) and the companion devices linked to them."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .faults import Faults
from .nodes import JID, LID, Node
from .noise import KeyPair

if TYPE_CHECKING:
    from .connection import Connection


@dataclass
class KeyBundle:
    """The public keys with which others start a Signal session with a device; ``prekeys`` are used once each."""

    identity: bytes
    registration: bytes
    signed_prekey: Node
    prekeys: OrderedDict[bytes, Node] = field(default_factory=OrderedDict)


@dataclass(eq=False)
class Device:
    """A linked companion: what a neonize client is."""

    jid: JID
    lid: JID
    noise_key: bytes
    keys: KeyBundle
    push_name: str = ""
    connection: Connection | None = None
    unacknowledged: OrderedDict[tuple[str, str, str], Node] = field(default_factory=OrderedDict)
    """What waits for it, or was sent and not yet acknowledged, by (tag, id, from); sent again at the next login."""
    acknowledged: dict[tuple[str, str, str], Node] = field(default_factory=dict)
    """What it said it has: WhatsApp never sends it again."""
    delivered: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How often each was sent."""
    faults: Faults = field(default_factory=Faults)

    def push(self, node: Node) -> None:
        """Send now when it is online; in any case again at each login until it acknowledges."""
        self.unacknowledged[node.tag, node.text("id"), node.text("from")] = node
        if self.connection and self.connection.active:
            self.faults.hand_over(self, node, self._send)

    def _send(self, node: Node, *, offline: bool = False) -> None:
        key = (node.tag, node.text("id"), node.text("from"))
        if self.connection and self.connection.active and key in self.unacknowledged:
            self.delivered[key] += 1
            self.connection.send(Node(node.tag, {**node.attrs, "offline": "0"}, node.content) if offline else node)

    def push_what_waited(self) -> None:
        """At a login: everything that is not acknowledged, in its order."""
        for node in list(self.unacknowledged.values()):
            self.faults.hand_over(self, node, lambda late: self._send(late, offline=True))

    def acknowledge(self, tag: str, stanza_id: str) -> None:
        for key in [key for key in self.unacknowledged if key[:2] == (tag, stanza_id)]:
            self.acknowledged[key] = self.unacknowledged.pop(key)


@dataclass(frozen=True)
class Picture:
    """A profile picture: its id on the server, and where its bytes are fetched."""

    id: str
    url: str


@dataclass(eq=False)
class Account:
    """A phone number with its LID; the server itself plays the phone (the "primary device")."""

    phone: str
    lid: str
    key: KeyPair = field(default_factory=KeyPair)
    devices: dict[int, Device] = field(default_factory=dict)
    last_device: int = 0
    picture: Picture | None = None
    tells_both_names: bool = True
    """Whether what it sends names its LID beside the phone number, or the other way round."""
    writes_by_phone: bool = False
    """Whether what it sends comes from its phone number, whatever it was sent to: not moved to LIDs yet."""

    def owns(self, device: Device) -> bool:
        return device.jid.user == self.phone


def _lid_of(phone: str) -> str:
    """Made up from the phone number, so that a test's failure can be repeated; never contains the number."""
    return "1" + str(int(hashlib.sha256(phone.encode()).hexdigest(), 16))[:13]


class Directory:
    """All accounts, by phone number and by LID."""

    def __init__(self) -> None:
        self._by_phone: dict[str, Account] = {}
        self._by_lid: dict[str, Account] = {}
        self.faults = Faults()
        self.replaced: list[JID] = []
        """Devices that logged in while they were still connected: each ended the other's connection."""

    def account(self, phone: str) -> Account:
        """The account of a phone number (digits only), created when new."""
        if phone not in self._by_phone:
            account = Account(phone, _lid_of(phone))
            self._by_phone[phone] = self._by_lid[account.lid] = account
        return self._by_phone[phone]

    def find(self, jid: JID) -> Account | None:
        return (self._by_lid if jid.server == LID else self._by_phone).get(jid.user)

    def find_device(self, jid: JID) -> Device | None:
        account = self.find(jid)
        return account.devices.get(jid.device) if account else None

    def device(self, jid: JID) -> Device:
        found = self.find_device(jid)
        if found is None:
            raise LookupError(f"no device {jid} is linked")
        return found

    def encrypted_for(self, jid: JID) -> list[Device]:
        """Whose ciphertext it is that names this JID: without a device number the phone's, where a client plays it."""
        account = self.find(jid)
        phone = account.devices.get(0) if account and not jid.device else None
        return [phone] if phone else self.addressed_by(jid)

    def addressed_by(self, jid: JID) -> list[Device]:
        """The one device a JID names; all devices of the account when it names none."""
        account = self.find(jid)
        if account is None:
            return []
        if jid.device:
            return [account.devices[jid.device]] if jid.device in account.devices else []
        return list(account.devices.values())
