"""Statements and promises of a reply: what is said to be done, to be so, or to come."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from agent.claims.asked import is_asked, only_asks
from agent.claims.backing import arranged, behind, remember
from agent.claims.book import Book
from agent.claims.lexicon import CLASSES
from agent.claims.nothing_known import check_unknown, gives_to_another, tells_known
from agent.claims.phrases import (
    AUXILIARY,
    BENEFITS,
    CONDITION,
    DONE_ALONE,
    GENERIC_DONE,
    HUMAN,
    IDENTIFIERS,
    LAMENT,
    LIGHT,
    MEANWHILE,
    MONEYED,
    ONCE,
    PRESENCE,
    SPECIFIC,
    THEN,
    WE,
    WE_DID,
    YES,
    YOU,
    YOU_SAID,
)
from agent.claims.promises import is_conditional, promises
from agent.claims.same import same
from agent.claims.text import folded
from agent.claims.words import Mention

_PREDICATES: Final = frozenset("add available allow offer accept free".split())
"""What is said of a thing: where a source has the thing (``"breakfast": false``), it is enough."""
_ALL_DONE: Final = re.compile(r"(?:all|tudo|todo) \w+(?:ed|ad[oa]|id[oa]|set|done)\b")
_YOU_MAY: Final = re.compile(r"(?:e |y |and |assim |asi )?(?:voce|vc|usted|tu|you)\b")
_EVENTS: Final = frozenset(
    "collect visit deliver arrive ship refund install exchange return pay cancel renew restart".split()
)
_TO_DO: Final = re.compile(r"[aei]r(?:te|l[eoa]s?|se|me)?$")
_WHEN: Final = frozenset("expire due arrive start end deliver expect collect close open ready".split())
"""What a day or an hour may be for where a result does not say: ``next_on``."""
_MOVES: Final = frozenset("arrive ship deliver expect exchange receive".split())
_VOW: Final = re.compile(r"(?:pode deixar|deixa comigo|deixe comigo|dejalo en mis manos|leave it)\b")
_SOFT: Final = frozenset("await save start open expect work limit".split())
"""States of which nothing follows beside a value that a source gives: "is waiting for you since Saturday"."""


def check_statement(book: Book, place: int) -> None:
    part, feeling, piece = book.parts[place], book.moods[place], book.piece(place)
    named = [m for m in book.named[place] if CLASSES[m.concept] != "topic"]
    if _ALL_DONE.match(piece):  # "all moved"
        named = [m for m in named if m.concept != "all"]
    if feeling == "social" and HUMAN.search(piece):
        book.claim(part.start, part.end, "fact", None)
    if DONE_ALONE.fullmatch(piece) and feeling == "statement":
        book.claim(part.start, part.end, "action", book.index.acted or book.index.answered)
        return
    conditional = bool(CONDITION.match(piece))
    before = [book.moods[other] for other in book.sentence(place) if other < place]
    if (
        "request" in before
        and THEN.match(piece)
        and not any(m.form == "done" or (CLASSES[m.concept] == "fact" and _YOU_MAY.match(piece)) for m in named)
    ):
        return
    if feeling == "statement" and YOU_SAID.search(
        " ".join(book.piece(other) for other in book.sentence(place) if other <= place)
    ):
        named = [m for m in named if m.concept not in book.index.echo_concepts]
    if feeling in {"request", "question", "inability"} and not (feeling == "question" and not part.last):
        return
    if feeling == "social" and LAMENT.search(
        " ".join(book.piece(other) for other in book.sentence(place) if other <= place)
    ):
        return
    if feeling == "statement" and ONCE.search(" ".join(book.piece(other) for other in book.sentence(place))):
        conditional = True
    if feeling == "question" and not part.last:  # "I noted two of chicken, right?"
        named = [m for m in named if m.concept != "note"]
    if feeling in {"offer", "social", "question"} or conditional:
        named = [m for m in named if m.form == "done" and (m.first or AUXILIARY.search(piece)) and not conditional] + [
            m for m in named if m.concept in BENEFITS and feeling == "offer"
        ]
    _check_named(book, place, named)
    if feeling == "statement" and not conditional and not is_asked(book, place):
        _check_event(book, place)
        check_unknown(book, place)


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


def _has_day(book: Book, place: int) -> bool:
    """Whether a segment gives a day or a length that a result has for nothing in particular."""
    part = book.parts[place]
    near = [
        v for v in book.values if v.kind in {"date", "weekday", "time", "quantity"} and part.start <= v.start < part.end
    ]
    return any(
        same(value, known.value)
        and known.path[0] != "text"
        and not any(CLASSES[role] == "state" and role not in _MOVES for role in known.roles)
        for value in near
        for known in book.index.known
    )


def _is_through(book: Book, wanted: Mention) -> str | None:
    """The call whose name has ``wanted`` and whose result says that it is done: ``refund``, "processed"."""
    if wanted.form != "name" or wanted.negative:
        return None
    named = {s.ref for s in book.index.said if s.mention.concept == wanted.concept and s.path[0] != "text"}
    through = (s for s in book.index.said if s.mention.concept == "finish" and s.mention.form == "done" and not s.weak)
    return next((s.ref for s in through if s.ref in named and s.path[0] != "text" and not s.mention.negative), None)


def _is_excused(book: Book, place: int, wanted: Mention) -> bool:
    """Whether nothing hangs on ``wanted``, for a value or a thing beside it is what the source has."""
    claims = book.claims_in(book.parts[place])
    beside = any(claim.supported_by and claim.kind in {"money", "percent", "quantity"} for claim in claims)
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
    if wanted.form != "plain" or (wanted.negative and wanted.concept != "delay"):
        return False
    if wanted.concept in _WHEN and _has_day(book, place):
        return True
    return beside and (wanted.concept in MONEYED or wanted.concept == "delay")  # "you pay 79.90", "tarda 5 días"


def _has_thing(book: Book, place: int, wanted: Mention) -> bool:
    """Whether a source has the thing of which ``wanted`` is said."""
    return any(
        CLASSES[m.concept] == "fact"
        and m.concept != wanted.concept
        and behind(book, replace(m, negative=wanted.negative))
        for m in book.named[place]
    )


def _check_event(book: Book, place: int) -> None:
    """A day or an hour for something that no source speaks of: "the pickup will be on Friday"."""
    part = book.parts[place]
    when = [v for v in book.values if v.kind in {"date", "weekday", "time"} and part.start <= v.start < part.end]
    for m in book.named[place]:
        noun = m.form == "name" and not _TO_DO.search(book.read.text[m.start : m.end])
        if not (noun and m.concept in _EVENTS and when and m.start < when[0].start):
            continue
        known = m.concept in book.index.echo_concepts or behind(book, replace(m, negative=False)) is not None
        if not known and not (m.concept in _MOVES and _has_day(book, place)):
            book.claim(part.start, part.end, "status", None)
            return


def _is_glad(book: Book, place: int) -> bool:
    """ "Que bom que chegou": gladness about what the customer has told, unless it was a question."""
    others = [other for other in book.sentence(place) if other < place]
    said = book.read.text[book.parts[place - 1].end : book.parts[place].start].strip() if others else ""
    glad = said in {"que", "that"} and book.moods[place - 1] == "social"
    return glad and not any("?" in text for text in book.sources.customer)


def _has_none(book: Book, place: int, named: Iterable[Mention]) -> bool:
    """Whether a result says the contrary of its own thing or day: none left of it, closed on it."""
    affirmed = [m for m in named if not m.negative]
    if WE.search(book.piece(place)) and any(_is_gone(book, m) for m in affirmed):
        return True
    return any(m.concept in {"open", "work", "serve"} for m in affirmed) and _is_closed(book, place)


def _only_names(wanted: Mention, named: Iterable[Mention], *, finished: bool) -> bool:
    """Whether ``wanted`` merely names an act, or says "done" of another one that is named."""
    if wanted.form == "name" and CLASSES[wanted.concept] == "state" and not finished:
        return True
    return wanted.concept == "finish" and any(m.form == "name" and CLASSES[m.concept] == "state" for m in named)


def _check_named(book: Book, place: int, named: Iterable[Mention]) -> None:
    part, piece = book.parts[place], book.piece(place)
    # What the customer named last: by then the rest tells whether a source speaks of it.
    named = sorted(named, key=lambda m: CLASSES[m.concept] == "fact" and m.concept in book.index.echo_concepts)
    glad = _is_glad(book, place)
    finished = GENERIC_DONE.search(piece) or next(
        (True for m in named if m.concept == "finish" and m.form == "done"), None
    )
    undone = isinstance(finished, re.Match) and any(a <= part.start + finished.start() < b for a, b in book.denied)
    if _has_none(book, place, named):
        book.claim(part.start, part.end, "fact", None)
        return
    for each in named:
        wanted = replace(each, negative=True) if undone and each.form == "name" else each  # "the refund was not made"
        if _only_names(wanted, named, finished=bool(finished)):
            continue
        before = book.read.text[part.start : wanted.start]
        if (glad or YOU.search(before)) and wanted.concept in book.index.echo_concepts:
            continue
        first = wanted.first or (
            WE_DID.search(book.read.text[wanted.start : wanted.end]) is not None
            and bool(SPECIFIC.search(piece) or re.search(r"\b(?:ja|ya|acabamos)\b", piece))
        )
        light = wanted.concept in LIGHT and wanted.form == "plain"
        heard = (
            wanted.form != "done" and wanted.concept in book.index.echo_concepts and CLASSES[wanted.concept] == "fact"
        )
        if (light or (heard and place in book.anchored)) and not finished:
            if behind(book, wanted):
                book.anchored.add(place)
            continue
        if only_asks(book, place, wanted):
            book.claim(wanted.start, wanted.end, "action", "awaiting_approval")
            book.anchored.add(place)
            continue
        done = first or wanted.form == "done" or (finished is not None and wanted.form == "name")
        state = CLASSES[wanted.concept] == "state"
        particular = (
            first
            or bool(SPECIFIC.search(piece))
            or any(v.kind in IDENTIFIERS for v in book.values if part.start <= v.start < part.end)
        )
        call = done and state and particular and (first or bool(AUXILIARY.search(piece)) or finished is not None)
        seen = wanted.concept in {"verify", "find"} and done and not wanted.negative
        if (seen and (wanted.first or not particular)) or (wanted.first and wanted.concept in {"receive", "note"}):
            ref = book.index.acted if wanted.concept == "note" else book.index.answered
        else:
            ref = behind(book, wanted, strict=done and state, call=call) or (
                _is_through(book, wanted) if finished else None
            )
        kind = "action" if wanted.first else "status" if state else "fact"
        if ref and wanted.concept in BENEFITS and not wanted.negative and gives_to_another(book, place, wanted.concept):
            ref = None
        if ref is None and _is_excused(book, place, wanted):
            continue
        if ref is None:
            book.claim(part.start, part.end, kind, None)
            return
        book.claim(wanted.start, wanted.end, kind, ref)
        book.anchored.add(place)
        remember(book, place, wanted, strict=done and state)


def check_bare_answer(book: Book) -> None:
    """A bare yes or no to a question about the business."""
    asked = "\n".join(book.sources.customer).lower()
    if "?" not in asked or book.index.answered or PRESENCE.search(folded(asked).text):
        return
    for place, part in enumerate(book.parts):
        if YES.match(book.piece(place)) and book.moods[place] == "statement" and place == 0:
            following = book.moods[1:]
            if "request" not in following and not any(f in {"offer"} for f in following):
                book.claim(part.start, part.end, "fact", None)


def check_promise(book: Book, place: int) -> bool:
    part, feeling = book.parts[place], book.moods[place]
    if feeling in {"inability", "offer"} or (feeling == "question" and part.last):
        return False
    for start, end, own in promises(book.read.text, book.read.lower, part.start, part.end):
        around = book.sentence(place)
        sentence = " ".join(book.piece(other) for other in around)
        before = [book.moods[other] for other in around if other <= place]
        previous = [book.moods[other] for other in range(place) if book.parts[other].sentence == part.sentence - 1]
        following = [
            book.moods[other]
            for other in range(place + 1, len(book.parts))
            if book.parts[other].sentence <= part.sentence + 1
        ]
        if _VOW.match(book.read.text, start) and following and following[0] in {"request", "question"}:
            return True  # "sure, I just need the number"
        asked = own and THEN.match(book.piece(place)) and {"request", "question"} & set(previous)
        if not MEANWHILE.match(book.read.text, start) and (
            "request" in before
            or "offer" in before
            or is_conditional(sentence)
            or asked
            or (own and "request" in previous[-1:])
        ):
            return True
        kept = _kept(book, place, own=own)
        if kept is None and not own and tells_known(book, place):
            return False  # "Joanne will be your engineer": a fact, as the result has it
        book.claim(start, end, "promise", kept)
        return True
    return False


def _kept(book: Book, place: int, *, own: bool) -> str | None:
    """What makes a promise true: a call that waits for a person, or a source that says so of the business."""
    named = [m for m in book.named[place] if CLASSES[m.concept] == "state"]
    concepts = {m.concept for m in named}
    if book.index.asked and concepts <= {
        "confirm",
        "verify",
        "contact",
        "notify",
        "update",
        "talk",
        "receive",
        "serve",
        "approve",
        "finish",
    }:
        return "awaiting_approval"
    if not concepts:
        return None
    told = [behind(book, m, strict=own, call=own) or (arranged(book, m) if own else None) for m in named]
    return told[0] if all(told) else None
