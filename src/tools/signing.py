"""Signatures of requests as Standard Webhooks has them (https://www.standardwebhooks.com): over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

_PREFIX = "whsec_"


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it: ``whsec_`` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature_headers(key: str, at: datetime, payload: bytes, signing: Iterable[str]) -> dict[str, str]:
    """``webhook-id`` (the same in every attempt), ``webhook-timestamp``, and a signature for each of the secrets."""
    stamp = str(int(at.timestamp()))
    content = f"{key}.{stamp}.".encode() + payload
    marks = [base64.b64encode(hmac.new(_key(one), content, hashlib.sha256).digest()).decode() for one in signing]
    return {
        "webhook-id": key,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{mark}" for mark in marks),
    }


def _key(secret: str) -> bytes:
    """The bytes of a secret; one that is no base64, as people make them up, counts as it is written."""
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()
