"""Contacts as people and programs see them: listed, found, changed; and everything that is kept about one.

Every function takes a connection inside ``Database.transaction(tenant_id)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.errors import NotFoundError
from store.database import Connection

_CONTACT: Final = """
    SELECT c.id, c.name, c.push_name, c.is_group, c.opted_out_at, c.tags, c.fields, c.lead_status, c.lead_score,
           c.lead_source, c.version, c.created_at,
           (SELECT coalesce(array_agg(a.kind || ':' || a.value ORDER BY a.kind DESC, a.value), '{}')
              FROM contact_address a WHERE a.contact_id = c.id) AS addresses
      FROM contact c
"""


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """A contact. ``name`` is what the business calls it, ``push_name`` what it calls itself."""

    id: UUID
    name: str | None
    push_name: str | None
    is_group: bool
    opted_out_at: datetime | None
    tags: list[str]
    fields: dict[str, Any]
    lead_status: str | None
    lead_score: int
    lead_source: str
    version: int
    created_at: datetime
    addresses: list[str]


@dataclass(frozen=True, slots=True)
class ContactFilter:
    """Which contacts are listed; None: whatever it is. ``search``: in names and addresses."""

    search: str | None = None
    tag: str | None = None
    lead_status: str | None = None
    opted_out: bool | None = None
    leads: bool = False
    """Only those that are leads."""


async def listed(
    tx: Connection, wanted: ContactFilter, *, before: tuple[datetime, UUID] | None = None, limit: int
) -> list[ContactRecord]:
    """The newest first, from below ``before`` (time and id of the last one shown)."""
    at, last_id = before or (None, None)
    pattern = f"%{_escaped(wanted.search)}%" if wanted.search else None
    rows = await tx.fetch(
        f"""{_CONTACT}
         WHERE ($1::timestamptz IS NULL OR (c.created_at, c.id) < ($1, $2::uuid))
           AND ($3::text IS NULL OR c.name ILIKE $3 OR c.push_name ILIKE $3
                OR EXISTS (SELECT 1 FROM contact_address a WHERE a.contact_id = c.id AND a.value ILIKE $3))
           AND ($4::text IS NULL OR c.tags ? $4)
           AND ($5::text IS NULL OR c.lead_status = $5)
           AND ($6::bool IS NULL OR (c.opted_out_at IS NOT NULL) = $6)
           AND (NOT $7 OR c.lead_status IS NOT NULL)
         ORDER BY c.created_at DESC, c.id DESC LIMIT $8""",
        at,
        last_id,
        pattern,
        wanted.tag,
        wanted.lead_status,
        wanted.opted_out,
        wanted.leads,
        limit,
    )
    return [ContactRecord(**row) for row in rows]


async def one(tx: Connection, contact_id: UUID, *, lock: bool = False) -> ContactRecord:
    """One contact. Raises NotFoundError, also for another tenant's."""
    row = await tx.fetchrow(f"{_CONTACT} WHERE c.id = $1{' FOR UPDATE OF c' if lock else ''}", contact_id)
    if row is None:
        raise NotFoundError("contact", contact_id)
    return ContactRecord(**row)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# Everything that is kept about a contact -----------------------------------------------------------------------------
_OF_CONTACT: Final = "t.contact_id = $1"
_OF_CONVERSATIONS: Final = "t.conversation_id IN (SELECT id FROM conversation WHERE contact_id = $1)"
_SAID_IN_GROUPS: Final = """t.sender IN (SELECT a.kind || ':' || a.value FROM contact_address a
                                          WHERE a.contact_id = $1) AND t.contact_id <> $1"""
KEPT: Final[dict[str, tuple[str, str]]] = {
    "addresses": ("contact_address", _OF_CONTACT),
    "profile": ("contact_profile", _OF_CONTACT),
    "consent": ("consent_entry", _OF_CONTACT),
    "conversations": ("conversation", _OF_CONTACT),
    "messages": ("message", _OF_CONVERSATIONS),
    "messages_in_groups": ("message", _SAID_IN_GROUPS),
    "changes_of_messages": ("message_change", _OF_CONTACT),
    "files": (
        "media_file",
        f"t.message_id IN (SELECT m.id FROM message m JOIN conversation c ON c.id = m.conversation_id "
        f"WHERE c.contact_id = $1) OR t.message_id IN (SELECT id FROM message t WHERE {_SAID_IN_GROUPS})",
    ),
    "outgoing": ("outbox_message", _OF_CONVERSATIONS),
    "notes": ("conversation_note", _OF_CONVERSATIONS),
    "tasks": ("task", _OF_CONTACT),
    "suggestions": ("suggestion", _OF_CONVERSATIONS),
    "handoffs": ("handoff", _OF_CONVERSATIONS),
    "turns": ("turn", _OF_CONVERSATIONS),
    "function_calls": ("function_call", _OF_CONVERSATIONS),
    "approvals": ("approval", _OF_CONVERSATIONS),
    "satisfaction": ("satisfaction_answer", _OF_CONVERSATIONS),
    "identity_checks": (
        "identity_check",
        "t.subject_id = $1 OR t.subject_id IN (SELECT id FROM conversation WHERE contact_id = $1)",
    ),
    "events": ("event", "t.conversation_id IN (SELECT id FROM conversation WHERE contact_id = $1)"),
}
"""What an export holds: name → table, and which of its rows are about contact $1."""
_INTERNAL: Final = ["tenant_id", "xid", "reference", "fence", "call", "dialogue"]


async def kept(tx: Connection, contact_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """All rows about the contact, by what they are."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, (table, about) in KEPT.items():
        rows = await tx.fetch(
            f"SELECT to_jsonb(t) - $2::text[] AS row FROM {table} t WHERE {about} ORDER BY to_jsonb(t) ->> 'id'",
            contact_id,
            _INTERNAL,
        )
        found[name] = [row["row"] for row in rows]
    return found
