"""Models that an eval asks: where they come from, what they may cost, and what went wrong with them.

The agent turns a model's failure into words or a handoff, as it should before a customer. In an eval the same failure
means that nothing was found out, so it is noted here and the case counts as errored.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import Value
from typing import TYPE_CHECKING, Any, Final, Protocol

from agent.language_model import (
    LanguageModel,
    Message,
    ModelAnswer,
    ModelError,
    ModelSettings,
    ModelUnavailableError,
    RequestedCall,
    Usage,
)
from agent.second_reading import NOTHING_POINTED_AT, is_reading_request
from evaluation.results import Origin

if TYPE_CHECKING:
    from evaluation.cases import Case


_LOOK_AGAIN_SECONDS: Final = 0.05


class Models(Protocol):
    """The models of one bundle in one mode. ``origin``: what a result is called once one of them was asked.

    Each returns None where there is none. ``label``: the bundle's; ``epoch``: from 1.
    """

    @property
    def origin(self) -> Origin: ...

    def agent(self, case: Case, epoch: int) -> LanguageModel | None:
        """The bundle's own model."""
        ...

    def customer(self, case: Case, epoch: int) -> LanguageModel | None:
        """Plays customers."""
        ...

    def judge(self, case: Case, epoch: int) -> LanguageModel | None:
        """Judges rubrics."""
        ...


class NoModels:
    """No model at all: what is left to one is answered from the documents or handed to a person."""

    origin: Origin = "local"

    def agent(self, case: Case, epoch: int) -> LanguageModel | None:  # noqa: ARG002
        return None

    customer = agent
    judge = agent


class CostBoundError(ModelError):
    """The run may not cost more, so nothing more is asked."""

    def __init__(self, most_micros: int) -> None:
        super().__init__(
            f"The bound of {most_micros / 1e6:g} on what the run may cost is met, so no model is asked any more.",
            hint="Raise --max-cost, or run fewer cases; what is finished counts.",
        )


class Purse:
    """What a run may spend on models, over all of its processes. None: without a bound."""

    def __init__(self, most_micros: int | None = None) -> None:
        self.most_micros = most_micros
        # Shared by the processes that inherit it. One lock, that of ``_spent``, is for all of it.
        self._spent = Value("q", 0)
        self._held = Value("q", 0)
        self._refused = Value("b", 0)

    @property
    def used_micros(self) -> int:
        """Spent, and held by calls that are under way."""
        return int(self._spent.value + self._held.value)

    @property
    def refused(self) -> bool:
        """Whether something was not asked because of the bound."""
        return bool(self._refused.value)

    async def hold(self, micros: int) -> None:
        """Set aside what a call may cost at most, once no other call holds it. Raises CostBoundError."""
        # A call holds far more than it then costs: that others are under way is no reason to go without.
        while not self._held_now(micros):  # noqa: ASYNC110 - those others may be of another process
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def settle(self, held: int, spent: int) -> None:
        """What it did cost. Also for what was spent before: hold nothing then."""
        with self._spent.get_lock():
            self._held.value -= held
            self._spent.value += spent

    def _held_now(self, micros: int) -> bool:
        with self._spent.get_lock():
            if self.most_micros is not None and self.used_micros + micros > self.most_micros:
                if self._spent.value + micros <= self.most_micros:
                    return False
                self._refused.value = 1
                raise CostBoundError(self.most_micros)
            self._held.value += micros
            return True


@dataclass(slots=True)
class Asked:
    """What became of the models of one case."""

    calls: int = 0
    scripted: int = 0
    cost_micros: int = 0
    failure: ModelError | None = None
    """The first one."""


class WatchedModel(LanguageModel):
    """Another model, asked only while there is money, whose calls and failures are noted."""

    def __init__(self, model: LanguageModel, purse: Purse, asked: Asked) -> None:
        self.settings = model.settings
        self._model, self._purse, self._asked = model, purse, asked

    def summarist(self) -> LanguageModel:
        """As LanguageModel.summarist."""
        return WatchedModel(self._model.summarist(), self._purse, self._asked)

    def estimate(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), **options: Any
    ) -> Usage:
        """As LanguageModel.estimate."""
        return self._model.estimate(messages, tools=tools, **options)

    async def complete(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), **options: Any
    ) -> ModelAnswer:
        """As LanguageModel.complete; raises CostBoundError as well."""
        self._asked.calls += 1
        held = spent = 0
        try:
            if self._purse.most_micros is not None:
                held = self.estimate(messages, tools=tools, **options).cost_micros
                await self._purse.hold(held)
            answer = await self._model.complete(messages, tools=tools, **options)
            spent = answer.usage.cost_micros
            self._asked.cost_micros += spent
        except ModelError as error:
            self._asked.failure = self._asked.failure or error
            if isinstance(error, CostBoundError):
                held = 0
            raise
        finally:
            self._purse.settle(held, spent)
        return answer


class _Unasked(LanguageModel):
    """No endpoint stands behind it."""

    name = ""

    def __init__(self) -> None:
        self.settings = ModelSettings(self.name)

    def summarist(self) -> LanguageModel:
        """As LanguageModel.summarist."""
        return self


class SayingModel(_Unasked):
    """Says what a case wrote down for it, whatever it is asked; the last step again and again.

    In a second reading it points at nothing: what the claim ledger's rules found stands.
    """

    name = "scripted"

    def __init__(self, steps: Sequence[Mapping[str, Any]], asked: Asked) -> None:
        super().__init__()
        self._steps, self._asked = list(steps), asked

    async def complete(self, messages: Sequence[Message], **_: Any) -> ModelAnswer:
        """As LanguageModel.complete."""
        if is_reading_request(messages):
            return ModelAnswer(NOTHING_POINTED_AT, (), "stop", self.name, Usage())
        step = self._steps[min(self._asked.scripted, len(self._steps) - 1)]
        self._asked.scripted += 1
        calls = tuple(
            RequestedCall(
                f"call_{self._asked.scripted}_{number}",
                str(call["name"]),
                given if isinstance(given := call.get("arguments", {}), str) else json.dumps(given, ensure_ascii=False),
            )
            for number, call in enumerate(step.get("tool_calls", ()))
        )
        return ModelAnswer(str(step.get("reply", "")), calls, "tool_calls" if calls else "stop", self.name, Usage())


class AbsentModel(_Unasked):
    """A model whose endpoint is down, because the case wants it so."""

    name = "absent"

    async def complete(self, *_: Any, **__: Any) -> ModelAnswer:
        """Raises ModelUnavailableError."""
        raise ModelUnavailableError(["absent: the case wants it so"])
