"""Voice notes from browsers: the same sound in the container that WhatsApp plays. Spoiled ones are left as they are."""

from __future__ import annotations

import random
import struct

from domain.voice_notes import ogg_of

HEAD = b"OpusHead\x01\x01" + struct.pack("<HIhB", 312, 48000, 0, 0)
PACKETS = [bytes([0x78, n % 256]) + bytes(n * 7 % 700) for n in range(130)]
"""20 ms each, some of them longer than a segment."""


def test_that_every_packet_of_a_streamed_recording_is_in_the_ogg_file_in_order_and_the_time_adds_up() -> None:
    pages = list(_pages(ogg_of(_webm(PACKETS)) or b""))
    assert pages[0].packets == [HEAD]
    assert pages[1].packets[0].startswith(b"OpusTags")
    assert [packet for page in pages[2:] for packet in page.packets] == PACKETS
    assert pages[-1].granule == 130 * 960
    assert [page.flags for page in pages] == [2, 0, *[0] * (len(pages) - 3), 4]


def test_that_the_checksum_is_that_of_the_ogg_specification() -> None:
    found = ogg_of(_webm(PACKETS)) or b""
    end = 28 + sum(found[27:28])
    page = found[:end]
    value = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    assert struct.unpack("<I", page[22:26])[0] == value


def test_that_what_is_no_such_recording_or_is_spoiled_raises_nothing() -> None:
    webm = _webm(PACKETS)
    assert ogg_of(b"") is None
    assert ogg_of(b"OggS" + bytes(100)) is None
    assert ogg_of(webm.replace(b"OpusHead", b"VorbisHd")) is None
    seed = 20261122
    chance = random.Random(seed)
    for _ in range(400):
        spoiled = bytearray(webm[: chance.randrange(len(webm))])
        for _ in range(chance.randrange(1, 6)):
            if spoiled:
                spoiled[chance.randrange(min(len(spoiled), 300))] = chance.randrange(256)
        ogg_of(bytes(spoiled))


def _webm(packets: list[bytes]) -> bytes:
    """As a browser streams it: segment and clusters of unknown length, two of them."""
    unknown = b"\x01" + b"\xff" * 7
    tracks = _element(b"\x16\x54\xae\x6b", _element(b"\xae", _element(b"\x63\xa2", HEAD)))
    half = len(packets) // 2
    clusters = b"".join(
        b"\x1f\x43\xb6\x75" + unknown + _element(b"\xe7", b"\x00") + b"".join(_block(one) for one in part)
        for part in (packets[:half], packets[half:])
    )
    return _element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm") + b"\x18\x53\x80\x67" + unknown + tracks + clusters


def _block(packet: bytes) -> bytes:
    return _element(b"\xa3", b"\x81\x00\x00\x80" + packet)


def _element(name: bytes, content: bytes) -> bytes:
    return name + (len(content) | 0x10000000).to_bytes(4, "big") + content


class _Page:
    def __init__(self, data: bytes) -> None:
        self.flags, self.granule, count = data[5], struct.unpack("<q", data[6:14])[0], data[26]
        lacing, at = data[27 : 27 + count], 27 + count
        self.packets, packet = list[bytes](), b""
        for length in lacing:
            packet += data[at : at + length]
            at += length
            if length < 255:
                self.packets.append(packet)
                packet = b""
        self.end = at


def _pages(data: bytes) -> list[_Page]:
    found = []
    while data:
        assert data.startswith(b"OggS")
        found.append(_Page(data))
        data = data[found[-1].end :]
    return found
