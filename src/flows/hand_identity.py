"""Who is it? What a person has to find out before running by hand a function that only proven contacts may have.

The tenant's own checking function decides, as before the agent's calls (agent.identity), and out of the same attempts:
who has used them up in the chat has none left through an operator either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from domain.errors import ConflictError
from domain.identity import IdentityTerms
from flows.attendance_declaration import AttendanceDeclaration
from flows.functions import IDENTITY, REQUIRED
from store import functions, identities
from store.database import Connection, Row
from store.functions import FunctionRow


@dataclass(frozen=True, slots=True)
class IdentityNeed:
    """What stands before a function."""

    verify: FunctionRow | None
    """The function that decides; None: nobody has set up how contacts prove who they are."""
    blocked: bool = False
    """No attempt is left for now."""
    failed: bool = False
    """What was said just now did not prove it."""

    @property
    def may_try(self) -> bool:
        return self.verify is not None and not self.blocked


class IdentityNeededError(ConflictError):
    """The function is for proven contacts only, and this one is none (any more); nothing was run."""

    def __init__(self, function: str) -> None:
        super().__init__(f"{function} needs the contact's identity.", hint="Open the form again, and ask the contact.")


async def terms_of(tx: Connection, tenant_id: UUID) -> IdentityTerms | None:
    """How the tenant has identities checked; None: it has no way to."""
    settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", tenant_id)
    declared = AttendanceDeclaration.stored(settings).identity
    return declared.terms() if declared else None


def subject_of(terms: IdentityTerms, conversation: Row) -> UUID:
    """What the proof counts for."""
    found: UUID = conversation["contact_id"] if terms.per_contact else conversation["id"]
    return found


async def needed(tx: Connection, conversation: Row, row: FunctionRow) -> IdentityNeed | None:
    """What stands before this function in this conversation; None: it may run.

    Before the deciding function itself stands its own check: called freely it would tell strangers what is right.
    """
    terms = await terms_of(tx, conversation["tenant_id"])
    decides = terms is not None and row.name == terms.verify
    sensitive = row.declaration.get(IDENTITY) == REQUIRED or (terms is not None and row.name in terms.functions)
    if not (decides or sensitive):
        return None
    verify = None
    if terms is not None:
        verify = next((one for one in await functions.every(tx) if one.name == terms.verify and one.enabled), None)
    if terms is None or verify is None:
        return IdentityNeed(None)
    standing = await identities.standing(tx, subject_of(terms, conversation), terms)
    if standing.verified and not decides:
        return None
    return IdentityNeed(verify, blocked=standing.blocked)


def attempt_number(arguments: Mapping[str, Any]) -> int:
    """What names an attempt where no message of the contact does: the same answers again are the same attempt."""
    digest = hashlib.sha256(orjson.dumps(dict(arguments), option=orjson.OPT_SORT_KEYS, default=str)).digest()
    return -1 - int.from_bytes(digest[:7], "big")
