"""Reads the text of a QR code from the picture of it that a program drew.

Some gateways hand out the code to scan as a PNG only, while we keep its text (a page draws it anew, in its own size).
A drawn picture is exact, so there is nothing to find, to straighten or to correct: a photograph is not read. Format:
ISO/IEC 18004 (the tables are segno's) and PNG's without interlacing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from segno import consts

Rows = list[list[bool]]
"""True is dark."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_SIDE = 4096
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PALETTE = 3
_FINDER = 7
_ALPHANUMERIC = consts.ALPHANUMERIC_CHARS.decode()
_COUNT_BITS = {1: (10, 12, 14), 2: (9, 11, 13), 4: (8, 16, 16)}
"""Bits of a segment's length in versions to 9, to 26 and above, by mode."""
_FORMAT_MASK = 0b101010000010010


def read_qr(png: bytes) -> str | None:
    """The text of the code that fills the picture; None for a picture that holds none, or is damaged."""
    try:
        return _text(_modules(_pixels(png)))
    except (ValueError, IndexError, KeyError, struct.error, zlib.error, UnicodeDecodeError):
        return None


def _pixels(png: bytes) -> Rows:
    """The picture in black and white. Raises ValueError for a form of PNG that is not read."""
    if not png.startswith(_SIGNATURE):
        raise ValueError("no PNG")
    parts: dict[bytes, bytes] = {}
    at = len(_SIGNATURE)
    while at + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind = png[at + 4 : at + 8]
        parts[kind] = parts.get(kind, b"") + png[at + 8 : at + 8 + length]
        at += 12 + length
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    if interlaced or not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE) or depth == 16:
        raise ValueError("an unusual PNG")
    channels = _CHANNELS[colour]
    stride = (width * channels * depth + 7) // 8
    expected = (stride + 1) * height
    raw = zlib.decompressobj().decompress(parts[b"IDAT"], expected)
    if len(raw) != expected:
        raise ValueError("a cut PNG")
    palette = parts.get(b"PLTE", b"")
    rows, before, step = [], bytes(stride), max(1, channels * depth // 8)
    for start in range(0, expected, stride + 1):
        before = _unfiltered(raw[start], raw[start + 1 : start + 1 + stride], before, step)
        rows.append([_is_dark(sample, colour, depth, palette) for sample in _samples(before, width, channels, depth)])
    return rows


def _unfiltered(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    found = bytearray(line)
    for i, value in enumerate(line):
        left = found[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        up = above[i]
        if kind == 4:
            estimate = left + up - corner
            guess = min((left, up, corner), key=lambda near: abs(estimate - near))
        else:
            guess = (0, left, up, (left + up) // 2)[kind]
        found[i] = (value + guess) & 0xFF
    return bytes(found)


def _samples(line: bytes, width: int, channels: int, depth: int) -> Iterator[tuple[int, ...]]:
    if depth == 8:
        for x in range(width):
            yield tuple(line[x * channels : (x + 1) * channels])
        return
    for x in range(width):
        bit = x * depth
        yield ((line[bit // 8] >> (8 - depth - bit % 8)) & ((1 << depth) - 1),)


def _is_dark(sample: tuple[int, ...], colour: int, depth: int, palette: bytes) -> bool:
    if colour == _PALETTE:
        return sum(palette[sample[0] * 3 : sample[0] * 3 + 3]) < 3 * 128
    if colour in (4, 6) and sample[-1] < 128:
        return False  # transparent is background
    light = sample[0] if colour in (0, 4) else sum(sample[:3]) / 3
    return light * 2 < (1 << depth) - 1


def _modules(rows: Rows) -> Rows:
    """The code's squares, whatever the picture's margin and scale: three corners hold a finder, which is dark."""
    lines = [y for y, row in enumerate(rows) if True in row]
    top, bottom = lines[0], lines[-1]
    left = rows[top].index(True)
    right = len(rows[top]) - 1 - rows[top][::-1].index(True)
    run = next(x for x in range(left, right + 1) if not rows[top][x]) - left
    scale, odd = divmod(run, _FINDER)
    size = (right - left + 1) // max(scale, 1)
    if odd or not scale or size != (bottom - top + 1) // scale or size % 4 != 1 or not 21 <= size <= 177:
        raise ValueError("no QR code")
    middle = scale // 2
    return [[rows[top + y * scale + middle][left + x * scale + middle] for x in range(size)] for y in range(size)]


@dataclass(frozen=True, slots=True)
class _Bits:
    data: bytes

    def read(self, at: int, length: int) -> int:
        if at + length > len(self.data) * 8:
            raise ValueError("the code ends early")
        whole = int.from_bytes(self.data[at // 8 : (at + length + 7) // 8])
        return (whole >> (-(at + length) % 8)) & ((1 << length) - 1)


def _text(modules: Rows) -> str:
    size = len(modules)
    version = (size - 17) // 4
    stated = sum(modules[8][x] << (14 - i) for i, x in enumerate((0, 1, 2, 3, 4, 5, 7, 8)))
    stated |= sum(modules[y][8] << (6 - i) for i, y in enumerate((7, 5, 4, 3, 2, 1, 0)))
    stated ^= _FORMAT_MASK
    level, mask = stated >> 13, (stated >> 10) & 0b111
    bits = [modules[y][x] ^ _masked(mask, y, x) for y, x in _path(size, version)]
    whole = range(0, len(bits) - len(bits) % 8, 8)
    words = bytes(sum(bit << (7 - i) for i, bit in enumerate(bits[start : start + 8])) for start in whole)
    return _decoded(_Bits(_in_order(words, version, level)), version)


def _path(size: int, version: int) -> Iterator[tuple[int, int]]:
    """The squares that carry data, in reading order: two columns at a time, up and down."""
    spots = consts.ALIGNMENT_POS[version - 2] if version > 1 else ()
    last = size - 7
    centres = {(y, x) for y in spots for x in spots} - {(6, 6), (6, last), (last, 6)}
    near = {(y + dy, x + dx) for y, x in centres for dy in range(-2, 3) for dx in range(-2, 3)}

    def carries(y: int, x: int) -> bool:
        corners = (y < 9 and (x < 9 or x >= size - 8)) or (y >= size - 8 and x < 9)
        versions = version >= 7 and ((y < 6 and x >= size - 11) or (x < 6 and y >= size - 11))
        return not (corners or versions or 6 in (y, x) or (y, x) in near)

    upward = True
    columns = [*range(size - 1, 6, -2), 5, 3, 1]
    for right in columns:
        for y in range(size - 1, -1, -1) if upward else range(size):
            yield from ((y, x) for x in (right, right - 1) if carries(y, x))
        upward = not upward


def _masked(mask: int, y: int, x: int) -> bool:
    match mask:
        case 0:
            return (y + x) % 2 == 0
        case 1:
            return y % 2 == 0
        case 2:
            return x % 3 == 0
        case 3:
            return (y + x) % 3 == 0
        case 4:
            return (y // 2 + x // 3) % 2 == 0
        case 5:
            return y * x % 2 + y * x % 3 == 0
        case 6:
            return (y * x % 2 + y * x % 3) % 2 == 0
        case _:
            return ((y + x) % 2 + y * x % 3) % 2 == 0


def _in_order(words: bytes, version: int, level: int) -> bytes:
    """The data words, which the code deals out to its blocks in turn; the correction words behind them are dropped."""
    # A format says L, M, Q, H as 1, 0, 3, 2, as segno does.
    table: Mapping[int, Mapping[int, tuple[consts.EC, ...]]] = consts.ECC  # type: ignore[assignment]
    lengths = [block.num_data for block in table[version][level] for _ in range(block.num_blocks)]
    blocks: list[bytearray] = [bytearray() for _ in lengths]
    dealt = iter(words)
    for turn in range(max(lengths)):
        for block, length in zip(blocks, lengths, strict=True):
            if turn < length:
                block.append(next(dealt))
    return b"".join(blocks)


def _decoded(bits: _Bits, version: int) -> str:
    size_class = 0 if version <= 9 else 1 if version <= 26 else 2
    at, found = 0, b""
    while at + 4 <= len(bits.data) * 8 and (mode := bits.read(at, 4)):
        length_bits = _COUNT_BITS[mode][size_class]
        count = bits.read(at + 4, length_bits)
        at += 4 + length_bits
        if mode == 4:
            found += bits.read(at, 8 * count).to_bytes(count)
            at += 8 * count
            continue
        per, width, rest = (3, 10, (0, 4, 7)) if mode == 1 else (2, 11, (0, 6))
        while count:
            taken = min(per, count)
            number = bits.read(at, width if taken == per else rest[taken])
            found += _characters(mode, number, taken).encode()
            at += width if taken == per else rest[taken]
            count -= taken
    if not found:
        raise ValueError("an empty code")
    return found.decode()


def _characters(mode: int, number: int, count: int) -> str:
    if mode == 1:
        return f"{number:0{count}d}"
    return _ALPHANUMERIC[number] if count == 1 else _ALPHANUMERIC[number // 45] + _ALPHANUMERIC[number % 45]
