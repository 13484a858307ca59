"""What of an open conversation's thread has changed since somebody looked at it, so that only that is told anew."""

from __future__ import annotations

from uuid import UUID

from store.database import Connection

_MOST_EVENTS = 2_000
_BEFORE = 4
"""Messages shown anew before the first that changed: their place in a run of one writer may be another now."""


async def first_changed(tx: Connection, conversation_id: UUID, *, told: int, since: int) -> int | None:
    """The message from which on a thread that shows the messages from id ``since`` must be shown anew, where all events
    up to ``told`` are in it. None: all of it.

    New messages and what becomes of those on their way out concern the thread's end. All else that happens to messages
    (edits, reactions, files) may concern any, and so may a message whose time is later than what happened since.
    """
    found = await tx.fetchrow(
        """WITH e AS MATERIALIZED (
               SELECT e.kind, e.payload, e.created_at, e.conversation_id FROM event e
                WHERE e.tenant_id = current_tenant() AND e.id > $2 ORDER BY e.id LIMIT $3),
           mine AS (
               SELECT e.kind, e.created_at,
                      coalesce((e.payload ->> 'message_id')::bigint,
                               (SELECT o.message_id FROM outbox_message o
                                 WHERE o.id = (e.payload ->> 'outbox_id')::uuid)) AS message_id
                 FROM e WHERE e.conversation_id = $1)
           SELECT (SELECT count(*) FROM e) AS events,
                  min(mine.created_at) AS began,
                  min(mine.message_id) FILTER (WHERE mine.kind LIKE 'message.%') AS first,
                  bool_or(mine.kind LIKE 'message.%'
                          AND (mine.kind NOT IN ('message.received', 'message.queued', 'message.status')
                               OR m.id IS NULL OR m.kind = 'reaction')) AS any_message
             FROM mine LEFT JOIN message m ON m.id = mine.message_id AND m.conversation_id = $1""",
        conversation_id,
        told,
        _MOST_EVENTS,
    )
    if found is None or found["events"] >= _MOST_EVENTS or found["any_message"] or found["began"] is None:
        return None
    begin = await tx.fetchrow(
        """SELECT id, sent_at FROM message
            WHERE conversation_id = $1 AND kind <> 'reaction' AND id >= $2 AND id < $3
            ORDER BY id DESC OFFSET $4 LIMIT 1""",
        conversation_id,
        since,
        found["first"] if found["first"] is not None else 2**62,
        _BEFORE - 1,
    )
    if begin is None or begin["sent_at"] > found["began"]:
        return None
    first: int = begin["id"]
    return first if first > since else None
