"""What a tenant's language models may cost: per conversation, day and month, in tokens and in money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.told import Told

_DEAREST: Final = 100_000
"""Per million tokens; more is a mistake."""


class Span(StrEnum):
    """What a budget is counted over. A conversation counts anew when it is opened again; days and months are local."""

    DAY = "day"
    MONTH = "month"
    CONVERSATION = "conversation"


@dataclass(frozen=True, slots=True)
class Limit:
    """The most of one span; None: no limit. Money in millionths of the tenant's currency."""

    cost_micros: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Budgets:
    """A tenant's limits."""

    day: Limit = field(default_factory=Limit)
    month: Limit = field(default_factory=Limit)
    conversation: Limit = field(default_factory=Limit)

    def of(self, span: Span) -> Limit:
        limit: Limit = getattr(self, span.value)
        return limit

    @property
    def are_any(self) -> bool:
        """Whether anything is limited at all."""
        return any(self.of(span) != Limit() for span in Span)

    @property
    def limit_money(self) -> bool:
        """Whether money is limited, so that models need a price."""
        return any(self.of(span).cost_micros is not None for span in Span)


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens and what they cost."""

    cost_micros: int = 0
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cost_micros + other.cost_micros, self.tokens + other.tokens)

    def __bool__(self) -> bool:
        return bool(self.cost_micros or self.tokens)


def spans_at(local: datetime, conversation_id: UUID, window_start_id: int) -> Iterator[tuple[Span, str]]:
    """Each span with the key that it is counted under. ``local``: the time in the tenant's own zone.

    Always in this order: whoever locks the rows does so in the same order.
    """
    yield Span.DAY, f"{local:%Y-%m-%d}"
    yield Span.MONTH, f"{local:%Y-%m}"
    yield Span.CONVERSATION, f"{conversation_id}/{window_start_id}"


def used_up(limit: Limit, amount: Amount, span: Span) -> str | None:
    """How ``amount`` breaks the limit, in words for the trace; None: it does not."""
    if limit.cost_micros is not None and amount.cost_micros > limit.cost_micros:
        return f"{amount.cost_micros / 1e6:.4f} of {limit.cost_micros / 1e6:.4f} per {span}"
    if limit.tokens is not None and amount.tokens > limit.tokens:
        return f"{amount.tokens} of {limit.tokens} tokens per {span}"
    return None


def read_prices(text: str) -> dict[str, dict[str, float]]:
    """``gpt-small=0.40/1.60, other=2/8/0.5``: input, output and cached input per million tokens, by model.

    Raises ValueError.
    """
    found: dict[str, dict[str, float]] = {}
    for part in text.replace(",", " ").split():
        name, _, numbers = part.rpartition("=")
        try:
            prices = [float(number) for number in numbers.split("/")]
        except ValueError:
            prices = []
        if not name or not 2 <= len(prices) <= 3 or not all(0 <= price <= _DEAREST for price in prices):
            raise ValueError(
                Told(
                    "prices",
                    "must look like model=0.40/1.60 (input/output per million tokens), not {given!r}",
                    given=part,
                )
            )
        found[name] = dict(zip(("input", "output", "cached_input"), prices, strict=False))
    if not found:
        raise ValueError(Told("prices", "must name a model, such as model=0.40/1.60"))
    return found
