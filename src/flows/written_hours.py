"""Opening hours as people write them, in Portuguese, Spanish and English, as spans such as ``09:00-18:00``."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from flows.refusals import RefusedError

_CLOCK: Final = (
    r"(?P<{0}>\d{{1,2}})(?:[:.h](?P<{0}_minute>\d{{2}}))?\s*(?:h(?:s|rs?|oras?)?\.?|(?P<{0}_half>[ap]\.?\s?m\.?))?"
)
_SPAN: Final = re.compile(
    r"(?:d?as|de(?:sde)?|from|between|entre)?\s*(?:l?as\s+)?"
    + _CLOCK.format("from")
    + r"\s*(?:-|–|—|to|till?|until|às?|as|a|até|hasta|and)\s*(?:l?as\s+|às\s+)?"
    + _CLOCK.format("to"),
    re.I,
)
_NEVER: Final = re.compile(r"fechad[oa]|cerrado|closed|-+|–|—|n[ãa]o abr\w+|no abr\w+", re.I)
_ALWAYS: Final = re.compile(r"24\s*(?:h|hs|hrs|horas|hours)|(?:all day|o dia todo|todo el d[ií]a)", re.I)


def read_spans(field: str, text: str) -> tuple[str, ...]:
    """``9-12, 13:30-18``, ``9am to 6pm`` or ``das 8h às 18h`` as the files write it; ``closed`` is no hours.

    Raises RefusedError for ``field``.
    """
    if _NEVER.fullmatch(text.strip()):
        return ()
    spans = [_span(field, part) for part in re.split(r"[,;]|\s(?:e|y|and)\s", text) if part.strip()]
    spans.sort()
    for earlier, later in pairwise(spans):
        if later[:5] < earlier[6:]:
            raise RefusedError(field, "%(later)s overlaps %(earlier)s.", later=later, earlier=earlier)
    return tuple(spans)


def _span(field: str, text: str) -> str:
    if _ALWAYS.fullmatch(text.strip()):
        return "00:00-24:00"
    if found := _SPAN.fullmatch(text.strip()):
        begins, ends = _clock(found, "from"), _clock(found, "to")
        if begins is not None and ends is not None:
            if found["to_half"] and not found["from_half"] and begins + 720 < ends:
                begins += 720  # "1 to 6pm"
            if begins < ends <= 1440:
                return f"{begins // 60:02d}:{begins % 60:02d}-{ends // 60:02d}:{ends % 60:02d}"
    raise RefusedError(
        field, "%(text)s are no hours. Write them like 09:00-12:00, 13:30-18:00.", text=text.strip()[:40]
    )


def _clock(found: re.Match[str], which: str) -> int | None:
    """Minutes of the day; None where there is no such time."""
    hour, minute = int(found[which]), int(found[f"{which}_minute"] or 0)
    half = (found[f"{which}_half"] or "")[:1].lower()
    if minute > 59 or hour > 24 or (half and not 1 <= hour <= 12):
        return None
    return ((hour % 12 + (12 if half == "p" else 0)) if half else hour) * 60 + minute
