"""What operators say of suggestions: why one is turned down, and how another one shall be."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from domain.errors import InvalidInputError
from domain.text import storable

NOTE_CHARACTERS: Final = 2_000
INSTRUCTION_CHARACTERS: Final = 500


class RejectReason(StrEnum):
    """Why a suggestion was turned down. Pages and API know these and no others."""

    WRONG_FACT = "wrong_fact"
    WRONG_TONE = "wrong_tone"
    WRONG_INTENT = "wrong_intent"
    """It answers something that was not asked."""
    TOO_LONG = "too_long"
    OUTDATED = "outdated"
    OTHER = "other"
    """A note says what."""


class Wanted(StrEnum):
    """How another suggestion shall differ from the one on offer."""

    SHORTER = "shorter"
    FRIENDLIER = "friendlier"
    MORE_FORMAL = "more_formal"
    PORTUGUESE = "in_pt"
    SPANISH = "in_es"
    ENGLISH = "in_en"
    OTHER = "other"
    """In the operator's own words."""

    @property
    def language(self) -> str | None:
        """The language that it asks for, if it does."""
        return self.value.removeprefix("in_") if self.value.startswith("in_") else None


def checked_reason(code: str, note: str = "") -> tuple[RejectReason, str]:
    """A reason and its note as they are kept. Raises InvalidInputError: unknown, or ``other`` without a word."""
    try:
        reason = RejectReason(code)
    except ValueError:
        known = ", ".join(RejectReason)
        raise InvalidInputError("reason", f"there is no reason {code!r}", hint=f"Use one of: {known}.") from None
    said = storable(note.strip())[0][:NOTE_CHARACTERS]
    if reason is RejectReason.OTHER and not said:
        raise InvalidInputError("note", "another reason needs a note", hint="Say in a few words what was wrong.")
    return reason, said


def checked_wish(code: str, words: str = "") -> tuple[Wanted, str]:
    """A wish and its words as they are kept. Raises InvalidInputError: unknown, or ``other`` without a word."""
    try:
        wanted = Wanted(code)
    except ValueError:
        known = ", ".join(Wanted)
        raise InvalidInputError("wanted", f"there is no wish {code!r}", hint=f"Use one of: {known}.") from None
    said = storable(words.strip())[0][:INSTRUCTION_CHARACTERS]
    if wanted is Wanted.OTHER and not said:
        raise InvalidInputError("instruction", "it is empty", hint="Say how the other reply shall be.")
    return wanted, said
