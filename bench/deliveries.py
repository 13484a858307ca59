# ruff: noqa: E501  payloads are easier to compare with a gateway's own when each is one line
"""Webhook deliveries of every gateway, made up by a seeded generator: for the fuzz campaign and the benchmark."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

OURS = "5511880002222"
PHONE_ID = "106540352242922"
OTHER_PHONE_ID = "106540352242999"
SECRET = "c2VjcmV0IG9mIHRoZSBmdXp6IGNhbXBhaWdu"
FIXTURES = Path(os.environ.get("ATENDE_SHARED") or Path(__file__).resolve().parents[2] / "shared") / "gateways/fixtures"

Json = dict[str, Any]


@dataclass(frozen=True)
class Delivery:
    """One request. ``signed``: a gateway could have sent it; ``kind`` names its class in the report."""

    kind: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    signed: bool = True


@dataclass(frozen=True)
class Profile:
    """One provider: its number's settings, its proof, and its payloads."""

    name: str
    config: Json
    prove: Callable[[bytes, str], tuple[Mapping[str, str], str]]
    """Headers and end of the path for a body and a secret."""
    message: Callable[[str, str, str], Json]
    """A message's payload: id, phone, text."""
    others: tuple[Json, ...]
    """Receipts, states and whatever else comes; ``batch`` joins messages of one delivery."""
    batch: Callable[[list[Json]], Json] | None = None

    def delivery(self, kind: str, number: UUID, body: bytes, *, path: str = "") -> Delivery:
        """A delivery with its proof."""
        headers, end = self.prove(body, SECRET)
        return Delivery(kind, path or f"/webhooks/{self.name}/{number}{end}", body, headers)


def now() -> int:
    return int(time.time())


def _hub(body: bytes, secret: str) -> tuple[Mapping[str, str], str]:
    return {"x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}, ""


def _waha_proof(body: bytes, secret: str) -> tuple[Mapping[str, str], str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()
    return {"x-webhook-hmac": signature, "x-webhook-hmac-algorithm": "sha512"}, ""


def _standard(body: bytes, secret: str) -> tuple[Mapping[str, str], str]:
    signature = hmac.new(secret.encode(), b"msg_1.1763771103." + body, hashlib.sha256).digest()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1763771103",
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }, ""


def _waha(provider_id: str, phone: str, text: str) -> Json:
    return {
        "event": "message.any",
        "session": "default",
        "engine": "GOWS",
        "me": {"id": f"{OURS}@c.us"},
        "payload": {
            "id": f"false_{phone}@c.us_{provider_id}",
            "timestamp": now(),
            "from": f"{phone}@c.us",
            "fromMe": False,
            "body": text,
            "hasMedia": False,
        },
    }


def _evolution(provider_id: str, phone: str, text: str) -> Json:
    return {
        "event": "messages.upsert",
        "instance": "loja",
        "data": {
            "key": {"remoteJid": f"{phone}@s.whatsapp.net", "fromMe": False, "id": provider_id},
            "pushName": "Maria",
            "message": {"conversation": text},
            "messageType": "conversation",
            "messageTimestamp": now(),
        },
        "sender": f"{OURS}@s.whatsapp.net",
    }


def _wppconnect(provider_id: str, phone: str, text: str) -> Json:
    return {
        "event": "onmessage",
        "session": "loja",
        "id": f"false_{phone}@c.us_{provider_id}",
        "from": f"{phone}@c.us",
        "to": f"{OURS}@c.us",
        "body": text,
        "content": text,
        "type": "chat",
        "t": now(),
        "timestamp": now(),
        "fromMe": False,
        "sender": {"id": {"server": "c.us", "user": phone, "_serialized": f"{phone}@c.us"}, "pushname": "Maria"},
    }


def _gowa(provider_id: str, phone: str, text: str) -> Json:
    return {
        "event": "message",
        "device_id": f"{OURS}@s.whatsapp.net",
        "payload": {
            "id": provider_id,
            "chat_id": f"{phone}@s.whatsapp.net",
            "from": f"{phone}@s.whatsapp.net",
            "from_name": "Maria",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "is_from_me": False,
            "body": text,
        },
    }


def _cloud_value(messages: list[Json], phone_id: str = PHONE_ID) -> Json:
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": OURS, "phone_number_id": phone_id},
        "contacts": [{"profile": {"name": "Maria"}, "wa_id": message["from"]} for message in messages],
        "messages": messages,
    }


