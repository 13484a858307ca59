"""What a number has been through: its log, and figures of it. All from rows that are written anyway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from store.database import Connection


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that happened to a number. ``details``: what is known of it (JSON)."""

    id: int
    kind: str
    actor: str
    at: datetime
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """Figures of a number over ``days``; counts of messages are of all time.

    ``uptime``: the share of the time in which it was reported connected, 0 to 1, without the time for which people had
    stopped it; None before the first report.
    """

    days: int
    messages_in: int
    messages_out: int
    waiting: int
    unknown: int
    failed: int
    uptime: float | None
    reconnects: int
    qr_codes: int
    pairings: int
    last_connected_at: datetime | None
    last_message_at: datetime | None


async def log(
    tx: Connection, tenant_id: UUID, session_id: UUID, *, before: int | None = None, limit: int = 50
) -> list[LogLine]:
    """The newest lines of the number's log, older than line ``before``; the newest first."""
    rows = await tx.fetch(
        """SELECT id, kind, actor, created_at AS at, payload - 'channel_session_id' AS details
             FROM event
            WHERE tenant_id = $1 AND kind LIKE 'session.%' AND payload ->> 'channel_session_id' = $2
              AND ($3::bigint IS NULL OR id < $3)
            ORDER BY id DESC LIMIT $4""",
        tenant_id,
        str(session_id),
        before,
        limit,
    )
    return [LogLine(**row) for row in rows]


_STATUS = """
    SELECT id, created_at AS at, payload ? 'paired' AS paired,
           CASE WHEN payload ->> 'wish' = 'pause' THEN 'stopped' ELSE payload ->> 'status' END AS status
      FROM event
     WHERE tenant_id = $1 AND kind LIKE 'session.%' AND kind = 'session.status'
       AND payload ->> 'channel_session_id' = $2
"""

_FIGURES = f"""
WITH status AS ({_STATUS}), spans AS (
    SELECT greatest(at, now() - $3::interval) AS begins, status,
           coalesce(lead(at) OVER (ORDER BY id), now()) AS ends
      FROM status
), changes AS (
    SELECT id, at, status, lag(status) OVER (ORDER BY id) AS before,
           count(*) FILTER (WHERE paired) OVER (ORDER BY id) AS pairing
      FROM status
), connections AS (
    SELECT at, row_number() OVER (PARTITION BY pairing ORDER BY id) AS n
      FROM changes WHERE status = 'connected' AND before IS DISTINCT FROM 'connected'
)
SELECT (SELECT sum(extract(epoch FROM ends - begins)) FILTER (WHERE status = 'connected')
               / nullif(sum(extract(epoch FROM ends - begins)) FILTER (WHERE status <> 'stopped'), 0)
          FROM spans WHERE ends > begins)::float8 AS uptime,
       (SELECT count(*) FROM connections WHERE n > 1 AND at > now() - $3::interval) AS reconnects,
       (SELECT count(*) FROM status WHERE status = 'awaiting_qr' AND at > now() - $3::interval) AS qr_codes,
       (SELECT count(*) FROM status WHERE paired AND at > now() - $3::interval) AS pairings,
       (SELECT max(ends) FROM spans WHERE status = 'connected') AS last_connected_at
"""
_COUNTS = """
SELECT count(*) FILTER (WHERE m.author = 'contact') AS messages_in,
       count(*) FILTER (WHERE o.state = 'sent') AS messages_out,
       count(*) FILTER (WHERE o.state IN ('queued', 'sending')) AS waiting,
       count(*) FILTER (WHERE o.state = 'unknown') AS unknown,
       count(*) FILTER (WHERE o.state = 'failed') AS failed,
       max(m.received_at) AS last_message_at
  FROM conversation c JOIN message m ON m.conversation_id = c.id LEFT JOIN outbox_message o ON o.message_id = m.id
 WHERE c.channel_session_id = $1
"""


async def figures(tx: Connection, tenant_id: UUID, session_id: UUID, *, days: int) -> SessionFigures:
    """Figures of one number."""
    counts = await tx.fetchrow(_COUNTS, session_id)
    found = await tx.fetchrow(_FIGURES, tenant_id, str(session_id), timedelta(days=days))
    return SessionFigures(days=days, **counts, **found)
