"""What does the customer want? Language, a person asked for, the question in progress, the intent; no model needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from langgraph.runtime import Runtime

from agent.collecting import answer_to_question, collect
from agent.confirming import answer_to_confirmation
from agent.dialogue import Dialogue
from agent.drafts import hand_off, reply, silent, unmatched
from agent.identity import answer_to_identity
from agent.language import detect_language
from agent.matching import matching_intent
from agent.nodes.answer import Answer
from agent.normalise import MAX_READ, visible, words
from agent.offers import answer_to_offer
from agent.phrases import is_angry, small_talk, wants_person
from agent.policy import policy_in
from agent.state import Evidence, Reading, TurnState
from agent.texts import FixedTexts
from agent.turn import TurnContext, TurnInput
from agent.untrusted import display_name
from agent.wishes import Wish, Wishes
from agent.wording import worded
from domain.decisions import HandOffReason, Reply, ReplyMode, Source
from domain.messages import MessageKind

_NEEDS_NO_ANSWER: Final = frozenset(
    {MessageKind.REACTION, MessageKind.STICKER, MessageKind.SYSTEM, MessageKind.POLL_VOTE}
)
_TRIGGERS: Final = {
    HandOffReason.VIP: "vip_contact",
    HandOffReason.OLD_MESSAGE: "message_too_old",
    HandOffReason.REQUESTED: "person_requested",
    HandOffReason.ANGER: "angry_words",
}
_MOST_READ: Final = 4 * MAX_READ
"""Characters of all unanswered messages together that are looked at."""


class Understand:
    """The first node of every turn."""

    def __init__(self, texts: FixedTexts) -> None:
        self.texts = texts
        self._wishes = Wishes(Answer(texts))

    async def __call__(self, state: TurnState, *, runtime: Runtime[TurnContext]) -> TurnState:
        turn, context = state["turn"], runtime.context
        step = await self._understood(turn, _read(turn, context), runtime)
        return _with_later(step, Dialogue.from_json(turn.dialogue), context)

    async def _understood(self, turn: TurnInput, reading: Reading, runtime: Runtime[TurnContext]) -> TurnState:
        context, evidence = runtime.context, Evidence()
        if any(message.kind is MessageKind.UNKNOWN for message in turn.unanswered):
            # An order, an invitation, a payment: its words alone are not what the customer sent.
            return hand_off(reading, evidence, HandOffReason.MEDIA, "unsupported_kind")
        if not words(reading.text):
            return self._without_words(turn, context, reading, evidence)
        if (reason := _trigger(turn, context, reading.text)) is not None:
            return await self._to_person(turn, runtime, reading, evidence, reason)
        if reading.dialogue.confirm:
            step, reading = answer_to_confirmation(self.texts, turn, context, reading, evidence)
            if step is not None:
                return step
        if reading.dialogue.identity:
            step, reading = await answer_to_identity(self.texts, turn, context, reading, evidence)
            if step is not None:
                return step
        if (step := answer_to_offer(self.texts, context, reading, evidence)) is not None:
            return step
        if reading.dialogue.asked:
            step = await answer_to_question(self.texts, turn, context, reading, evidence)
            if step is not None:
                return step
            # Another subject. The question is no longer open, but its answer stays welcome.
            reading = replace(reading, dialogue=replace(reading.dialogue, waiting=False, failures=0))
        return await self._by_intent(turn, runtime, reading, evidence)

    async def _to_person(
        self,
        turn: TurnInput,
        runtime: Runtime[TurnContext],
        reading: Reading,
        evidence: Evidence,
        reason: HandOffReason,
    ) -> TurnState:
        """A person is asked for or needed in plain words. The intent only serves the operator and the announcement."""
        context = runtime.context
        if reason is HandOffReason.REQUESTED and (
            wishes := await self._wishes.find(reading, evidence, runtime, person=True)
        ):
            return {"reading": reading, "evidence": evidence, "wishes": wishes, "step": "several"}
        classification, spec, evidence = await matching_intent(turn, context, reading.text, evidence)
        reading = replace(reading, classification=classification)
        announcement = ""
        if spec is not None and (spec.restricted or spec.action == "hand_off"):
            reading = reading.served_by(spec, context)
            announcement = worded(self.texts, context.profile, spec.answer, reading.language, alone=True)
        return hand_off(reading, evidence, reason, _TRIGGERS[reason], text=announcement)

    async def _by_intent(
        self, turn: TurnInput, runtime: Runtime[TurnContext], reading: Reading, evidence: Evidence
    ) -> TurnState:
        context, courtesy = runtime.context, small_talk(reading.text)
        if courtesy == "acknowledgement" and turn.history:
            return silent(reading, evidence, "acknowledgement")
        if not courtesy and (wishes := await self._wishes.find(reading, evidence, runtime)):
            return {"reading": reading, "evidence": evidence, "wishes": wishes, "step": "several"}
        classification, spec, evidence = await matching_intent(turn, context, reading.text, evidence)
        reading = replace(reading, classification=classification)
        if courtesy and (spec is None or spec.function):
            key = "greeting" if courtesy == "acknowledgement" else courtesy
            text = self.texts.say(context.profile, key, reading.language)
            return reply(reading, evidence.because("small_talk", courtesy), text, Source("answer", key))
        if spec is None:
            return unmatched(context, reading, evidence)
        fresh = replace(reading.dialogue, clarified=0, offered="")
        return self._serve(context, replace(reading, dialogue=fresh).served_by(spec, context), evidence)

    def _serve(self, context: TurnContext, reading: Reading, evidence: Evidence) -> TurnState:
        spec, profile = reading.intent, context.profile
        if spec is None:
            raise ValueError("only a matched intent can be served")
        if spec.restricted or spec.action == "hand_off":
            default = HandOffReason.RESTRICTED_INTENT if spec.restricted else HandOffReason.REQUESTED
            reason = spec.hand_off_reason or default
            if not profile.hand_off.wants(reason):
                # No handoff for this, by the tenant's word; but then a person looks at what is answered instead.
                evidence = evidence.because("trigger_off", reason)
                reading = replace(reading, intent=None, at_most=ReplyMode.SUGGEST)
                return unmatched(context, reading.under(context, spec.name), evidence)
            announcement = worded(self.texts, profile, spec.answer, reading.language, alone=True)
            return hand_off(reading, evidence, reason, "intent_hands_off", text=announcement)
        if spec.action == "stay_silent":
            return silent(reading, evidence, "intent_stays_silent")
        if reading.mode is ReplyMode.OFF:
            return silent(reading, evidence, "policy_off")
        if spec.function:
            return collect(self.texts, context, reading, evidence)
        answer = worded(self.texts, profile, spec.answer, reading.language)
        if not answer:
            return unmatched(
                context, replace(reading, intent=None), evidence.because("intent_without_answer", spec.name)
            )
        return reply(reading, evidence.because("fixed_answer", spec.name), answer, Source("answer", spec.name))

    def _without_words(self, turn: TurnInput, context: TurnContext, reading: Reading, evidence: Evidence) -> TurnState:
        profile = context.profile
        kinds = {message.kind for message in turn.unanswered}
        if kinds <= _NEEDS_NO_ANSWER:
            return silent(reading, evidence, "needs_no_answer", ", ".join(sorted(kinds)))
        if kinds - _NEEDS_NO_ANSWER - {MessageKind.TEXT}:
            return hand_off(reading, evidence, HandOffReason.MEDIA, "media_only", ", ".join(sorted(kinds)))
        if small_talk(reading.text) and turn.history:
            return silent(reading, evidence, "acknowledgement", "emoji only")
        key = "greeting" if visible(reading.text).strip() else "clarify"
        return reply(reading, evidence.because("nothing_to_read"), self.texts.say(profile, key, reading.language))


def _with_later(step: TurnState, before: Dialogue, context: TurnContext) -> TurnState:
    """The same with the wishes that waited behind a question, once that question is settled."""
    later = [
        Wish(str(one.get("text", "")), spec)
        for one in before.later
        if (spec := context.profile.intents.get(str(one.get("intent")))) is not None
    ]
    settled = step["step"] == "act" or (
        isinstance(step.get("draft"), Reply) and step["reading"].dialogue == Dialogue() and step["step"] == "decide"
    )
    if not later or not settled:
        return step
    served = Wish(step["reading"].text, step["reading"].intent, step["reading"].classification, step)
    reading = replace(step["reading"], dialogue=Dialogue())
    return {"reading": reading, "evidence": step["evidence"], "wishes": (served, *later), "step": "several"}


def _trigger(turn: TurnInput, context: TurnContext, text: str) -> HandOffReason | None:
    """Why a person is needed whatever the message is about; None: the agent may serve it."""
    terms, policy = context.profile.hand_off, policy_in(context)
    if terms.wants(HandOffReason.VIP) and terms.vip_tags & policy.occasion.tags:
        return HandOffReason.VIP
    if terms.wants(HandOffReason.REQUESTED) and wants_person(text):
        return HandOffReason.REQUESTED
    if terms.wants(HandOffReason.ANGER) and is_angry(text):
        return HandOffReason.ANGER
    newest = max(message.at for message in turn.unanswered)
    if terms.old_after is not None and context.now - newest > terms.old_after:
        return HandOffReason.OLD_MESSAGE
    return None


def _read(turn: TurnInput, context: TurnContext) -> Reading:
    profile = context.profile
    text = "\n".join(message.text[:MAX_READ] for message in turn.unanswered if message.text.strip())[:_MOST_READ]
    known = turn.language if turn.language in profile.languages else None
    language = detect_language(text, known or profile.default_language, profile.languages)
    contact = {"id": turn.contact_id, "name": display_name(turn.contact_name)}
    reading = Reading(text, language, profile.reply_mode, Dialogue.from_json(turn.dialogue), contact=contact)
    return reading.under(context, None)
