"""What telling events as they happen asks of the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from store.database import Connection, Row
from store.reach import Sight
from store.webhooks import EVENT_CONTENT


async def between(
    tx: Connection,
    after: int,
    upto: int,
    limit: int,
    *,
    session_id: UUID | None = None,
    conversation_id: UUID | None = None,
) -> list[Row]:
    """The tenant's events with ``after < id <= upto``, in order: (id, kind, conversation_id, session_id, payload).

    Of one number or one conversation only, where named; ``session_id`` of a row is its conversation's.
    """
    return list(
        await tx.fetch(
            """SELECT e.id, e.kind, e.conversation_id, c.channel_session_id AS session_id, e.payload
                 FROM event e LEFT JOIN conversation c ON c.id = e.conversation_id
                WHERE e.tenant_id = current_tenant() AND e.id > $1 AND e.id <= $2
                  AND ($4::uuid IS NULL OR e.conversation_id = $4)
                  AND ($5::uuid IS NULL OR c.channel_session_id = $5
                       OR e.payload ->> 'channel_session_id' = $5::text)
                ORDER BY e.id LIMIT $3""",
            after,
            upto,
            limit,
            conversation_id,
            session_id,
        )
    )


async def contents(tx: Connection, ids: Sequence[int]) -> list[Row]:
    """These events with what they are about, in order."""
    return list(await tx.fetch(f"{EVENT_CONTENT} WHERE e.id = ANY ($1::bigint[]) ORDER BY e.id", list(ids)))


async def sessions_of(tx: Connection, conversations: Sequence[UUID]) -> dict[UUID, UUID]:
    """The number of each conversation."""
    rows = await tx.fetch(
        "SELECT id, channel_session_id FROM conversation WHERE id = ANY ($1::uuid[])", list(conversations)
    )
    return {row["id"]: row["channel_session_id"] for row in rows}


async def visible_to(
    tx: Connection, sights: Iterable[Sight], conversations: Sequence[UUID]
) -> frozenset[tuple[UUID, UUID]]:
    """(person, conversation): which of the conversations each of these people sees. The rule of migration
    20261121_1204_reach.sql, asked for many people at once."""
    people = list(sights)
    rows = await tx.fetch(
        """SELECT p.user_id, c.id
             FROM unnest($1::uuid[], $2::text[]) AS p (user_id, reach)
             JOIN conversation c ON c.id = ANY ($3::uuid[])
              AND (c.assignee_id = p.user_id
                   OR (p.reach = 'team'
                       AND (c.team_id IS NULL OR EXISTS (SELECT 1 FROM team_member m
                                                          WHERE m.team_id = c.team_id AND m.user_id = p.user_id))))""",
        [sight.user_id for sight in people],
        [sight.reach.value for sight in people],
        list(conversations),
    )
    return frozenset((row["user_id"], row["id"]) for row in rows)


async def belongs(tx: Connection, table: str, wanted: UUID) -> bool:
    """Whether the number or conversation exists, and within the sight of this transaction."""
    tables = {"session": "channel_session", "conversation": "conversation"}
    return bool(await tx.fetchval(f"SELECT EXISTS (SELECT 1 FROM {tables[table]} WHERE id = $1)", wanted))
