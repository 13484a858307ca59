"""Records held in memory: what evals and tests hand to business functions instead of a database."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


class InMemoryRecords:
    """A tenant's records by collection and key. Values are copied in and out, as a database would.

    It keeps the order and equality rules of the ``Records`` protocol: ``find`` compares top-level fields and answers in
    the order of the keys.
    """

    def __init__(self, collections: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None) -> None:
        self._collections: dict[str, dict[str, dict[str, Any]]] = {
            collection: {key: copy.deepcopy(dict(value)) for key, value in records.items()}
            for collection, records in (collections or {}).items()
        }

    async def get(self, collection: str, key: str) -> dict[str, Any] | None:
        """Return the record, or None where there is none."""
        return copy.deepcopy(self._collections.get(collection, {}).get(key))

    async def find(self, collection: str, where: Mapping[str, Any], limit: int = 50) -> list[dict[str, Any]]:
        """Records whose top-level fields equal ``where``, ordered by key."""
        missing = object()
        found = [
            value
            for _, value in sorted(self._collections.get(collection, {}).items())
            if all(value.get(name, missing) == wanted for name, wanted in where.items())
        ]
        return copy.deepcopy(found[:limit])

    async def put(self, collection: str, key: str, value: Mapping[str, Any]) -> None:
        """Write the record, replacing what was there."""
        self._collections.setdefault(collection, {})[key] = copy.deepcopy(dict(value))

    def draft(self) -> InMemoryRecords:
        """The same records, to be changed apart. Cheap: a record itself is never changed, only replaced."""
        other = InMemoryRecords()
        other._collections = {collection: dict(records) for collection, records in self._collections.items()}
        return other

    @property
    def all(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """All there is, by collection and key: to look at, never to change."""
        return self._collections
