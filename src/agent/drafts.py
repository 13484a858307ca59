"""What a node hands to ``decide``: decisions before the reply policy, announcements not yet worded."""

from __future__ import annotations

from agent.state import Evidence, Reading, TurnState
from agent.turn import TurnContext
from domain.decisions import HandOff, HandOffReason, Reply, ReplyMode, Source, StaySilent


def unmatched(context: TurnContext, reading: Reading, evidence: Evidence) -> TurnState:
    """No local answer: the language model where there is one, else the tenant's knowledge."""
    if reading.mode is ReplyMode.OFF:
        return silent(reading, evidence, "policy_off")
    if context.model is None:
        return {"reading": reading, "evidence": evidence, "step": "answer"}
    if not context.may_call_model:
        return {"reading": reading, "evidence": evidence, "needs_model": True, "step": "decide"}
    return {"reading": reading, "evidence": evidence, "step": "converse"}


def reply(reading: Reading, evidence: Evidence, text: str, *sources: Source) -> TurnState:
    """Draft a reply from a template, a fixed answer or a passage; its reasons are those of the evidence."""
    return {**written(reading, evidence, text, *sources), "from_template": True}


def written(reading: Reading, evidence: Evidence, text: str, *sources: Source) -> TurnState:
    """Draft a reply in words of its own, as a language model's are: its claims are checked before it may go out."""
    return {"reading": reading, "evidence": evidence, "draft": Reply(text, sources=sources), "step": "decide"}


def silent(reading: Reading, evidence: Evidence, code: str, detail: str = "") -> TurnState:
    return {
        "reading": reading,
        "evidence": evidence.because(code, detail),
        "draft": StaySilent(),
        "step": "decide",
    }


def hand_off(
    reading: Reading, evidence: Evidence, reason: HandOffReason, code: str, detail: str = "", *, text: str = ""
) -> TurnState:
    """Draft a handoff; ``decide`` words the announcement unless ``text`` is the tenant's own."""
    return {
        "reading": reading,
        "evidence": evidence.because(code, detail),
        "draft": HandOff(reason, text, ""),
        "step": "decide",
    }
