"""Run the business function that is ready, or ask a person to approve it, and put its outcome into words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from langgraph.runtime import Runtime

from agent.authority import Authority
from agent.confirming import ask_to_confirm
from agent.dialogue import MOST_FAILURES, Dialogue
from agent.drafts import hand_off, reply
from agent.identity import check_identity
from agent.offers import is_last_try, with_offer
from agent.policy import policy_in
from agent.recording import record
from agent.state import Evidence, Reading, ReadyCall, TurnState, evidence_of
from agent.templates import TemplateFailedError, render
from agent.texts import FixedTexts, choose
from agent.turn import CallResult, TenantProfile, TurnContext
from agent.wording import in_other_language
from domain.decisions import AskApproval, HandOffReason, Source, ToolCall
from tools.declaration import BusinessFunction


class Act:
    """Direct execution. An approval's run comes back here once a person has answered."""

    def __init__(self, texts: FixedTexts) -> None:
        self.texts = texts

    async def __call__(self, state: TurnState, *, runtime: Runtime[TurnContext]) -> TurnState:
        ready, context = state["ready"], runtime.context
        reading = state.get("reading") or _resumed(ready, context)
        evidence, approved = evidence_of(state), state.get("approved")
        function = context.profile.functions.get(ready["function"])
        if function is None:
            return hand_off(reading, evidence, HandOffReason.TOOL_FAILURE, "unknown_function", ready["function"])
        if approved is False:
            rejected = self.texts.say(context.profile, "approval_rejected", reading.language)
            return reply(reading, evidence.because("approval_rejected", function.name), rejected)
        if approved is None:
            step, evidence = await check_identity(self.texts, state["turn"], context, reading, evidence, ready=ready)
            if step is not None:
                return step
        if approved is None and needs_approval(function, context, ready["intent"]):
            return ask_approval(self.texts, context.profile, reading, evidence, ready)
        if approved:
            evidence = evidence.because("approved_by_a_person", function.name)
        elif function.effect == "write" and not state.get("confirmed"):
            authority = Authority(state["turn"], context, reading.language)
            grounds = await authority.judge(function, ready["arguments"], in_progress=True)
            evidence = evidence.supported_by(grounds.reasons)
            if grounds.verdict == "confirm":
                return ask_to_confirm(self.texts, context.profile, reading, evidence, ready)
            if grounds.verdict != "run":
                return ask_approval(self.texts, context.profile, reading, evidence, ready)
        result = await context.call(function, ready["arguments"], ready["ordinal"])
        return word_outcome(self.texts, context, reading, evidence, ready=ready, result=result)


def needs_approval(function: BusinessFunction, context: TurnContext, intent: str | None) -> bool:
    """Whether a person must agree before it acts: untrusted, for this intent or at all, or all acting is stopped."""
    trusted = function.name in context.profile.trusted_writes and not policy_in(context).stopped
    only_for = context.profile.trusted_only_for.get(function.name)
    return function.effect == "write" and not (trusted and (only_for is None or intent in only_for))


def ask_approval(
    texts: FixedTexts, profile: TenantProfile, reading: Reading, evidence: Evidence, ready: ReadyCall
) -> TurnState:
    """Draft the request for a person's approval, with the exact arguments and what the customer is told meanwhile."""
    name, arguments = ready["function"], ready["arguments"]
    try:
        text = _reply_text(texts, profile, reading, ready, code="awaiting_approval", result=None)
    except TemplateFailedError as error:
        evidence, text = evidence.because("template_failed", error.sentence()), ""
    text = text or texts.say(profile, "awaiting_approval", reading.language)
    return {
        "reading": replace(reading, dialogue=Dialogue()),
        "evidence": evidence.because("write_needs_approval", name).called(
            ToolCall(name, arguments, "awaiting_approval")
        ),
        "ready": ready,
        "draft": AskApproval(name, arguments, text),
        "step": "decide",
    }


