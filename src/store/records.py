"""The tenant's own small business data in PostgreSQL."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from store.database import Connection, Database


class StoredRecords:
    """Fulfils tools.declaration.Records for one tenant.

    Writes are kept until ``save`` puts them into the caller's transaction, so that what a business function changed and
    the record of its call are committed together. Reads see them at once.
    """

    def __init__(self, db: Database, tenant_id: UUID) -> None:
        self._db = db
        self._tenant_id = tenant_id
        self._written: dict[tuple[str, str], dict[str, Any]] = {}

    async def get(self, collection: str, key: str) -> dict[str, Any] | None:
        """The record, or None where there is none."""
        if (collection, key) in self._written:
            return copy.deepcopy(self._written[collection, key])
        async with self._db.transaction(self._tenant_id) as tx:
            value: dict[str, Any] | None = await tx.fetchval(
                "SELECT value FROM business_record WHERE collection = $1 AND key = $2", collection, key
            )
        return value

    async def find(self, collection: str, where: Mapping[str, Any], limit: int = 50) -> list[dict[str, Any]]:
        """Records whose top-level fields equal ``where``, ordered by key."""
        async with self._db.transaction(self._tenant_id) as tx:
            rows = await tx.fetch(
                "SELECT key, value FROM business_record WHERE collection = $1 AND value @> $2 "
                'ORDER BY key COLLATE "C" LIMIT $3',
                collection,
                dict(where),
                limit + len(self._written),
            )
        missing = object()
        found = {row["key"]: row["value"] for row in rows}
        for (kept_collection, key), value in self._written.items():
            if kept_collection == collection:
                found[key] = copy.deepcopy(value)
        return [
            value
            for _, value in sorted(found.items())
            # @> also matches inside objects and arrays; only equal top-level fields count.
            if all(value.get(name, missing) == wanted for name, wanted in where.items())
        ][:limit]

    async def put(self, collection: str, key: str, value: Mapping[str, Any]) -> None:
        """Write the record when the call is recorded, replacing what was there."""
        self._written[collection, key] = copy.deepcopy(dict(value))

    async def save(self, tx: Connection) -> None:
        """Write what was put, in the caller's transaction."""
        await tx.executemany(
            "INSERT INTO business_record (tenant_id, collection, key, value) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (tenant_id, collection, key) DO UPDATE SET value = excluded.value",
            [(self._tenant_id, collection, key, value) for (collection, key), value in self._written.items()],
        )
