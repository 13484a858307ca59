"""The customer's side of cases that go on as the agent answers: branches of a script, or a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.language_model import LanguageModel
from agent.prompts import Prompt, load_prompts
from agent.turn import HistoryMessage
from domain.messages import Author
from evaluation.cases import Customer, Line
from evaluation.checking import holds
from evaluation.seen import Seen

END: Final = "###END###"
"""By which a played customer leaves."""
LANGUAGE_NAMES: Final = {"pt": "Brazilian Portuguese", "es": "Spanish", "en": "English"}


def eval_prompts() -> dict[str, Prompt]:
    """The prompts of the customer and of the judge; they belong to no bundle."""
    return dict(load_prompts(Path(__file__).parent / "prompts").prompts)


def next_line(line: Line, seen: Seen) -> str | None:
    """Where a script goes on after what was seen: the name of a line, "" for the end, None where no branch fits."""
    if not line.next:
        return ""
    for turn in line.next:
        if holds(turn.when, seen):
            return turn.go
    return None


class PlayedCustomer:
    """A customer whose messages a model writes."""

    def __init__(self, customer: Customer, language: str, model: LanguageModel) -> None:
        self._customer = customer
        self._model = model
        self._prompt = eval_prompts()["eval_customer"]
        self._language = LANGUAGE_NAMES.get(language, LANGUAGE_NAMES["pt"])

    async def writes(self, messages: Sequence[HistoryMessage]) -> str | None:
        """The next message; None: the customer has left. Raises ModelError."""
        if self._customer.opens and not any(message.author is Author.CONTACT for message in messages):
            return self._customer.opens
        system = self._prompt.render(
            goal=self._customer.goal,
            persona=self._customer.persona,
            facts=list(self._customer.knows.items()),
            stops=self._customer.stops,
            language=self._language,
            end=END,
        )
        heard = [
            {"role": "assistant" if message.author is Author.CONTACT else "user", "content": message.text}
            for message in messages
            if message.text
        ]
        if not heard or heard[-1]["role"] == "assistant":
            heard.append({"role": "user", "content": "(no answer yet)" if heard else "(you begin)"})
        answer = await self._model.complete([{"role": "system", "content": system}, *heard], **self._prompt.model)
        said = answer.text.strip().strip('"')
        return None if END in said or not said else said
