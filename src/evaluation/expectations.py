"""What a case may expect of one step, or of the whole conversation. Absent keys expect nothing.

The format for people is described in ``evals/README.md``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from domain.conversation import Status
from domain.decisions import HandOffReason
from flows.tenant_declaration import Language

DecisionKind = Literal["reply", "suggest", "hand_off", "ask_approval", "stay_silent", "none"]


class Declared(BaseModel):
    """Immutable; a key that is not known is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def listed(value: object) -> object:
    """One value or a list of them."""
    return value if isinstance(value, list | tuple) else [value]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]
Texts = Annotated[tuple[str, ...], BeforeValidator(listed)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(listed)]


class Bounds(Declared):
    """A number within bounds, both included; a plain number is the most."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        return {"max": value} if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _bounds_something(self) -> Bounds:
        if self.min is None and self.max is None:
            raise ValueError("needs min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("has a min above its max")
        return self

    def hold(self, number: float) -> bool:
        """Whether ``number`` lies within."""
        return (self.min is None or number >= self.min) and (self.max is None or number <= self.max)

    def __str__(self) -> str:
        parts = (f"at least {self.min:g}" if self.min is not None else "", f"at most {self.max:g}" if self.max else "")
        if self.max == 0:
            parts = (parts[0], "at most 0")
        return " and ".join(part for part in parts if part)


class ExpectedCall(Declared):
    """A business function that ran, or waits for approval. ``arguments``: those that matter (see ``fits``)."""

    function: str
    arguments: Mapping[str, Any] = Field(default_factory=dict)
    outcome: Literal["succeeded", "business_error", "failed", "unknown", "awaiting_approval"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"function": value} if isinstance(value, str) else value


Calls = Annotated[tuple[ExpectedCall, ...], BeforeValidator(listed)]


class ExpectedCalls(Declared):
    """Which functions were called. A plain list, or one name, is ``exactly``; [] is no call at all."""

    exactly: Calls | None = None
    """These in this order, and no others."""
    includes: Calls = ()
    """These, whatever their order and whatever else."""
    in_order: Calls = ()
    """These in this order, whatever else in between."""
    only: Calls | None = None
    """None but these, as often as it may be."""
    never: Calls = ()

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if isinstance(value, dict) and "function" in value:
            return {"exactly": [value]}
        return {"exactly": value} if isinstance(value, list | str) else value


class Rubric(Declared):
    """What a model judges from 0 to 1. ``ask``: what the judge is asked, in a sentence or two."""

    name: str = ""
    ask: Annotated[str, Field(min_length=1)]
    at_least: Annotated[float, Field(ge=0, le=1)] = 0.5

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"ask": value} if isinstance(value, str) else value

    @property
    def title(self) -> str:
        """How results call it."""
        return self.name or " ".join(self.ask.split())[:60]


class Condition(Declared):
    """What can be told of a step at once, without a model: expectations, and what branches of a script hang on."""

    intent: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    """One of these."""
    confidence: Bounds | None = None
    decision: Annotated[tuple[DecisionKind, ...], BeforeValidator(listed)] = ()
    """One of these; ``none``: no turn decided anything, for instance because a person holds the conversation."""
    handoff_reason: Annotated[tuple[HandOffReason, ...], BeforeValidator(listed)] = ()
    """One of these."""
    calls: ExpectedCalls | None = None
    asks: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    """The parameter that the customer was asked for is one of these."""
    collected: Mapping[str, Any] = Field(default_factory=dict)
    """Parameters taken from the conversation, whether or not a function ran with them yet."""
    records: Mapping[str, Mapping[str, Mapping[str, Any] | None]] = Field(default_factory=dict)
    """Of the business data afterwards: by collection and key, the fields that matter; null: no such record."""
    records_unchanged: bool | Annotated[tuple[str, ...], BeforeValidator(listed)] = False
    """Nothing of the business data changed, or nothing in these collections."""
    contains: Texts = ()
    """Parts of the text (reply, suggestion or announcement), without case."""
    contains_any: Texts = ()
    """At least one of these parts."""
    lacks: Texts = ()
    matches: Patterns = ()
    """Regular expressions, searched without case; ``(?-i:…)`` for one that minds it."""
    matches_not: Patterns = ()
    language: Annotated[tuple[Language, ...], BeforeValidator(listed)] = ()
    """The text is written in one of these."""
    cites: Texts = ()
    """What the text was made from: a document, a piece of it (``returns#2``), a function, or an intent's answer."""
    unsupported_claims: Literal["none", "some"] | Annotated[tuple[str, ...], BeforeValidator(listed)] | None = None
    """What the claim ledger found nothing for: nothing, something, or claims with these words."""
    reasons: Texts = ()
    """Codes that the decision's explanation holds."""
    reasons_lack: Texts = ()
    length: Bounds | None = None
    """Characters of the longest text."""
    received: tuple[str, ...] | None = None
    """What reached the customer: exactly so many messages, in this order, each with this part."""
    turns: Bounds | None = None
    """How many turns decided something."""
    status: Status | None = None
    """The conversation's status afterwards."""
    opted_out: bool | None = None
    latency_ms: Bounds | None = None
    """Of the slowest turn."""
    cost: Bounds | None = None
    """Of the agent's model, in the price list's currency."""
    model_calls: Bounds | None = None


class Expectation(Condition):
    """A condition, and what a model judges."""

    rubric: Annotated[tuple[Rubric, ...], BeforeValidator(listed)] = ()
