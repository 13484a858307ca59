"""Asking the customer to confirm an act with its exact values, and reading the answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, cast

from agent.authority import Voice, every_leaf
from agent.choices import find_boolean
from agent.dialogue import Dialogue
from agent.drafts import reply
from agent.normalise import fold
from agent.phrases import drops_it
from agent.state import Evidence, Reading, ReadyCall, TurnState
from agent.texts import FixedTexts
from agent.turn import TenantProfile, TurnContext, TurnInput
from domain.messages import Author
from tools.declaration import Parameter, ParameterKind


def ask_to_confirm(
    texts: FixedTexts, profile: TenantProfile, reading: Reading, evidence: Evidence, ready: ReadyCall
) -> TurnState:
    """Draft the question that names the act and all its values; only a plain yes to it lets the call run."""
    function = profile.functions[ready["function"]]
    spec = next((spec for spec in profile.intents.values() if spec.function == function.name), None)
    details = [
        (
            texts.say(profile, f"label_{p.kind}", reading.language, description=p.description or p.name),
            _shown(p, ready["arguments"][p.name], reading.language),
        )
        for p in function.parameters
        if p.name in ready["arguments"]
    ]
    what = (spec.description if spec else "") or function.description
    text = texts.say(profile, "confirm_act", reading.language, what=what.rstrip("."), details=details)
    dialogue = Dialogue(confirm={**ready, "asked_text": text})
    return reply(replace(reading, dialogue=dialogue), evidence.because("asks_to_confirm", function.name), text)


def answer_to_confirmation(
    texts: FixedTexts, turn: TurnInput, context: TurnContext, reading: Reading, evidence: Evidence
) -> tuple[TurnState | None, Reading]:
    """The step that a yes or a no leads to; None where the message is neither, and the question is void then."""
    asked = dict(reading.dialogue.confirm)
    asked_text = str(asked.pop("asked_text", ""))
    reading = replace(reading, dialogue=replace(reading.dialogue, confirm={}))
    # A yes answers what was last written to the customer, who may have got other words than the agent suggested.
    last = next((message for message in reversed(turn.history) if message.author is not Author.CONTACT), None)
    if last is None or last.author not in {Author.BOT, Author.OPERATOR} or not last.text.endswith(asked_text):
        return None, reading
    function = context.profile.functions.get(str(asked.get("function")))
    if function is not None and Voice.of(turn).says_yes(turn):
        ready = cast(ReadyCall, {**asked, "language": reading.language})
        step: TurnState = {
            "reading": reading,
            "evidence": evidence.because("confirmed_by_customer", function.name),
            "ready": ready,
            "confirmed": True,
            "step": "act",
        }
        return step, reading
    if drops_it(reading.text) or _says_no(reading.text):
        said = texts.say(context.profile, "cancelled", reading.language)
        return reply(reading, evidence.because("dropped_by_customer", str(asked.get("function"))), said), reading
    return None, reading


def _says_no(text: str) -> bool:
    folded = fold(text)
    return len(folded.split()) <= 3 and any(found.value is False for found in find_boolean(folded, text))


def _shown(parameter: Parameter, value: Any, language: str) -> str:
    """The value as the customer would write it."""
    if parameter.kind is ParameterKind.DATE:
        try:
            day = date.fromisoformat(str(value))
        except ValueError:
            return str(value)
        return f"{day:%d/%m/%Y}" if language != "en" else f"{day:%B} {day.day}, {day.year}"
    if parameter.kind is ParameterKind.MONEY and isinstance(value, int | float):
        return f"{value:.2f}" if language == "en" else f"{value:.2f}".replace(".", ",")
    if parameter.kind is ParameterKind.ENUM:
        labels = next((choice.labels for choice in parameter.choices if choice.value == value), {})
        return next(iter(labels.get(language, ())), str(value))
    if parameter.kind is ParameterKind.JSON:
        return "; ".join(f"{name}: {leaf}" for name, leaf in every_leaf(value, ""))
    return " ".join(str(value).split())
