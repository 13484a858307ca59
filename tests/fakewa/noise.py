"""The server's side of Noise_XX_25519_AESGCM_SHA256 as WhatsApp uses it, and the certificate chain it shows."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import protobuf, xeddsa

PATTERN = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"


class KeyPair:
    """An X25519 key pair as raw bytes."""

    def __init__(self) -> None:
        self.private = os.urandom(32)
        self._key = X25519PrivateKey.from_private_bytes(self.private)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def agree(self, peer: bytes) -> bytes:
        """The Diffie-Hellman secret with the public key ``peer``."""
        return self._key.exchange(X25519PublicKey.from_public_bytes(peer))


def _derive_two(salt: bytes, secret: bytes) -> tuple[bytes, bytes]:
    prk = hmac.digest(salt, secret, "sha256")
    first = hmac.digest(prk, b"\x01", "sha256")
    return first, hmac.digest(prk, first + b"\x02", "sha256")


def _nonce(counter: int) -> bytes:
    return counter.to_bytes(12, "big")


class CertificateChain:
    """Root (its public key is pinned in the client) → intermediate → the server's own static Noise key."""

    def __init__(self, root: KeyPair) -> None:
        intermediate, self.static = KeyPair(), KeyPair()
        self.payload = protobuf.encode(
            {
                1: self._certificate(2, 1, self.static.public, intermediate),
                2: self._certificate(1, 0, intermediate.public, root),
            }
        )

    @staticmethod
    def _certificate(serial: int, issuer: int, key: bytes, signer: KeyPair) -> bytes:
        now = int(time.time())
        details = protobuf.encode({1: serial, 2: issuer, 3: key, 4: now - 3600, 5: now + 86400})
        return protobuf.encode({1: details, 2: xeddsa.sign(signer.private, details)})


class Transport:
    """The two ciphers of an open connection."""

    def __init__(self, read_key: bytes, write_key: bytes) -> None:
        self._reader, self._writer = AESGCM(read_key), AESGCM(write_key)
        self._read = self._written = 0

    def open(self, ciphertext: bytes) -> bytes:
        plaintext = self._reader.decrypt(_nonce(self._read), ciphertext, None)
        self._read += 1
        return plaintext

    def seal(self, plaintext: bytes) -> bytes:
        ciphertext = self._writer.encrypt(_nonce(self._written), plaintext, None)
        self._written += 1
        return ciphertext


class Established(NamedTuple):
    """What a finished handshake yields: who speaks (by key), what it asks for, and the ciphers to go on with."""

    client_static: bytes
    payload: bytes
    transport: Transport


class ServerHandshake:
    """Two steps: ``hello`` answers the client's first frame, ``finish`` reads its second."""

    def __init__(self, chain: CertificateChain, header: bytes) -> None:
        self._chain = chain
        self._hash = self._salt = PATTERN
        self._cipher, self._counter = AESGCM(PATTERN), 0
        self._ephemeral = KeyPair()
        self._authenticate(header)

    def hello(self, frame: bytes) -> bytes:
        client_ephemeral = protobuf.Fields(frame).message(2).data(1)
        self._authenticate(client_ephemeral)
        self._authenticate(self._ephemeral.public)
        self._mix(self._ephemeral.agree(client_ephemeral))
        static = self._encrypt(self._chain.static.public)
        self._mix(self._chain.static.agree(client_ephemeral))
        payload = self._encrypt(self._chain.payload)
        return protobuf.encode({3: protobuf.encode({1: self._ephemeral.public, 2: static, 3: payload})})

    def finish(self, frame: bytes) -> Established:
        finish = protobuf.Fields(frame).message(4)
        client_static = self._decrypt(finish.data(1))
        self._mix(self._ephemeral.agree(client_static))
        payload = self._decrypt(finish.data(2))
        client_writes, client_reads = _derive_two(self._salt, b"")
        return Established(client_static, payload, Transport(client_writes, client_reads))

    def _authenticate(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _mix(self, secret: bytes) -> None:
        self._salt, key = _derive_two(self._salt, secret)
        self._cipher, self._counter = AESGCM(key), 0

    def _encrypt(self, plaintext: bytes) -> bytes:
        ciphertext = self._cipher.encrypt(_nonce(self._counter), plaintext, self._hash)
        self._counter += 1
        self._authenticate(ciphertext)
        return ciphertext

    def _decrypt(self, ciphertext: bytes) -> bytes:
        plaintext = self._cipher.decrypt(_nonce(self._counter), ciphertext, self._hash)
        self._counter += 1
        self._authenticate(ciphertext)
        return plaintext
