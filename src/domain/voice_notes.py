"""Voice notes as browsers record them (Opus in WebM) put into the container that WhatsApp plays (Opus in Ogg).

The sound itself is not touched: its packets are taken out of one wrapping and put into another.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

_MASTERS: Final = frozenset({0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675, 0xA0})
"""Segment, Tracks, TrackEntry, Cluster, BlockGroup: elements that hold others."""
_CODEC_PRIVATE: Final = 0x63A2
_BLOCKS: Final = frozenset({0xA3, 0xA1})
_SERIAL: Final = 0x61746E64
_PER_PAGE: Final = 50
_MOST_SEGMENTS: Final = 255
_FRAMES: Final = {0: (480, 960, 1920, 2880), 1: (480, 960), 2: (120, 240, 480, 960)}
"""Samples of a frame at 48 kHz, by mode: SILK, hybrid, CELT (RFC 6716, table 2)."""


def ogg_of(webm: bytes) -> bytes | None:
    """The same recording as an Ogg file; None where it is no WebM with Opus in it that can be read whole."""
    head, packets = b"", list[bytes]()
    try:
        for element, start, end in _elements(webm, 0, len(webm)):
            if element == _CODEC_PRIVATE and webm[start : start + 8] == b"OpusHead":
                head = webm[start:end]
            elif element in _BLOCKS:
                track = _number(webm, start)[1]
                if webm[track + 2] & 0x06:
                    return None  # several packets in one block: no browser's recorder makes such
                packets.append(webm[track + 3 : end])
        if not head or not packets or not all(packets):
            return None
        return b"".join(_pages(head, packets))
    except (IndexError, KeyError, struct.error):
        return None


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Every element (id, where its content begins and ends), those of masters after them."""
    while at < end:
        width = 9 - data[at].bit_length()
        element = int.from_bytes(data[at : at + width], "big")
        size, start = _number(data, at + width)
        # A recorder that streams does not know how long a cluster will be: it reaches to the end of what holds it, and
        # the next one, which is then found inside, is read just the same.
        stop = end if size is None else min(start + size, end)
        yield element, start, stop
        at = start if element in _MASTERS else stop


def _number(data: bytes, at: int) -> tuple[int | None, int]:
    """A number of variable width and where it ends; None: all ones, unknown."""
    width = 9 - data[at].bit_length()
    if width > 8:
        raise IndexError
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), at + width


def _pages(head: bytes, packets: list[bytes]) -> Iterator[bytes]:
    """RFC 7845: a page with the head, one with the comments, and the sound."""
    vendor = b"atende"
    yield _page(0, 0, 2, [head])
    yield _page(1, 0, 0, [b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", 0)])
    number, granule, waiting, segments = 2, 0, list[bytes](), 0
    for at, packet in enumerate(packets):
        waiting.append(packet)
        segments += len(packet) // 255 + 1
        granule += _samples(packet)
        is_last = at + 1 == len(packets)
        next_one = 0 if is_last else len(packets[at + 1]) // 255 + 1
        full = len(waiting) >= _PER_PAGE or segments + next_one > _MOST_SEGMENTS
        if full or is_last:
            yield _page(number, granule, 4 if is_last else 0, waiting)
            number, waiting, segments = number + 1, [], 0


def _page(number: int, granule: int, flags: int, packets: list[bytes]) -> bytes:
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    header = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, _SERIAL, number, 0, len(lacing)) + lacing
    page = header + b"".join(packets)
    return page[:22] + struct.pack("<I", _checksum(page)) + page[26:]


def _samples(packet: bytes) -> int:
    """How many samples at 48 kHz a packet holds (RFC 6716, section 3.1)."""
    configuration = packet[0] >> 3
    if configuration < 12:
        frame = _FRAMES[0][configuration % 4]
    elif configuration < 16:
        frame = _FRAMES[1][configuration % 2]
    else:
        frame = _FRAMES[2][configuration % 4]
    code = packet[0] & 3
    return frame * (packet[1] & 0x3F if code == 3 else min(code, 1) + 1)


def _checksum(page: bytes) -> int:
    """Ogg's own: the usual polynomial with no bit reflected, which is the usual sum of the reflected bytes."""
    found = zlib.crc32(page.translate(_REFLECTED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2)


_REFLECTED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
