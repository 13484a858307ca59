"""Rubrics: a model says how well a conversation does by one question."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.language_model import LanguageModel, ModelError
from agent.prompts import as_data
from agent.turn import HistoryMessage
from domain.messages import Author
from evaluation.customers import eval_prompts

_NAMES: Final = {Author.CONTACT: "customer", Author.BOT: "agent", Author.OPERATOR: "operator", Author.PHONE: "operator"}
_OBJECT: Final = re.compile(r"\{.*\}", re.DOTALL)


class JudgeError(ModelError):
    """The judge answered something that is no verdict."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"The judge gave no verdict but said: {said[:120]!r}.",
            hint="Use a model that can answer with JSON, or look at the rubric's question.",
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """``score`` from 0 to 1."""

    score: float
    reason: str


class Judge:
    """Judges what an agent wrote."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._prompt = eval_prompts()["eval_judge"]

    async def score(self, ask: str, conversation: str) -> Verdict:
        """``conversation``: lines as ``transcript`` writes them. Raises ModelError."""
        answer = await self._model.complete(
            [
                {"role": "system", "content": self._prompt.render(ask=ask)},
                {"role": "user", "content": f"<conversation>\n{as_data(conversation)}\n</conversation>"},
            ],
            **self._prompt.model,
        )
        found = _OBJECT.search(answer.text)
        try:
            verdict = json.loads(found[0] if found else "")
            score = float(verdict["score"])
        except (ValueError, TypeError, KeyError) as error:
            raise JudgeError(answer.text) from error
        if not 0 <= score <= 1:
            raise JudgeError(answer.text)
        return Verdict(score, str(verdict.get("reason", "")))


def transcript(messages: Sequence[HistoryMessage], pending: str = "") -> str:
    """The conversation as the judge reads it. ``pending``: a suggestion that nobody has sent yet."""
    lines = [f"{_NAMES[message.author]}: {message.text or f'[{message.kind}]'}" for message in messages]
    return "\n".join([*lines, *([f"agent: {pending}"] if pending else [])])
