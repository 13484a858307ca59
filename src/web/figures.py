"""Figures as people of a language write them: 1.234,5 or 1,234.5. Template filters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from babel.dates import format_skeleton
from babel.numbers import format_decimal


class Figures:
    """``locale``: as babel names it."""

    def __init__(self, locale: str) -> None:
        self._locale = locale

    def filters(self) -> dict[str, Any]:
        """By their names in templates."""
        return {"decimal": self.decimal, "money": self.money, "money_typed": self.money_typed, "charted": self.charted}

    def decimal(self, value: float, places: int = 0) -> str:
        """With so many digits after the mark."""
        return self._written(value, "#,##0" + ("." + "0" * places if places else ""))

    def money(self, micros: int) -> str:
        """Millionths of the currency, to the hundredth at least."""
        return self._written(micros / 1_000_000, "#,##0.00####")

    def money_typed(self, micros: int | None) -> str:
        """The same as a form's field takes it back: nothing lost, no mark between thousands; "" where there is none."""
        return "" if micros is None else self._written(micros / 1_000_000, "0.00####")

    def charted(self, days: Sequence[tuple[str, Any]]) -> list[tuple[str, int, str]]:
        """Days with what was used (domain.budgets.Amount): the day, tokens, and tokens as text."""
        return [
            (
                str(format_skeleton("Md", date.fromisoformat(day), locale=self._locale)),
                one.tokens,
                self.decimal(one.tokens),
            )
            for day, one in days
        ]

    def _written(self, value: float, pattern: str) -> str:
        return str(format_decimal(value, pattern, locale=self._locale))
