"""Message templates of numbers: as synchronised, and what was reported about them since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.text import storable, storable_json, storable_key
from store.database import Connection, Row

MISSING = "MISSING"


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """What is kept of one. ``definition``: JSON values."""

    name: str
    language: str
    status: str
    category: str
    quality: str
    reason: str
    definition: dict[str, Any]


async def replace_all(
    tx: Connection, tenant_id: UUID, session_id: UUID, found: Sequence[StoredTemplate], *, at: datetime
) -> None:
    """The number has exactly these templates now. What is gone stays as MISSING: messages refer to it by name."""
    await tx.executemany(
        """INSERT INTO message_template (tenant_id, channel_session_id, name, language, status, category, quality,
                                         reason, definition, changed_at, synced_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
           ON CONFLICT (channel_session_id, name, language) DO UPDATE
              SET status = excluded.status, category = excluded.category, quality = excluded.quality,
                  reason = excluded.reason, definition = excluded.definition, changed_at = excluded.changed_at,
                  synced_at = excluded.synced_at
            WHERE message_template.changed_at <= excluded.changed_at""",
        [
            (
                tenant_id,
                session_id,
                storable_key(item.name),
                storable_key(item.language),
                item.status,
                item.category,
                item.quality,
                storable(item.reason)[0],
                storable_json(item.definition),
                at,
            )
            for item in found
        ],
    )
    await tx.execute(
        """UPDATE message_template SET status = $3, changed_at = $4
            WHERE channel_session_id = $1 AND status <> $3 AND changed_at <= $4
              AND (name, language) NOT IN (SELECT * FROM unnest($2::text[], $5::text[]))""",
        session_id,
        [storable_key(item.name) for item in found],
        MISSING,
        at,
        [storable_key(item.language) for item in found],
    )


async def report(
    tx: Connection,
    tenant_id: UUID,
    session_id: UUID,
    item: StoredTemplate,
    *,
    at: datetime,
) -> bool:
    """Something was reported about a template: "" leaves what is known. An older report than the last changes nothing.

    Returns whether anything changed. One that is not known yet is kept without its texts until it is synchronised.
    """
    row = await tx.fetchrow(
        """INSERT INTO message_template AS t (tenant_id, channel_session_id, name, language, status, category, quality,
                                              reason, changed_at)
           VALUES ($1, $2, $3, $4, coalesce(nullif($5, ''), 'UNKNOWN'), $6, $7, $8, $9)
           ON CONFLICT (channel_session_id, name, language) DO UPDATE
              SET status = coalesce(nullif($5, ''), t.status), category = coalesce(nullif($6, ''), t.category),
                  quality = coalesce(nullif($7, ''), t.quality),
                  reason = CASE WHEN $5 = '' THEN t.reason ELSE $8 END, changed_at = $9
            WHERE t.changed_at <= $9
        RETURNING id""",
        tenant_id,
        session_id,
        storable_key(item.name),
        storable_key(item.language),
        item.status,
        item.category,
        item.quality,
        storable(item.reason)[0],
        at,
    )
    return row is not None


async def all_of(tx: Connection, session_id: UUID) -> list[Row]:
    """The number's templates by name and language."""
    return list(
        await tx.fetch(
            "SELECT * FROM message_template WHERE channel_session_id = $1 ORDER BY name, language", session_id
        )
    )


async def synced_within(tx: Connection, session_id: UUID, period: timedelta) -> bool:
    """Whether the number's templates were read so recently."""
    found: bool = await tx.fetchval(
        "SELECT coalesce(max(synced_at) > now() - $2::interval, false) FROM message_template "
        "WHERE channel_session_id = $1",
        session_id,
        period,
    )
    return found


async def one(tx: Connection, session_id: UUID, name: str, language: str) -> Row | None:
    """A template of the number."""
    return await tx.fetchrow(
        "SELECT * FROM message_template WHERE channel_session_id = $1 AND name = $2 AND language = $3",
        session_id,
        name,
        language,
    )
