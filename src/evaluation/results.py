"""The run document: what came of every case under every bundle. Written by the runner, read by everything after it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from domain.errors import AtendeError

FORMAT: Final = 1
BESIDE: Final = "beside"
"""Mode of a run that only sets what happened (B) beside what a draft would do (A): nobody said which is right."""

Origin = Literal["local", "replayed", "live", "simulated"]
"""Where the language model's words came from; ``local``: no model was asked. Never mixed in one figure."""
Status = Literal["passed", "failed", "errored"]
"""``errored``: nothing was found out about the agent (endpoint down, recording missing, case that cannot be played)."""


class NotARunError(AtendeError):
    """The file holds no run document of this format."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} is no result of an eval run: {problem}.", hint="Write one with: atende eval run --json"
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class BundleRef:
    """A bundle that took part. ``label``: how results name it ("A", "B"); ``parts``: hash of each of its parts."""

    label: str
    hash: str
    description: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation looked at. ``step``: position from 1, or 0 for the case as a whole."""

    name: str
    passed: bool
    step: int = 0
    expected: str = ""
    got: str = ""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case, once, under one bundle. ``steps``: what was said, each turn's decision and trace, what was received."""

    suite: str
    case: str
    bundle: str
    epoch: int
    status: Status
    origin: Origin
    critical: bool = False
    tags: tuple[str, ...] = ()
    language: str = ""
    checks: tuple[Check, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    """Rubrics and other graded expectations, 0 to 1."""
    steps: tuple[Mapping[str, Any], ...] = ()
    error: str = ""
    """What was in the way of an ``errored`` case, and what to do next."""
    seconds: float = 0.0
    latency_ms: float = 0.0
    """Of the slowest turn."""
    cost_micros: int = 0
    """Millionths of the price list's currency unit."""
    model_calls: int = 0
    expected_intent: str | None = None
    intent: str | None = None
    confidence: float | None = None
    source: str = ""
    """File and line where the case is written."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything of one ``atende eval run``. ``started_at``: ISO 8601 with offset."""

    tenant: str
    suites: tuple[str, ...]
    mode: str
    epochs: int
    started_at: str
    seconds: float
    bundles: tuple[BundleRef, ...]
    results: tuple[CaseResult, ...]
    seed: int = 0
    machine: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def compares(self) -> bool:
        """Whether one bundle can be better or worse than the other."""
        return len(self.bundles) > 1 and self.mode != BESIDE

    def of(self, bundle: str) -> Iterator[CaseResult]:
        """The results under one bundle, by its label."""
        return (result for result in self.results if result.bundle == bundle)

    def as_document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """As indented JSON, replacing the file as a whole."""
        whole = path.with_name(path.name + ".part")
        whole.write_text(json.dumps(self.as_document(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        whole.replace(path)

    @classmethod
    def read(cls, path: Path) -> Run:
        """Raises NotARunError; OSError when the file cannot be read."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document.get("format") != FORMAT:
                raise NotARunError(path, f"format {document.get('format')!r} instead of {FORMAT}")
            results = tuple(case_result(one) for one in document.pop("results"))
            bundles = tuple(BundleRef(**one) for one in document.pop("bundles"))
            return cls(**{**document, "suites": tuple(document["suites"]), "bundles": bundles, "results": results})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise NotARunError(path, f"{type(error).__name__}: {error}") from error


def case_result(one: Mapping[str, Any]) -> CaseResult:
    """Back from JSON values. Raises KeyError or TypeError for anything else."""
    return CaseResult(
        **{
            **one,
            "tags": tuple(one["tags"]),
            "checks": tuple(Check(**check) for check in one["checks"]),
            "steps": tuple(one["steps"]),
        }
    )
