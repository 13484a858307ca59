"""What people are told, kept until they read it. Written in the transaction of what they are told about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from store.database import Connection, Row

SEES: Final = """(m.reach = 'all' OR {conversation}.assignee_id = m.user_id
        OR (m.reach = 'team' AND ({conversation}.team_id IS NULL OR EXISTS (
            SELECT 1 FROM team_member tm WHERE tm.team_id = {conversation}.team_id AND tm.user_id = m.user_id))))"""
"""SQL: whether member ``m`` sees a conversation."""

_TELL: Final = f"""
WITH told AS (
    INSERT INTO notification (tenant_id, user_id, kind, conversation_id, payload)
    SELECT $1, m.user_id, $2, $3, $4 FROM membership m
     WHERE (m.role = ANY ($5::text[]) OR m.user_id = ANY ($6::uuid[]))
       AND ($3::uuid IS NULL OR EXISTS (SELECT 1 FROM conversation k
                                         WHERE k.id = $3 AND {SEES.format(conversation="k")}))
       AND NOT ($7 AND EXISTS (SELECT 1 FROM notification n
                                WHERE n.user_id = m.user_id AND n.tenant_id = $1 AND n.kind = $2 AND n.payload = $4
                                  AND n.created_at > now() - interval '40 days'))
    RETURNING user_id
), e AS (
    INSERT INTO event (tenant_id, kind, payload)
    SELECT $1, 'notification.created', jsonb_build_object('kind', $2::text) FROM told LIMIT 1
)
SELECT count(*) FROM told
"""


async def tell(
    tx: Connection,
    tenant_id: UUID,
    kind: str,
    *,
    roles: Sequence[str] = (),
    users: Sequence[UUID] = (),
    conversation_id: UUID | None = None,
    payload: dict[str, Any] | None = None,
    once: bool = False,
) -> int:
    """One notification for each member of these roles and each of these users; returns how many.

    Of a conversation only those are told who see it. ``once``: nobody who was told the very same in the last 40 days.
    """
    told: int = await tx.fetchval(
        _TELL, tenant_id, kind, conversation_id, payload or {}, list(roles), list(users), once
    )
    return told


async def unread(tx: Connection, user_id: UUID) -> int:
    """How many a person has not read; 100 stands for more than 99."""
    found: int = await tx.fetchval(
        "SELECT count(*) FROM (SELECT 1 FROM notification WHERE user_id = $1 AND read_at IS NULL LIMIT 100) n", user_id
    )
    return found


async def page(tx: Connection, user_id: UUID, *, before: int | None, only_unread: bool, at_most: int) -> list[Row]:
    """A person's, the newest first, with the contact's name where they are about a conversation."""
    return list(
        await tx.fetch(
            """SELECT n.id, n.kind, n.conversation_id, n.payload, n.created_at, n.read_at,
                      coalesce(nullif(c.name, ''), c.push_name, '') AS contact
                 FROM notification n LEFT JOIN conversation k ON k.id = n.conversation_id
                 LEFT JOIN contact c ON c.id = k.contact_id
                WHERE n.user_id = $1 AND ($2::bigint IS NULL OR n.id < $2) AND (NOT $3 OR n.read_at IS NULL)
                ORDER BY n.id DESC LIMIT $4""",
            user_id,
            before,
            only_unread,
            at_most,
        )
    )


async def is_of(tx: Connection, user_id: UUID, notification_id: int) -> bool:
    """Whether the notification is the person's."""
    found = await tx.fetchval("SELECT 1 FROM notification WHERE id = $1 AND user_id = $2", notification_id, user_id)
    return found is not None


async def mark_read(tx: Connection, user_id: UUID, ids: Sequence[int] | None) -> int:
    """Read these, or (None) all of the person's; returns how many were news."""
    done = await tx.fetchval(
        """WITH done AS (UPDATE notification SET read_at = now()
                          WHERE user_id = $1 AND read_at IS NULL AND ($2::bigint[] IS NULL OR id = ANY ($2))
                      RETURNING 1)
           SELECT count(*) FROM done""",
        user_id,
        list(ids) if ids is not None else None,
    )
    return int(done)
