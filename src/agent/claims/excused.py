"""What excuses a state or a thing that no source names in these words, and what speaks against one that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from agent.claims.backing import behind
from agent.claims.book import Book
from agent.claims.keys import key_words
from agent.claims.lexicon import CLASSES
from agent.claims.phrases import AUXILIARY, MONEYED, WE
from agent.claims.same import same
from agent.claims.sources import Said
from agent.claims.words import Mention

_PREDICATES: Final = frozenset("add available allow offer accept free".split())
"""What is said of a thing: where a source has the thing (``"breakfast": false``), it is enough."""
_WHEN: Final = frozenset("expire due arrive start end deliver expect collect close open ready".split())
"""What a day or an hour may be for where a result does not say: ``next_on``."""
MOVES: Final = frozenset("arrive ship deliver expect exchange receive".split())
_FORECAST: Final = re.compile(
    r"\b(?:dev[ae]\w*|debe\w*|deberia\w*|should|expected|previst\w+|previs\w+|estimad\w+|estimat\w+|se espera) "
)
"""What tells a forecast: the day that a source gives is all that it claims."""
_LESS: Final = re.compile(r"\b(?:sem|sin|without|fora|tirando|before|excluding|sin contar)\b")
"""What takes something off an amount: "sem o frete seria R$ 648,90"."""
_SOFT: Final = frozenset("await save start open expect work limit".split())
"""States of which nothing follows beside a value that a source gives: "is waiting for you since Saturday"."""


def _is_closed(book: Book, place: int) -> bool:
    """Whether a result says of the day of a segment that it is closed."""
    part = book.parts[place]
    shut = {
        s.path
        for s in book.index.said
        if s.mention.concept == "close" and not s.weak and len(s.path) > 1 and s.path[0] != "text"
    }
    return any(
        value.kind in {"date", "weekday"} and known.path in shut and same(value, known.value)
        for value in book.values
        if part.start <= value.start < part.end
        for known in book.index.known
    )


def _is_gone(book: Book, thing: Mention) -> bool:
    """Whether a result says of ``thing``, named as one of several, that nothing is left of it."""
    gone = {s.path for s in book.index.said if s.mention.concept == "soldout" and len(s.path) > 1}
    named = {s.path for s in book.index.said if s.mention.concept == thing.concept and len(s.path) > 1}
    return bool(named) and named <= gone and thing.concept != "soldout"


def has_day(book: Book, place: int) -> bool:
    """Whether a segment gives a day or a length that a result has for nothing in particular."""
    part = book.parts[place]
    near = [
        v for v in book.values if v.kind in {"date", "weekday", "time", "quantity"} and part.start <= v.start < part.end
    ]
    return any(
        same(value, known.value)
        and known.path[0] != "text"
        and not any(CLASSES[role] == "state" and role not in MOVES for role in known.roles)
        for value in near
        for known in book.index.known
    )


def is_excused(book: Book, place: int, wanted: Mention) -> bool:
    """Whether nothing hangs on ``wanted``, for a value or a thing beside it is what the source has."""
    claims = book.claims_in(book.parts[place])
    beside = any(claim.supported_by and claim.kind in {"money", "percent", "quantity"} for claim in claims)
    when = [claim for claim in claims if claim.supported_by and claim.kind in {"date", "time", "weekday", "quantity"}]
    if when and not wanted.negative and not wanted.first and _FORECAST.search(book.piece(place)):
        return True
    if wanted.concept in {"schedule", "expect"} and not (wanted.negative or wanted.first or book.index.refused):
        around = [claim for other in book.sentence(place) for claim in book.claims_in(book.parts[other])]
        if any(claim.supported_by and claim.kind in {"date", "time", "weekday"} for claim in around):
            return True
    if wanted.concept in _PREDICATES and _has_thing(book, place, wanted):
        return True
    if wanted.concept in _SOFT and not wanted.first and any(claim.supported_by for claim in claims):
        return True
    if wanted.concept == "expect" and not wanted.negative:  # "expected time: four hours"
        around = [claim for other in book.sentence(place) for claim in book.claims_in(book.parts[other])]
        return any(claim.supported_by for claim in around)
    if wanted.concept == "update":  # "the updated amount"
        return beside and not AUXILIARY.search(book.piece(place))
    if wanted.concept == "installment":
        return beside and not wanted.negative
    if wanted.negative and wanted.concept in MONEYED and beside and _LESS.search(book.piece(place)):
        return True
    if wanted.form != "plain" or (wanted.negative and wanted.concept != "delay"):
        return False
    if wanted.concept in _WHEN and has_day(book, place):
        return True
    return beside and (wanted.concept in MONEYED or wanted.concept == "delay")  # "you pay 79.90", "tarda 5 días"


def learn(book: Book, wanted: Mention) -> None:
    """Take a result's state that the word list lacks for what ``wanted`` says, where both words mean the same."""
    if book.nearness is None or CLASSES[wanted.concept] != "state" or wanted.form != "done":
        return
    word = book.read.lower[wanted.start : wanted.end]
    for state, ref, path in book.index.states:
        if book.nearness.same(word, state):
            book.index.said.append(Said(Mention(wanted.concept, "done", False, 0, 0), ref, path))


def acted_on(book: Book, wanted: Mention) -> str | None:
    """The call that acted, if its name has the word in another language: "Trancado" after ``freeze_membership``."""
    acted, nearness = book.index.acted, book.nearness
    if acted is None or nearness is None or wanted.negative:
        return None
    word = book.read.lower[wanted.start : wanted.end]
    return acted if any(nearness.same(word, each) for each in key_words(acted)[:1]) else None


def _has_thing(book: Book, place: int, wanted: Mention) -> bool:
    """Whether a source has the thing of which ``wanted`` is said."""
    return any(
        CLASSES[m.concept] == "fact"
        and m.concept != wanted.concept
        and behind(book, replace(m, negative=wanted.negative))
        for m in book.named[place]
    )


def has_none(book: Book, place: int, named: Iterable[Mention]) -> bool:
    """Whether a result says the contrary of its own thing or day: none left of it, closed on it."""
    affirmed = [m for m in named if not m.negative]
    if any(m.concept in {"available", "stock", "sell", "ready"} for m in affirmed) and _of_gone_records(book, place):
        return True
    if WE.search(book.piece(place)) and any(_is_gone(book, m) for m in affirmed):
        return True
    return any(m.concept in {"open", "work", "serve"} for m in affirmed) and _is_closed(book, place)


def _of_gone_records(book: Book, place: int) -> bool:
    """Whether the values of a segment stand in records of which a result says that nothing is left."""
    part = book.parts[place]
    gone = {s.path for s in book.index.said if s.mention.concept == "soldout" and len(s.path) > 1}
    records = [
        set(paths) for _, paths in book.paths.get(part.sentence, ()) if paths and all(len(path) > 1 for path in paths)
    ]
    return any(paths <= gone for paths in records)


def is_through(book: Book, wanted: Mention) -> str | None:
    """The call whose name has ``wanted`` and whose result says that it is done: ``refund``, "processed"."""
    if wanted.form != "name" or wanted.negative:
        return None
    named = {s.ref for s in book.index.said if s.mention.concept == wanted.concept and s.path[0] != "text"}
    through = (s for s in book.index.said if s.mention.concept == "finish" and s.mention.form == "done" and not s.weak)
    return next((s.ref for s in through if s.ref in named and s.path[0] != "text" and not s.mention.negative), None)
