"""Just enough of the protobuf wire format for the handshake and the pairing messages."""

from __future__ import annotations

from collections.abc import Mapping

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(fields: Mapping[int, int | bytes]) -> bytes:
    """Encode field number → value; integers as varints, bytes as length-delimited."""
    out = bytearray()
    for number, value in fields.items():
        if isinstance(value, int):
            out += _varint(number << 3 | VARINT) + _varint(value)
        else:
            out += _varint(number << 3 | BYTES) + _varint(len(value)) + value
    return bytes(out)


class Fields:
    """A decoded message. Of a repeated field the last value wins, which is enough here."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._values: dict[int, int | bytes] = {}
        while self._at < len(data):
            key = self._read_varint()
            self._values[key >> 3] = self._read_value(key & 7)

    def __contains__(self, number: int) -> bool:
        return number in self._values

    def data(self, number: int) -> bytes:
        value = self._values[number]
        if isinstance(value, int):
            raise TypeError(f"field {number} is a number")
        return value

    def number(self, number: int, default: int = 0) -> int:
        value = self._values.get(number, default)
        if not isinstance(value, int):
            raise TypeError(f"field {number} is not a number")
        return value

    def message(self, number: int) -> Fields:
        return Fields(self.data(number))

    def _read_varint(self) -> int:
        shift = value = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _read_value(self, wire_type: int) -> int | bytes:
        if wire_type == VARINT:
            return self._read_varint()
        sizes = {FIXED64: 8, FIXED32: 4}
        size = self._read_varint() if wire_type == BYTES else sizes[wire_type]
        value = self._data[self._at : self._at + size]
        self._at += size
        return value
