"""Linking a client to a phone: by QR code, or by the code typed into the phone. The server plays the phone."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from . import protobuf, xeddsa
from .accounts import Account, Device, Directory, KeyBundle
from .connection import Connection, Registration
from .nodes import JID, LID, PHONE, SERVER, Attributes, Node
from .noise import KeyPair

CODE_FINISHED = "companion_finish"
_DEVICE_SIGNATURE_PREFIX = b"\x06\x00"


class PairingRefusedError(Exception):
    """The client did not accept the phone's signature."""


def _hkdf(secret: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


class Pairing:
    """The pairings under way."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._by_reference: dict[str, Connection] = {}
        self._by_code: dict[str, tuple[Connection, bytes, bytes]] = {}

    def offer(self, client: Connection, fields: protobuf.Fields, codes: int) -> None:
        """A client without an account connected: give it the references of its QR codes."""
        signed = [Node("id", {}, fields.data(4)), Node("value", {}, fields.data(5))]
        signed.append(Node("signature", {}, fields.data(6)))
        keys = KeyBundle(fields.data(3), fields.data(1), Node("skey", {}, signed))
        references = ["2@" + base64.b64encode(os.urandom(24)).decode() for _ in range(codes)]
        client.registration = Registration(client.client_static, keys, references)
        self._by_reference.update(dict.fromkeys(references, client))
        nodes = [Node("ref", {}, reference.encode()) for reference in references]
        head: Attributes = {"from": SERVER, "type": "set", "id": "pair-device", "xmlns": "md"}
        client.send(Node("iq", head, [Node("pair-device", {}, nodes)]))

    async def scan(self, qr: str, phone: str, *, name: str = "", forged: bool = False, primary: bool = False) -> JID:
        """Scan a QR code with the phone ``phone``; returns the new device's JID.

        ``forged`` signs with a wrong secret, as somebody would who did not see the code. ``primary`` makes the client
        the phone itself, which is device 0.
        Raises PairingRefusedError when the client refuses.
        """
        reference, _noise, identity, secret, *_ = qr.split("#", 1)[-1].split(",")
        client = self._by_reference[reference]
        if base64.b64decode(identity) != client.candidate.keys.identity:
            raise ValueError("the QR code carries another identity than the client registered")
        shared = os.urandom(32) if forged else base64.b64decode(secret)
        return await self._link(client, phone, shared, name, primary=primary)

    def hang_up(self, qr: str) -> None:
        """Close the connection of a client that shows this code, as WhatsApp does when nobody scans."""
        self._by_reference[qr.partition("#")[2].partition(",")[0]].socket.close()

    def offer_code(self, client: Connection, node: Node) -> Node:
        """The client asked for a code to be typed into the phone (``PairPhone``)."""
        reference = os.urandom(16)
        wrapped = node.data("link_code_pairing_wrapped_companion_ephemeral_pub")
        self._by_code[node.jid("jid").user] = (client, wrapped, reference)
        return Node(
            "link_code_companion_reg",
            {"stage": "companion_hello"},
            [Node("link_code_pairing_ref", {}, reference)],
        )

    async def enter_code(self, code: str, phone: str, *, name: str = "") -> JID:
        """Type the eight-character pairing code into the phone ``phone``; returns the new device's JID."""
        client, wrapped, reference = self._by_code.pop(phone)
        account, ephemeral = self._directory.account(phone), KeyPair()
        typed = code.replace("-", "").encode()

        def unwrap(salt: bytes, counter: bytes, data: bytes) -> bytes:
            key = hashlib.pbkdf2_hmac("sha256", typed, salt, 131072, 32)
            return Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor().update(data)

        companion = unwrap(wrapped[:32], wrapped[32:48], wrapped[48:80])
        salt, counter = os.urandom(32), os.urandom(16)
        parts = [
            Node("link_code_pairing_ref", {}, reference),
            Node(
                "link_code_pairing_wrapped_primary_ephemeral_pub",
                {},
                salt + counter + unwrap(salt, counter, ephemeral.public),
            ),
            Node("primary_identity_pub", {}, account.key.public),
        ]
        now = str(int(time.time()))
        head: Attributes = {"from": SERVER, "type": "link_code_companion_reg", "id": "link-code", "t": now}
        hello = Node("notification", head, [Node("link_code_companion_reg", {"stage": "primary_hello"}, parts)])
        finish = await client.request(hello, answer=CODE_FINISHED)
        secret = self._secret_of(client, account, ephemeral.agree(companion), finish)
        return await self._link(client, phone, secret, name)

    @staticmethod
    def _secret_of(client: Connection, account: Account, shared: bytes, finish: Node) -> bytes:
        bundle = finish.data("link_code_pairing_wrapped_key_bundle")
        key = _hkdf(shared, bundle[:32], b"link_code_pairing_key_bundle_encryption_key")
        plain = AESGCM(key).decrypt(bundle[32:44], bundle[44:], None)
        identity = client.candidate.keys.identity
        if plain[:64] != identity + account.key.public:
            raise PairingRefusedError("the client's key bundle names other identities")
        return _hkdf(shared + account.key.agree(identity) + plain[64:96], None, b"adv_secret")

    async def _link(self, client: Connection, phone: str, secret: bytes, name: str, *, primary: bool = False) -> JID:
        account, candidate = self._directory.account(phone), client.candidate
        account.last_device += not primary
        number = 0 if primary else account.last_device
        device = Device(
            JID(phone, PHONE, number), JID(account.lid, LID, number), candidate.noise_key, candidate.keys, name
        )
        device.faults = self._directory.faults
        success = [
            Node("device-identity", {}, self._signed_identity(account, number, candidate.keys.identity, secret)),
            Node("biz", {"name": name}) if name else Node("platform", {"name": "smba"}),
            Node("device", {"jid": device.jid, "lid": device.lid}),
            Node("platform", {"name": "smba"}),
        ]
        now = str(int(time.time()))
        head: Attributes = {"from": SERVER, "type": "set", "id": "pair-success", "xmlns": "md", "t": now}
        reply = await client.request(Node("iq", head, [Node("pair-success", {}, success)]))
        if reply.text("type") != "result":
            raise PairingRefusedError(str(reply))
        account.devices[number] = device
        for reference in candidate.references:
            self._by_reference.pop(reference, None)
        client.send(Node("stream:error", {"code": "515"}))  # "log in now"; not to be taken for a failure
        await asyncio.sleep(0.05)
        client.socket.close()
        return device.jid

    @staticmethod
    def _signed_identity(account: Account, number: int, identity: bytes, secret: bytes) -> bytes:
        details = protobuf.encode({1: int.from_bytes(os.urandom(3), "big"), 2: int(time.time()), 3: number})
        signature = xeddsa.sign(account.key.private, _DEVICE_SIGNATURE_PREFIX + details + identity)
        signed = protobuf.encode({1: details, 2: account.key.public, 3: signature})
        return protobuf.encode({1: signed, 2: hmac.digest(secret, signed, "sha256")})
