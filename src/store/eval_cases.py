"""The review queue of cases. Every function takes a connection inside ``Database.transaction(tenant_id)``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from domain.errors import NotFoundError
from store.database import Connection, Row

State = Literal["proposed", "accepted", "dropped"]

_SELECT = """
SELECT e.*, p.name AS proposed_by_name, d.name AS decided_by_name
  FROM eval_case e
  LEFT JOIN user_account p ON p.id = e.proposed_by
  LEFT JOIN user_account d ON d.id = e.decided_by
"""


@dataclass(frozen=True, slots=True)
class NewCase:
    """A case to be proposed. ``content`` and ``replaced``: see store.tables.evaluation."""

    conversation_id: UUID
    turn_id: UUID
    origin: str
    content: dict[str, Any]
    replaced: dict[str, Any]
    note: str = ""


async def propose(tx: Connection, tenant_id: UUID, user_id: UUID, case: NewCase) -> UUID | None:
    """The new case's id; None where a case of this turn is there already."""
    found: UUID | None = await tx.fetchval(
        """INSERT INTO eval_case (tenant_id, conversation_id, turn_id, origin, content, replaced, note, proposed_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_id, turn_id) DO NOTHING RETURNING id""",
        tenant_id,
        case.conversation_id,
        case.turn_id,
        case.origin,
        case.content,
        case.replaced,
        case.note,
        user_id,
    )
    return found


async def drafted_again(tx: Connection, case_id: UUID, case: NewCase) -> None:
    """The case anew, where nobody changed it since it was proposed; it is played again."""
    await tx.execute(
        """UPDATE eval_case SET content = $2, replaced = $3, origin = $4, revision = revision + 1, due_at = now(),
                  reproduction = 'waiting', difference = '[]', reproduction_note = '', played_at = NULL
            WHERE id = $1 AND state = 'proposed' AND revision = 1""",
        case_id,
        case.content,
        case.replaced,
        case.origin,
    )


async def of_turn(tx: Connection, turn_id: UUID) -> Row | None:
    """The case that was made from a turn, if there is one."""
    return await tx.fetchrow(f"{_SELECT} WHERE e.turn_id = $1", turn_id)


async def one(tx: Connection, case_id: UUID) -> Row:
    """Raises NotFoundError, also for another tenant's."""
    row = await tx.fetchrow(f"{_SELECT} WHERE e.id = $1", case_id)
    if row is None:
        raise NotFoundError("case", case_id)
    return row


async def lock(tx: Connection, case_id: UUID) -> Row:
    """The case, locked until the transaction ends. Raises NotFoundError."""
    row = await tx.fetchrow("SELECT * FROM eval_case WHERE id = $1 FOR UPDATE", case_id)
    if row is None:
        raise NotFoundError("case", case_id)
    return row


async def listed(
    tx: Connection, state: State, *, before: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[Row]:
    """Cases in a state, the newest first; ``before``: the last one already shown."""
    at, case_id = before or (None, None)
    rows: list[Row] = await tx.fetch(
        f"{_SELECT} WHERE e.state = $1 AND ($2::timestamptz IS NULL OR (e.proposed_at, e.id) < ($2, $3)) "
        "ORDER BY e.proposed_at DESC, e.id DESC LIMIT $4",
        state,
        at,
        case_id,
        limit,
    )
    return rows


async def counts(tx: Connection) -> dict[str, int]:
    """How many cases there are in each state."""
    rows = await tx.fetch("SELECT state, count(*) AS cases FROM eval_case GROUP BY state")
    return {"proposed": 0, "accepted": 0, "dropped": 0} | {row["state"]: row["cases"] for row in rows}


async def change(tx: Connection, case_id: UUID, content: dict[str, Any]) -> None:
    """Another text of the case: it must be played again, and whoever accepts it accepts this."""
    await tx.execute(
        """UPDATE eval_case SET content = $2, revision = revision + 1, reproduction = 'waiting', difference = '[]',
                  reproduction_note = '', played_at = NULL, due_at = now() WHERE id = $1""",
        case_id,
        content,
    )


async def decide(
    tx: Connection, case_id: UUID, state: State, *, user_id: UUID, reason: str, forced: bool = False
) -> None:
    """Accept or drop it."""
    await tx.execute(
        "UPDATE eval_case SET state = $2, decided_by = $3, decided_at = now(), reason = $4, forced = $5 WHERE id = $1",
        case_id,
        state,
        user_id,
        reason,
        forced,
    )


async def reopen(tx: Connection, case_id: UUID) -> None:
    """Back to the queue, to be played again."""
    await tx.execute(
        """UPDATE eval_case SET state = 'proposed', decided_by = NULL, decided_at = NULL, reason = '', forced = false,
                  reproduction = 'waiting', difference = '[]', reproduction_note = '', played_at = NULL, due_at = now()
            WHERE id = $1""",
        case_id,
    )


async def claim(tx: Connection, case_id: UUID, lease: timedelta) -> Row | None:
    """Take a due case for playing; None: another worker has it, or it is not due any more."""
    return await tx.fetchrow(
        """UPDATE eval_case SET due_at = now() + $2
            WHERE id = $1 AND state = 'proposed' AND reproduction = 'waiting' AND due_at <= now() RETURNING *""",
        case_id,
        lease,
    )


async def played(
    tx: Connection, case_id: UUID, revision: int, *, reproduction: str, difference: list[dict[str, Any]], note: str
) -> bool:
    """Note what came of playing; False: the case was changed meanwhile, and is played again."""
    found = await tx.fetchval(
        """UPDATE eval_case SET reproduction = $3, difference = $4, reproduction_note = $5, played_at = now()
            WHERE id = $1 AND revision = $2 AND state = 'proposed' RETURNING 1""",
        case_id,
        revision,
        reproduction,
        difference,
        note,
    )
    return found is not None
