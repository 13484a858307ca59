"""What is searched for in the inbox: words, in which forms each counts as found, digits of telephone numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from store.database import Connection

MOST_WORDS: Final = 8
"""Further words of a question are left out."""
_SHORTEST_STEM: Final = 3
_FEWEST_DIGITS: Final = 3
_FIGURES: Final = 4
"""Digits among other words that may be part of a telephone number."""
_AROUND: Final = 40
_SNIPPET: Final = 140
_FOLDED: Final = str.maketrans(
    "áàâãäåÁÀÂÃÄÅéèêëÉÈÊËíìîïÍÌÎÏóòôõöøÓÒÔÕÖØúùûüÚÙÛÜçÇñÑýÿÝºª",
    "aaaaaaaaaaaaeeeeeeeeiiiiiiiioooooooooooouuuuuuuuccnnyyyoa",
)
_WORD: Final = re.compile(r"[^\W_]+")
_TELEPHONE: Final = re.compile(r"[+()\d\s./-]+")
_PLURALS: Final = (("cao", "coes"), ("sao", "soes"), ("al", "ais"), ("el", "eis"), ("ol", "ois"), ("m", "ns"))
"""What the database's Portuguese stemmer does not know without the accents: informações, papéis, imagens."""
_STEMS: Final = """
SELECT w.word, ARRAY(SELECT unnest(ts_lexize('portuguese_stem', w.word) || ts_lexize('spanish_stem', w.word)
                                   || ts_lexize('english_stem', w.word))) AS stems
  FROM unnest($1::text[]) w (word)
"""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a snippet; ``found``: a word that was asked for."""

    text: str
    found: bool


@dataclass(frozen=True, slots=True)
class Called:
    """What a contact is called, and its telephone numbers."""

    names: str
    phones: tuple[str, ...]

    @classmethod
    def of(cls, row: Any) -> Called:
        """``row``: name, push_name, addresses (``kind:value``)."""
        kinds = [address.partition(":")[::2] for address in row["addresses"]]
        names = [row["name"], row["push_name"], *(value for kind, value in kinds if kind == "simulator")]
        return cls(" ".join(filter(None, names)), tuple(value for kind, value in kinds if kind == "phone"))


def folded(text: str) -> str:
    """As public.folded of the database: lower case without accents."""
    return unicodedata.normalize("NFC", text).translate(_FOLDED).lower()


class Question:
    """What was asked for: words, in which forms each counts as found, and digits of a telephone number."""

    def __init__(self, words: tuple[str, ...], stems: dict[str, frozenset[str]], digits: tuple[str, ...]) -> None:
        self.words = words
        self.digits = digits
        self._stems = stems
        self.beginnings = {word: _beginning(word, stems[word]) for word in words}
        """What every form of a word begins with."""
        self.wide = tuple(dict.fromkeys(self.beginnings.values()))
        figures = tuple(word for word in words if word.isdigit() and len(word) >= _FIGURES)
        self.figures = figures if len(figures) < len(words) else ()
        """Beside a name: words that may be digits of the contact's number."""
        self.nameable = tuple(word for word in words if len(word) > 1 or not word.isascii()) if len(words) > 1 else ()
        """Of several words those that may be in the contact's name or number and the others in a message."""
        self._known: dict[str, frozenset[str]] = dict(stems)

    @property
    def is_for_messages(self) -> bool:
        """Whether it is worth looking at messages: nearly all of them have some word with a given first letter."""
        return len(self.words) > 1 or len(self.words[0]) > 1 or not self.words[0].isascii()

    @classmethod
    async def of(cls, tx: Connection, text: str) -> Question:
        words = tuple(dict.fromkeys(_WORD.findall(folded(text[:400]))))[:MOST_WORDS]
        digits = re.sub(r"\D", "", text) if _TELEPHONE.fullmatch(text.strip()) else ""
        stems = await _stems_of(tx, words) if words else {}
        return cls(words, stems, _telephones(digits) if len(digits) >= _FEWEST_DIGITS else ())

    async def learn(self, tx: Connection, texts: Iterable[str]) -> None:
        """Ask for the stems of words that may be other forms of those asked for."""
        if set(self.wide) <= set(self.words):
            return
        new = {
            word
            for text in texts
            for word in _WORD.findall(folded(text))
            if word not in self._known and word.startswith(self.wide) and not word.startswith(self.words)
        }
        if new:
            self._known |= await _stems_of(tx, sorted(new))

    def is_answered_by(self, text: str, words: Collection[str] | None = None) -> bool:
        """Whether every word occurs (of ``words``, where given). ``learn`` the text first."""
        there = set(_WORD.findall(folded(text)))
        asked = self.words if words is None else words
        return all(any(self._is(one, word) for word in there) for one in asked)

    def names(self, contact: Called) -> bool:
        """Whether the contact itself is meant, by its name, by its digits, or by a name and digits."""
        if any(run in phone for run in self.digits for phone in contact.phones):
            return True
        there = _WORD.findall(folded(contact.names))
        named = {asked for asked in self.words if any(word.startswith(asked) for word in there)}
        lettered = set(self.words) - set(self.figures)
        return lettered <= named and all(
            figure in named or any(figure in phone for phone in contact.phones) for figure in self.figures
        )

    def held_by(self, contact: Called) -> frozenset[str]:
        """Which of several words the contact's name or number already says, so that a message need not."""
        there = _WORD.findall(folded(contact.names))
        return frozenset(
            asked
            for asked in self.nameable
            if any(word.startswith(asked) for word in there)
            or (asked.isdigit() and len(asked) >= _FIGURES and any(asked in phone for phone in contact.phones))
        )

    def snippet(self, text: str) -> tuple[Piece, ...]:
        """The stretch of ``text`` with the first word found, and all words found in it."""
        text = unicodedata.normalize("NFC", text)
        plain = _same_length(text)
        spots = [spot.span() for spot in _WORD.finditer(plain) if any(self._is(asked, spot[0]) for asked in self.words)]
        start = max(0, spots[0][0] - _AROUND) if spots else 0
        if start:
            start = text.find(" ", start, spots[0][0]) + 1 or start
        end = min(len(text), start + _SNIPPET)
        pieces, place = [Piece("…", found=False)] if start else [], start
        for first, last in spots:
            if first < end:
                pieces += [Piece(text[place:first], found=False), Piece(text[first:last], found=True)]
                place = last
        pieces.append(Piece(text[place:end] + ("…" if end < len(text) else ""), found=False))
        return tuple(piece for piece in pieces if piece.text)

    def _is(self, asked: str, word: str) -> bool:
        if word.startswith(asked):
            return True
        return bool(self._stems[asked] & self._known.get(word, frozenset()))


