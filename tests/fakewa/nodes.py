"""The two values that WhatsApp's stanzas are made of: JIDs and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PHONE, LID = "s.whatsapp.net", "lid"


@dataclass(frozen=True)
class JID:
    """An address: a person or device by phone number (``PHONE``) or by hidden identity (``LID``), or a server."""

    user: str
    server: str = PHONE
    device: int = 0

    def bare(self) -> JID:
        """The same person without the device number."""
        return JID(self.user, self.server)

    def __str__(self) -> str:
        device = f":{self.device}" if self.device else ""
        return f"{self.user}{device}@{self.server}" if self.user else self.server


SERVER = JID("")

Attribute = str | JID | None
"""``None`` and the empty string are left out of what is sent."""
Attributes = dict[str, Attribute]


@dataclass
class Node:
    """An XML-like element with attributes and either children, bytes, or nothing."""

    tag: str
    attrs: Mapping[str, Attribute] = field(default_factory=dict)
    content: list[Node] | bytes | None = None

    def text(self, name: str, default: str = "") -> str:
        """An attribute as text, whatever its type on the wire."""
        value = self.attrs.get(name)
        return default if value is None else str(value)

    def jid(self, name: str) -> JID:
        """An attribute that must be a JID."""
        value = self.attrs[name]
        if not isinstance(value, JID):
            raise TypeError(f"{name}={value!r} of <{self.tag}> is no JID")
        return value

    @property
    def children(self) -> list[Node]:
        return self.content if isinstance(self.content, list) else []

    def child(self, tag: str) -> Node | None:
        """The first child with this tag."""
        return next((node for node in self.children if node.tag == tag), None)

    def need(self, tag: str) -> Node:
        """The first child with this tag, which must be there."""
        found = self.child(tag)
        if found is None:
            raise LookupError(f"<{self.tag}> lacks <{tag}>")
        return found

    def within(self, tag: str) -> list[Node]:
        """The children of the first child with this tag, if any."""
        found = self.child(tag)
        return found.children if found else []

    def data(self, tag: str) -> bytes:
        """The bytes in the first child with this tag; empty when there are none."""
        found = self.child(tag)
        return found.content if found is not None and isinstance(found.content, bytes) else b""

    def __str__(self) -> str:
        attrs = "".join(f' {name}="{value}"' for name, value in self.attrs.items())
        if self.content is None:
            return f"<{self.tag}{attrs}/>"
        if not isinstance(self.content, list):
            inner = f"[{len(self.content)} bytes]"
        elif len(self.content) < 8:
            inner = "".join(map(str, self.content))
        else:
            inner = f"[{len(self.content)} children]"
        return f"<{self.tag}{attrs}>{inner}</{self.tag}>"
