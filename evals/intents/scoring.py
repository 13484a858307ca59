"""Reading the hard set's files, asking a classifier, and the figures of what came of it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from agent.classifier import Classification
from agent.intent_figures import auroc, calibration_error

FOLDER: Final = Path(__file__).parent
_KINDS_BY_WISHES: Final = ("out_of_scope", "one_wish", "multiple")


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled message. ``intents``: those asked for, in reading order; none: out of scope."""

    id: str
    language: str
    kind: str
    text: str
    intents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a classifier made of a case: of the whole message, and of each wish that it was split into."""

    case: Case
    whole: Classification
    served: tuple[str, ...]
    """The intents that reach the threshold."""

    @property
    def right(self) -> bool:
        """Whether the likeliest intent is the one asked for."""
        return len(self.case.intents) == 1 and self.whole.intent == self.case.intents[0]

    @property
    def wrong(self) -> bool:
        """Whether something would be served that was not asked for."""
        return not set(self.served) <= set(self.case.intents)


def load(path: Path) -> list[Case]:
    """The cases of a file. Those without a kind are called by the number of their wishes."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    return [
        Case(
            row.get("id", str(number)),
            row["language"],
            row.get("kind") or _KINDS_BY_WISHES[min(2, len(row["intents"]))],
            row["text"],
            tuple(row["intents"]),
        )
        for number, row in enumerate(rows, start=1)
    ]


def figures(asked: Sequence[Asked]) -> dict[str, Any]:
    """All figures of a split, as fractions of 1; None where no message counts."""
    single = [one for one in asked if len(one.case.intents) == 1]
    several = [one for one in asked if len(one.case.intents) > 1]
    outside = [one for one in asked if not one.case.intents]
    found: dict[str, Any] = {
        "messages": len(asked),
        **_of_single(single),
        "wrong": _share(asked, lambda one: one.wrong),
    }
    if outside and single:
        found["auroc"] = auroc([one.whole.out_of_scope for one in single], [one.whole.out_of_scope for one in outside])
        found["out_of_scope_served"] = _share(outside, lambda one: bool(one.served))
    alone = single + outside
    if alone:
        found["ece"] = calibration_error(
            np.array([one.whole.confidence for one in alone]), np.array([one.right for one in alone])
        )
    if several:
        found["both_found"] = _share(several, lambda one: set(one.served) == set(one.case.intents))
        found["one_found"] = _share(several, lambda one: bool(one.served) and not one.wrong)
    for group, key in (("kinds", "kind"), ("languages", "language")):
        parts: Mapping[str, list[Asked]] = _grouped(single, key)
        found[group] = {name: {"messages": len(part), **_of_single(part)} for name, part in sorted(parts.items())}
    return found


def _of_single(single: Sequence[Asked]) -> dict[str, float | None]:
    return {
        "accuracy": _share(single, lambda one: one.right),
        "served": _share(single, lambda one: set(one.served) == set(one.case.intents)),
    }


def _share(asked: Sequence[Asked], holds: Any) -> float | None:
    return round(sum(bool(holds(one)) for one in asked) / len(asked), 4) if asked else None


def _grouped(asked: Sequence[Asked], key: str) -> dict[str, list[Asked]]:
    groups: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        groups[getattr(one.case, key)].append(one)
    return groups
