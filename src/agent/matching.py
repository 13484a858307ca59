"""Which intent the unanswered messages match confidently, if any."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agent.classifier import Classification
from agent.normalise import MAX_READ, words
from agent.state import Evidence
from agent.turn import IntentSpec, TenantProfile, TurnContext, TurnInput
from domain.decisions import Reason

_MOST_READ_ALONE: Final = 3
"""Messages that are classified one by one when all of them together match nothing."""


async def matching_intent(
    turn: TurnInput, context: TurnContext, text: str, evidence: Evidence
) -> tuple[Classification, IntentSpec | None, Evidence]:
    """The intent that all unanswered messages together, or else exactly one of them, match confidently."""
    whole = await context.classify(text)
    spec = confident(whole, context.profile)
    texts = [message.text[:MAX_READ] for message in turn.unanswered[-_MOST_READ_ALONE:]]
    texts = [part for part in texts if words(part)]
    if spec is None and len(turn.unanswered) > 1:
        parts = [await context.classify(part) for part in texts]
        matches = {part.intent: part for part in parts if confident(part, context.profile)}
        if len(matches) == 1:
            whole = next(iter(matches.values()))
            spec = confident(whole, context.profile)
            evidence = evidence.because("one_message_matched")
        elif matches:
            evidence = evidence.because("several_intents", ", ".join(filter(None, matches)))
    evidence = replace(evidence, reasons=(*evidence.reasons, *whole.reasons, _judged(whole, spec, context.profile)))
    return whole, spec, evidence


def confident(classification: Classification, profile: TenantProfile) -> IntentSpec | None:
    """The intent, where its confidence reaches the intent's own threshold, else the tenant's."""
    spec = profile.intents.get(classification.intent or "")
    if spec is None:
        return None
    threshold = profile.threshold if spec.threshold is None else spec.threshold
    return spec if classification.confidence >= threshold else None


def _judged(found: Classification, spec: IntentSpec | None, profile: TenantProfile) -> Reason:
    if spec is not None:
        return Reason("intent", f"{spec.name} with confidence {found.confidence:.2f}")
    return Reason(
        "no_confident_intent",
        f"best is {found.intent} with {found.confidence:.2f}, out of scope {found.out_of_scope:.2f}; "
        f"the threshold is {profile.threshold:.2f}",
    )
