"""A tenant folder in memory: what the agent knows of the business, and the business data its functions work on.

The counterpart of ``flows.profiles.Brain``; ``tests/evals`` holds the two to the same profile, intents and passages.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from agent.classifier import Classification, Example, train, vectorise
from agent.encoder import Encoder
from agent.turn import CallResult, Passage, TenantProfile
from flows.attempts import attempt
from flows.knowledge_vectors import in_memory, passage_encoder
from flows.tenant_declaration import TenantDeclaration, seed_records, to_profile
from tools.declaration import BusinessFunction, ToolContext
from tools.records import InMemoryRecords


class OfflineTenant:
    """Classifier, knowledge and records of one declared tenant. Making one takes the encoder a few seconds."""

    def __init__(self, declaration: TenantDeclaration, encoder: Encoder, *, today: date) -> None:
        self.profile = to_profile(declaration, declaration.settings.slug)
        self.records = InMemoryRecords(seed_records(declaration, today))
        self._classifier = train(_examples(declaration), encoder)
        self._reader = passage_encoder(encoder)
        self._knowledge = in_memory(declaration.knowledge, self._reader)

    def apart(self, records: InMemoryRecords, profile: TenantProfile | None = None) -> OfflineTenant:
        """The same tenant with records of its own, and a profile of its own if one is given. Costs nothing."""
        other = copy.copy(self)
        other.records = records
        other.profile = profile or self.profile
        return other

    async def classify(self, text: str) -> Classification:
        """The message's intent with its calibrated confidence."""
        return self._classifier.classify(text)

    async def search(self, query: str, language: str, limit: int) -> Sequence[Passage]:
        """The passages that answer best, with the chance that they do."""
        return self._knowledge.search(query, vectorise([query], self._reader)[0], language, limit)

    async def call(self, function: BusinessFunction, arguments: Mapping[str, Any], context: ToolContext) -> CallResult:
        """Run a business function on a draft of the records, which is kept only for a write that succeeded."""
        draft = self.records.draft()
        result = await attempt(function, replace(context, records=draft), arguments)
        if function.effect == "write" and result.outcome == "succeeded":
            self.records = draft
        return result


def _examples(declaration: TenantDeclaration) -> list[Example]:
    """In the order in which the database hands them out: training depends on it."""
    return sorted(
        (
            Example(text, intent.name, language)
            for intent in declaration.intents.values()
            for language, texts in intent.examples.items()
            for text in texts
        ),
        key=lambda example: (example.intent, example.text),
    )
