"""What WhatsApp wants to be told of a voice note: how long it is, and its outline. No decoder is needed.

Opus packs loud and busy passages into larger packets than silence, so the packets' sizes draw an outline that is close
to what the ear expects. Format: RFC 3533 (Ogg) and RFC 7845 (Opus in Ogg).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_PAGE = struct.Struct("<4sBBqIIIB")
_OPUS_HZ = 48_000
_BARS = 64
_HIGHEST = 100


@dataclass(frozen=True, slots=True)
class Heard:
    """Whole seconds (0: unknown) and 64 bars of 0 to 100, one byte each (empty: unknown)."""

    seconds: int = 0
    outline: bytes = b""
    is_opus: bool = False


def heard(data: bytes) -> Heard:
    """Read an Ogg Opus file; nothing is known of others. Never raises."""
    packets: list[int] = []
    last = skip = size = 0
    is_opus = False
    for granule, body, laces in _pages(data):
        if not is_opus:
            if not body.startswith(b"OpusHead") or len(body) < 12:  # up to the pre-skip
                return Heard()
            is_opus, skip = True, struct.unpack_from("<H", body, 10)[0]
            continue
        last = max(last, granule)
        for lace in laces:
            size += lace
            if lace < 255:  # a full lace continues
                packets.append(size)
                size = 0
    if not is_opus:
        return Heard()
    samples = max(last - skip, 0)
    return Heard(max(round(samples / _OPUS_HZ), 1) if samples else 0, _outline(packets[1:]), is_opus=True)


def _pages(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    at = 0
    while at + _PAGE.size <= len(data):
        magic, _, _, granule, _, _, _, count = _PAGE.unpack_from(data, at)
        laces = data[at + _PAGE.size : at + _PAGE.size + count]
        start = at + _PAGE.size + count
        if magic != b"OggS" or len(laces) < count or start + sum(laces) > len(data):
            return
        yield granule, data[start : start + sum(laces)], laces
        at = start + sum(laces)


def _outline(packets: list[int]) -> bytes:
    if not packets:
        return b""
    borders = [round(number * len(packets) / _BARS) for number in range(_BARS + 1)]
    bars = [max(packets[a : max(b, a + 1)] or [0]) for a, b in pairwise(borders)]
    low, high = min(bars), max(bars)
    return bytes(round((bar - low) * _HIGHEST / (high - low)) if high > low else _HIGHEST // 2 for bar in bars)
