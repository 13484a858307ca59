"""Summaries of conversations' windows: what is due, and keeping it."""

from __future__ import annotations

from uuid import UUID

from store.database import Connection, Row

_MOST_MESSAGES = 200
"""Older ones are left out: a conversation that long was served without a language model until now."""

CHANGES = """SELECT {what} FROM message s JOIN message_change x
                 ON x.channel_session_id = s.channel_session_id AND x.provider_id = s.provider_id
                AND x.contact_id = s.contact_id
              WHERE s.conversation_id = {conversation} AND s.id >= {first} AND s.id <= {last}
                AND x.kind IN ('edit', 'revoke')"""
"""What was changed later of a conversation's messages from ``first`` to ``last``."""

_DUE = f"""
WITH open AS (
    SELECT m.id, m.kind, m.text, extract(epoch FROM m.sent_at) AS at, m.author, m.content #> '{{raw,forwarded}}' AS fwd,
           row_number() OVER (ORDER BY m.id DESC) AS place
      FROM message_as_changed m
      LEFT JOIN outbox_message o ON o.message_id = m.id
      JOIN conversation c ON c.id = m.conversation_id
     WHERE m.conversation_id = $1 AND m.id >= $2 AND m.id > $3 AND NOT m.revoked
       AND (m.author <> 'contact' OR m.id <= c.answered_upto_id)
       AND (o.state IS NULL OR o.state NOT IN ('cancelled', 'failed'))
), kept AS (
    SELECT * FROM open WHERE place > $4 ORDER BY place LIMIT {_MOST_MESSAGES}
)
SELECT jsonb_agg(jsonb_build_array(id, kind, text, at, author, fwd) ORDER BY id) AS messages,
       coalesce(({CHANGES.format(what="max(x.id)", conversation="$1", first="$2", last="(SELECT max(id) FROM kept)")}),
                0) AS change_id
  FROM kept
"""


async def due(tx: Connection, conversation_id: UUID, window_start_id: int, after_id: int, *, keep: int) -> Row | None:
    """The window's messages after ``after_id`` but for the last ``keep``, and the last change made to what they cover.

    ``messages``: as ``history`` of store.turns.read. None: there are none.
    """
    row = await tx.fetchrow(_DUE, conversation_id, window_start_id, after_id, keep)
    return row if row and row["messages"] else None


async def keep(
    tx: Connection,
    conversation_id: UUID,
    window_start_id: int,
    text: str,
    *,
    upto_id: int,
    change_id: int,
    instead_of: int,
) -> bool:
    """Keep a summary unless the window has moved on or another was kept since; ``instead_of``: which it replaces."""
    kept = await tx.fetchval(
        """UPDATE conversation SET summary = $3, summary_upto_id = $4, summary_change_id = $5
            WHERE id = $1 AND window_start_id = $2 AND summary_upto_id = $6 RETURNING id""",
        conversation_id,
        window_start_id,
        text,
        upto_id,
        change_id,
        instead_of,
    )
    return kept is not None
