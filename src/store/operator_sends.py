"""What pages have sent, by the key that the page made: a repeated request finds what the first one did."""

from __future__ import annotations

from uuid import UUID

from store.database import Connection, Row

_KEPT = "3 days"
"""Longer than a page that was closed with something unsent may come back and repeat it."""


async def begin(tx: Connection, tenant_id: UUID, user_id: UUID, key: str, conversation_id: UUID) -> Row | None:
    """Take the key for this transaction; None: it is new. Else the row of what was sent under it.

    Waits for a transaction that has taken it and is not done.
    """
    taken = await tx.fetchval(
        """WITH old AS (
               DELETE FROM operator_send WHERE user_id = $2 AND created_at < now() - $5::text::interval)
           INSERT INTO operator_send (tenant_id, user_id, key, conversation_id) VALUES ($1, $2, $3, $4)
               ON CONFLICT (user_id, key) DO NOTHING RETURNING id""",
        tenant_id,
        user_id,
        key,
        conversation_id,
        _KEPT,
    )
    if taken is not None:
        return None
    return await tx.fetchrow("SELECT * FROM operator_send WHERE user_id = $1 AND key = $2", user_id, key)


async def note(tx: Connection, user_id: UUID, key: str, message_id: int) -> None:
    """What was sent under the key."""
    await tx.execute(
        "UPDATE operator_send SET message_id = $3 WHERE user_id = $1 AND key = $2", user_id, key, message_id
    )