def _cloud_body(*values: Json) -> Json:
    changes = [{"field": "messages", "value": value} for value in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": changes}]}


def cloud_message(provider_id: str, phone: str, text: str) -> Json:
    """One of ``messages`` in a value of the Cloud API."""
    return {
        "from": phone,
        "id": f"wamid.{provider_id}",
        "timestamp": str(now()),
        "type": "text",
        "text": {"body": text},
    }


def _cloud(provider_id: str, phone: str, text: str) -> Json:
    return _cloud_body(_cloud_value([cloud_message(provider_id, phone, text)]))


def _cloud_batch(bodies: list[Json]) -> Json:
    values = [body["entry"][0]["changes"][0]["value"] for body in bodies]
    return _cloud_body(*values)


def cloud_for_nobody(provider_id: str) -> Json:
    """A message for a number that this installation does not have."""
    return _cloud_body(_cloud_value([cloud_message(provider_id, "5511990001111", "para outro")], OTHER_PHONE_ID))


def _generic(provider_id: str, phone: str, text: str) -> Json:
    return {
        "event": "message",
        "data": {"id": provider_id, "chat": {"phone": phone}, "timestamp": now(), "type": "text", "text": text},
    }


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            "waha",
            {"base_url": "http://127.0.0.1:9", "api_key": "k", "hmac_key": SECRET, "session": "default"},
            _waha_proof,
            _waha,
            (
                {"event": "message.ack", "session": "default", "payload": {"id": "true_5511990001111@c.us_3EB0FF", "ack": 3, "ackName": "READ"}},
                {"event": "session.status", "session": "default", "payload": {"name": "default", "status": "WORKING"}},
                {"event": "message.teleported", "session": "default", "payload": {"id": "x"}},
                {"event": "message.revoked", "session": "default", "payload": {"after": {"id": "false_5511990001111@c.us_AA"}, "before": None, "revokedMessageId": "AA"}},
            ),
        ),
        Profile(
            "evolution",
            {"base_url": "http://127.0.0.1:9", "api_key": "k", "instance": "loja", "webhook_secret": SECRET},
            lambda _, secret: ({"x-atende-secret": secret}, ""),
            _evolution,
            (
                {"event": "messages.update", "instance": "loja", "data": {"keyId": "3EB0FF", "remoteJid": "5511990001111@s.whatsapp.net", "fromMe": True, "status": "READ"}},
                {"event": "connection.update", "instance": "loja", "data": {"instance": "loja", "state": "open", "statusReason": 200}},
                {"event": "unheard.of", "instance": "loja", "data": {}},
            ),
            lambda bodies: {**bodies[0], "data": [body["data"] for body in bodies]},
        ),
        Profile(
            "wppconnect",
            {"base_url": "http://127.0.0.1:9", "session": "loja", "secret_key": "k", "webhook_secret": SECRET},
            lambda _, secret: ({}, f"/{secret}"),
            _wppconnect,
            (
                {"event": "onack", "session": "loja", "id": {"fromMe": True, "_serialized": "true_5511990001111@c.us_3EB0FF"}, "ack": 3},
                {"event": "status-find", "session": "loja", "status": "isLogged"},
                {"event": "onteleport", "session": "loja"},
            ),
        ),
        Profile(
            "gowa",
            {"base_url": "http://127.0.0.1:9", "webhook_secret": SECRET},
            _hub,
            _gowa,
            (
                {"event": "message.ack", "device_id": f"{OURS}@s.whatsapp.net", "payload": {"ids": ["3EB0FF"], "chat_id": "5511990001111@s.whatsapp.net", "receipt_type": "read"}},
                {"event": "message.teleported", "payload": {}},
                {"event": "chat_presence", "payload": {"state": "composing"}},
            ),
        ),
        Profile(
            "cloud_api",
            {"phone_number_id": PHONE_ID, "waba_id": "102290129340398", "access_token": "t", "app_secret": SECRET, "verify_token": "v"},
            _hub,
            _cloud,
            (
                _cloud_body({"metadata": {"phone_number_id": PHONE_ID}, "statuses": [{"id": "wamid.FF", "status": "read", "timestamp": "1763771103", "recipient_id": "5511990001111"}]}),
                {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [{"field": "teleportation", "value": {"metadata": {"phone_number_id": PHONE_ID}}}]}]},
                {"object": "page", "entry": []},
            ),
            _cloud_batch,
        ),
        Profile(
            "webhook",
            {"base_url": "http://127.0.0.1:9", "api_key": "k", "webhook_secret": SECRET},
            _standard,
            _generic,
            (
                {"event": "message_status", "data": {"id": "3EB0FF", "status": "read", "timestamp": 1763771103}},
                {"event": "status_change", "data": {"status": "connected"}},
                {"event": "teleported", "data": {}},
            ),
            lambda bodies: {"events": bodies},
        ),
    )
}  # fmt: skip


