"""What tests of the runner share: a tiny tenant, suites written on the spot, and a run without what differs in time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from agent.encoder import Encoder, default_encoder
from evaluation.lineup import Lineup, ModelTerms, Wanted, line_up
from evaluation.results import Run
from evaluation.suites import find_suites

TINY: Final = Path(__file__).parent / "tiny"
_OF_TIME: Final = frozenset({"seconds", "latency_ms", "stages_ms", "duration_ms", "started_at", "machine"})


def suite(folder: Path, cases: Sequence[dict[str, Any]], *, name: str = "tiny", **header: Any) -> Path:
    """A suite of the tiny tenant, as a JSONL file."""
    file = folder / f"{name}.eval.jsonl"
    lines = [{"suite": name, "tenant": str(TINY), "language": "pt", **header}, *cases]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def ready(file: Path, terms: ModelTerms | None = None, *, encoder: Encoder | None = None) -> Lineup:
    """The suite, with what it is played under."""
    return line_up(find_suites([str(file)]), Wanted(), encoder or default_encoder(), terms or ModelTerms())


def timeless(run: Run | dict[str, Any]) -> Any:
    """The document without what is never twice the same."""
    return _without(run.as_document() if isinstance(run, Run) else run)


def _without(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without(item) for key, item in value.items() if key not in _OF_TIME}
        case list() | tuple():
            return [_without(item) for item in value]
        case _:
            return value


def unlike(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two documents differ by more than the last digits of a figure, which hang on what was encoded with it."""
    match one, other:
        case dict(), dict() if one.keys() == other.keys():
            return [found for key in one for found in unlike(one[key], other[key], f"{place}.{key}")]
        case (list(), list()) | (tuple(), tuple()) if len(one) == len(other):
            pairs = enumerate(zip(one, other, strict=True))
            return [found for n, (left, right) in pairs for found in unlike(left, right, f"{place}[{n}]")]
        case float(), float() if abs(one - other) < 1e-3:
            return []
    return [] if one == other else [f"{place}: {one!r} != {other!r}"]
