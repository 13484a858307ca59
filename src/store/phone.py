"""The simulated phone's own view of a chat. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from store.database import Connection

LENGTH = 100


@dataclass(frozen=True, slots=True)
class PhoneBubble:
    """A message on the simulated phone; ``mine``: the customer wrote it."""

    mine: bool
    text: str
    at: datetime


async def contacts(tx: Connection, session_id: UUID) -> list[str]:
    """Customers who wrote from this simulated phone, the latest first."""
    rows = await tx.fetch(
        """
        SELECT a.value FROM conversation c
          JOIN contact_address a ON a.contact_id = c.contact_id AND a.kind = 'simulator'
         WHERE c.channel_session_id = $1 ORDER BY c.last_message_at DESC LIMIT 50
        """,
        session_id,
    )
    return [row["value"] for row in rows]


async def chat(tx: Connection, session_id: UUID, contact: str) -> list[PhoneBubble]:
    """The last messages between this customer and the business, as they really arrived; oldest first."""
    rows = await tx.fetch(
        """
        SELECT mine, text, at FROM (
            SELECT true AS mine, m.text, m.received_at AS at
              FROM contact_address a JOIN message m ON m.contact_id = a.contact_id
             WHERE a.kind = 'simulator' AND a.value = $2 AND m.channel_session_id = $1 AND m.author = 'contact'
            UNION ALL
            SELECT false, d.text, d.at FROM simulator_delivery d WHERE d.channel_session_id = $1 AND d.contact = $2
        ) both_sides ORDER BY at DESC LIMIT $3
        """,
        session_id,
        contact,
        LENGTH,
    )
    return [PhoneBubble(**row) for row in reversed(rows)]
