"""What of the reply policy people and programs write: the default, rules, what intents say of themselves, vetoes."""

from __future__ import annotations

from typing import Any

from store.database import Connection

_WRITTEN = """
SELECT t.settings -> 'reply_mode' AS usual, t.settings -> 'unmatched_mode' AS unmatched,
       t.settings -> 'policy' AS rules,
       (SELECT jsonb_object_agg(i.name, i.declaration -> 'reply_mode') FROM intent i
         WHERE jsonb_typeof(i.declaration -> 'reply_mode') = 'string') AS intents,
       (SELECT jsonb_agg(a.intent ORDER BY a.intent) FROM intent_autonomy a WHERE a.state = 'vetoed') AS vetoed
  FROM tenant t WHERE t.id = current_tenant()
"""


async def written(tx: Connection) -> dict[str, Any]:
    """All of it, as JSON values."""
    row = await tx.fetchrow(_WRITTEN)
    return dict(row) if row else {}


async def lock(tx: Connection) -> None:
    """One change of the policy at a time."""
    await tx.execute("SELECT 1 FROM tenant WHERE id = current_tenant() FOR NO KEY UPDATE")
