"""Proving who a contact is before a sensitive function: what a tenant asks for, and how a contact stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdentityTerms:
    """How a tenant has identities checked."""

    verify: str
    """The business function that decides: it gets what the contact says, succeeds or refuses."""
    functions: frozenset[str] = frozenset()
    """Functions that need it, beside those whose declaration says so themselves."""
    attempts: int = 3
    """Refusals in a row until only a person can help."""
    valid_minutes: int = 60
    """How long a proven identity counts."""
    blocked_minutes: int = 24 * 60
    """How long a contact without attempts left must wait for new ones."""
    per_contact: bool = False
    """Whether it counts for all conversations of the contact, or for the one in which it was proven."""


@dataclass(frozen=True, slots=True)
class IdentityStanding:
    """What is known of a contact now. Neither: it may try."""

    verified: bool = False
    blocked: bool = False
