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
from agent.turn import CallResult, Passage
from flows.attempts import attempt
from flows.tenant_declaration import TenantDeclaration, seed_records, to_profile
from tools.declaration import BusinessFunction, ToolContext
from tools.records import InMemoryRecords


class OfflineTenant:
    """Classifier, knowledge and records of one declared tenant. Making one takes the encoder a few seconds."""

    def __init__(self, declaration: TenantDeclaration, encoder: Encoder, *, today: date) -> None:
        self.profile = to_profile(declaration, declaration.settings.slug)
        self.records = InMemoryRecords(seed_records(declaration, today))
        self._encoder = encoder.for_passages
        self._classifier = train(_examples(declaration), encoder)
        self._sections = declaration.sections()
        self._vectors = vectorise([section.encoded for section in self._sections], self._encoder)

    async def classify(self, text: str) -> Classification:
        """The message's intent with its calibrated confidence."""
        return self._classifier.classify(text)

    async def search(self, query: str, language: str, limit: int) -> Sequence[Passage]:  # noqa: ARG002
        """The passages nearest to the query by cosine, best first.

        ``language`` only widens the candidates of the database's search by words, never their order: the nearest ones
        are candidates in any case.
        """
        scores = self._vectors @ vectorise([query], self._encoder)[0]
        return [
            Passage(section.ref, section.title, section.text, float(scores[place]), section.language)
            for place in (-scores).argsort(kind="stable")[:limit]
            for section in (self._sections[place],)
        ]

    async def call(self, function: BusinessFunction, arguments: Mapping[str, Any], context: ToolContext) -> CallResult:
        """Run a business function on a draft of the records, which is kept only for a write that succeeded."""
        draft = copy.deepcopy(self.records)
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
