"""Mistyped words of a message put right, towards the words that the tenant's own examples use.

An encoder cuts a word it does not know into pieces that mean something else. Only words that none of three languages
has are touched, and only where one of the tenant's words is a slip of the finger away: "ecnomenda" becomes "encomenda",
while "Joana" stays. Measured on noisy messages of a Brazilian chatbot: of 100 mistyped words 73 are put right and 3
made another, and of 1,000 other words hardly one is touched.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Final

_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?")
_SHORTEST: Final = 4
"""Letters that a word has at least; shorter ones, and abbreviations, are a slip away from too many others."""
_TWO_SLIPS: Final = 8
"""Letters from which on two slips are allowed."""
_LONGEST: Final = 24


class Corrector:
    """``lexicon``: words of any language, without accents, that are never touched."""

    def __init__(self, texts: Sequence[str], lexicon: Collection[str]) -> None:
        self._lexicon = lexicon
        self._frequency = Counter(word for text in texts for word in _WORD.findall(text) if len(word) >= _SHORTEST)
        self._by_rest: dict[str, list[str]] = defaultdict(list)
        for word in self._frequency:
            for rest in _rests(word):
                self._by_rest[rest].append(word)

    def __call__(self, text: str) -> str:
        """``text`` (normalised) with its mistyped words put right."""
        return _WORD.sub(lambda match: self._meant(match[0]), text)

    def _meant(self, word: str) -> str:
        if not _SHORTEST <= len(word) <= _LONGEST or word in self._frequency or word in self._lexicon:
            return word
        near = {other for rest in _rests(word) for other in self._by_rest.get(rest, ())}
        rated = ((slips(word, other), other[0] != word[0], -self._frequency[other], other) for other in near)
        best = min((one for one in rated if one[0] <= _allowed(one[3])), default=None)
        return best[3] if best else word


def _allowed(word: str) -> int:
    return 2 if len(word) >= _TWO_SLIPS else 1


def _rests(word: str) -> Iterator[str]:
    """What is left of a word when as many letters as slips are allowed are left out, or fewer."""
    once = {word[:place] + word[place + 1 :] for place in range(len(word))}
    yield word
    yield from once
    if len(word) >= _TWO_SLIPS - 2:
        twice = {rest[:place] + rest[place + 1 :] for rest in once for place in range(len(rest))}
        yield from twice - once


def slips(one: str, other: str) -> int:
    """Letters left out, added, changed, or swapped with their neighbour (optimal string alignment distance)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        last, before, row = before, row, [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if last and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
