"""What the policy page shows of the database: what is stopped, and what changed. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.errors import NotFoundError
from store.database import Connection


@dataclass(frozen=True, slots=True)
class NumberSwitch:
    """A number, its key in tenant.yaml if it has one, and since when its automatic messages are stopped."""

    id: UUID
    name: str
    key: str | None
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed what may go out by itself. ``who`` is None where no person did it."""

    kind: str
    payload: dict[str, Any]
    who: str | None
    actor: str
    at: datetime


async def number_switches(tx: Connection) -> list[NumberSwitch]:
    """All numbers of the tenant, oldest first."""
    rows = await tx.fetch(
        "SELECT id, name, config ->> 'key' AS key, stopped_at FROM channel_session ORDER BY created_at, name"
    )
    return [NumberSwitch(**row) for row in rows]


async def check_intent(tx: Connection, name: str) -> None:
    """Raise NotFoundError where the tenant has no such intent."""
    if await tx.fetchval("SELECT 1 FROM intent WHERE name = $1", name) is None:
        raise NotFoundError("intent", name)


async def changes(tx: Connection, limit: int = 30) -> list[Change]:
    """The latest changes, newest first."""
    rows = await tx.fetch(
        """SELECT e.kind, e.payload, u.name AS who, e.actor, e.created_at AS at
             FROM event e LEFT JOIN user_account u ON 'user:' || u.id = e.actor
            WHERE e.tenant_id = current_tenant() AND (e.kind LIKE 'policy.%' OR e.kind LIKE 'autonomy.%')
            ORDER BY e.id DESC LIMIT $1""",
        limit,
    )
    return [Change(**row) for row in rows]
