"""What a result answers with yes or no: ``"sea_view": false``. A clause about the same thing must say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.claims.book import Book
from agent.claims.keys import key_words
from agent.claims.lexicon import CLASSES, concept_of
from agent.claims.words import stem, words

_EMPTY: Final = frozenset(
    "is has have can with was be included allowed available active enabled open accepted requires required needs need free valid ok found exists by for of the a".split()
)
"""Words of a key that name no thing."""
_MOOT: Final = frozenset("success succeeded ok confirmed valid found exists".split())


@dataclass(frozen=True, slots=True)
class Flag:
    """``things``: the words of the key that name what it is about; ``ref``: the function."""

    things: tuple[str, ...]
    truth: bool
    ref: str


def flags_of(book: Book) -> list[Flag]:
    """The yes-or-no answers of the results of a turn; those given for several records say nothing of one."""
    found = [
        flag
        for call in book.sources.calls
        if call.outcome == "succeeded"
        for flag in _flags(call.result, call.function)
    ]
    return [flag for flag in found if all(other.truth is flag.truth for other in found if other.things == flag.things)]


def _flags(found: Any, ref: str, above: tuple[str, ...] = ()) -> Iterator[Flag]:
    if isinstance(found, Mapping):
        for key, inner in found.items():
            named = key_words(str(key))
            if isinstance(inner, bool):
                things = tuple(word for word in named if word not in _EMPTY and len(word) > 2)
                things = things or tuple(word for word in above if word not in _EMPTY and len(word) > 2)
                if any(_is_state(thing) for thing in things):
                    continue  # "paid", "subscribed": told by what is said to be done, and near to its contrary
                if things and named[0] not in {"not", "no", "non"} and not _MOOT.intersection(named):
                    yield Flag(things, inner, ref)
            else:
                yield from _flags(inner, ref, named)
    elif isinstance(found, list | tuple):
        for inner in found:
            yield from _flags(inner, ref)


def _is_state(word: str) -> bool:
    concept = concept_of(word)
    return concept in {"online", "network"} or CLASSES.get(concept or "") == "state"


def check_flags(book: Book) -> set[int]:
    """Claim what segments say of such things; gives the segments that need no further look."""
    flags = flags_of(book)
    settled: set[int] = set()
    if not flags:
        return settled
    for place, part in enumerate(book.parts):
        if book.moods[place] not in {"statement", "inability"}:
            continue
        spots = [(part.start + m.start(), part.start + m.end()) for m in words(book.piece(place)) if len(m[0]) > 2]
        for flag in flags:
            concepts = {
                concept_of(book.read.text[start:end]) for start, end in spots if _of_flag(book, start, end, flag)
            }
            hits = [_spot(book, spots, thing) for thing in flag.things]
            if any(hit is None for hit in hits):
                continue
            denied = (
                any(begin < part.end and stop > part.start and part.start <= begin for begin, stop in book.denied)
                or book.moods[place] == "inability"
            )
            supported = flag.truth is not denied
            book.claim(part.start, part.end, "fact", flag.ref if supported else None)
            book.anchored.add(place)
            others = [m for m in book.named[place] if m.concept not in _HAVING and m.concept not in concepts]
            if supported and not others:
                settled.add(place)
    return settled


_HAVING: Final = frozenset("eligible add available allow accept offer give open host".split())
"""What is said of a thing that is there or is not."""


def _of_flag(book: Book, start: int, end: int, flag: Flag) -> bool:
    return any(_spot(book, [(start, end)], thing) is not None for thing in flag.things)


def _spot(book: Book, spots: list[tuple[int, int]], thing: str) -> tuple[int, int] | None:
    """Where a segment speaks of ``thing``, in whichever language."""
    for start, end in spots:
        if stem(book.read.text[start:end]) == stem(thing):
            return start, end
    if book.nearness is None:
        return None
    return next(((start, end) for start, end in spots if book.nearness.same(book.read.lower[start:end], thing)), None)
