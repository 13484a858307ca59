"""What the environment of a session-host process must say before the process starts.

neonize's Go core takes its copy of the environment when the process begins: ``os.environ`` comes too late for it.
"""

from __future__ import annotations

from collections.abc import Mapping

HOST_ENVIRONMENT: Mapping[str, str] = {
    "NEONIZE_BOT_TAG": "off",  # else WhatsApp shows every message to a phone number with an "AI" badge
}


def missing(environment: Mapping[str, str]) -> str | None:
    """The first variable that is not as it must be, as ``NAME=value``; None when all are."""
    return next((f"{name}={value}" for name, value in HOST_ENVIRONMENT.items() if environment.get(name) != value), None)
