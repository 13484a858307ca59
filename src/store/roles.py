"""The database's roles and their passwords."""

from __future__ import annotations

import hashlib
import hmac

APP_ROLE = "atende_app"
QUEUE_ROLE = "atende_queue"
GATE_ROLE = "atende_gate"
SESSIONS_ROLE = "atende_sessions"
"""Owns the schema of paired devices' keys and may enter nothing else; only session hosts connect as it."""


def role_password(secret: bytes, role: str) -> str:
    """The password of a database role, derived from the installation's secret so that it is stored nowhere."""
    return hmac.new(secret, f"database role {role}".encode(), hashlib.sha256).hexdigest()
