"""Who exists on the server: accounts (phones) and the companion devices linked to them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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

    def push(self, node: Node) -> None:
        """Send now when it is online; in any case again at each login until it acknowledges."""
        self.unacknowledged[node.tag, node.text("id"), node.text("from")] = node
        if self.connection and self.connection.active:
            self.connection.send(node)

    def acknowledge(self, tag: str, stanza_id: str) -> None:
        for key in [key for key in self.unacknowledged if key[:2] == (tag, stanza_id)]:
            del self.unacknowledged[key]


@dataclass(eq=False)
class Account:
    """A phone number with its LID; the server itself plays the phone (the "primary device")."""

    phone: str
    lid: str
    key: KeyPair = field(default_factory=KeyPair)
    devices: dict[int, Device] = field(default_factory=dict)
    last_device: int = 0

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

    def addressed_by(self, jid: JID) -> list[Device]:
        """The one device a JID names; all devices of the account when it names none."""
        account = self.find(jid)
        if account is None:
            return []
        if jid.device:
            return [account.devices[jid.device]] if jid.device in account.devices else []
        return list(account.devices.values())
