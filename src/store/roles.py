"""The database's roles and their passwords."""

from __future__ import annotations

import hashlib
import hmac

APP_ROLE = "atende_app"
LIMITED_ROLE = "atende_limited"
"""The application on behalf of people whose reach is limited: all that ``atende_app`` may, under further policies."""
QUEUE_ROLE = "atende_queue"
GATE_ROLE = "atende_gate"
SESSIONS_ROLE = "atende_sessions"
"""Owns the schema of paired devices' keys and may enter nothing else; only session hosts connect as it."""


GROUPS = (APP_ROLE, LIMITED_ROLE, QUEUE_ROLE, SESSIONS_ROLE, GATE_ROLE)
LOGINS = (APP_ROLE, LIMITED_ROLE, QUEUE_ROLE, SESSIONS_ROLE)


def login_name(secret: bytes, role: str) -> str:
    """The role that this installation logs in as, a member of ``role``.

    Roles belong to the whole server. Two installations on one server have two secrets, hence two sets of log-ins, and
    neither changes the other's passwords.
    """
    return f"{role}_{role_password(secret, role + ' name')[:10]}"


def role_password(secret: bytes, role: str) -> str:
    """The password of a database role, derived from the installation's secret so that it is stored nowhere."""
    return hmac.new(secret, f"database role {role}".encode(), hashlib.sha256).hexdigest()
