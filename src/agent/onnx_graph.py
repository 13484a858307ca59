"""Writes a neural network's graph in the ONNX format, for onnxruntime to run.

Only what one encoder needs: nodes, constant tensors, inputs and one output, in the wire format of Protocol Buffers
(field numbers from onnx.proto3, IR version 9). The onnx package does the same in 20 MB and a second of start-up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy.typing as npt

_IR_VERSION: Final = 9
_OPSETS: Final = (("", 20), ("com.microsoft", 1))
_TYPES: Final = {"float32": 1, "uint8": 2, "int64": 7}
_VARINT, _BYTES, _FIXED32 = 0, 2, 5
Dimension = int | str


class Graph:
    """Collects nodes in order; every method that adds one returns the name of its output."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._output = b""
        self._names = 0

    def input(self, name: str, shape: Sequence[Dimension]) -> str:
        """A float32 input; a dimension given by name may have any length."""
        self._inputs.append(_message(11, _described(name, shape)))
        return name

    def constant(self, values: npt.NDArray[Any]) -> str:
        """A tensor of float32, uint8 or int64."""
        name = self._new()
        dims = b"".join(_number(1, size) for size in values.shape)
        kind = _number(2, _TYPES[values.dtype.name])
        # tobytes is row-major whatever the array's own order.
        self._constants.append(_message(5, dims + kind + _text(8, name) + _message(9, values.tobytes())))
        return name

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: float | Sequence[int]) -> str:
        """One operator with a single output."""
        output = self._new()
        wire = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind)
        wire += b"".join(_message(5, _attribute(name, value)) for name, value in attributes.items())
        self._nodes.append(_message(1, wire + (_text(7, domain) if domain else b"")))
        return output

    def output(self, name: str, shape: Sequence[Dimension]) -> None:
        """The float32 result."""
        self._output = _message(12, _described(name, shape))

    def serialised(self) -> bytes:
        """The whole model."""
        parts: Iterator[bytes] = iter((*self._nodes, _text(2, self._name), *self._constants, *self._inputs))
        graph = b"".join(parts) + self._output
        opsets = b"".join(_message(8, _text(1, domain) + _number(2, version)) for domain, version in _OPSETS)
        return _number(1, _IR_VERSION) + _message(7, graph) + opsets

    def _new(self) -> str:
        self._names += 1
        return f"v{self._names}"


def _described(name: str, shape: Sequence[Dimension]) -> bytes:
    dims = (_message(1, _text(2, size) if isinstance(size, str) else _number(1, size)) for size in shape)
    tensor = _number(1, _TYPES["float32"]) + _message(2, b"".join(dims))
    return _text(1, name) + _message(2, _message(1, tensor))


def _attribute(name: str, value: float | Sequence[int]) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + _key(2, _FIXED32) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, 2)
    return _text(1, name) + b"".join(_number(8, one) for one in value) + _number(20, 7)


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _message(field: int, value: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers as 64-bit two's complement
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
