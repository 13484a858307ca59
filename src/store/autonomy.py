"""Records of earned autonomy, one row per intent with a case."""

from __future__ import annotations

from typing import Literal, overload
from uuid import UUID

from domain.autonomy import Record
from store.database import Connection, Row


@overload
async def locked(tx: Connection, tenant_id: UUID, intent: str) -> Record: ...
@overload
async def locked(tx: Connection, tenant_id: UUID, intent: str, *, create: Literal[False]) -> Record | None: ...
async def locked(tx: Connection, tenant_id: UUID, intent: str, *, create: bool = True) -> Record | None:
    """The intent's record, locked until the transaction ends; made empty where there is none."""
    if create:
        await tx.execute(
            "INSERT INTO intent_autonomy (tenant_id, intent) VALUES ($1, $2) ON CONFLICT DO NOTHING", tenant_id, intent
        )
    row = await tx.fetchrow("SELECT * FROM intent_autonomy WHERE intent = $1 FOR UPDATE", intent)
    return _record(row) if row else None


async def save(tx: Connection, intent: str, record: Record) -> None:
    """Write a locked record back."""
    await tx.execute(
        """UPDATE intent_autonomy SET changed_at = CASE WHEN state <> $2 THEN now() ELSE changed_at END,
                  state = $2, approved = $3, other = $4, epoch = $5, drop_evidence = $6 WHERE intent = $1""",
        intent,
        record.state,
        record.approved,
        record.other,
        record.epoch,
        record.drop,
    )


async def all_records(tx: Connection) -> list[tuple[str, str, Record]]:
    """Intents that still exist, with how the business describes them and their records."""
    rows = await tx.fetch(
        "SELECT a.*, i.declaration ->> 'description' AS title FROM intent_autonomy a JOIN intent i ON i.name = a.intent"
    )
    return [(row["intent"], row["title"] or row["intent"], _record(row)) for row in rows]


def _record(row: Row) -> Record:
    return Record(row["state"], row["approved"], row["other"], row["epoch"], row["drop_evidence"])
