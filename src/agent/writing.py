"""What a language model writes at an operator's wish: a text put otherwise, a translation. It decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.language_model import LanguageModel, ModelError
from agent.masked_model import MaskedModel
from agent.prompts import Prompt, PromptLibrary, as_data
from agent.summary import summarise
from agent.turn import HistoryMessage, TenantProfile, TurnInput
from domain.messages import Author
from domain.personal_data import Placeholders
from domain.text import storable

_CONTEXT_MESSAGES: Final = 12
_MESSAGE_CHARACTERS: Final = 1_000
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")
_MARKS: Final = re.compile(r"</?(?:text|instruction|message|earlier_summary)\b[^>]{0,80}>")
"""Our own delimiters."""
_ESCAPED: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&"))
_WRITERS: Final = {Author.CONTACT: "customer", Author.BOT: "assistant"}


class UnusableTextError(ModelError):
    """The model answered, but what it wrote must not be used: cut short, empty, or with personal data made up."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The language model's text cannot be used: {why}.", hint="Try again, or write it yourself.")
        self.why = why


@dataclass(frozen=True, slots=True)
class Writing:
    """A tenant's model and prompts, for one conversation. Where the tenant masks, the model sees placeholders only."""

    prompts: PromptLibrary
    profile: TenantProfile
    model: LanguageModel
    turn: TurnInput

    async def rewritten(self, text: str, *, wanted: str, words: str, language: str) -> str:
        """``text`` as ``wanted`` (domain.suggestions.Wanted; ``words``: in the operator's own), in ``language``.

        Raises ModelError.
        """
        prompt = self.prompts.of(self.profile.prompts, "rewrite")
        asked = [f"<instruction>\n{as_data(words or wanted)}\n</instruction>", f"<text>\n{as_data(text)}\n</text>"]
        heard = [*self.turn.history, *self.turn.unanswered][-_CONTEXT_MESSAGES:]
        return await self._ask(
            prompt, "\n".join([*map(_shown, heard), *asked]), (text, words), wanted=wanted, language=language
        )

    async def translated(self, text: str, language: str) -> str:
        """``text`` in ``language`` (pt, es, en). Raises ModelError."""
        prompt = self.prompts.of(self.profile.prompts, "translate")
        return await self._ask(prompt, f"<text>\n{as_data(text)}\n</text>", (text,), language=language)

    async def summary(self, messages: Sequence[HistoryMessage], language: str) -> str:
        """The conversation so far: what was summed up before, and ``messages``, in a few sentences of ``language``.

        Raises ModelError.
        """
        prompt = self.prompts.of(self.profile.prompts, "summary")
        return await summarise(prompt, self.model, self.profile, self.turn, messages, language=language)

    async def _ask(self, prompt: Prompt, content: str, texts: Iterable[str], **inputs: Any) -> str:
        placeholders = Placeholders(self.turn.conversation_id)
        for message in (*self.turn.history, *self.turn.unanswered):
            placeholders.learn(message.text)
        for text in texts:  # as they were written: in the request some of their characters are escaped
            placeholders.learn(text)
        model = MaskedModel(self.model, placeholders) if self.profile.mask_model_prompts else self.model
        system = prompt.fill(masked=self.profile.mask_model_prompts, **inputs)
        answer = await model.complete(
            [{"role": "system", "content": system}, {"role": "user", "content": content}], **prompt.model
        )
        plain = _MARKS.sub("", _BOLD.sub(r"*\1*", answer.text)).strip()
        for escaped, character in _ESCAPED:  # models repeat what they read
            plain = plain.replace(escaped, character)
        written = storable(plain)[0]
        if answer.finish_reason in {"length", "content_filter"}:
            raise UnusableTextError("it was cut short")
        if not written:
            raise UnusableTextError("it is empty")
        if answer.unknown_placeholders:
            raise UnusableTextError("it holds personal data that nobody gave")
        return written


def _shown(message: HistoryMessage) -> str:
    text = message.text[:_MESSAGE_CHARACTERS] or f"[{message.kind}]"
    return f'<message by="{_WRITERS.get(message.author, "person_of_the_team")}">\n{as_data(text)}\n</message>'
