"""Turn a draft into the decision: the reply policy, the announcement's wording, the summary for the operator."""

from __future__ import annotations

from dataclasses import replace

from langgraph.runtime import Runtime

from agent.hours import is_open
from agent.state import Evidence, Reading, TurnState, evidence_of
from agent.texts import FixedTexts
from agent.turn import TurnContext, TurnInput
from domain.decisions import AskApproval, Decision, HandOff, Reply, ReplyMode, StaySilent, Suggest

_LAST_MESSAGE_CHARACTERS = 300


class Decide:
    """The last node of every turn that decides anything."""

    def __init__(self, texts: FixedTexts) -> None:
        self.texts = texts

    async def __call__(self, state: TurnState, *, runtime: Runtime[TurnContext]) -> TurnState:
        draft = state.get("draft")
        if draft is None or state.get("needs_model") or state.get("void"):
            return {}
        reading = state["reading"]
        evidence = evidence_of(state)
        if isinstance(draft, HandOff):
            decision: Decision = await self._announced(draft, reading, evidence, state.get("turn"), runtime.context)
        else:
            evidence = evidence.because("reply_mode", reading.mode.value)
            decision = _under_policy(draft, reading.mode, evidence)
            if isinstance(decision, Reply):
                decision = self._disclosed(decision, reading, state.get("turn"), runtime.context)
        return {"draft": decision, "evidence": evidence}

    async def _announced(
        self, draft: HandOff, reading: Reading, evidence: Evidence, turn: TurnInput | None, context: TurnContext
    ) -> HandOff:
        profile, language = context.profile, reading.language
        own = f"hand_off_{draft.reason}"
        key = own if self.texts.has(profile, own) else "hand_off"
        parts = [draft.text or self.texts.say(profile, key, language)]
        position = await context.queue_position() if context.queue_position else None
        if not is_open(profile.hours, context.now, profile.timezone):
            parts.append(self.texts.say(profile, "outside_hours", language))
        elif position:
            parts.append(self.texts.say(profile, "queue_position", language, position=position))
        return HandOff(draft.reason, " ".join(parts), self._summary(draft, reading, turn, context), evidence.reasons)

    def _summary(self, draft: HandOff, reading: Reading, turn: TurnInput | None, context: TurnContext) -> str:
        """For the operator, in the business's own language: what is wanted and what is known so far."""
        found = reading.classification
        name = reading.intent.name if reading.intent else found.intent if found else None
        said = turn.unanswered[-1] if turn else None
        last = (said.text.strip() or f"[{said.kind}]") if said else ""
        spec = context.profile.intents.get(name or "")
        summary = self.texts.say(
            context.profile,
            "summary",
            context.profile.default_language,
            intent=(spec.description or spec.name) if spec else "",
            confidence=found.confidence if found else 1.0,
            values=", ".join(f"{key}={value}" for key, value in reading.dialogue.values.items()),
            last=last[:_LAST_MESSAGE_CHARACTERS],
        )
        return f"{draft.summary}\n{summary}".strip()

    def _disclosed(self, reply: Reply, reading: Reading, turn: TurnInput | None, context: TurnContext) -> Reply:
        """Before the first automatic reply, the tenant's words on who is speaking, where it has any."""
        if turn is None or not turn.is_first_reply or "disclosure" not in context.profile.texts:
            return reply
        return replace(reply, text=f"{self.texts.say(context.profile, 'disclosure', reading.language)}\n\n{reply.text}")


def _under_policy(draft: Decision, mode: ReplyMode, evidence: Evidence) -> Decision:
    reasons = evidence.reasons
    match draft:
        case Reply() if mode is ReplyMode.AUTO:
            return replace(draft, reasons=reasons)
        case Reply() if mode is ReplyMode.SUGGEST:
            return Suggest(draft.text, reasons, draft.sources)
        case AskApproval() if mode is ReplyMode.AUTO:
            return replace(draft, reasons=reasons)
        case AskApproval():
            # Nothing goes out unseen under this policy; the operator who approves also answers.
            return replace(draft, text="", reasons=reasons)
    return StaySilent(reasons)