async def _stems_of(tx: Connection, words: Sequence[str]) -> dict[str, frozenset[str]]:
    """The stems of each word, and of its singular, by three languages."""
    rows = await tx.fetch(_STEMS, [form for word in words for form in (word, _singular(word))])
    stems = {row["word"]: frozenset(row["stems"]) for row in rows}
    return {
        word: frozenset(stem for stem in stems[word] | stems[_singular(word)] if len(stem) >= _SHORTEST_STEM)
        for word in words
    }


def _singular(word: str) -> str:
    return next((word[: -len(many)] + one for one, many in _PLURALS if word.endswith(many) and len(word) > 4), word)


def _plural(word: str) -> str:
    return next((word[: -len(one)] + many for one, many in _PLURALS if word.endswith(one) and len(word) > 4), word)


def _beginning(word: str, stems: Iterable[str]) -> str:
    """What all words with one of these stems begin with."""
    kept = len(word)
    for form in (*stems, _plural(word)):
        while not form.startswith(word[:kept]):
            kept -= 1
    return word[:kept]


def _telephones(digits: str) -> tuple[str, ...]:
    """How a number with these digits may stand in WhatsApp's: Brazilian ones with and without the ninth digit."""
    runs = [digits]
    if len(digits) in {11, 13} and digits[-9] == "9":
        runs.append(digits[:-9] + digits[-8:])
    elif len(digits) in {10, 12}:
        runs.append(digits[:-8] + "9" + digits[-8:])
    return tuple(runs)


def _same_length(text: str) -> str:
    """Folded, character for character: places in it are places in ``text``."""
    plain = folded(text)
    return plain if len(plain) == len(text) else "".join(char.lower()[:1] for char in text.translate(_FOLDED))
