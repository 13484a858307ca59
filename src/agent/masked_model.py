"""A language model that never sees personal data: it reads placeholders, and what it writes is put right again.

This stands between the whole agent and the wire, so that no prompt, history, function result or correction can pass
beside it. The functions' own descriptions pass as they are: the business wrote them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.language_model import LanguageModel, Message, ModelAnswer, RequestedCall
from agent.turn import TurnContext, TurnInput
from domain.personal_data import Placeholders, Spelling

_HIDDEN = ("content", "arguments", "name")
"""Keys of a message whose texts are hidden; ``role``, ``id`` and ``type`` are the protocol's own."""


class MaskedModel(LanguageModel):
    """Another model, asked with placeholders instead of personal data. One per turn."""

    def __init__(self, model: LanguageModel, placeholders: Placeholders) -> None:
        self.settings = model.settings
        self._model = model
        self._placeholders = placeholders

    def summarist(self) -> LanguageModel:
        """As LanguageModel.summarist."""
        return MaskedModel(self._model.summarist(), self._placeholders)

    async def complete(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), **options: Any
    ) -> ModelAnswer:
        """As LanguageModel.complete."""
        for message in messages:
            for text in _texts(message):
                self._placeholders.learn(text)
        hidden = [self._hide(message) for message in messages]
        answer = await self._model.complete(hidden, tools=tools, **options)
        return replace(
            answer,
            text=self._placeholders.reveal(answer.text),
            tool_calls=tuple(self._revealed(call) for call in answer.tool_calls),
            unknown_placeholders=self._placeholders.unknown(answer.text),
        )

    def _hide(self, value: Any, key: str = "") -> Any:
        match value:
            case str():
                return self._placeholders.hide(value) if key in _HIDDEN else value
            case Mapping():
                return {name: self._hide(item, name if name != "text" else "content") for name, item in value.items()}
            case list() | tuple():
                return [self._hide(item, key) for item in value]
            case _:
                return value

    def _revealed(self, call: RequestedCall) -> RequestedCall:
        written, bare, formatted = (
            self._placeholders.reveal_json(call.arguments, spelling)
            for spelling in (Spelling.WRITTEN, Spelling.BARE, Spelling.FORMATTED)
        )
        others = tuple(text for text in dict.fromkeys((bare, formatted)) if text != written)
        return replace(
            call,
            arguments=written,
            spellings=others,
            unknown_placeholders=self._placeholders.unknown(call.arguments),
        )


def masked(turn: TurnInput, context: TurnContext) -> TurnContext:
    """The context with its model behind placeholders, where the tenant asks for it."""
    if context.model is None or not context.profile.mask_model_prompts:
        return context
    placeholders = Placeholders(turn.conversation_id)
    # As they were written: in the prompt some of their characters are escaped.
    for message in (*turn.history, *turn.unanswered):
        placeholders.learn(message.text)
    return replace(context, model=MaskedModel(context.model, placeholders))


def _texts(message: Mapping[str, Any]) -> list[str]:
    calls = message.get("tool_calls") or ()
    content = message.get("content")
    return [*([content] if isinstance(content, str) else []), *(call["function"]["arguments"] for call in calls)]
