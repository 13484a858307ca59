"""Webhooks as a WAHA server signs and sends them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

KEY = "the key of this webhook"
CHAT = "5511990001111@c.us"
"""The customer, by phone."""
LID = "149000011210072@lid"
"""The same customer by WhatsApp's opaque id."""
OURS = "5511880002222@c.us"


def signature(body: bytes, key: str = KEY) -> dict[str, str]:
    """WAHA's headers for this body."""
    return {
        "X-Webhook-Hmac": hmac.new(key.encode(), body, hashlib.sha512).hexdigest(),
        "X-Webhook-Hmac-Algorithm": "sha512",
    }


def webhook(payload: dict[str, Any], event: str = "message.any") -> bytes:
    """A webhook's body."""
    me = {"id": OURS}
    return json.dumps({"event": event, "session": "default", "me": me, "payload": payload}).encode()


def message(
    provider_id: str, text: str, *, chat: str = CHAT, other: str = "", from_me: bool = False, **more: Any
) -> dict[str, Any]:
    """The payload of a text from the customer, or from our own number. ``other``: the customer's other name."""
    info = {"RecipientAlt" if from_me else "SenderAlt": other}
    return {
        "id": f"{str(from_me).lower()}_{chat}_{provider_id}",
        "from": OURS if from_me else chat,
        "to": chat if from_me else OURS,
        "fromMe": from_me,
        "body": text,
        "timestamp": int(time.time()),
        "hasMedia": False,
        "_data": {"Info": info},
        **more,
    }


def ack(provider_id: str, name: str, *, chat: str = CHAT) -> bytes:
    """The body of a receipt for a message of ours. ``name``: SERVER, DEVICE, READ or PLAYED."""
    number = ("PENDING", "SERVER", "DEVICE", "READ", "PLAYED").index(name)
    payload = {"id": f"true_{chat}_{provider_id}", "from": chat, "fromMe": True, "ack": number, "ackName": name}
    return webhook(payload, "message.ack")
