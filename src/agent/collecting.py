"""Collecting what a function needs over several turns: one question at a time, at most three misses in a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agent.dialogue import MOST_FAILURES, Dialogue, missing
from agent.drafts import hand_off, reply, silent, unmatched
from agent.matching import matching_intent
from agent.normalise import words
from agent.offers import is_last_try, with_offer
from agent.parameters import Extraction, extract
from agent.phrases import asks_to_wait, drops_it, opens_a_subject
from agent.state import Evidence, Reading, ReadyCall, TurnState
from agent.texts import FixedTexts, label_of
from agent.turn import TenantProfile, TurnContext, TurnInput
from domain.decisions import HandOffReason
from tools.declaration import BusinessFunction, Parameter, ParameterKind

_SHORT: Final = 6
"""Words of a message that holds the value asked for and little else."""


async def answer_to_question(
    texts: FixedTexts, turn: TurnInput, context: TurnContext, reading: Reading, evidence: Evidence
) -> TurnState | None:
    """Take the message as the answer to what was asked. None: it is about something else, the question is void."""
    profile, dialogue, text = context.profile, reading.dialogue, reading.text
    spec = profile.intents.get(dialogue.intent or "")
    function = profile.functions.get(dialogue.function or "")
    parameter = next((p for p in function.parameters if p.name == dialogue.asked), None) if function else None
    if spec is None or function is None or parameter is None:
        return None  # the tenant changed since the question went out
    reading = reading.served_by(spec, context)
    found = _extract(context, reading, function, asked=parameter.name)
    free = parameter.kind is ParameterKind.TEXT
    answered = parameter.name in found.values
    if asks_to_wait(text) and (free or not answered):
        return silent(reading, evidence, "asks_to_wait", parameter.name)
    if drops_it(text) and (free or not answered):
        if not dialogue.waiting:
            return None
        dropped = replace(reading, dialogue=Dialogue())
        said = texts.say(profile, "cancelled", reading.language)
        return reply(dropped, evidence.because("dropped_by_customer", function.name), said)
    direct = answered and (free or len(words(text)) <= _SHORT) and not opens_a_subject(text)
    if direct:
        return _continue(texts, context, reading, evidence, function=function, found=found)
    if not dialogue.waiting:
        return None
    classification, other, judged = await matching_intent(turn, context, text, evidence)
    if other is not None and other.name != spec.name:
        return None
    reading = replace(reading, classification=classification)
    if not answered and parameter.name not in found.invalid and context.model is not None:
        missed = dialogue.ask(parameter, failed=True)
        if missed.failures < MOST_FAILURES:
            asked = judged.because("not_an_answer", parameter.name)
            return unmatched(context, replace(reading, dialogue=missed, intent=None), asked)
    return _continue(texts, context, reading, judged, function=function, found=found)


def collect(texts: FixedTexts, context: TurnContext, reading: Reading, evidence: Evidence) -> TurnState:
    """Begin with the matched intent's function, with whatever the messages already hold."""
    spec = reading.intent
    function = context.profile.functions.get(spec.function or "") if spec else None
    if function is None:
        missing_name = spec.function if spec else None
        return hand_off(reading, evidence, HandOffReason.TOOL_FAILURE, "unknown_function", str(missing_name))
    return _continue(texts, context, reading, evidence, function=function, found=_extract(context, reading, function))


def _continue(
    texts: FixedTexts,
    context: TurnContext,
    reading: Reading,
    evidence: Evidence,
    *,
    function: BusinessFunction,
    found: Extraction,
) -> TurnState:
    before, profile = reading.dialogue, context.profile
    intent = reading.intent.name if reading.intent else ""
    dialogue = before.collect(intent, function.name, found.values)
    if found.values:
        evidence = evidence.because("parameters_found", ", ".join(sorted(found.values)))
    parameter = missing(function, dialogue.values)
    if parameter is None:
        return {
            "reading": replace(reading, dialogue=dialogue),
            "evidence": evidence,
            "ready": _ready(reading, dialogue, function),
            "step": "act",
        }
    invalid = parameter.name in found.invalid
    due = before.waiting and before.function == function.name and before.asked == parameter.name
    dialogue = dialogue.ask(parameter, failed=invalid or due)
    reading = replace(reading, dialogue=dialogue)
    if dialogue.failures >= MOST_FAILURES and profile.hand_off.wants(HandOffReason.REPEATED_FAILURE):
        return hand_off(reading, evidence, HandOffReason.REPEATED_FAILURE, "no_usable_answer", parameter.name)
    evidence = evidence.because("invalid_value" if invalid else "asks", parameter.name)
    text = question(texts, profile, parameter, reading.language)
    if invalid or due:
        key = "invalid" if invalid else "not_found_in_message"
        label = label_of(texts, profile, parameter, reading.language)
        text = texts.say(profile, key, reading.language, label=label, question=text)
    if is_last_try(dialogue.failures):
        reading, text = with_offer(texts, context, reading, text, HandOffReason.REPEATED_FAILURE)
    return reply(reading, evidence, text)


def question(texts: FixedTexts, profile: TenantProfile, parameter: Parameter, language: str) -> str:
    """The declaration's own question in the customer's language, else Atende's."""
    if parameter.ask.get(language):
        return parameter.ask[language]
    options = [
        next(iter(choice.labels.get(language) or choice.labels.get(profile.default_language) or (choice.value,)))
        for choice in parameter.choices
    ]
    label = label_of(texts, profile, parameter, language)
    return texts.say(profile, "ask", language, label=label, options=options)


def _ready(reading: Reading, dialogue: Dialogue, function: BusinessFunction) -> ReadyCall:
    declared = [parameter.name for parameter in function.parameters]
    return ReadyCall(
        function=function.name,
        arguments={name: dialogue.values[name] for name in declared if name in dialogue.values},
        ordinal=0,
        intent=reading.intent.name if reading.intent else None,
        language=reading.language,
        contact=dict(reading.contact or {}),
        failures=dialogue.failures,
    )


def _extract(
    context: TurnContext, reading: Reading, function: BusinessFunction, asked: str | None = None
) -> Extraction:
    return extract(
        reading.text,
        function.parameters,
        language=reading.language,
        now=context.now,
        timezone=context.profile.timezone,
        asked=asked,
    )
