"""XEdDSA signatures over Curve25519 keys (https://signal.org/docs/specifications/xeddsa/).

Pure Python, a few milliseconds per signature and not constant-time: only the test server's own throw-away keys are
signed with it. Names follow the specification.
"""

from __future__ import annotations

import hashlib
import os

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P

Point = tuple[int, int, int, int]
"""Extended twisted Edwards coordinates X, Y, Z, T."""


def _recover_x(y: int, sign: int) -> int:
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if (x & 1) != sign else x


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _recover_x(_BASE_Y, 0)
_BASE: Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)


def _add(p: Point, q: Point) -> Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _multiply(scalar: int, point: Point) -> Point:
    result: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _compress(point: Point) -> bytes:
    z_inverse = pow(point[2], P - 2, P)
    x, y = point[0] * z_inverse % P, point[1] * z_inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _clamp(private: bytes) -> int:
    scalar = bytearray(private)
    scalar[0] &= 248
    scalar[31] = (scalar[31] & 127) | 64
    return int.from_bytes(scalar, "little")


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def sign(private: bytes, message: bytes) -> bytes:
    """The 64-byte signature of ``message`` by the X25519 private key ``private`` (32 bytes)."""
    k = _clamp(private)
    edwards = _compress(_multiply(k, _BASE))
    a = (L - k % L) if edwards[31] & 0x80 else k % L
    public = edwards[:31] + bytes([edwards[31] & 0x7F])
    r = _hash(b"\xfe" + b"\xff" * 31, a.to_bytes(32, "little"), message, os.urandom(64))
    commitment = _compress(_multiply(r, _BASE))
    h = _hash(commitment, public, message)
    return commitment + ((r + h * a) % L).to_bytes(32, "little")
