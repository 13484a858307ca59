"""Turn a draft into the decision: the reply policy, and what is said of handoffs (agent.announcing)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from langgraph.runtime import Runtime

from agent.announcing import Announcer, disclosed
from agent.authority import looked_up_another
from agent.claims import Ledger, WordEncoder
from agent.encoder import default_encoder
from agent.policy import is_audited
from agent.prompts import PromptLibrary
from agent.reply_check import ReplyCheck, unsupported_in
from agent.state import Evidence, TurnState, evidence_of
from agent.texts import FixedTexts
from agent.turn import TurnContext
from domain.decisions import AskApproval, Decision, HandOff, Reply, ReplyMode, StaySilent, Suggest


class Decide:
    """The last node of every turn that decides anything."""

    def __init__(
        self, prompts: PromptLibrary, texts: FixedTexts, encoder: Callable[[], WordEncoder] = default_encoder
    ) -> None:
        self.texts, self._check = texts, ReplyCheck(prompts, encoder)
        self._announcer = Announcer(texts)

    async def __call__(self, state: TurnState, *, runtime: Runtime[TurnContext]) -> TurnState:
        draft = state.get("draft")
        if draft is None or state.get("needs_model") or state.get("void"):
            return {}
        reading = state["reading"]
        evidence = evidence_of(state)
        turn, context, from_template = state.get("turn"), runtime.context, state.get("from_template", False)
        if isinstance(draft, HandOff) and not context.profile.hand_off.wants(draft.reason):
            evidence = evidence.because("trigger_off", draft.reason)
            draft, from_template = Reply(self.texts.say(context.profile, "try_later", reading.language)), True
        ledger = Ledger()
        notices: tuple[str, ...] = ()
        decision: Decision
        if isinstance(draft, HandOff):
            decision, notices = await self._announcer(draft, reading, evidence, turn, context)
        else:
            evidence = evidence.because("reply_mode", f"{reading.mode}: {reading.rule}")
            mode = reading.mode
            if isinstance(draft, Reply) and mode is not ReplyMode.OFF and not from_template:
                checked = await self._check(draft.text, state, evidence, context)
                # Only where nobody else would read it; a reply that no model wrote holds nothing that it made up.
                if mode is ReplyMode.AUTO and context.profile.second_reading and _by_model(evidence):
                    checked = await self._check.again(draft.text, state, checked, context)
                ledger, evidence = checked.ledger, checked.evidence
                if ledger.unsupported:
                    evidence = evidence.because("unsupported_claims", unsupported_in(draft.text, ledger))
                elif checked.doubtful:
                    mode = ReplyMode.SUGGEST
            looked_up = looked_up_another(
                evidence.calls, context.profile.functions, turn.contact_addresses if turn else ()
            )
            if mode is ReplyMode.AUTO and looked_up and isinstance(draft, Reply):
                evidence, mode = evidence.because("number_of_another", looked_up), ReplyMode.SUGGEST
            if mode is ReplyMode.AUTO and turn is not None and is_audited(reading, turn, context):
                evidence, mode = evidence.because("audited", "a share of what earned autonomy sends"), ReplyMode.SUGGEST
            decision = _under_policy(draft, mode, evidence, ledger)
        if isinstance(decision, Reply | AskApproval | HandOff) and decision.text:
            decision, told = disclosed(self.texts, decision, reading, turn, context)
            notices += told
        return {"draft": decision, "evidence": evidence, "notices": notices, "ledger": ledger.claims}


def _under_policy(draft: Decision, mode: ReplyMode, evidence: Evidence, ledger: Ledger) -> Decision:
    reasons = evidence.reasons
    match draft:
        case Reply() if mode is not ReplyMode.OFF and ledger.unsupported:
            return Suggest(draft.text, reasons, draft.sources, ledger.unsupported)
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


def _by_model(evidence: Evidence) -> bool:
    """Whether a language model wrote the draft: where it failed, knowledge answered in the business's own words."""
    return bool(evidence.model_calls) and not evidence.model_failed