def fixtures(provider: str) -> list[Json]:
    """Real payloads of this gateway, where they lie beside the project."""
    folder = FIXTURES / provider
    found = [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []
    return [payload for payload in found if isinstance(payload, dict)]


class Fuzz:
    """Deliveries of one provider, the same for the same seed. ``number`` is the channel session they are for."""

    def __init__(self, profile: Profile, number: UUID, seed: int) -> None:
        self._profile, self._number = profile, number
        self._random = random.Random(f"{seed}/{profile.name}")
        self._ids = itertools.count()
        self._sent: list[Delivery] = []
        self._models = [*profile.others, *fixtures(profile.name)]

    def deliveries(self, count: int, *, largest: int) -> Iterator[Delivery]:
        """``count`` deliveries of all classes, mixed. ``largest``: the door's limit in bytes."""
        makers: dict[str, tuple[int, Callable[[], Delivery]]] = {
            "genuine": (25, self._genuine),
            "replayed": (10, self._replayed),
            "forged": (20, self._forged),
            "truncated": (10, self._truncated),
            "wrongly typed": (15, self._wrongly_typed),
            "mutated": (10, self._mutated),
            "batched": (7, self._batched),
            "noise": (3, self._noise),
        }
        names, weights = list(makers), [weight for weight, _ in makers.values()]
        oversized = {self._random.randrange(count) for _ in range(max(count // 1000, 1))}
        for n in range(count):
            delivery = (
                self._oversized(largest) if n in oversized else makers[self._random.choices(names, weights)[0]][1]()
            )
            if delivery.signed and delivery.kind not in {"replayed", "oversized"}:
                self._sent.append(delivery)
            yield delivery

    def _payload(self, prefix: str = "G") -> Json:
        phone = f"55119900{self._random.randrange(200):05}"
        text = self._random.choice(["oi", "cadê meu pedido?", "ção 😀", "\u202e'); DROP TABLE message; --", "x" * 3000])
        return self._profile.message(f"{prefix}{next(self._ids):06}", phone, text)

    def _make(self, kind: str, payload: object) -> Delivery:
        return self._profile.delivery(kind, self._number, json.dumps(payload).encode())

    def _genuine(self) -> Delivery:
        if self._profile.name == "cloud_api" and self._random.random() < 0.4:
            nobody = self._random.random() < 0.1
            payload = cloud_for_nobody(f"N{next(self._ids):06}") if nobody else self._payload()
            body = json.dumps(payload).encode()
            return self._profile.delivery(
                "for nobody" if nobody else "genuine", self._number, body, path=f"/webhooks/{self._profile.name}"
            )
        return self._make("genuine", self._payload())

    def _replayed(self) -> Delivery:
        if not self._sent:
            return self._genuine()
        again = self._random.choice(self._sent[-500:])
        return Delivery("replayed", again.path, again.body, again.headers)

    def _forged(self) -> Delivery:
        body = json.dumps(self._payload("F0RGED")).encode()
        headers, end = self._profile.prove(body, SECRET)
        path = f"/webhooks/{self._profile.name}/{self._number}"
        match self._random.randrange(6):
            case 0:
                headers, end = {}, ""
            case 1:
                headers, end = self._profile.prove(body, "another secret")
            case 2:  # the proof of something else, or none
                wrong = self._profile.prove(body + b" ", SECRET)
                headers, end = wrong if wrong != (headers, end) else ({}, "/" + "0" * 43)
            case 3:
                headers = {name: value[: len(value) // 2] for name, value in headers.items()}
                end = end[: len(end) // 2]
            case 4:
                path = f"/webhooks/{self._profile.name}/{UUID(int=self._random.getrandbits(128))}"
            case _:
                headers = {name: "\xff" * 9 + value[9:] for name, value in headers.items()}
                end = end[:-1] + "%00"
                if self._profile.name != "wppconnect":
                    end = ""
        return Delivery("forged", path + end, body, headers, signed=False)

    def _truncated(self) -> Delivery:
        body = json.dumps(self._payload()).encode()
        return self._profile.delivery("truncated", self._number, body[: self._random.randrange(len(body))])

    def _wrongly_typed(self) -> Delivery:
        payload = self._payload("W")
        for _ in range(self._random.randrange(1, 4)):
            payload = self._change(payload)
        return self._make("wrongly typed", payload)

    def _mutated(self) -> Delivery:
        payload = self._random.choice(self._models)
        for _ in range(self._random.randrange(4)):
            payload = self._change(payload)
        return self._make("mutated", payload)

    def _batched(self) -> Delivery:
        payloads = [self._payload("B") for _ in range(self._random.randrange(2, 6))]
        if self._profile.batch is None:
            return self._make("batched", payloads)  # no such thing here: one that is not understood
        return self._make("batched", self._profile.batch(payloads))

    def _noise(self) -> Delivery:
        choices = [self._random.randbytes(200), b"", b"null", b"[" * 5000, b"{}", b'"\\ud800"', b"1e999", b"[[],{},0]"]
        return self._profile.delivery("noise", self._number, self._random.choice(choices))

    def _oversized(self, largest: int) -> Delivery:
        return self._profile.delivery("oversized", self._number, b" " * (largest + 1))

    def _change(self, payload: Any) -> Any:
        """The payload with one place changed: left out, doubled, of another type, or with another's content."""
        if isinstance(payload, dict) and payload:
            key = self._random.choice(list(payload))
            changed = dict(payload)
            value = payload[key]
            if isinstance(value, dict | list) and value and self._random.random() < 0.75:
                changed[key] = self._change(value)
            elif self._random.random() < 0.2:
                del changed[key]
            elif self._random.random() < 0.1:
                changed[key + "2"] = value
            else:
                changed[key] = self._strange(value)
            return changed
        if isinstance(payload, list) and payload:
            place = self._random.randrange(len(payload))
            return [self._change(item) if n == place else item for n, item in enumerate(payload)]
        return self._strange(payload)

    def _strange(self, value: Any) -> Any:
        return self._random.choice(
            [
                None, True, 0, -1, 2**70, 1.5e300, "", "\x00", "\ud83d", "a" * 300, [], {}, [value], {"a": value},
                str(value), "5511990001111@lid", "status@broadcast", "120363@g.us", f"{next(self._ids)}", [[[[]]]],
            ]
        )  # fmt: skip
