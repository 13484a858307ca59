"""Small files of the kinds that people send."""

from __future__ import annotations

import struct
import zlib


def ogg_opus(packets: list[int], *, samples: int) -> bytes:
    """A voice note with packets of these sizes, as phones record it."""

    def page(granule: int, *bodies: bytes, flags: int = 0) -> bytes:
        laces = b"".join(b"\xff" * (len(body) // 255) + bytes([len(body) % 255]) for body in bodies)
        return struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, 7, 0, 0, len(laces)) + laces + b"".join(bodies)

    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 16000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 0) + struct.pack("<I", 0)
    sound = page(samples + 312, *(bytes([0x58]) * size for size in packets), flags=4)
    return page(0, head, flags=2) + page(0, tags) + sound


def png(width: int = 3, height: int = 2) -> bytes:
    """A picture of one colour."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + b"\x20\x80\xff" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURE, VOICE = png(), ogg_opus([20] * 50 + [90] * 50, samples=96_000)
FILM, PAPER, STICKER = b"\0\0\0\x18ftypmp42" + b"film" * 500, b"%PDF-1.7 contrato", b"RIFF\x0c\0\0\0WEBPVP8 sticker"
FILES = {"picture": PICTURE, "voice": VOICE, "film": FILM, "paper": PAPER, "sticker": STICKER}
