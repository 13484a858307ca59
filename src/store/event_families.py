"""Families of event kinds (what stands before the dot) that an index needs to know."""

from __future__ import annotations

from typing import Final

AUDIT_FAMILIES: Final = (
    "api_key",
    "autonomy",
    "bundle",
    "eval_gate",
    "function",
    "functions",
    "host",
    "hours",
    "intent",
    "invitation",
    "knowledge",
    "login",
    "person",
    "policy",
    "prompt",
    "reply",
    "secret",
    "session",
    "settings",
    "team",
    "template",
    "templates",
    "tenant",
    "trade",
    "webhook",
)
"""What changes settings, people, keys, policy or numbers, and sign-ins."""

AUDITED: Final = (
    f"split_part(kind, '.', 1) IN ({', '.join(repr(name) for name in AUDIT_FAMILIES)}) AND kind <> 'function.called'"
)
"""SQL of the audit trail's index; a query must say the same."""
