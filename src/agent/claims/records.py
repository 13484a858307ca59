"""Values that a result gives for different things: the price of one product beside the name of another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from agent.claims.book import Book
from agent.claims.match import agree
from agent.claims.sources import Path
from agent.claims.text import segment_at
from agent.claims.values import Value
from agent.claims.words import Mention


def check_records(book: Book) -> None:
    """Values of one sentence that a result gives for different things."""
    for place, title, records in _records(book):
        book.paths.setdefault(place, []).append((title, records))
    for sentence, found in book.paths.items():
        parts = [part for part in book.parts if part.sentence == sentence]
        run: list[tuple[Value | Mention, tuple[Path, ...]]] = []
        for one, paths in sorted(found, key=lambda pair: pair[0].start):
            if run and segment_at(parts, one.start) != segment_at(parts, run[0][0].start):
                run = []
            if not all(agree(paths, others) for _, others in run):
                if any(_kind(other) == _kind(one) for other, _ in run):
                    run = []  # another of the same kind begins another record: "10:15 today or 12:30 tomorrow"
                else:
                    book.claim(one.start, one.end, "mixed_up", None)
            run.append((one, paths))
        _crossed(book, found)


def _kind(one: Value | Mention) -> str:
    return one.kind if isinstance(one, Value) else one.concept


def _records(book: Book) -> Iterator[tuple[int, Value, tuple[Path, ...]]]:
    """Names of records that the reply says: (sentence, where, the records of that name)."""
    spots: dict[tuple[int, int], list[Path]] = {}
    for name, path in book.index.titles:
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", book.read.text):
            spots.setdefault(match.span(), []).append(path)
    for (start, end), paths in spots.items():
        if not any(a <= start and end <= b and (a, b) != (start, end) for a, b in spots):
            yield book.parts[segment_at(book.parts, start)].sentence, Value("name", start, end, ""), tuple(paths)


def _crossed(book: Book, found: list[tuple[Value | Mention, tuple[Path, ...]]]) -> None:
    """A name alone, and behind it what a result gives only under another name of the same kind."""
    runs: list[tuple[list[Value], tuple[Path, ...]]] = []
    for one, paths in sorted(found, key=lambda pair: pair[0].start):
        if not isinstance(one, Value) or not any(len(path) > 1 for path in paths):
            continue
        if runs and agree(paths, runs[-1][1]):
            runs[-1][0].append(one)
            runs[-1] = (runs[-1][0], tuple(path for path in paths if path in runs[-1][1]) or runs[-1][1])
        else:
            runs.append(([one], paths))
    for (before, _), (after, paths) in pairwise(runs):
        if len(before) > 1 or any(value.kind == before[0].kind for value in after):
            continue
        titled = before[0].kind == "name" and any(agree((path,), paths) for _, path in book.index.titles)
        if titled or any(
            known.value.kind == before[0].kind and agree((known.path,), paths)
            for known in book.index.known
            if len(known.path) > 1
        ):
            for value in after:
                book.claim(value.start, value.end, "mixed_up", None)
