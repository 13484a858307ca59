"""Offer a person once, then do it: what is said before the agent gives up, and what the customer says to that."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from agent.dialogue import MOST_FAILURES
from agent.drafts import hand_off, reply
from agent.normalise import words
from agent.state import Evidence, Reading, TurnState
from agent.texts import FixedTexts
from agent.turn import TurnContext
from domain.decisions import HandOffReason
from tools.declaration import ParameterKind

_FILLER: Final = (
    r"por favor|pfv|please|entao|obrigad[oa]|gracias|thanks|thank you|me chama|chama|pode chamar|uma pessoa"
)
_YES: Final = re.compile(
    rf"(?:(?:sim+|s|si|yes|yep|yeah|yup|ok|okay|claro|pode(?: ser| sim)?|quero(?: sim)?|quiero|aceito|acepto|isso|dale|"
    rf"vale|sure|com certeza|por supuesto|of course|go ahead|{_FILLER})(?: |$))+"
)
_NO: Final = re.compile(
    rf"(?:(?:nao+|n|no|nop|nope|nah|(?:nao )?precis[ao](?: nao)?|no hace falta|nao quero|no need|ainda nao|todavia no|"
    rf"{_FILLER})(?: |$))+"
)


def is_last_try(failures: int) -> bool:
    """Whether the next failure in a row would be the one that hands off."""
    return failures == MOST_FAILURES - 1


def with_offer(
    texts: FixedTexts, context: TurnContext, reading: Reading, text: str, reason: HandOffReason
) -> tuple[Reading, str]:
    """``text`` with the offer of a person behind it, unless the tenant wants none or it was made already."""
    terms = context.profile.hand_off
    if not terms.offer_first or not terms.wants(reason) or reading.dialogue.offered:
        return reading, text
    offer = texts.say(context.profile, "offer_person", reading.language)
    return replace(reading, dialogue=replace(reading.dialogue, offered=reason.value)), f"{text} {offer}"


def answer_to_offer(texts: FixedTexts, context: TurnContext, reading: Reading, evidence: Evidence) -> TurnState | None:
    """A short yes or no to the offer; None: the message is about something else."""
    dialogue, said = reading.dialogue, " ".join(words(reading.text))
    if not dialogue.offered:
        return None
    function = context.profile.functions.get(dialogue.function or "")
    asked = next((p for p in function.parameters if p.name == dialogue.asked), None) if function else None
    if asked is not None and asked.kind is ParameterKind.BOOLEAN:
        return None  # the yes may answer that question
    if _YES.fullmatch(said):
        return hand_off(reading, evidence, HandOffReason(dialogue.offered), "offer_accepted")
    if _NO.fullmatch(said):
        answer = texts.say(context.profile, "offer_declined", reading.language)
        return reply(reading, evidence.because("offer_declined"), answer)
    return None
