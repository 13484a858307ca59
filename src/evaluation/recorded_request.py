"""A request as it is recorded: compared with others, so that a miss can say what differs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_SHOWN: Final = 90
_CANDIDATES: Final = 40
"""Recordings that are compared in detail: those that share most with the request."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The recording most like a request. ``field``: where the two first differ; ``difference``: how, shortly."""

    key: str
    field: str
    difference: str

    def told(self) -> str:
        """For a person."""
        return f"the nearest recording, {self.key}, differs in {self.field}: {self.difference}"


def nearest(request: Mapping[str, Any], others: Iterable[tuple[str, Mapping[str, Any]]]) -> Nearest | None:
    """Which of the recorded requests is most like this one, and what differs."""
    own = _leaves(request)
    scored = [(len(own.items() & (theirs := _leaves(other)).items()), key, theirs) for key, other in others]
    if not scored:
        return None
    scored.sort(key=lambda one: (-one[0], one[1]))
    _, key, theirs = max(
        scored[:_CANDIDATES],
        key=lambda one: sum(_likeness(own.get(place, ""), one[2].get(place, "")) for place in own.keys() | one[2]),
    )
    places = [place for place in [*own, *theirs] if own.get(place) != theirs.get(place)]
    field = places[0] if places else "nothing"
    more = f" (and {len(set(places)) - 1} more fields)" if len(set(places)) > 1 else ""
    return Nearest(key, field, f"{_difference(theirs.get(field), own.get(field))}{more}")


def _leaves(value: Any, place: str = "") -> dict[str, str]:
    match value:
        case Mapping() if place.startswith("tools"):
            function = value.get("function") or {}
            return {f"tools.{function.get('name', place)}": json.dumps(value, sort_keys=True, ensure_ascii=False)}
        case Mapping():
            return {
                k: v for name, item in value.items() for k, v in _leaves(item, f"{place}.{name}".lstrip(".")).items()
            }
        case list() | tuple():
            return {k: v for index, item in enumerate(value) for k, v in _leaves(item, f"{place}[{index}]").items()}
        case _:
            return {place: value if isinstance(value, str) else json.dumps(value)}


def _likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0
    return difflib.SequenceMatcher(None, one[:400], other[:400], autojunk=False).quick_ratio()


def _difference(recorded: str | None, asked: str | None) -> str:
    if recorded is None or asked is None:
        return f"recorded {_short(recorded)}, asked {_short(asked)}"
    before, after = recorded.split("\n"), asked.split("\n")
    for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            old, new = "\n".join(before[a:b]), "\n".join(after[c:d])
            start = next((i for i, (x, y) in enumerate(zip(old, new, strict=False)) if x != y), 0)
            at = max(0, start - 20)
            line = f" (line {c + 1})" if len(after) > 1 else ""
            return f"recorded {_short(old[at:])}, asked {_short(new[at:])}{line}"
    return "nothing"


def _short(text: str | None) -> str:
    if text is None:
        return "nothing there"
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= _SHOWN else flat[:_SHOWN] + "…")
