"""What helps operators to write, as the web process holds it: loaded when first asked for.

The agent's code, its claim ledger and the language detector take more than a second to load, which no start of the web
process need wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from domain.errors import AtendeError
from flows.model_declaration import declared_model
from store.database import Connection

if TYPE_CHECKING:
    from agent.language_model import ModelSettings
    from flows.another_suggestion import AnotherSuggestion
    from flows.writing_help import WritingHelp


class NoModelError(AtendeError):
    """The tenant has no language model, so that this cannot be done."""

    def __init__(self) -> None:
        super().__init__("There is no language model.", hint="Name one under model in the tenant's settings.")


class HelpBudgetError(AtendeError):
    """The tenant's budget for language models is used up: the model was not asked."""

    def __init__(self, limit: str) -> None:
        super().__init__(
            f"The budget for language models does not allow this: {limit}.",
            hint="Raise the tenant's budgets, or wait for the next day or month.",
        )
        self.limit = limit


class HelpFailedError(AtendeError):
    """The language model gave nothing that can be used; the text stays as it was."""

    def __init__(self, why: str) -> None:
        super().__init__(why, hint="Try again, or write it yourself.")


class WritingDesk:
    """``load`` makes what does the work. ``default_model``: the model of tenants that name none, as of turns."""

    def __init__(
        self,
        load: Callable[[], tuple[WritingHelp, AnotherSuggestion]],
        default_model: ModelSettings | None = None,
    ) -> None:
        self._load = load
        self._default_model = default_model
        self._loading = asyncio.Lock()
        self._made: tuple[WritingHelp, AnotherSuggestion] | None = None

    async def has_model(self, tx: Connection) -> bool:
        """Whether the tenant of this transaction has a language model."""
        settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = current_tenant()")
        return declared_model(settings).settings(self._default_model, None) is not None

    async def help(self) -> WritingHelp:
        """Summaries, translations, other words, knowledge."""
        return (await self._loaded())[0]

    async def another(self) -> AnotherSuggestion:
        """Another suggestion in place of one."""
        return (await self._loaded())[1]

    async def _loaded(self) -> tuple[WritingHelp, AnotherSuggestion]:
        # In a thread: the others' requests must not wait for it.
        async with self._loading:
            if self._made is None:
                self._made = await asyncio.to_thread(self._load)
        return self._made
