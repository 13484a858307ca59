"""The audit trail: those events of the log that tell what people and programs changed, and who signed in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from store.database import Connection, Row
from store.event_families import AUDITED

_READ: Final = f"""
SELECT e.id, e.kind, e.payload, e.actor, e.conversation_id, e.created_at,
       coalesce(u.name, '') AS person
  FROM event e
  LEFT JOIN user_account u ON e.actor = 'user:' || u.id
 WHERE {AUDITED.replace("kind", "e.kind")}
   AND (e.kind <> 'session.status' OR e.actor LIKE 'user:%' OR e.actor LIKE 'api key %')
   AND ($1::bigint IS NULL OR e.id < $1)
   AND ($2::text[] IS NULL OR split_part(e.kind, '.', 1) = ANY ($2))
   AND ($3::text IS NULL OR e.actor = $3)
   AND ($4::timestamptz IS NULL OR e.created_at >= $4)
   AND ($5::timestamptz IS NULL OR e.created_at < $5)
 ORDER BY e.id DESC LIMIT $6
"""


async def entries(
    tx: Connection,
    *,
    before: int | None,
    families: Sequence[str] | None,
    actor: str | None,
    since: datetime | None,
    until: datetime | None,
    at_most: int,
) -> list[Row]:
    """The newest first: (id, kind, payload, actor, conversation_id, created_at, person)."""
    return list(await tx.fetch(_READ, before, list(families) if families else None, actor, since, until, at_most))


async def actors(tx: Connection) -> list[Row]:
    """Everybody who may appear as an actor: (actor, name), people first."""
    return list(
        await tx.fetch(
            """SELECT 'user:' || id AS actor, name, 0 AS n FROM user_account
               UNION ALL SELECT 'api key ' || name, name, 1 FROM (SELECT DISTINCT name FROM api_key) k
               ORDER BY n, name"""
        )
    )


async def names(tx: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """What people, numbers, teams, keys and endpoints of these ids are called; the others have no name."""
    rows = await tx.fetch(
        """SELECT id, name FROM user_account WHERE id = ANY ($1)
           UNION ALL SELECT id, name FROM channel_session WHERE id = ANY ($1)
           UNION ALL SELECT id, name FROM team WHERE id = ANY ($1)
           UNION ALL SELECT id, name FROM api_key WHERE id = ANY ($1)
           UNION ALL SELECT id, url FROM webhook_endpoint WHERE id = ANY ($1)""",
        list(ids),
    )
    return {row["id"]: row["name"] for row in rows}
