"""WhatsApp's binary XML: nodes to bytes and back. ``tokens.json`` holds the protocol's dictionary, version 3."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from .nodes import JID, LID, PHONE, Attribute, Node

_TOKENS = json.loads((Path(__file__).parent / "tokens.json").read_text())
SINGLE: list[str] = _TOKENS["single"]
DOUBLE: list[list[str]] = _TOKENS["double"]
_SINGLE_INDEX = {token: index for index, token in enumerate(SINGLE) if token}
_DOUBLE_INDEX = {token: (page, index) for page, tokens in enumerate(DOUBLE) for index, token in enumerate(tokens)}

EMPTY, DICTIONARY, DEVICE_JID, LIST8, LIST16, JID_PAIR, HEX8, BYTES8, BYTES20, BYTES32, NIBBLE8 = (
    0, 236, 247, 248, 249, 250, 251, 252, 253, 254, 255,
)  # fmt: skip
_DOMAINS = {PHONE: 0, LID: 1, "hosted": 128, "hosted.lid": 129}
_SERVERS = {number: server for server, number in _DOMAINS.items()}
_NIBBLES = "0123456789-."
_HEX = "0123456789ABCDEF"
_LONGEST_PACKED = 127
COMPRESSED = 2
"""A bit of a frame's first byte."""


class _Encoder:
    def __init__(self) -> None:
        self.out = bytearray(b"\0")

    def node(self, node: Node) -> None:
        attrs = {name: value for name, value in node.attrs.items() if value is not None and value != ""}
        self._list(1 + 2 * len(attrs) + (node.content is not None))
        self._string(node.tag)
        for name, value in attrs.items():
            self._string(name)
            self._attribute(value)
        if isinstance(node.content, bytes):
            self._bytes(node.content)
        elif node.content is not None:
            self._list(len(node.content))
            for child in node.content:
                self.node(child)

    def _attribute(self, value: Attribute) -> None:
        if isinstance(value, JID):
            self._jid(value)
        else:
            self._string(value or "")

    def _list(self, size: int) -> None:
        if size == 0:
            self.out.append(EMPTY)
        elif size < 1 << 8:
            self.out += bytes([LIST8, size])
        else:
            self.out += bytes([LIST16]) + size.to_bytes(2, "big")

    def _bytes(self, data: bytes) -> None:
        size = len(data)
        if size < 1 << 8:
            self.out += bytes([BYTES8, size])
        elif size < 1 << 20:
            self.out += bytes([BYTES20]) + size.to_bytes(3, "big")
        else:
            self.out += bytes([BYTES32]) + size.to_bytes(4, "big")
        self.out += data

    def _packed(self, text: str, kind: int, alphabet: str) -> None:
        odd = len(text) % 2
        self.out += bytes([kind, (len(text) + 1) // 2 | (0x80 if odd else 0)])
        values = [alphabet.index(char) for char in text] + [15] * odd
        self.out += bytes(values[at] << 4 | values[at + 1] for at in range(0, len(values), 2))

    def _string(self, text: str) -> None:
        if text in _SINGLE_INDEX:
            self.out.append(_SINGLE_INDEX[text])
        elif text in _DOUBLE_INDEX:
            page, index = _DOUBLE_INDEX[text]
            self.out += bytes([DICTIONARY + page, index])
        elif 0 < len(text) <= _LONGEST_PACKED and set(text) <= set(_NIBBLES):
            self._packed(text, NIBBLE8, _NIBBLES)
        elif 0 < len(text) <= _LONGEST_PACKED and set(text) <= set(_HEX):
            self._packed(text, HEX8, _HEX)
        else:
            self._bytes(text.encode())

    def _jid(self, jid: JID) -> None:
        if jid.server in _DOMAINS and (jid.device or jid.server not in (PHONE, LID)):
            self.out += bytes([DEVICE_JID, _DOMAINS[jid.server], jid.device])
            self._string(jid.user)
            return
        self.out.append(JID_PAIR)
        if jid.user:
            self._string(jid.user)
        else:
            self.out.append(EMPTY)
        self._string(jid.server)


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def node(self) -> Node:
        size = self._list_size(self._number(1))
        tag = self._text()
        attrs: dict[str, Attribute] = {}
        for _ in range((size - 1) // 2):
            name = self._text()
            attrs[name] = self._attribute()
        return Node(tag, attrs, self._content() if size % 2 == 0 else None)

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise EOFError("the frame ends inside a value")
        self._at += size
        return taken

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _list_size(self, kind: int) -> int:
        return 0 if kind == EMPTY else self._number({LIST8: 1, LIST16: 2}[kind])

    def _content(self) -> list[Node] | bytes | None:
        kind = self._number(1)
        if kind in (LIST8, LIST16):
            return [self.node() for _ in range(self._list_size(kind))]
        if kind in (BYTES8, BYTES20, BYTES32):
            return self._take(self._byte_count(kind))
        self._at -= 1
        value = self._attribute()
        return None if value is None else str(value).encode()

    def _text(self) -> str:
        value = self._attribute()
        return "" if value is None else str(value)

    def _attribute(self) -> Attribute:  # one return per kind of value
        kind = self._number(1)
        if kind == EMPTY:
            return None
        if kind in (BYTES8, BYTES20, BYTES32):
            return self._take(self._byte_count(kind)).decode()
        if DICTIONARY <= kind < DICTIONARY + len(DOUBLE):
            return DOUBLE[kind - DICTIONARY][self._number(1)]
        if kind == JID_PAIR:
            return JID(self._text(), self._text())
        if kind == DEVICE_JID:
            domain, device = self._number(1), self._number(1)
            return JID(self._text(), _SERVERS[domain], device)
        if kind == NIBBLE8:
            return self._packed(_NIBBLES)
        if kind == HEX8:
            return self._packed(_HEX)
        if 1 <= kind < len(SINGLE):
            return SINGLE[kind]
        raise ValueError(f"unknown token {kind}")

    def _byte_count(self, kind: int) -> int:
        if kind == BYTES20:
            return self._number(3) & 0xFFFFF
        return self._number(1 if kind == BYTES8 else 4)

    def _packed(self, alphabet: str) -> str:
        head = self._number(1)
        nibbles = [nibble for byte in self._take(head & 127) for nibble in (byte >> 4, byte & 15)]
        if head & 128:
            nibbles.pop()
        return "".join(alphabet[nibble] for nibble in nibbles)


def marshal(node: Node) -> bytes:
    """One frame's plaintext."""
    encoder = _Encoder()
    encoder.node(node)
    return bytes(encoder.out)


def unmarshal(frame: bytes) -> Node:
    """The node of one frame's plaintext."""
    body = zlib.decompress(frame[1:]) if frame[0] & COMPRESSED else frame[1:]
    return _Decoder(body).node()
