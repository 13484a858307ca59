"""Baileys' JSON made ordinary: what Evolution puts on the wire is JavaScript's idea of WhatsApp's protobuf.

64-bit numbers come as ``{low, high, unsigned}`` or as digits, bytes as ``{"type": "Buffer"}``, as objects with the keys
"0", "1", … or as base64. Pictures in miniature are left out: nobody looks at them here, and they fill the database.
Those of documents and films stay: they are all that can be shown of one before it is opened.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

_MINIATURES = frozenset(
    name.casefold()
    for name in (
        "jpegThumbnail", "pngThumbnail", "gifThumbnail", "thumbnail", "waveform", "streamingSidecar", "scansSidecar",
        "firstScanSidecar", "midQualityFileSha256", "midQualityFileEncSha256", "base64", "messageSecret",
    )
)  # fmt: skip
_LONG = frozenset({"low", "high", "unsigned"})
_MINIATURE = "jpegthumbnail"
_WITH_MINIATURE = frozenset({"documentmessage", "videomessage"})
_SHORTEST_BYTES = 16
_LONGEST_BYTES = 64 * 1024


def whole_number(value: object) -> int | None:
    """A number in any of its shapes (integer, digits, Long); None for anything else."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case str() if value.isascii() and value.isdigit() and len(value) <= 20:
            return int(value)
        case {"low": int(low), "high": int(high), **rest} if not isinstance(low, bool) and not isinstance(high, bool):
            number = ((high & 0xFFFFFFFF) << 32) | (low & 0xFFFFFFFF)
            return number - 2**64 if number >= 2**63 and not rest.get("unsigned") else number
        case _:
            return None


def _are_bytes(values: Any) -> bool:
    return all(isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= 255 for item in values)


def _as_bytes(value: Mapping[str, Any]) -> bytes | None:
    """The bytes that an object stands for; None where it stands for itself."""
    if value.get("type") == "Buffer":
        data = value.get("data")
        if isinstance(data, list) and _are_bytes(data):
            return bytes(data)
        return _decoded(data) if isinstance(data, str) and len(value) == 2 else None
    if not value or len(value) > _LONGEST_BYTES or "0" not in value or not _are_bytes(value.values()):
        return None
    if not all(value.keys() >= {str(index)} for index in range(len(value))):
        return None
    return bytes(value[str(index)] for index in range(len(value)))


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def plain_bytes(value: object) -> object:
    """Bytes in any of their shapes as base64; whatever else as it is."""
    return plain(value) if isinstance(value, dict | list) else value


def plain(value: Any, *, kept: str = "") -> Any:
    """The same JSON with ordinary numbers, bytes as base64, and without miniatures but ``kept``. ``value`` is not too
    deep."""
    match value:
        case dict() if value.keys() <= _LONG and (number := whole_number(value)) is not None:
            return number if abs(number) < 2**63 else str(number)
        case dict():
            data = _as_bytes(value)
            if data is not None:
                return base64.b64encode(data).decode()
            return {
                key: plain(item, kept=_MINIATURE if key.casefold() in _WITH_MINIATURE else "")
                for key, item in value.items()
                if key.casefold() not in _MINIATURES - {kept}
            }
        case list() if len(value) >= _SHORTEST_BYTES and _are_bytes(value):
            return base64.b64encode(bytes(value)).decode()
        case list():
            return [plain(item) for item in value]
        case _:
            return value
