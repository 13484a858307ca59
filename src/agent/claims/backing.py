"""What stands behind a state or a fact that a reply tells in words."""

from __future__ import annotations

from typing import Final

from agent.claims.book import Book
from agent.claims.lexicon import CLASSES
from agent.claims.phrases import BENEFITS, MONEYED
from agent.claims.words import Mention, alike, contrary

_COSTS: Final = frozenset("charge fee fine interest freight".split())


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
        and (strict or wanted.form == "done")
        and book.index.looked
        and book.index.answered
    ):
        return book.index.answered
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
        zero = next(
            (k.ref for k in book.index.known if k.value.norm == 0 and k.value.kind in {"money", "number"}), None
        )
        return zero or next(
            (s.ref for s in book.index.said if s.mention.concept in MONEYED and s.mention.negative), None
        )
    if wanted.concept in MONEYED and wanted.negative:
        return next(
            (s.ref for s in book.index.said if s.mention.concept in BENEFITS and not s.mention.negative), None
        ) or next((k.ref for k in book.index.known if k.value.norm == 0 and k.value.kind in {"money", "number"}), None)
    return None


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
