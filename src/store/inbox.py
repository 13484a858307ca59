"""What the inbox shows: conversations, their messages, and what explains them. Read-only.

Every function takes a connection inside ``Database.transaction(tenant_id)``: row-level security binds all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.errors import NotFoundError
from store.database import Connection

CONTACT_NAME = "coalesce(nullif(p.name, ''), nullif(p.push_name, ''), split_part(c.address, ':', 2))"


"""What to call the contact ``p`` of conversation ``c``."""
PICTURE = "left(f.sha256, 16)"
"""What changes with the picture in profile ``f``; NULL for none."""
SCORE = """(SELECT a.score FROM satisfaction_answer a WHERE a.conversation_id = c.id AND a.score IS NOT NULL
             ORDER BY a.asked_at DESC LIMIT 1)"""
"""What the customer of conversation ``c`` said last of the service, from 1 to 5; NULL: nothing yet."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The tenant as its pages need it."""

    name: str
    timezone: str
    simulators: tuple[tuple[UUID, str], ...]
    """Channel sessions of simulated phones: id and name."""


async def workspace(tx: Connection) -> Workspace:
    """The tenant of this transaction."""
    tenant = await tx.fetchrow("SELECT name, timezone FROM tenant WHERE id = current_tenant()")
    if tenant is None:
        raise NotFoundError("tenant", "")
    sessions = await tx.fetch(
        "SELECT id, name FROM channel_session WHERE provider = 'simulator' ORDER BY created_at, name"
    )
    return Workspace(tenant["name"], tenant["timezone"], tuple((row["id"], row["name"]) for row in sessions))
