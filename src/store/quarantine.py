"""Authentic deliveries that nobody understood: kept whole as far as that is sensible, and counted beyond."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import NotFoundError
from domain.text import storable
from store.database import Connection, Row

LONGEST_BODY = 256 * 1024
"""Bytes of a body that are kept; of a longer one only the beginning, and it cannot be replayed."""
DIFFERENT_BODIES = 50
"""Different bodies kept under one name; further ones are counted, with the newest as a sample."""
DIFFERENT_NAMES = 500
"""Names kept for one number, which a gateway may take from anywhere; further ones share a row."""
OTHER_NAMES = "(other names)"
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One body, or what is counted of too many. ``is_whole``: it may be replayed."""

    id: UUID
    channel_session_id: UUID
    number: str
    provider: str
    name: str
    count: int
    body: bytes
    is_whole: bool
    error: str | None
    first_seen_at: datetime
    last_seen_at: datetime

    @property
    def shown(self) -> str:
        """The beginning of the body as text."""
        return self.body[:4000].decode(errors="replace")


async def keep(
    tx: Connection,
    tenant_id: UUID,
    session_id: UUID,
    *,
    provider: str,
    name: str,
    body: bytes,
    error: str | None = None,
) -> None:
    """Keep a delivery, or count it where its like is kept already."""
    digest = hashlib.sha256(body).hexdigest()
    name = storable(name)[0][:_LONGEST_NAME] or "(no name)"
    room = await tx.fetchrow(
        """SELECT (SELECT count(*) FROM (SELECT 1 FROM quarantined_event
                                          WHERE channel_session_id = $1 AND name = $2 LIMIT $3) bodies) AS bodies,
                  (SELECT count(*) FROM (SELECT DISTINCT name FROM quarantined_event
                                          WHERE channel_session_id = $1 LIMIT $4) names) AS names,
                  EXISTS (SELECT 1 FROM quarantined_event
                           WHERE channel_session_id = $1 AND name = $2 AND digest = $5) AS known""",
        session_id,
        name,
        DIFFERENT_BODIES,
        DIFFERENT_NAMES,
        digest,
    )
    if not room["known"]:
        if room["bodies"] == 0 and room["names"] >= DIFFERENT_NAMES:
            name, digest = OTHER_NAMES, ""
        elif room["bodies"] >= DIFFERENT_BODIES:
            digest = ""
    await tx.execute(
        """INSERT INTO quarantined_event AS q
                  (tenant_id, channel_session_id, provider, name, digest, body, is_whole, error)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
           ON CONFLICT (channel_session_id, name, digest) DO UPDATE
              SET count = q.count + 1, last_seen_at = now(), error = excluded.error, body = excluded.body,
                  is_whole = excluded.is_whole""",
        tenant_id,
        session_id,
        provider,
        name,
        digest,
        body[:LONGEST_BODY],
        digest != "" and len(body) <= LONGEST_BODY,
        storable(error)[0][:1000] if error else None,
    )


_LISTED = """SELECT q.id, q.channel_session_id, s.name AS number, q.provider, q.name, q.count, q.body, q.is_whole,
                    q.error, q.first_seen_at, q.last_seen_at
               FROM quarantined_event q JOIN channel_session s ON s.id = q.channel_session_id"""


async def newest(tx: Connection, *, limit: int = 200) -> list[Quarantined]:
    """What the tenant's numbers have in quarantine, the newest first."""
    rows = await tx.fetch(f"{_LISTED} ORDER BY q.last_seen_at DESC, q.id LIMIT $1", limit)
    return [_quarantined(row) for row in rows]


async def one(tx: Connection, quarantined_id: UUID) -> Quarantined:
    """One of them; raises NotFoundError."""
    row = await tx.fetchrow(f"{_LISTED} WHERE q.id = $1", quarantined_id)
    if row is None:
        raise NotFoundError("quarantined delivery", quarantined_id)
    return _quarantined(row)


async def replayable(tx: Connection, *, name: str | None = None) -> list[UUID]:
    """Ids of the whole ones, oldest first; of one name or of all."""
    rows = await tx.fetch(
        "SELECT id FROM quarantined_event WHERE is_whole AND ($1::text IS NULL OR name = $1) "
        "ORDER BY first_seen_at, id",
        name,
    )
    return [row["id"] for row in rows]


async def remove(tx: Connection, quarantined_id: UUID) -> None:
    """It was replayed, or an admin is done with it."""
    await tx.execute("DELETE FROM quarantined_event WHERE id = $1", quarantined_id)


async def waiting(tx: Connection) -> int:
    """How many rows there are."""
    count: int = await tx.fetchval("SELECT count(*) FROM quarantined_event")
    return count


def _quarantined(row: Row) -> Quarantined:
    return Quarantined(**dict(row))
