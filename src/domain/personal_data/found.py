"""What was found, and the text in the form in which it is searched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Kinds of personal data. What each covers, and where it ends, is told in evals/personal_data/README.md."""

    CPF = "cpf"
    CNPJ = "cnpj"
    RG = "rg"
    NATIONAL_ID = "national_id"
    CARD = "card"
    CARD_CODE = "card_code"
    EMAIL = "email"
    PHONE = "phone"
    ADDRESS = "address"
    POSTAL_CODE = "postal_code"
    BIRTH_DATE = "birth_date"
    PIX_KEY = "pix_key"
    BANK_ACCOUNT = "bank_account"
    SECRET = "secret"  # noqa: S105 - a word


@dataclass(frozen=True, slots=True)
class Found:
    """One piece of personal data: ``text[start:end]`` of what was searched."""

    kind: Kind
    start: int
    end: int
    text: str = field(repr=False)


_ACCENTS: Final = str.maketrans(
    "áàâãäåéèêëíìîïóòôõöúùûüçñºª°–—‑\u00a0\u2007\u202f\t",
    "aaaaaaeeeeiiiiooooouuuucnoao---    ",
) | dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"), " ")
"""Letters without accents; what nobody sees is a gap, so that it hides no number."""


def folded(text: str) -> str:
    """Lower case without accents, character for character: places in it are places in ``text``."""
    lower = text.lower()
    if len(lower) != len(text):  # a few capitals have a longer lower case
        lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    return lower.translate(_ACCENTS)


class Finds:
    """What was found so far in one text. The first to claim a place keeps it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = folded(text)
        self._taken: list[tuple[int, int]] = []
        self._found: list[Found] = []

    def add(self, kind: Kind, start: int, end: int) -> None:
        """Claim a place for a kind, unless a part of it is taken."""
        if end > start and self.is_free(start, end):
            self._taken.append((start, end))
            self._found.append(Found(kind, start, end, self.text[start:end]))

    def reserve(self, start: int, end: int) -> None:
        """Keep others away from a place that is known not to be personal."""
        self._taken.append((start, end))

    def is_free(self, start: int, end: int) -> bool:
        return all(end <= low or start >= high for low, high in self._taken)

    def __iter__(self) -> Iterator[Found]:
        return iter(sorted(self._found, key=lambda found: found.start))
