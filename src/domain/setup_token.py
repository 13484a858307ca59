"""What proves, before anybody has an account, that somebody may begin: only who sees the terminal knows it."""

from __future__ import annotations

import base64
import hashlib
import hmac

_GROUP = 5


def setup_token(secret: bytes) -> str:
    """The installation's token, in groups that can be typed. It is worth nothing once an account exists."""
    digest = hmac.new(secret, b"atende setup token", hashlib.sha256).digest()
    text = base64.b32encode(digest).decode()[:20].lower()
    return "-".join(text[place : place + _GROUP] for place in range(0, len(text), _GROUP))
