"""Who may do what: roles are sets of rights, and a right is also a scope that an API key may have.

A route names the right it needs; nothing asks for a role by name.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person is in one tenant."""

    ADMIN = "admin"
    MANAGER = "manager"
    OPERATOR = "operator"
    PROMPT_ENGINEER = "prompt_engineer"
    """Works on prompts and evals; sees traces with personal data masked, and sends nothing."""


class Reach(StrEnum):
    """Which conversations a person sees."""

    ALL = "all"
    TEAM = "team"
    """Those of the person's teams, of nobody's team, and the person's own."""
    OWN = "own"
    """Only those assigned to the person."""


class Right(StrEnum):
    """Something that somebody may do in a tenant, as ``what:how``."""

    CONVERSATIONS_READ = "conversations:read"
    CONVERSATIONS_WRITE = "conversations:write"
    """Claim, assign, close, note, label; propose, reject and ask for suggestions."""
    MESSAGES_WRITE = "messages:write"
    """Send: replies, approved suggestions, files; decide on a function that waits for approval."""
    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"
    """Contacts, their notes and tasks, and leads."""
    OUTGOING_READ = "outgoing:read"
    OUTGOING_WRITE = "outgoing:write"
    SESSIONS_READ = "sessions:read"
    SESSIONS_WRITE = "sessions:write"
    INTENTS_READ = "intents:read"
    INTENTS_WRITE = "intents:write"
    FUNCTIONS_READ = "functions:read"
    FUNCTIONS_WRITE = "functions:write"
    KNOWLEDGE_READ = "knowledge:read"
    KNOWLEDGE_WRITE = "knowledge:write"
    PROMPTS_READ = "prompts:read"
    PROMPTS_WRITE = "prompts:write"
    EVALS_READ = "evals:read"
    EVALS_WRITE = "evals:write"
    CASES_WRITE = "cases:write"
    """Propose a message as a test case."""
    TRACES_READ = "traces:read"
    """Why the assistant did what it did, with personal data masked."""
    POLICY_READ = "policy:read"
    POLICY_WRITE = "policy:write"
    """Reply policy, kill switch."""
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"
    """Hours, holidays, texts, budgets, targets, shared canned replies."""
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    """People, their roles, teams."""
    SUPERVISION = "supervision:write"
    """See who works on what; assign other people's conversations."""
    REPORTS_READ = "reports:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    API_KEYS_WRITE = "api_keys:write"
    EVENTS_READ = "events:read"
    AUDIT_READ = "audit:read"


_OPERATOR: Final = frozenset(
    {
        Right.CONVERSATIONS_READ,
        Right.CONVERSATIONS_WRITE,
        Right.MESSAGES_WRITE,
        Right.CONTACTS_READ,
        Right.CONTACTS_WRITE,
        Right.OUTGOING_READ,
        Right.OUTGOING_WRITE,
        Right.SESSIONS_READ,
        Right.INTENTS_READ,
        Right.KNOWLEDGE_READ,
        Right.FUNCTIONS_READ,
        Right.CASES_WRITE,
        Right.TRACES_READ,
        Right.POLICY_READ,
        Right.SETTINGS_READ,
        Right.EVENTS_READ,
    }
)
_MANAGER: Final = _OPERATOR | {
    Right.SUPERVISION,
    Right.USERS_READ,
    Right.REPORTS_READ,
    Right.EVALS_READ,
    Right.PROMPTS_READ,
}
_PROMPT_ENGINEER: Final = frozenset(
    {
        Right.INTENTS_READ,
        Right.INTENTS_WRITE,
        Right.FUNCTIONS_READ,
        Right.KNOWLEDGE_READ,
        Right.KNOWLEDGE_WRITE,
        Right.PROMPTS_READ,
        Right.PROMPTS_WRITE,
        Right.EVALS_READ,
        Right.EVALS_WRITE,
        Right.CASES_WRITE,
        Right.TRACES_READ,
        Right.POLICY_READ,
    }
)
RIGHTS: Final[dict[Role, frozenset[Right]]] = {
    Role.ADMIN: frozenset(Right),
    Role.MANAGER: _MANAGER,
    Role.OPERATOR: _OPERATOR,
    Role.PROMPT_ENGINEER: _PROMPT_ENGINEER,
}


def rights_of(role: str) -> frozenset[Right]:
    """What ``role`` includes; a role that is none includes nothing."""
    return RIGHTS[Role(role)] if role in set(Role) else frozenset()


def roles_with(right: Right) -> tuple[Role, ...]:
    """Who may do it, the mightiest first."""
    return tuple(role for role in Role if right in RIGHTS[role])
