"""The file that says what a bundle must hold to be released. Every mistake in it names its line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from domain.errors import AtendeError


class GateFileError(AtendeError):
    """The gates cannot be read; ``problems``: line (from 1, 0 for the whole file) and what is wrong there."""

    def __init__(self, path: Path, problems: list[tuple[int, str]]) -> None:
        lines = [f"{path}:{line}: {what}" if line else f"{path}: {what}" for line, what in sorted(problems)]
        super().__init__("\n".join(lines), hint="Correct the file; evals/gates.yaml shows every key.")
        self.path = path
        self.problems = tuple(sorted(problems))


@dataclass(frozen=True, slots=True)
class RegressionGate:
    """``level``: chance of a false alarm; a drop below ``minimal_effect`` is none; ``metrics``: passed, scores."""

    level: float = 0.05
    correction: str = "holm"
    minimal_effect: float = 0.0
    metrics: tuple[str, ...] = ("passed", "scores")


@dataclass(frozen=True, slots=True)
class RateGates:
    """Least shares of cases that pass."""

    overall: float | None = None
    suites: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, float] = field(default_factory=dict)
    languages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CostGate:
    """Most that a case may cost on average, and by which share it may rise against the baseline."""

    mean_micros: float | None = None
    increase: float | None = None


@dataclass(frozen=True, slots=True)
class LatencyGate:
    """Most that 95 % of cases' slowest turns may take, and by which share the mean may rise against the baseline."""

    p95_ms: float | None = None
    increase: float | None = None


@dataclass(frozen=True, slots=True)
class Gates:
    """What is asked of a run. None: not asked. ``path``: where that is written."""

    critical_failures: int | None = None
    regression: RegressionGate | None = None
    pass_rate: RateGates = field(default_factory=RateGates)
    errored_share: float | None = None
    cost: CostGate = field(default_factory=CostGate)
    latency: LatencyGate = field(default_factory=LatencyGate)
    path: str = ""


def load_gates(path: Path) -> Gates:
    """Read a gates file. Raises GateFileError with all its mistakes; OSError when it cannot be read."""
    problems: list[tuple[int, str]] = []
    try:
        root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise GateFileError(path, [(0, "is not UTF-8")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise GateFileError(path, [(mark.line + 1 if mark else 0, f"is not valid YAML: {what}")]) from error
    if not isinstance(root, yaml.MappingNode):
        raise GateFileError(path, [(0, "holds no gates")])
    found = _read(root, _TOP, problems, "")
    if problems:
        raise GateFileError(path, problems)
    return Gates(path=str(path), **found)


_Reader = Callable[[yaml.Node, list[tuple[int, str]], str], Any]


def _read(
    node: yaml.MappingNode, readers: Mapping[str, _Reader], problems: list[tuple[int, str]], where: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in found:
            problems.append((line, f"{where}{key} stands here twice"))
        elif key not in readers:
            near = difflib.get_close_matches(key, readers, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(readers)}"
            problems.append((line, f"unknown key {where}{key}; {hint}"))
        else:
            found[key] = readers[key](value, problems, f"{where}{key}")
    return found


def _number(least: float, most: float = float("inf"), *, whole: bool = False) -> _Reader:
    span = f"from {least:g} to {most:g}" if most != float("inf") else f"of at least {least:g}"

    def read(node: yaml.Node, problems: list[tuple[int, str]], where: str) -> Any:
        value = _plain(node)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or (whole and not isinstance(value, int)) or not least <= value <= most:
            kind = "whole number" if whole else "number"
            problems.append((node.start_mark.line + 1, f"{where} is {value!r}; it must be a {kind} {span}"))
            return least
        return value

    return read


def _one_of(*words: str) -> _Reader:
    def read(node: yaml.Node, problems: list[tuple[int, str]], where: str) -> str:
        value = _plain(node)
        if value not in words:
            problems.append((node.start_mark.line + 1, f"{where} is {value!r}; it must be {' or '.join(words)}"))
        return str(value)

    return read


def _some_of(*words: str) -> _Reader:
    def read(node: yaml.Node, problems: list[tuple[int, str]], where: str) -> tuple[str, ...]:
        values = _plain(node)
        if not isinstance(values, list) or not values or any(one not in words for one in values):
            listed = ", ".join(words)
            problems.append((node.start_mark.line + 1, f"{where} is {values!r}; it must be a list of {listed}"))
            return words
        return tuple(dict.fromkeys(values))

    return read


def _section(made: Callable[..., Any], readers: Mapping[str, _Reader]) -> _Reader:
    def read(node: yaml.Node, problems: list[tuple[int, str]], where: str) -> Any:
        if not isinstance(node, yaml.MappingNode):
            problems.append((node.start_mark.line + 1, f"{where} must hold: {', '.join(readers)}"))
            return made()
        return made(**_read(node, readers, problems, f"{where}."))

    return read


def _each(reader: _Reader) -> _Reader:
    def read(node: yaml.Node, problems: list[tuple[int, str]], where: str) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            problems.append((node.start_mark.line + 1, f"{where} must hold `name: share` lines"))
            return {}
        names = {str(key.value): reader for key, _ in node.value}
        return _read(node, names, problems, f"{where}.")

    return read


def _plain(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


_RATE: Final = _number(0, 1)
_TOP: Final[Mapping[str, _Reader]] = {
    "critical_failures": _number(0, whole=True),
    "regression": _section(
        RegressionGate,
        {
            "level": _number(0.0001, 0.5),
            "correction": _one_of("holm", "none"),
            "minimal_effect": _number(0, 1),
            "metrics": _some_of("passed", "scores"),
        },
    ),
    "pass_rate": _section(
        RateGates, {"overall": _RATE, "suites": _each(_RATE), "tags": _each(_RATE), "languages": _each(_RATE)}
    ),
    "errored_share": _number(0, 1),
    "cost": _section(CostGate, {"mean_micros": _number(0), "increase": _number(0)}),
    "latency": _section(LatencyGate, {"p95_ms": _number(0), "increase": _number(0)}),
}
