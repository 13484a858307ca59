"""Turn a draft into the decision: the reply policy, the announcement's wording, the summary for the operator."""

from __future__ import annotations

from dataclasses import replace

from langgraph.runtime import Runtime

from agent.claims import Ledger, Sources, check
from agent.hours import is_open
from agent.state import Evidence, Reading, TurnState, evidence_of
from agent.texts import FixedTexts, choose
from agent.turn import TurnContext, TurnInput
from domain.decisions import AskApproval, Decision, HandOff, Reply, ReplyMode, StaySilent, Suggest
from domain.messages import Author

_LAST_MESSAGE_CHARACTERS = 300
_LISTED_CHARACTERS = 600


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
            ledger = Ledger()
            if isinstance(draft, Reply) and reading.mode is not ReplyMode.OFF and not state.get("from_template"):
                ledger = check(draft.text, reading.language, _sources(state, evidence, runtime.context))
                if ledger.unsupported:
                    evidence = evidence.because("unsupported_claims", _listed(draft.text, ledger))
            decision = _under_policy(draft, reading.mode, evidence, ledger)
            if isinstance(decision, Reply):
                decision = self._disclosed(decision, reading, state.get("turn"), runtime.context)
            return {"draft": decision, "evidence": evidence, "ledger": ledger.claims}
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
