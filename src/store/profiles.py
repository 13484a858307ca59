"""What WhatsApp shows of contacts beside their messages: pictures, and the names of groups.

Every function takes a connection inside ``Database.transaction(tenant_id)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from domain.messages import Address
from store.database import Connection, Row


async def claim(tx: Connection, session_id: UUID, chat: Address, held_for: timedelta) -> Row | None:
    """Take the contact of this chat on this number for one look at it; None: it is not due, or there is no such chat.

    Nobody else looks for ``held_for``, after which a look that failed is repeated. ``claimed_until`` of the row goes
    back into ``keep``.
    """
    return await tx.fetchrow(
        """WITH found AS (
               SELECT c.contact_id, c.tenant_id, c.id AS conversation_id, s.provider, s.account, s.config
                 FROM contact_address a
                 JOIN conversation c ON c.contact_id = a.contact_id AND c.channel_session_id = $1
                 JOIN channel_session s ON s.id = c.channel_session_id
                WHERE a.kind = $2 AND a.value = $3
           ), taken AS (
               INSERT INTO contact_profile AS p (contact_id, tenant_id, look_again_at)
               SELECT contact_id, tenant_id, now() + $4 FROM found
               ON CONFLICT (contact_id) DO UPDATE SET look_again_at = now() + $4 WHERE p.look_again_at <= now()
               RETURNING p.contact_id, p.picture_id, p.sha256, p.mime_type, p.look_again_at AS claimed_until
           )
           SELECT * FROM found JOIN taken USING (contact_id)""",
        session_id,
        chat.kind.value,
        chat.value,
        held_for,
    )


async def keep(
    tx: Connection,
    claimed: Row,
    *,
    name: str | None,
    picture: tuple[str, str, str] | None,
    good_for: timedelta,
) -> bool:
    """Write down what was seen; whether it is news. ``picture``: its id, SHA-256 and MIME type; None for none.

    ``name`` is a group's; None leaves it as it was. What was told to have changed meanwhile stays due.
    """
    picture_id, sha256, mime = picture or (None, None, "")
    await tx.execute(
        """UPDATE contact_profile SET picture_id = $2, sha256 = $3, mime_type = $4,
                  look_again_at = CASE WHEN look_again_at = $5 THEN now() + $6 ELSE look_again_at END
            WHERE contact_id = $1""",
        claimed["contact_id"],
        picture_id,
        sha256,
        mime,
        claimed["claimed_until"],
        good_for,
    )
    renamed = name and await tx.fetchval(
        "UPDATE contact SET push_name = $2 WHERE id = $1 AND is_group AND push_name IS DISTINCT FROM $2 RETURNING id",
        claimed["contact_id"],
        name,
    )
    return bool(renamed) or sha256 != claimed["sha256"]


async def make_due(tx: Connection, chat: Address) -> None:
    """What is known of this chat's contact is out of date."""
    await tx.execute(
        """UPDATE contact_profile p SET look_again_at = now() FROM contact_address a
            WHERE a.kind = $1 AND a.value = $2 AND p.contact_id = a.contact_id""",
        chat.kind.value,
        chat.value,
    )


async def due(tx: Connection, session_id: UUID, *, since: timedelta, at_most: int) -> Sequence[Address]:
    """Chats of a number with messages in the last ``since`` whose contact should be looked at, newest first."""
    rows = await tx.fetch(
        """SELECT c.address FROM conversation c LEFT JOIN contact_profile p ON p.contact_id = c.contact_id
            WHERE c.channel_session_id = $1 AND c.last_message_at > now() - $2::interval
              AND coalesce(p.look_again_at <= now(), true)
            ORDER BY c.last_message_at DESC LIMIT $3""",
        session_id,
        since,
        at_most,
    )
    return [Address.parse(row["address"]) for row in rows]
