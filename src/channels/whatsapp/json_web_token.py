"""JSON Web Tokens of the one kind that Evolution makes: HS256, with an end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import time
from typing import Any


def is_valid(token: str, secret: str, *, leeway_seconds: float) -> bool:
    """Whether this is a token signed with ``secret`` by HS256, and not over for longer than ``leeway_seconds``."""
    head, _, signature = token.rpartition(".")
    header, _, claims = head.partition(".")
    expected = base64.urlsafe_b64encode(
        hmac.new(secret.encode(), head.encode("utf-8", "replace"), hashlib.sha256).digest()
    )
    is_signed = hmac.compare_digest(expected.rstrip(b"="), signature.encode("utf-8", "replace"))
    stated, told = _part(header), _part(claims)
    if not is_signed or stated is None or told is None or stated.get("alg") != "HS256":
        return False
    over = told.get("exp")
    if isinstance(over, bool) or not isinstance(over, int | float) or not math.isfinite(over):
        return False
    return time.time() < over + leeway_seconds


def _part(encoded: str) -> dict[str, Any] | None:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None
