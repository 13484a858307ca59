"""Turn a draft into the decision: the reply policy, and what is said of handoffs (agent.announcing)."""

from __future__ import annotations

from dataclasses import replace

from langgraph.runtime import Runtime

from agent.announcing import Announcer, disclosed
from agent.policy import is_audited
from agent.state import Evidence, TurnState, evidence_of
from agent.texts import FixedTexts
from agent.turn import TurnContext
from domain.decisions import AskApproval, Decision, HandOff, Reply, ReplyMode, StaySilent, Suggest


class Decide:
    """The last node of every turn that decides anything."""

    def __init__(self, texts: FixedTexts) -> None:
        self.texts = texts
        self._announcer = Announcer(texts)

    async def __call__(self, state: TurnState, *, runtime: Runtime[TurnContext]) -> TurnState:
        draft = state.get("draft")
        if draft is None or state.get("needs_model") or state.get("void"):
            return {}
        reading = state["reading"]
        evidence = evidence_of(state)
        turn, context = state.get("turn"), runtime.context
        if isinstance(draft, HandOff) and not context.profile.hand_off.wants(draft.reason):
            evidence = evidence.because("trigger_off", draft.reason)
            draft = Reply(self.texts.say(context.profile, "try_later", reading.language))
        notices: tuple[str, ...] = ()
        decision: Decision
        if isinstance(draft, HandOff):
            decision, notices = await self._announcer(draft, reading, evidence, turn, context)
        else:
            evidence = evidence.because("reply_mode", f"{reading.mode}: {reading.rule}")
            mode = reading.mode
            if mode is ReplyMode.AUTO and turn is not None and is_audited(reading, turn, context):
                evidence, mode = evidence.because("audited", "a share of what earned autonomy sends"), ReplyMode.SUGGEST
            decision = _under_policy(draft, mode, evidence)
        if isinstance(decision, Reply | AskApproval | HandOff) and decision.text:
            decision, told = disclosed(self.texts, decision, reading, turn, context)
            notices += told
        return {"draft": decision, "evidence": evidence, "notices": notices}


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
