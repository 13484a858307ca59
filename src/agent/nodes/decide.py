"""Turn a draft into the decision: the reply policy, and what is said of handoffs (agent.announcing)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from langgraph.runtime import Runtime

from agent.announcing import Announcer, disclosed
from agent.authority import looked_up_another
from agent.claims import Ledger, Sources, WordEncoder, check
from agent.encoder import default_encoder
from agent.policy import is_audited
from agent.state import Evidence, TurnState, evidence_of
from agent.texts import FixedTexts, choose
from agent.turn import TurnContext
from domain.decisions import AskApproval, Decision, HandOff, Reply, ReplyMode, StaySilent, Suggest
from domain.messages import Author

_LISTED_CHARACTERS = 600


class Decide:
    """The last node of every turn that decides anything."""

    def __init__(self, texts: FixedTexts, encoder: Callable[[], WordEncoder] = default_encoder) -> None:
        self.texts, self._encoder = texts, encoder
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
                sources = _sources(state, evidence, context)
                ledger = await asyncio.to_thread(check, draft.text, reading.language, sources, self._encoder())
                if ledger.unsupported:
                    evidence = evidence.because("unsupported_claims", _listed(draft.text, ledger))
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


def _sources(state: TurnState, evidence: Evidence, context: TurnContext) -> Sources:
    """What may stand behind a reply: results, the passages that were shown, the tenant's own words, the customer's."""
    turn, profile, language = state.get("turn"), context.profile, state["reading"].language
    own = [("persona", profile.persona)] if profile.persona else []
    for name, spec in profile.intents.items():
        answer = choose(spec.answer, language, profile.default_language)
        if answer:
            own.append((name, answer))
    heard = [*turn.history, *turn.unanswered] if turn else []
    return Sources(
        now=context.now.astimezone(profile.timezone),
        calls=evidence.calls,
        passages=[(passage.ref, f"{passage.title}\n{passage.text}") for passage in state.get("passages", ())],
        texts=own,
        customer=[message.text for message in heard if message.author is Author.CONTACT],
        names=[name for name in (profile.name, turn.contact_name if turn else None) if name],
        writes=frozenset(function.name for function in profile.functions.values() if function.effect == "write"),
        reads=frozenset(function.name for function in profile.functions.values() if function.effect == "read"),
    )


def _listed(text: str, ledger: Ledger) -> str:
    parts = "; ".join(f"{span.kind}: {text[span.start : span.end]}" for span in ledger.unsupported)
    return parts[:_LISTED_CHARACTERS]


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
