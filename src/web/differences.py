"""What became of a text, word by word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final, Literal, NamedTuple

Kind = Literal["same", "gone", "new"]
_WORDS: Final = re.compile(r"\s+|\w+(?:['\u2019-]\w+)*|[^\w\s]")
_MOST: Final = 1_500
"""Words between the common beginning and end that are compared; comparing takes their square."""


class Piece(NamedTuple):
    """A stretch of the text: of both (same), of the former one only (gone), or of the later one only (new)."""

    kind: Kind
    text: str


def diffed(before: str, after: str) -> list[Piece]:
    """The later text with what was taken out of the former one: pieces that are not gone make ``after`` again.

    Of two neighbouring changes the space between belongs to both, so that one reads phrases and not single words.
    Stretches too long to be compared are shown whole.
    """
    former, later = _WORDS.findall(before), _WORDS.findall(after)
    head = _common(former, later)
    tail = _common(former[head:][::-1], later[head:][::-1])
    old, new = former[head : len(former) - tail], later[head : len(later) - tail]
    ends = "".join(former[head + len(old) :])
    found = [Piece("same", "".join(former[:head])), *_between(old, new), Piece("same", ends)]
    return [piece for piece in found if piece.text]


def _between(old: Sequence[str], new: Sequence[str]) -> list[Piece]:
    if len(old) > _MOST or len(new) > _MOST:
        return [Piece("gone", "".join(old)), Piece("new", "".join(new))]
    pieces: list[Piece] = []
    gone = added = ""
    for how, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if how == "equal":
            shared = "".join(old[i:j])
            if (gone or added) and shared.isspace() and j < len(old) and m < len(new):
                gone, added = gone + shared, added + shared
                continue
            pieces += [Piece("gone", gone), Piece("new", added), Piece("same", shared)]
            gone = added = ""
        else:
            gone, added = gone + "".join(old[i:j]), added + "".join(new[k:m])
    return [*pieces, Piece("gone", gone), Piece("new", added)]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
