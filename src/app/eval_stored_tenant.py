"""A tenant as the database has it, for cases to be played on: its own intents, knowledge, settings, and its records.

Nothing outside is reached: functions over the tenant's own records run on a copy of them, others answer what they
answered when the conversation took place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from langgraph.checkpoint.memory import InMemorySaver

from agent.classifier import Classification
from agent.graph import build_agent
from agent.language_model import LanguageModel
from agent.turn import CallResult, Passage
from domain.errors import AtendeError
from evaluation.asked_models import NoModels
from evaluation.cases import Case
from evaluation.results import BundleRef, Origin
from evaluation.staging import Contender
from evaluation.tenant import OfflineTenant
from flows.profiles import Brain, Profiles
from flows.tenant_declaration import NumberDeclaration, TenantDeclaration, TenantSettings
from store.database import Connection, Database
from tools.declaration import BusinessFunction, ToolContext
from tools.records import InMemoryRecords

_MOST_RECORDS = 50_000


class NotRecordedError(AtendeError):
    """A function that reaches outside was called as it was not called when the conversation took place."""

    def __init__(self, function: str, arguments: Mapping[str, Any]) -> None:
        super().__init__(
            f"{function} reaches a system outside and was not called with {dict(arguments)} then, so nobody knows its "
            "answer.",
            hint="Accept the case without reproduction and say why, or drop it.",
        )
        self.function = function


class StoredTenant(OfflineTenant):
    """One loaded tenant. ``calls``: what functions answered when the conversation took place."""

    def __init__(self, brain: Brain, calls: Sequence[Mapping[str, Any]] = ()) -> None:
        self.profile = brain.profile
        self.records = InMemoryRecords({})
        self._brain = brain
        self._recorded = calls

    async def classify(self, text: str) -> Classification:
        return await self._brain.classify(text)

    async def search(self, query: str, language: str, limit: int) -> Sequence[Passage]:
        return await self._brain.search(query, language, limit)

    async def call(self, function: BusinessFunction, arguments: Mapping[str, Any], context: ToolContext) -> CallResult:
        """Python functions run over the copied records, others answer from the record. Raises NotRecordedError."""
        for call in self._recorded:
            if call["function"] == function.name and call["arguments"] == dict(arguments):
                return _as_then(call)
        if function.kind != "python":
            raise NotRecordedError(function.name, arguments)
        return await super().call(function, arguments, context)


def _as_then(call: Mapping[str, Any]) -> CallResult:
    result = call.get("result")
    code = result.get("code") if call["outcome"] == "business_error" and isinstance(result, Mapping) else None
    return CallResult(call["outcome"], result, code)


class BrainModels(NoModels):
    """The tenant's own model, where it has one."""

    origin: Origin = "live"

    def __init__(self, model: LanguageModel | None) -> None:
        self._model = model

    def agent(self, case: Case, epoch: int) -> LanguageModel | None:  # noqa: ARG002
        return self._model

    customer = agent
    judge = agent


async def stored_contender(
    db: Database, profiles: Profiles, tenant_id: UUID, calls: Sequence[Mapping[str, Any]] = ()
) -> tuple[Contender, BrainModels]:
    """The tenant as it stands, ready to be played, with its model."""
    async with db.transaction(tenant_id) as tx:
        tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id)
        declaration = await _declaration(tx, tenant["slug"], tenant["name"], tenant["timezone"])
    brain = await profiles.get(tenant_id, tenant["profile_version"])
    ref = BundleRef("A", f"profile {tenant['profile_version']}", f"{tenant['slug']} as it stands")
    contender = Contender(ref, declaration, StoredTenant(brain, calls), build_agent(InMemorySaver()))
    return contender, BrainModels(brain.model)


async def _declaration(tx: Connection, slug: str, name: str, timezone: str) -> TenantDeclaration:
    """As much of it as playing needs: numbers and records. The rest is the brain's."""
    numbers = await tx.fetch(
        "SELECT coalesce(config ->> 'key', id::text) AS key, name, provider FROM channel_session ORDER BY created_at"
    )
    records: dict[str, dict[str, dict[str, Any]]] = {}
    for row in await tx.fetch("SELECT collection, key, value FROM business_record LIMIT $1", _MOST_RECORDS):
        records.setdefault(row["collection"], {})[row["key"]] = row["value"]
    settings = TenantSettings.model_construct(
        slug=slug,
        name=name,
        timezone=timezone,
        default_language="pt",
        languages=("pt",),
        numbers=tuple(NumberDeclaration.model_construct(**row, team="") for row in numbers),
    )
    return TenantDeclaration(Path(), settings, "", {}, {}, (), records=records)
