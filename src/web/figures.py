"""Figures as people of a language write them: 1.234,5 or 1,234.5. Template filters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from babel.dates import format_skeleton
from babel.numbers import format_decimal

_LEAST_CHANCE = 0.0001


class Figures:
    """``locale``: as babel names it."""

    def __init__(self, locale: str) -> None:
        self._locale = locale

    def filters(self) -> dict[str, Any]:
        """By their names in templates."""
        return {
            "decimal": self.decimal,
            "signed": self.signed,
            "significant": self.significant,
            "chance": self.chance,
            "money": self.money,
            "money_typed": self.money_typed,
            "charted": self.charted,
        }

    def decimal(self, value: float, places: int = 0) -> str:
        """With so many digits after the mark."""
        return self._written(value, "#,##0" + ("." + "0" * places if places else ""))

    def signed(self, value: float, places: int = 0) -> str:
        """The same with its sign, + or -; 0 has +."""
        return ("-" if value < 0 else "+") + self.decimal(abs(value), places)

    def significant(self, value: float, digits: int) -> str:
        """Rounded to so many digits that count, without an exponent: 0,0000645, 114,5."""
        rounded = Decimal(f"{value:.{digits}g}")
        places = max(0, -int(rounded.normalize().as_tuple().exponent))
        return self._written(float(rounded), "#,##0" + ("." + "0" * places if places else ""))

    def chance(self, value: float) -> str:
        """A p-value: to two digits that count, and below a ten-thousandth only that it is."""
        return f"< {self.decimal(_LEAST_CHANCE, 4)}" if value < _LEAST_CHANCE else self.significant(value, 2)

    def as_typed(self, figure: str) -> str:
        """A figure in English writing ("-26.7", "100.0%") in this language's; anything else as it is."""
        found = re.fullmatch(r"([+-]?)(\d+)\.(\d+)(%?)", figure)
        if not found:
            return figure
        return found[1] + self.decimal(float(f"{found[2]}.{found[3]}"), len(found[3])) + found[4]

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
