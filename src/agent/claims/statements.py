"""Statements and promises of a reply: what is said to be done, to be so, or to come."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from agent.claims.asked import is_asked, only_asks
from agent.claims.backing import arranged, behind, remember, unfinished
from agent.claims.book import Book
from agent.claims.excused import MOVES, acted_on, has_day, has_none, is_excused, is_through, learn
from agent.claims.lexicon import CLASSES
from agent.claims.nothing_known import check_unknown, gives_to_another, tells_known
from agent.claims.phrases import (
    ASKED,
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
    WAITS,
    WE_DID,
    YES,
    YOU,
    YOU_SAID,
)
from agent.claims.promises import is_conditional, is_harmless, promises
from agent.claims.text import folded
from agent.claims.words import Mention

_ALL_DONE: Final = re.compile(r"(?:all|tudo|todo) \w+(?:ed|ad[oa]|id[oa]|set|done)\b")
_YOU_MAY: Final = re.compile(r"(?:e |y |and |assim |asi )?(?:voce|vc|usted|tu|you)\b")
_EVENTS: Final = frozenset(
    "collect visit deliver arrive ship refund install exchange return pay cancel renew restart".split()
)
_TO_DO: Final = re.compile(r"[aei]r(?:te|l[eoa]s?|se|me)?$")
_AT_HAND: Final = frozenset("collect ready available finish".split())
_NOW: Final = re.compile(
    r"\b(?:ja|ya|now|already|whenever|quando quiser|cuando (?:quieras|guste)|a qualquer momento)\b"
)
_ASK: Final = re.compile(
    r"(?:deixa eu|deixe-me|dejame|let me|vou|i'll)\b.{0,12}?\b(?:confirm\w*|pergunt\w*|pregunt\w*|ask|check|ver)?\b"
)
_VOW: Final = re.compile(r"(?:pode deixar|deixa comigo|deixe comigo|dejalo en mis manos|leave it)\b")


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
        told = YOU_SAID.search(piece) is not None  # in this very clause: the customer's words, however put
        named = [m for m in named if m.concept not in book.index.echo_concepts and (m.first or not told)]
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
        if not is_harmless(piece):
            check_unknown(book, place)


def _check_event(book: Book, place: int) -> None:
    """A day or an hour for something that no source speaks of: "the pickup will be on Friday"."""
    part = book.parts[place]
    when = [v for v in book.values if v.kind in {"date", "weekday", "time"} and part.start <= v.start < part.end]
    for m in book.named[place]:
        noun = m.form == "name" and not _TO_DO.search(book.read.text[m.start : m.end])
        if not (noun and m.concept in _EVENTS and when and m.start < when[0].start):
            continue
        known = m.concept in book.index.echo_concepts or behind(book, replace(m, negative=False)) is not None
        if not known and not (m.concept in MOVES and has_day(book, place)):
            book.claim(part.start, part.end, "status", None)
            return


def _is_glad(book: Book, place: int) -> bool:
    """ "Que bom que chegou": gladness about what the customer has told, unless it was a question."""
    others = [other for other in book.sentence(place) if other < place]
    said = book.read.text[book.parts[place - 1].end : book.parts[place].start].strip() if others else ""
    glad = said in {"que", "that"} and book.moods[place - 1] == "social"
    return glad and not any("?" in text for text in book.sources.customer)


def _only_names(wanted: Mention, named: Iterable[Mention], *, finished: bool) -> bool:
    """Whether ``wanted`` merely names an act, or says "done" of another one that is named."""
    if wanted.form == "name" and CLASSES[wanted.concept] == "state" and not finished:
        return True
    return wanted.concept == "finish" and any(m.form == "name" and CLASSES[m.concept] == "state" for m in named)


def _is_too_much(book: Book, place: int, wanted: Mention) -> bool:
    """Whether ``wanted``, which a source names, is given too soon, or to what the source does not give it."""
    if wanted.negative:
        return False
    if wanted.concept in _AT_HAND and _NOW.search(book.piece(place)):
        return unfinished(book, "ready") is not None
    return wanted.concept in BENEFITS and gives_to_another(book, place, wanted.concept)


def _is_thing_of_result(book: Book, wanted: Mention) -> bool:
    """Whether a result names the thing that ``wanted`` is, in another language."""
    return (
        CLASSES[wanted.concept] == "fact"
        and not wanted.negative
        and wanted.concept not in {*BENEFITS, *MONEYED, "all"}
        and book.means_known(wanted.start, wanted.end, results=True)
    )


def _is_excused(book: Book, place: int, wanted: Mention) -> bool:
    """Whether ``wanted`` needs no source of its own."""
    if _is_thing_of_result(book, wanted):
        book.anchored.add(place)
        return True
    return is_excused(book, place, wanted)


def _is_light(book: Book, place: int, wanted: Mention) -> bool:
    """Whether ``wanted`` says little by itself, or is what the customer asked about, of which a source speaks here."""
    light = wanted.concept in LIGHT and wanted.form == "plain"
    heard = wanted.form != "done" and wanted.concept in book.index.echo_concepts and CLASSES[wanted.concept] == "fact"
    if not (light or (heard and place in book.anchored)):
        return False
    if behind(book, wanted):
        book.anchored.add(place)
    return True


def _only_asks(book: Book, place: int, wanted: Mention) -> bool:
    """Whether ``wanted`` says no more than that somebody was asked for it, which is then claimed."""
    if not only_asks(book, place, wanted):
        return False
    book.claim(wanted.start, wanted.end, "action", "awaiting_approval")
    book.anchored.add(place)
    return True


def _is_first(book: Book, place: int, wanted: Mention) -> bool:
    """Whether ``wanted`` is something that the assistant, or "we", did."""
    piece = book.piece(place)
    return wanted.first or (
        WE_DID.search(book.read.text[wanted.start : wanted.end]) is not None
        and bool(SPECIFIC.search(piece) or re.search(r"\b(?:ja|ya|acabamos)\b", piece))
    )


def _check_named(book: Book, place: int, named: Iterable[Mention]) -> None:
    part, piece = book.parts[place], book.piece(place)
    # What the customer named last: by then the rest tells whether a source speaks of it.
    named = sorted(named, key=lambda m: CLASSES[m.concept] == "fact" and m.concept in book.index.echo_concepts)
    glad = _is_glad(book, place)
    finished = GENERIC_DONE.search(piece) or next(
        (True for m in named if m.concept == "finish" and m.form == "done"), None
    )
    undone = isinstance(finished, re.Match) and any(a <= part.start + finished.start() < b for a, b in book.denied)
    if has_none(book, place, named):
        book.claim(part.start, part.end, "fact", None)
        return
    for each in named:
        wanted = replace(each, negative=True) if undone and each.form == "name" else each  # "the refund was not made"
        if _only_names(wanted, named, finished=bool(finished)):
            continue
        before = book.read.text[part.start : wanted.start]
        if (glad or YOU.search(before)) and wanted.concept in book.index.echo_concepts:
            continue
        first = _is_first(book, place, wanted)
        if not finished and _is_light(book, place, wanted):
            continue
        if _only_asks(book, place, wanted):
            continue
        done = first or wanted.form == "done" or (finished is not None and wanted.form == "name")
        state = CLASSES[wanted.concept] == "state"
        particular = (
            first
            or bool(SPECIFIC.search(piece))
            or any(v.kind in IDENTIFIERS for v in book.values if part.start <= v.start < part.end)
        )
        learn(book, wanted)
        call = done and state and particular and (first or bool(AUXILIARY.search(piece)) or finished is not None)
        seen = wanted.concept in {"verify", "find"} and done and not wanted.negative
        ref: str | None
        if (seen and (wanted.first or not particular)) or (wanted.first and wanted.concept in {"receive", "note"}):
            ref = book.index.acted if wanted.concept == "note" else book.index.answered
        else:
            ref = behind(book, wanted, strict=done and state, call=call) or (
                is_through(book, wanted) if finished else None
            )
        kind = "action" if wanted.first else "status" if state else "fact"
        if ref is None and done:
            ref = acted_on(book, wanted)
        elif ref and _is_too_much(book, place, wanted):
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
    asked = folded("\n".join(book.sources.customer)).text
    if not ASKED.search(asked) or book.index.answered or PRESENCE.search(folded(asked).text):
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
        before = [book.moods[other] for other in around if other <= place and not WAITS.search(book.piece(other))]
        previous = [book.moods[other] for other in range(place) if book.parts[other].sentence == part.sentence - 1]
        following = [
            book.moods[other]
            for other in range(place + 1, len(book.parts))
            if book.parts[other].sentence <= part.sentence + 1
        ]
        if own and _ASK.match(book.read.text, start) and following and following[0] == "question":
            return True  # "let me just confirm one thing: four guests?"
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
        if kept is None and not own and (tells_known(book, place) or _is_forecast(book, place)):
            return False  # "Joanne will be your engineer": a fact, as the result has it
        book.claim(start, end, "promise", kept)
        return True
    return False


def _is_forecast(book: Book, place: int) -> bool:
    """Whether all that a clause says of the future is a day or a length that a source gives: "it'll take 4 hours"."""
    when = [c for c in book.claims_in(book.parts[place]) if c.kind in {"date", "time", "weekday", "quantity"}]
    states = [m for m in book.named[place] if CLASSES[m.concept] == "state"]
    return bool(when) and not states and all(c.supported_by for c in when)


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
