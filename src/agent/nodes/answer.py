"""Answer without a language model: a passage of the tenant's knowledge, one request to explain, else a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from langgraph.runtime import Runtime

from agent.drafts import hand_off, reply
from agent.offers import with_offer
from agent.outgoing import foreign_link
from agent.relevance import CANDIDATES
from agent.state import TurnState, evidence_of
from agent.texts import FixedTexts
from agent.turn import TurnContext
from agent.untrusted import gives_orders
from domain.decisions import HandOffReason, ReplyMode, Source

_QUOTED_CHARACTERS: Final = 700


class Answer:
    """The last resort before a handoff. After a model's failure nothing is asked again: a person takes over."""

    def __init__(self, texts: FixedTexts) -> None:
        self.texts = texts

    async def __call__(self, state: TurnState, *, runtime: Runtime[TurnContext]) -> TurnState:
        reading, evidence, context = state["reading"], evidence_of(state), runtime.context
        found = await context.search(reading.text, reading.language, CANDIDATES)
        best = next(iter(found), None)
        if best is not None and best.score >= context.profile.knowledge_threshold:
            evidence = evidence.because("knowledge", f"{best.ref} with score {best.score:.2f}")
            text = self.texts.say(context.profile, "knowledge", reading.language, passage=quoted(best.text))
            if gives_orders(best.text, context.profile.functions):
                # Somebody wrote it for the assistant rather than for customers: a person looks first.
                evidence = evidence.because("passage_gives_orders", best.ref)
                reading = reading.capped(ReplyMode.SUGGEST)
            if reading.mode is ReplyMode.AUTO and (link := foreign_link(best.text, context.profile)):
                evidence = evidence.because("foreign_link", link)
                reading = reading.capped(ReplyMode.SUGGEST)
            source = Source("knowledge", best.ref, best.place, best.score)
            return reply(replace(reading, dialogue=replace(reading.dialogue, clarified=0)), evidence, text, source)
        score = f"best score {best.score:.2f}" if best else "nothing found"
        evidence = evidence.because("no_knowledge", f"{score}, needed {context.profile.knowledge_threshold:.2f}")
        if evidence.model_failed:
            return hand_off(reading, evidence, HandOffReason.MODEL_FAILURE, "model_failed")
        if reading.dialogue.clarified and context.profile.hand_off.wants(HandOffReason.LOW_CONFIDENCE):
            return hand_off(reading, evidence, HandOffReason.LOW_CONFIDENCE, "still_not_understood")
        text = self.texts.say(context.profile, "clarify", reading.language)
        reading, text = with_offer(self.texts, context, reading, text, HandOffReason.LOW_CONFIDENCE)
        return reply(
            replace(reading, dialogue=replace(reading.dialogue, clarified=1)), evidence.because("asks_to_explain"), text
        )


def quoted(text: str) -> str:
    """The passage as the customer reads it: cut after the last whole sentence that fits, headings' marks removed."""
    plain = "\n".join(line.lstrip("# ").rstrip() for line in text.strip().splitlines())
    if len(plain) <= _QUOTED_CHARACTERS:
        return plain
    head = plain[:_QUOTED_CHARACTERS]
    end = max(head.rfind(mark) for mark in (". ", "! ", "? ", ".\n", "\n"))
    return head[: end + 1].rstrip() if end > 0 else head.rsplit(" ", 1)[0] + " …"
