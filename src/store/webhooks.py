"""Webhooks out: endpoints, the deliveries that events become, and their fate."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from store.database import Connection, Row

_ENDPOINT = "id, url, description, kinds, secrets, state, disabled_reason, failing_since, cursor_id, created_at"


async def add_endpoint(
    tx: Connection, tenant_id: UUID, *, url: str, kinds: list[str], secrets: list[dict[str, Any]], description: str
) -> UUID:
    """A new endpoint, which gets what happens from now on."""
    endpoint_id: UUID = await tx.fetchval(
        """INSERT INTO webhook_endpoint (tenant_id, url, kinds, secrets, description, cursor_id)
           VALUES ($1, $2, $3, $4, $5, (SELECT coalesce(max(id), 0) FROM event)) RETURNING id""",
        tenant_id,
        url,
        kinds,
        secrets,
        description,
    )
    return endpoint_id


async def endpoints(tx: Connection) -> list[Row]:
    """All of the tenant's, oldest first, with how many deliveries wait and failed."""
    return list(
        await tx.fetch(
            f"""SELECT {_ENDPOINT},
                       (SELECT count(*) FROM webhook_delivery d WHERE d.endpoint_id = w.id AND d.state = 'pending')
                           AS waiting,
                       (SELECT count(*) FROM webhook_delivery d WHERE d.endpoint_id = w.id AND d.state = 'failed')
                           AS failed
                  FROM webhook_endpoint w ORDER BY created_at, id"""
        )
    )


async def endpoint(tx: Connection, endpoint_id: UUID, *, lock: bool = False) -> Row | None:
    """One endpoint, or None."""
    return await tx.fetchrow(
        f"SELECT {_ENDPOINT} FROM webhook_endpoint WHERE id = $1{' FOR UPDATE' if lock else ''}", endpoint_id
    )


async def behind(tx: Connection, endpoint_id: UUID) -> Row | None:
    """An active endpoint to go on with, locked; None while another process has it, or none is active."""
    return await tx.fetchrow(
        f"SELECT {_ENDPOINT} FROM webhook_endpoint WHERE id = $1 AND state = 'active' FOR UPDATE SKIP LOCKED",
        endpoint_id,
    )


EVENT_CONTENT = """
SELECT e.id, e.conversation_id, e.kind, e.payload, e.actor, e.created_at,
       CASE WHEN c.id IS NOT NULL THEN jsonb_build_object(
           'id', c.id, 'status', c.status, 'channel_session_id', c.channel_session_id, 'address', c.address,
           'contact', jsonb_build_object(
               'id', k.id, 'name', coalesce(k.name, k.push_name), 'is_group', k.is_group,
               'addresses', (SELECT jsonb_agg(a.kind || ':' || a.value ORDER BY a.created_at)
                               FROM contact_address a WHERE a.contact_id = k.id))) END AS conversation,
       CASE WHEN m.id IS NOT NULL THEN jsonb_build_object(
           'id', m.id, 'provider_id', m.provider_id, 'author', m.author, 'kind', m.kind, 'text', m.text,
           'sent_at', m.sent_at, 'quoted_provider_id', m.quoted_provider_id, 'historical', m.historical,
           'late', coalesce(m.content ->> 'late', '') = 'true') END AS message,
       CASE WHEN s.id IS NOT NULL THEN jsonb_build_object(
           'id', s.id, 'turn_id', s.turn_id, 'text', s.text, 'final_text', s.final_text) END AS suggestion,
       CASE WHEN e.kind = 'conversation.handed_off' THEN (
           SELECT jsonb_build_object('reason', h.reason, 'summary', h.summary) FROM handoff h
            WHERE h.conversation_id = e.conversation_id ORDER BY h.created_at DESC LIMIT 1) END AS handoff
  FROM event e
  LEFT JOIN conversation c ON c.id = e.conversation_id
  LEFT JOIN contact k ON k.id = c.contact_id
  LEFT JOIN outbox_message o ON o.id = (e.payload ->> 'outbox_id')::uuid
  LEFT JOIN suggestion s ON s.id = (e.payload ->> 'suggestion_id')::uuid
  LEFT JOIN message m ON m.id = coalesce((e.payload ->> 'message_id')::bigint, o.message_id)
"""
"""Events with what they are about, as webhooks and websockets carry them."""
_EVENTS = f"""{EVENT_CONTENT}
 WHERE e.id > $1 AND e.id <= $2 ORDER BY e.id LIMIT $3
"""


async def events_after(tx: Connection, cursor: int, upto: int, limit: int) -> list[Row]:
    """The tenant's next events with what they are about, up to an id before which nothing can come any more."""
    return list(await tx.fetch(_EVENTS, cursor, upto, limit))


async def advance(tx: Connection, tenant_id: UUID, endpoint_id: UUID, cursor: int, rows: list[tuple[Any, ...]]) -> None:
    """Make deliveries of (event id, key, conversation id, kind, body), and go on from ``cursor``."""
    await tx.executemany(
        """INSERT INTO webhook_delivery (tenant_id, endpoint_id, event_id, key, conversation_id, kind, body)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING""",
        [(tenant_id, endpoint_id, *row) for row in rows],
    )
    await tx.execute("UPDATE webhook_endpoint SET cursor_id = $2 WHERE id = $1", endpoint_id, cursor)


async def claim(tx: Connection, delivery_id: int, lease: timedelta) -> Row | None:
    """Take one due delivery for an attempt; None if another process was quicker."""
    return await tx.fetchrow(
        """UPDATE webhook_delivery d SET attempts = attempts + 1, claimed_until = now() + $2
             FROM webhook_endpoint w
            WHERE d.id = $1 AND d.state = 'pending' AND d.next_attempt_at <= now()
              AND (d.claimed_until IS NULL OR d.claimed_until < now()) AND w.id = d.endpoint_id AND w.state = 'active'
        RETURNING d.id, d.endpoint_id, d.key, d.body, d.attempts, d.kind, d.created_at, w.url, w.secrets""",
        delivery_id,
        lease,
    )


async def record(
    tx: Connection, delivery_id: int, *, state: str, status: int | None, error: str | None, ms: float, wait: timedelta
) -> None:
    """What an attempt came to. ``wait`` counts for ``pending``: until the next one."""
    await tx.execute(
        """UPDATE webhook_delivery
              SET state = $2, last_status = $3, last_error = $4, duration_ms = $5, claimed_until = NULL,
                  next_attempt_at = now() + $6, ended_at = CASE WHEN $2 <> 'pending' THEN now() END
            WHERE id = $1""",
        delivery_id,
        state,
        status,
        error,
        ms,
        wait,
    )


async def note_health(tx: Connection, endpoint_id: UUID, *, works: bool) -> datetime | None:
    """Remember since when the endpoint fails without a success; returns that time."""
    since: datetime | None = await tx.fetchval(
        """UPDATE webhook_endpoint SET failing_since = CASE WHEN $2 THEN NULL ELSE coalesce(failing_since, now()) END
            WHERE id = $1 RETURNING failing_since""",
        endpoint_id,
        works,
    )
    return since


async def deliveries(tx: Connection, endpoint_id: UUID, *, before: int | None, limit: int) -> list[Row]:
    """The endpoint's log, newest first."""
    return list(
        await tx.fetch(
            """SELECT id, event_id, key, kind, conversation_id, state, attempts, next_attempt_at, last_status,
                      last_error, duration_ms, created_at, ended_at, body
                 FROM webhook_delivery
                WHERE endpoint_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3""",
            endpoint_id,
            before,
            limit,
        )
    )