def word_outcome(
    texts: FixedTexts,
    context: TurnContext,
    reading: Reading,
    evidence: Evidence,
    *,
    ready: ReadyCall,
    result: CallResult,
) -> TurnState:
    """The turn after a call of the intent path: a reply from the tenant's template, or a handoff that says why."""
    profile = context.profile
    if result.outcome == "refused":
        return {"reading": reading, "evidence": evidence.because("call_refused"), "void": True, "step": "decide"}
    evidence = record(evidence, ready["function"], ready["arguments"], result)
    failed = handed_off_outcome(reading, evidence, result)
    if failed is not None:
        return failed
    function = profile.functions[ready["function"]]
    code = "ok" if result.outcome == "succeeded" else result.error_code or "business_error"
    try:
        text = _reply_text(texts, profile, reading, ready, code=code, result=result.result) or _default(
            texts, profile, reading, function, result
        )
    except TemplateFailedError as error:
        return hand_off(reading, evidence, HandOffReason.TOOL_FAILURE, "template_failed", error.sentence())
    if not text:
        return hand_off(reading, evidence, HandOffReason.TOOL_FAILURE, "no_reply_text", f"{function.name}: {code}")
    dialogue = Dialogue()
    if result.outcome == "business_error":
        before = replace(reading.dialogue, failures=ready["failures"])
        dialogue = before.after_business_error(function, result.result)
        reading = replace(reading, dialogue=dialogue)
        if dialogue.failures >= MOST_FAILURES and profile.hand_off.wants(HandOffReason.REPEATED_FAILURE):
            return hand_off(reading, evidence, HandOffReason.REPEATED_FAILURE, "same_refusal_again", code)
        if is_last_try(dialogue.failures):
            reading, text = with_offer(texts, context, reading, text, HandOffReason.REPEATED_FAILURE)
        return reply(reading, evidence, text, Source("function", function.name))
    return reply(replace(reading, dialogue=dialogue), evidence, text, Source("function", function.name))


def handed_off_outcome(reading: Reading, evidence: Evidence, result: CallResult) -> TurnState | None:
    """Outcomes that only a person may settle."""
    if result.outcome == "failed":
        return hand_off(reading, evidence, HandOffReason.TOOL_FAILURE, "function_failed", result.error_code or "")
    if result.outcome == "unknown":
        return hand_off(reading, evidence, HandOffReason.UNKNOWN_OUTCOME, "function_outcome_unknown")
    return None


def _reply_text(
    texts: FixedTexts, profile: TenantProfile, reading: Reading, ready: ReadyCall, *, code: str, result: Any
) -> str:
    """The tenant's own wording of this outcome, filled; "" where it has none."""
    spec = profile.intents.get(ready["intent"] or "") or next(
        (spec for spec in profile.intents.values() if spec.function == ready["function"]), None
    )
    translations = spec.replies.get(code, {}) if spec else {}
    source = choose(translations, reading.language, profile.default_language)
    if not source or spec is None:
        return ""
    variables = {
        "result": result,
        "arguments": ready["arguments"],
        "contact": ready["contact"],
        "business": profile.name,
        "language": reading.language,
    }
    filled = render(f"{spec.name}.replies.{code}", source, variables)
    return in_other_language(texts, profile, translations, filled, reading.language)


def _default(
    texts: FixedTexts, profile: TenantProfile, reading: Reading, function: BusinessFunction, result: CallResult
) -> str:
    if result.outcome == "business_error":
        return texts.say(profile, "business_error", reading.language)
    return texts.say(profile, "done", reading.language) if function.effect == "write" else ""


def _resumed(ready: ReadyCall, context: TurnContext) -> Reading:
    """What an approval's run knows of the turn that asked for it."""
    profile = context.profile
    spec = profile.intents.get(ready["intent"] or "")
    reading = Reading("", ready["language"], profile.reply_mode, Dialogue(), contact=ready["contact"])
    reading = replace(reading, dialogue=Dialogue(ready["intent"], ready["function"], ready["arguments"]))
    return reading.served_by(spec, context) if spec else reading.under(context, None)
