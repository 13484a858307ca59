"""What stands behind a state or a fact that a reply tells in words."""

from __future__ import annotations

import re
from typing import Final

from agent.claims.book import Book
from agent.claims.lexicon import CLASSES
from agent.claims.phrases import BENEFITS, MONEYED
from agent.claims.words import Mention, alike, contrary

_AMOUNTS: Final = frozenset(
    "price fee charge freight fine interest tax deposit discount total pay installment balance".split()
)
_COSTS: Final = frozenset("charge fee fine interest freight".split())


_ENDS: Final = frozenset("ready finish prepare resolve arrive deliver complete".split())
_UNDER_WAY: Final = re.compile(
    r"(?:wait|await|pend|progress|process|review|treat|order|queue|schedul|transit|prepar|in_|under_|not_|aguard|esper|andamento|analis|proceso|em_|en_)|\w+ing\b"
)


def unfinished(book: Book, concept: str) -> str | None:
    """The result whose state is one on the way to the end, while none says that ``concept`` came about."""
    if any(
        s.mention.concept == concept and s.mention.form == "done" and not s.weak and not s.mention.negative
        for s in book.index.said
        if s.path[0] != "text"
    ):
        return None
    return next((ref for text, ref in book.index.stages if _UNDER_WAY.match(text)), None)


def behind(book: Book, wanted: Mention, *, strict: bool = False, call: bool = False) -> str | None:
    """The source that says what ``wanted`` says. ``strict``: as done, not only by name; ``call``: only a call's result."""
    concepts, opposite = alike(wanted.concept), None
    exact = [s for s in book.index.said if s.mention.concept == wanted.concept and not s.weak]
    if exact and CLASSES[wanted.concept] == "state" and all(s.mention.negative is not wanted.negative for s in exact):
        concepts, strict = frozenset({wanted.concept}), True  # "does not cover" is not outweighed by "warranty"
    for said in book.index.said:
        if said.mention.concept not in concepts or (call and said.path[0] == "text"):
            continue
        if strict and (said.weak or (said.mention.form == "name" and said.path[0] != "text")):
            continue
        if said.mention.negative == wanted.negative:
            return said.ref
        opposite = opposite or said.ref
    if (
        wanted.negative
        and opposite is None
        and wanted.concept not in _COSTS
        and (strict or wanted.form == "done" or book.index.refused)
        and book.index.looked
        and book.index.answered
    ):
        return book.index.answered
    if wanted.negative and book.index.asked and wanted.concept in book.index.echo_concepts:
        return "awaiting_approval"  # "it isn't cancelled yet"
    if wanted.negative and wanted.concept in _ENDS and (on_the_way := unfinished(book, wanted.concept)):
        return on_the_way
    against = contrary(wanted.concept)
    denied = next(
        (
            s.ref
            for s in book.index.said
            if s.mention.concept in against and not s.weak and s.mention.negative is not wanted.negative
        ),
        None,
    )
    return denied or _free(book, wanted)


def _free(book: Book, wanted: Mention) -> str | None:
    """Not charged is free, and free is not charged."""
    if wanted.concept in BENEFITS and not wanted.negative:
        return _nothing_due(book) or next(
            (s.ref for s in book.index.said if s.mention.concept in MONEYED and s.mention.negative), None
        )
    if wanted.concept in MONEYED and wanted.negative:
        return next(
            (s.ref for s in book.index.said if s.mention.concept in BENEFITS and not s.mention.negative), None
        ) or _nothing_due(book)
    return None


def _nothing_due(book: Book) -> str | None:
    """The source that gives zero as an amount of money: not one that has zero of a thing."""
    return next(
        (
            k.ref
            for k in book.index.known
            if k.value.norm == 0 and (k.value.kind == "money" or (k.value.kind == "number" and k.roles & _AMOUNTS))
        ),
        None,
    )


def remember(book: Book, place: int, wanted: Mention, *, strict: bool) -> None:
    if not strict:
        return
    concepts = alike(wanted.concept)
    paths = tuple(
        s.path
        for s in book.index.said
        if s.mention.concept in concepts and not s.weak and s.mention.negative == wanted.negative
    )
    book.paths.setdefault(book.parts[place].sentence, []).append((wanted, paths))


def arranged(book: Book, wanted: Mention) -> str | None:
    """The call that acted and arranged what is promised: ``schedule_pickup``."""
    concepts = alike(wanted.concept)
    return next(
        (s.ref for s in book.index.said if s.mention.concept in concepts and s.ref == book.index.acted and not s.weak),
        None,
    )
