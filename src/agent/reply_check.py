"""What stands behind a drafted reply: the claim ledger's rules and, where the tenant wants it, a second reading."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Final

from agent.budgeted_model import BudgetUsedUpError
from agent.claims import Ledger, Sources, WordEncoder, check
from agent.language_model import ModelError
from agent.prompts import PromptLibrary
from agent.second_reading import UnreadableReadingError, claims_of, may_change, read_together, reading_request
from agent.state import Evidence, TurnState
from agent.texts import choose
from agent.turn import TurnContext
from domain.messages import Author

_LISTED_CHARACTERS: Final = 600


@dataclass(frozen=True, slots=True)
class Checked:
    """The ledger of a reply. ``doubtful``: it was to be read again, and nobody could."""

    ledger: Ledger
    evidence: Evidence
    doubtful: bool = False


class ReplyCheck:
    """Checks drafts; holds no state."""

    def __init__(self, prompts: PromptLibrary, encoder: Callable[[], WordEncoder]) -> None:
        self._prompts, self._encoder = prompts, encoder

    async def __call__(self, text: str, state: TurnState, evidence: Evidence, context: TurnContext) -> Checked:
        """The ledger of ``text`` by rules alone."""
        sources, language = sources_of(state, evidence, context), state["reading"].language
        return Checked(await asyncio.to_thread(check, text, language, sources, self._encoder()), evidence)

    async def again(self, text: str, state: TurnState, checked: Checked, context: TurnContext) -> Checked:
        """The ledger after the tenant's model has read the reply, too. Without its word a person decides."""
        model, evidence = context.model, checked.evidence
        sources = sources_of(state, evidence, context)
        if model is None or not may_change(checked.ledger, sources):
            return checked
        prompt = self._prompts.of(context.profile.prompts, "second_reading")
        messages = reading_request(prompt, text, sources, masked=context.profile.mask_model_prompts)
        started = perf_counter()
        try:
            answer = await model.complete(messages, **prompt.model)
        except BudgetUsedUpError as error:
            return _doubtful(checked, evidence, error.limit)
        except ModelError as error:
            return _doubtful(checked, evidence.unanswered(model.settings.model, _since(started)), str(error))
        evidence = evidence.answered(answer, _since(started))
        try:
            second = claims_of(answer.text, text, sources)
        except UnreadableReadingError as error:
            return _doubtful(checked, evidence, f"{error} (the answer ended with {answer.finish_reason!r})")
        held = sum(claim.supported_by is None for claim in second)
        evidence = evidence.because("read_again", f"{len(second)} claims, {held} without a source")
        return Checked(read_together(checked.ledger, second, sources), evidence)


def unsupported_in(text: str, ledger: Ledger) -> str:
    """The parts without a source, for a reason's detail."""
    parts = "; ".join(f"{span.kind}: {text[span.start : span.end]}" for span in ledger.unsupported)
    return parts[:_LISTED_CHARACTERS]


def sources_of(state: TurnState, evidence: Evidence, context: TurnContext) -> Sources:
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


def _doubtful(checked: Checked, evidence: Evidence, detail: str) -> Checked:
    return replace(checked, evidence=evidence.because("second_reading_failed", detail), doubtful=True)


def _since(started: float) -> float:
    return round((perf_counter() - started) * 1000, 3)
