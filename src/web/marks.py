"""A suggested reply with the parts that nothing supports set apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def marked(text: str, unsupported: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """``text`` in pieces, each with the kind of claim it makes without a source ("" for all else).

    Spans (start, end, kind; in characters) that overlap or reach beyond the text are cut to what is left of it.
    """
    done = 0
    for span in sorted(unsupported, key=lambda each: int(each["start"])):
        start, end = max(done, int(span["start"])), min(len(text), int(span["end"]))
        if start >= end:
            continue
        if start > done:
            yield text[done:start], ""
        yield text[start:end], str(span["kind"])
        done = end
    if done < len(text):
        yield text[done:], ""
