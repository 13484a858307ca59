"""A language model that asks for leave before each call and says afterwards what it used.

Like agent.masked_model this stands before the wire, so that no call passes beside the count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agent.language_model import LanguageModel, Message, ModelAnswer, ModelError, Usage


class Budget(Protocol):
    """What a turn's calls are counted against."""

    @property
    def is_limited(self) -> bool:
        """Whether a call needs leave at all."""

    async def hold(self, most: Usage) -> str | None:
        """Hold so much for the next call; None: held, else the limit that speaks against it, for a person."""

    def spend(self, usage: Usage) -> None:
        """Note what a call used; it no longer holds anything then."""


class BudgetUsedUpError(ModelError):
    """The tenant allows no more: the model was not asked. ``limit`` says which limit, for a person."""

    def __init__(self, limit: str) -> None:
        super().__init__(
            f"The budget for language models does not allow this call: {limit}.",
            hint="Raise the tenant's budgets, or wait for the next day or month.",
        )
        self.limit = limit


class BudgetedModel(LanguageModel):
    """Another model behind a budget. One per turn."""

    def __init__(self, model: LanguageModel, budget: Budget) -> None:
        self.settings = model.settings
        self._model = model
        self._budget = budget

    def summarist(self) -> LanguageModel:
        """As LanguageModel.summarist, behind the same budget."""
        return BudgetedModel(self._model.summarist(), self._budget)

    async def complete(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), **options: Any
    ) -> ModelAnswer:
        """As LanguageModel.complete. Raises BudgetUsedUpError, too."""
        if self._budget.is_limited:
            limit = await self._budget.hold(self._model.estimate(messages, tools=tools, **options))
            if limit is not None:
                raise BudgetUsedUpError(limit)
        answer = await self._model.complete(messages, tools=tools, **options)
        self._budget.spend(answer.usage)
        return answer
