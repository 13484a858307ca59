"""What stands around a value or makes up a sentence: the labels by which different things are told apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from agent.claims.lexicon import concept_of
from agent.claims.values import Value
from agent.claims.words import stem, words

SIBLINGS: Final = frozenset("oil food garment vehicle device insurance pets".split())
"""Concepts of different things of a kind: what is said of dogs is not said of cats."""


def labels_of(text: str, values: Sequence[Value], start: int, end: int, value: Value) -> frozenset[Any]:
    """What tells ``value`` from others of its kind: the words and the values of ``text[start:end]``."""
    if text[max(0, start - 3) : start].strip().endswith(":"):
        start = max(0, text.rfind("\n", 0, start), text.rfind(".", 0, start))  # "Basic plan: 89.90"
    if text[max(0, start - 2) : start].strip() == "(":  # "Bruno (Wednesday to Friday)"
        start = max((text.rfind(mark, 0, start - 2) + 1 for mark in ",;.:()\n"), default=0)
    spots = [other for other in values if start <= other.start < end]
    found: set[Any] = {(other.kind, other.norm) for other in spots if other.kind != value.kind}
    for match in words(text[start:end]):
        place = start + match.start()
        if len(match[0]) > 3 and not any(other.start <= place < other.end for other in spots):
            found.add(concept_of(match[0]) or stem(match[0]))
    return frozenset(found)


def sides(
    text: str, start: int, end: int, denied: Sequence[tuple[int, int]], values: Sequence[Value]
) -> dict[Any, bool]:
    """What ``text[start:end]`` speaks of, and whether it denies it: concepts, other words, weekdays."""
    found: dict[Any, bool] = {}
    for match in words(text[start:end]):
        place = start + match.start()
        concept = concept_of(match[0])
        if (
            (len(match[0]) > 3 or concept)
            and match[0] not in _PLAIN
            and not any(v.start <= place < v.end for v in values)
        ):
            token = stem(match[0]) if concept is None or concept in SIBLINGS else concept
            first, last = _clause(text, start, end, place)
            found[token] = any(
                begin <= place < stop or (first <= begin < last and not _WITHOUT.match(text, begin))
                for begin, stop in denied
            )
    for value in values:
        if value.kind == "weekday" and start <= value.start < end:
            found["weekday", value.norm] = False
    return found


def _clause(text: str, start: int, end: int, place: int) -> tuple[int, int]:
    """The clause of ``text[start:end]`` in which ``place`` stands: what is denied in it is denied as a whole."""
    before = [match.end() for match in _CLAUSE.finditer(text, start, place)]
    after = _CLAUSE.search(text, place, end)
    return (before[-1] if before else start), (after.start() if after else end)


_WITHOUT: Final = re.compile(r"(?:sem|sin|without|zero|exclu\w+|nenhum\w*|ningun\w*)\b")
_CLAUSE: Final = re.compile(r"[,;.!?\n]|\b(?:mas|pero|but|porem)\b")
_PLAIN: Final = frozenset(
    """para pelo pela com sem sobre este esta esse essa isso aqui muito mais nao sim pode podem podemos ser estar ter temos tem voce voces nosso nossa nossos nossas seus suas seu sua quando
    como todo toda todos todas cada tambien tambem puede pueden nuestro nuestra this that with without your have has can will our are not from each every they them there were been does
    don't isn't aren't only just also apenas somente solo hasta desde""".split()
)
