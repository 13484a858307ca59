"""Who is it? Before a sensitive function runs, the contact proves it to a function of the tenant's.

What is asked and checked here is taken from the contact's own words by rules alone. A language model takes no part: it
neither sees the function that decides nor can say that somebody was verified. The attempt is counted before it is made,
so that no crash, repeat or change of subject yields another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from agent.authority import Voice
from agent.collecting import question
from agent.dialogue import Dialogue
from agent.drafts import hand_off, reply, unmatched
from agent.matching import matching_intent
from agent.parameters import extract
from agent.phrases import drops_it
from agent.proof import proves
from agent.recording import record
from agent.state import Evidence, Reading, ReadyCall, TurnState
from agent.texts import FixedTexts
from agent.turn import TurnContext, TurnInput
from domain.decisions import HandOffReason
from domain.identity import IdentityStanding, IdentityTerms
from tools.declaration import BusinessFunction, Parameter

_MOST_MISSES: Final = 3
"""Messages in a row without what was asked for; then a person takes over."""


class IdentityInMemory:
    """An IdentityCheck (agent.turn) that forgets with the process: for evals and tests. Time stands still in it."""

    def __init__(self, attempts: int = 3) -> None:
        self._left = attempts
        self._verified = False

    async def standing(self) -> IdentityStanding:
        return IdentityStanding(self._verified, self._left <= 0 and not self._verified)

    async def begin(self) -> bool:
        self._left -= 1
        return self._left >= 0

    async def passed(self) -> None:
        self._verified = True


def needs_identity(function: BusinessFunction, context: TurnContext) -> bool:
    """Whether it may only run for a contact whose identity is proven."""
    terms = context.profile.identity
    return function.needs_identity or (terms is not None and function.name in terms.functions)


def decides_identity(name: str, context: TurnContext) -> bool:
    """Whether it is the function that decides: never called but from here, where its attempts are counted."""
    return context.profile.identity is not None and name == context.profile.identity.verify


async def check_identity(
    texts: FixedTexts,
    turn: TurnInput,
    context: TurnContext,
    reading: Reading,
    evidence: Evidence,
    *,
    ready: ReadyCall,
    for_model: bool = False,
) -> tuple[TurnState | None, Evidence]:
    """Before ``ready`` runs: None where it may, else the step that asks the contact or calls a person.

    ``for_model``: a language model wanted the call; it goes on once the identity is proven.
    """
    function = context.profile.functions[ready["function"]]
    if decides_identity(function.name, context):
        return _to_person(reading, evidence, "identity_check_is_no_service", function.name), evidence
    if not needs_identity(function, context):
        return None, evidence
    check = _Check(texts, context, reading, evidence, ready, for_model=for_model)
    step = await check.begin(turn)
    return step, check.evidence


async def answer_to_identity(
    texts: FixedTexts, turn: TurnInput, context: TurnContext, reading: Reading, evidence: Evidence
) -> tuple[TurnState | None, Reading]:
    """The step that an answer to our question leads to; None: it is about something else, the question is void."""
    asked = dict(reading.dialogue.identity)
    cleared = replace(reading, dialogue=replace(reading.dialogue, identity={}))
    ready = cast(ReadyCall, asked.get("ready") or {})
    if ready.get("function") not in context.profile.functions:
        return None, cleared  # the tenant changed since the question went out
    if spec := context.profile.intents.get(ready["intent"] or ""):
        cleared = cleared.served_by(spec, context)
    check = _Check(texts, context, cleared, evidence, ready, for_model=bool(asked.get("model")))
    return await check.go_on(turn, asked), cleared


@dataclass(slots=True)
class _Check:
    """One step of one check."""

    texts: FixedTexts
    context: TurnContext
    reading: Reading
    evidence: Evidence
    ready: ReadyCall
    for_model: bool

    async def begin(self, turn: TurnInput) -> TurnState | None:
        found = await self._standing()
        if isinstance(found, BusinessFunction):
            self.evidence = self.evidence.because("identity_required", self.ready["function"])
            return await self._with(found, self._own_values(turn, found), key="identity_ask")
        return found

    async def go_on(self, turn: TurnInput, asked: Mapping[str, Any]) -> TurnState | None:
        found = await self._standing()
        if not isinstance(found, BusinessFunction):
            return found or self._continued()
        parameter = next((p for p in found.parameters if p.name == asked.get("asked")), None)
        values = self._own_values(turn, found, parameter)
        if not values:
            return await self._without_answer(turn, asked, parameter)
        step = await self._with(found, {**asked.get("values", {}), **values}, key="identity_more")
        return step or self._continued()

    async def _standing(self) -> TurnState | BusinessFunction | None:
        """None: proven already. The deciding function where the contact may try; else a person is needed."""
        terms, check = self.context.profile.identity, self.context.identity
        verify = self.context.profile.functions.get(terms.verify) if terms else None
        if terms is None or check is None or verify is None:
            return _to_person(self.reading, self.evidence, "identity_cannot_be_checked", self.ready["function"])
        standing = await check.standing()
        if standing.verified:
            self.evidence = self.evidence.because("identity_verified_before", self.ready["function"])
            return None
        if standing.blocked:
            return self._blocked(terms)
        return verify

    def _own_values(self, turn: TurnInput, verify: BusinessFunction, asked: Parameter | None = None) -> dict[str, Any]:
        """What the contact says in own words: not what a message quotes, forwards or shows, nor what a model says."""
        found = extract(
            Voice.of(turn).recent,
            verify.parameters,
            language=self.reading.language,
            now=self.context.now,
            timezone=self.context.profile.timezone,
            asked=asked.name if asked else None,
        )
        return dict(found.values)

    async def _with(self, verify: BusinessFunction, values: Mapping[str, Any], *, key: str) -> TurnState | None:
        """Ask for what is still missing, or find out; None: the identity is proven."""
        missing = next((p for p in verify.parameters if p.required and p.name not in values), None)
        if missing is not None:
            return self._ask(missing, values, key=key)
        return await self._verify(verify, values)

    async def _verify(self, verify: BusinessFunction, values: Mapping[str, Any]) -> TurnState | None:
        terms, check = self.context.profile.identity, self.context.identity
        if terms is None or check is None:
            raise ValueError("the standing was not looked at")
        if not await check.begin():
            return self._blocked(terms)
        result = await self.context.call(verify, values, 0)
        if result.outcome == "refused":
            return {"reading": self.reading, "evidence": self.evidence.because("call_refused"), "void": True} | _DECIDE
        self.evidence = record(self.evidence, verify.name, values, result)
        if proves(result):
            await check.passed()
            self.evidence = self.evidence.because("identity_verified", verify.name)
            return None
        if result.outcome in {"failed", "unknown"}:
            return hand_off(self.reading, self.evidence, HandOffReason.TOOL_FAILURE, "function_failed", verify.name)
        self.evidence = self.evidence.because("identity_not_proven", result.error_code or "")
        if (await check.standing()).blocked:
            return self._blocked(terms)
        first = next((p for p in verify.parameters if p.required), None)
        if first is None:
            return _to_person(self.reading, self.evidence, "identity_cannot_be_checked", verify.name)
        return self._ask(first, {}, key="identity_failed")

    async def _without_answer(
        self, turn: TurnInput, asked: Mapping[str, Any], parameter: Parameter | None
    ) -> TurnState | None:
        """The message holds nothing of what was asked for."""
        if drops_it(self.reading.text):
            said = self.texts.say(self.context.profile, "cancelled", self.reading.language)
            return reply(self.reading, self.evidence.because("dropped_by_customer", self.ready["function"]), said)
        _, other, self.evidence = await matching_intent(turn, self.context, self.reading.text, self.evidence)
        if parameter is None or (other is not None and other.name != self.ready["intent"]):
            return None
        misses = int(asked.get("misses", 0)) + 1
        self.evidence = self.evidence.because("not_an_answer", parameter.name)
        if misses >= _MOST_MISSES:
            reason = HandOffReason.REPEATED_FAILURE
            return hand_off(self.reading, self.evidence, reason, "no_usable_answer", parameter.name)
        return self._ask(parameter, asked.get("values", {}), key="identity_more", misses=misses)

    def _ask(self, parameter: Parameter, values: Mapping[str, Any], *, key: str, misses: int = 0) -> TurnState:
        profile, language = self.context.profile, self.reading.language
        text = self.texts.say(profile, key, language, question=question(self.texts, profile, parameter, language))
        waiting = {
            "ready": dict(self.ready),
            "model": self.for_model,
            "values": dict(values),
            "asked": parameter.name,
            "misses": misses,
        }
        reading = replace(self.reading, dialogue=Dialogue(identity=waiting))
        return reply(reading, self.evidence.because("asks_for_identity", parameter.name), text)

    def _continued(self) -> TurnState:
        """The identity is proven: what waited for it goes on."""
        reading = replace(self.reading, dialogue=Dialogue())
        if self.for_model:
            return unmatched(self.context, replace(reading, intent=None), self.evidence)
        return {"reading": reading, "evidence": self.evidence, "ready": self.ready, "step": "act"}

    def _blocked(self, terms: IdentityTerms) -> TurnState:
        return _to_person(self.reading, self.evidence, "identity_attempts_used_up", str(terms.attempts))


_DECIDE: Final[TurnState] = {"step": "decide"}


def _to_person(reading: Reading, evidence: Evidence, code: str, detail: str) -> TurnState:
    return hand_off(reading, evidence, HandOffReason.OUTSIDE_POLICY, code, detail)
