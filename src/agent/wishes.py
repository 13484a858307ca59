"""Several wishes in one message: which, or that it is one after all.

Form proposes (agent.clauses), the classifier decides: only where each part is surely another intent of the tenant's are
there several wishes. One wish that is taken apart is worse than two that get one answer, so every doubt counts for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from langgraph.runtime import Runtime

from agent.classifier import Classification
from agent.clauses import Clause, clauses, grouped
from agent.matching import confident
from agent.nodes.answer import Answer
from agent.normalise import words
from agent.parameters import extract
from agent.phrases import small_talk, wants_person
from agent.state import Evidence, Reading, TurnState
from agent.turn import IntentSpec, TenantProfile, TurnContext
from domain.decisions import HandOffReason, Reply

_MOST_PARTS: Final = 6
_MOST_WISHES: Final = 4
_LEAST_WORDS: Final = 3
"""A part of which no intent is sure is looked up in the documents only if it says this much."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that a message asks for. Exactly one of ``spec``, ``step`` and ``person`` says what serves it."""

    text: str
    spec: IntentSpec | None = None
    classification: Classification | None = None
    step: TurnState | None = None
    """It is served, or its call is ready, already."""
    person: HandOffReason | None = None
    """A person was asked for in these words."""

    @property
    def name(self) -> str:
        """For the explanation."""
        if self.spec is not None:
            return self.spec.name
        return f"person: {self.person}" if self.person else "knowledge"


@dataclass(frozen=True, slots=True)
class _Part:
    text: str
    found: Classification
    spec: IntentSpec | None


class Wishes:
    """Finds the wishes of a message."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def find(
        self, reading: Reading, evidence: Evidence, runtime: Runtime[TurnContext], *, person: bool = False
    ) -> tuple[Wish, ...]:
        """Two wishes or more, in the message's order; () where there is one. ``person``: one asks for a person."""
        found, context = clauses(reading.text), runtime.context
        if len(found) < 2:
            return ()
        groups = _proposed(found, statements_alone=False)
        if 2 <= len(groups) <= _MOST_PARTS:
            return await self._wishes(groups, reading, evidence, runtime, person=person)
        apart = _proposed(found, statements_alone=True)
        if person or not 2 <= len(apart) <= _MOST_PARTS:
            return ()
        # Nothing but statements, or statements around one question: two wishes only if together they are none.
        if confident(await context.classify(reading.text), context.profile) is not None:
            return ()
        return await self._wishes(apart, reading, evidence, runtime, sure=True)

    async def _wishes(
        self,
        groups: Sequence[tuple[str, str]],
        reading: Reading,
        evidence: Evidence,
        runtime: Runtime[TurnContext],
        *,
        person: bool = False,
        sure: bool = False,
    ) -> tuple[Wish, ...]:
        context = runtime.context
        whole, *judged = await asyncio.gather(
            context.classify(reading.text), *(context.classify(read) for _, read in groups)
        )
        if not person and any(reason.code == "same_as_example" for reason in whole.reasons):
            return ()  # the tenant's own example says that this is one wish
        parts = [
            _Part(text, found, _servable(found, context.profile))
            for (text, _), found in zip(groups, judged, strict=True)
        ]
        wishes: list[Wish] = []
        for part in parts:
            if person and wants_person(part.text):
                wishes.append(Wish(part.text, person=HandOffReason.REQUESTED))
            elif part.spec is not None:
                wishes.append(Wish(part.text, part.spec, part.found))
            elif sure:
                return ()
            else:
                step = await self._looked_up(part, reading, evidence, runtime)
                if step is not None:
                    wishes.append(Wish(part.text, classification=part.found, step=step))
                elif wishes and wishes[-1].spec is not None:
                    wishes[-1] = replace(wishes[-1], text=f"{wishes[-1].text} {part.text}")
                else:
                    return ()  # nobody knows what it begins with: read it as a whole
        distinct = _distinct(wishes, context, reading.language)
        return tuple(distinct) if 2 <= len(distinct) <= _MOST_WISHES else ()

    async def _looked_up(
        self, part: _Part, reading: Reading, evidence: Evidence, runtime: Runtime[TurnContext]
    ) -> TurnState | None:
        """The answer that a document gives to a part which no intent is sure of; None: none does.

        Where there is a language model, it reads the whole message and searches by itself.
        """
        if runtime.context.model is not None or len(words(part.text)) < _LEAST_WORDS:
            return None
        asked = replace(reading, text=part.text, intent=None).under(runtime.context, None)
        step = await self._answer({"reading": asked, "evidence": evidence}, runtime=runtime)
        draft = step.get("draft")
        known = isinstance(draft, Reply) and any(source.kind == "knowledge" for source in draft.sources)
        return step if known else None


def _proposed(found: Sequence[Clause], *, statements_alone: bool) -> list[tuple[str, str]]:
    """(as written, as the classifier should read it) of each possible wish; mere courtesy is none."""
    groups = []
    for group in grouped(found, statements_alone=statements_alone):
        text = " ".join(clause.text for clause in group)
        if small_talk(text) is None:
            groups.append((text, " ".join(clause.read for clause in group)))
    return groups


def _servable(found: Classification, profile: TenantProfile) -> IntentSpec | None:
    """The intent that is sure and can be served here; what hands off only where the tenant wants that."""
    spec = confident(found, profile)
    if spec is None:
        return None
    if spec.restricted or spec.action == "hand_off":
        default = HandOffReason.RESTRICTED_INTENT if spec.restricted else HandOffReason.REQUESTED
        return spec if profile.hand_off.wants(spec.hand_off_reason or default) else None
    if spec.function:
        return spec if spec.function in profile.functions else None
    return spec if spec.answer or spec.action == "stay_silent" else None


def _distinct(wishes: Sequence[Wish], context: TurnContext, language: str) -> list[Wish]:
    """Wishes that are really different ones: parts of the same intent are one, unless each names its own values."""
    kept: list[Wish] = []
    for wish in wishes:
        twin = next((place for place, one in enumerate(kept) if _same(one, wish)), None)
        if twin is None or _complete_apart(kept[twin], wish, context, language):
            kept.append(wish)
        else:
            kept[twin] = replace(kept[twin], text=f"{kept[twin].text} {wish.text}")
    return kept


def _same(one: Wish, other: Wish) -> bool:
    if one.spec is None or other.spec is None:
        return one.person is not None and other.person is not None
    return one.spec.name == other.spec.name or (
        one.spec.function is not None and one.spec.function == other.spec.function
    )


def _complete_apart(one: Wish, other: Wish, context: TurnContext, language: str) -> bool:
    """Both name all that the function needs, and not the same: two orders are two wishes."""
    left, right = (_values(wish, context, language) for wish in (one, other))
    return left is not None and right is not None and left != right


def _values(wish: Wish, context: TurnContext, language: str) -> Mapping[str, Any] | None:
    function = context.profile.functions.get(wish.spec.function or "") if wish.spec else None
    if function is None:
        return None
    found = extract(
        wish.text, function.parameters, language=language, now=context.now, timezone=context.profile.timezone
    ).values
    required = [parameter.name for parameter in function.parameters if parameter.required]
    return found if required and all(name in found for name in required) else None
