"""How what was found compares with what was labelled; the rules stand in README.md beside this file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.personal_data import Found, Kind, find

FOLDER = Path(__file__).parent
_SLACK = 20
"""Characters that a reported address may have beyond the labelled one."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled piece at its place."""

    kind: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled text."""

    id: str
    language: str
    text: str
    entities: tuple[Labelled, ...]


@dataclass(slots=True)
class Score:
    """Counts by kind. ``masked`` counts labelled pieces of which nothing stays readable."""

    found: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    labelled: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)
    texts: int = 0

    def figures(self) -> dict[str, dict[str, Any]]:
        """Precision, recall and masked share by kind, and ``all`` together; None where nothing was to be counted."""
        kinds = [kind.value for kind in Kind if self.labelled[kind] or self.reported[kind]]
        rows = {kind: self._row([kind]) for kind in kinds}
        return {**rows, "all": self._row(kinds)}

    def _row(self, kinds: Sequence[str]) -> dict[str, Any]:
        found, reported, labelled, masked = (
            sum(counts[kind] for kind in kinds) for counts in (self.found, self.reported, self.labelled, self.masked)
        )
        return {
            "labelled": labelled,
            "reported": reported,
            "precision": found / reported if reported else None,
            "recall": found / labelled if labelled else None,
            "masked": masked / labelled if labelled else None,
        }


def load(path: Path) -> list[Case]:
    """Read a split. Raises ValueError, with the line, for a label that does not stand in its text."""
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        row = json.loads(line)
        place, entities = 0, []
        for entity in row["entities"]:
            start = row["text"].find(entity["text"], place)
            if start < 0:
                raise ValueError(f"{path.name}:{number}: {entity['kind']} does not stand in the text at its turn")
            place = start + len(entity["text"])
            entities.append(Labelled(Kind(entity["kind"]), start, place, entity["text"]))
        cases.append(Case(row["id"], row["language"], row["text"], tuple(entities)))
    return cases


def score(cases: Iterable[Case]) -> Score:
    """Run the detector over all texts."""
    result = Score()
    for case in cases:
        result.texts += 1
        reported = find(case.text)
        left = list(reported)
        for entity in case.entities:
            result.labelled[entity.kind] += 1
            result.masked[entity.kind] += _is_covered(case.text, entity, reported)
            match = next((found for found in left if _is_same(entity, found)), None)
            if match is None:
                result.misses.append(f"{case.id} missed {entity.kind} {entity.text!r} in {case.text!r}")
            else:
                left.remove(match)
                result.found[entity.kind] += 1
        for found in reported:
            result.reported[found.kind] += 1
        result.misses += [f"{case.id} false alarm {found.kind} {found.text!r} in {case.text!r}" for found in left]
    return result


def _is_same(entity: Labelled, found: Found) -> bool:
    if entity.kind != found.kind or entity.end <= found.start or found.end <= entity.start:
        return False
    if entity.kind == Kind.ADDRESS:
        covers = found.start <= entity.start and found.end >= entity.end
        return covers and len(found.text) <= len(entity.text) + _SLACK
    return _bare(entity.text) == _bare(found.text)


def _bare(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _is_covered(text: str, entity: Labelled, reported: Sequence[Found]) -> bool:
    return all(
        any(found.start <= place < found.end for found in reported)
        for place in range(entity.start, entity.end)
        if text[place].isalnum()
    )
