"""Trying a business function that reads, from the process that serves pages and programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from agent.turn import CallResult
from domain.errors import InvalidInputError
from flows.functions import FunctionSource
from flows.functions_desk import FunctionDesk, Person
from store.functions import Kind


class Trying:
    """Calls with ``sources``: those kinds of functions that this process can make."""

    def __init__(self, desk: FunctionDesk, sources: Mapping[Kind, FunctionSource]) -> None:
        self._desk, self._sources = desk, sources

    async def read(self, tenant_id: UUID, name: str, arguments: Mapping[str, Any], person: Person) -> CallResult:
        """Call it once. Raises NotFoundError, and InvalidInputError for one that writes."""
        if (await self._desk.one(tenant_id, name)).effect != "read":
            raise InvalidInputError(name, "would act", hint="Only functions that read can be tried here.")
        return await self._desk.try_out(tenant_id, name, arguments, sources=self._sources, person=person)
