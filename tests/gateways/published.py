"""Published shapes of requests, and what is wrong with one. Strict: a field that is not published is wrong too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = Any
"""A type; a tuple of allowed values; a dictionary (an object whose keys end with "!" where they are required); a list
of one shape (an array); AnyOf; ANYTHING."""

ANYTHING = object()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of several shapes."""

    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One published request. ``form`` names the fields of a multipart body, those of ``files`` being bytes."""

    body: Shape = None
    query: Mapping[str, type] = field(default_factory=dict)
    required_query: frozenset[str] = frozenset()
    form: Mapping[str, Shape] | None = None
    files: frozenset[str] = frozenset()


def complaints(value: Any, shape: Shape, where: str = "body") -> list[str]:
    """What is wrong with a value, in words; nothing where it fits."""
    if shape is ANYTHING:
        return []
    if isinstance(shape, AnyOf):
        found = [complaints(value, each, where) for each in shape.shapes]
        return [] if any(not each for each in found) else min(found, key=len)
    if isinstance(shape, tuple):
        return [] if value in shape else [f"{where} is {value!r}, not one of {shape}"]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where} is no array"]
        return [said for i, item in enumerate(value) for said in complaints(item, shape[0], f"{where}[{i}]")]
    if isinstance(shape, dict):
        return _object(value, shape, where)
    kinds = (int, float) if shape is float else (shape,)
    fits = isinstance(value, kinds) and (shape is bool or not isinstance(value, bool))
    return [] if fits else [f"{where} is {type(value).__name__}, not {shape.__name__}"]


def _object(value: Any, shape: Mapping[str, Shape], where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where} is no object"]
    known = {name.rstrip("!"): inner for name, inner in shape.items()}
    found = [f"{where}.{name} is not published" for name in value if name not in known]
    found += [f"{where}.{name[:-1]} is missing" for name in shape if name.endswith("!") and name[:-1] not in value]
    for name, inner in known.items():
        if name in value:
            found += complaints(value[name], inner, f"{where}.{name}")
    return found


class Operations:
    """Finds the operation of a request among ``"METHOD /path/{step}"``."""

    def __init__(self, published: Mapping[str, Operation]) -> None:
        self._published = [(self._pattern(name), name, operation) for name, operation in published.items()]

    @staticmethod
    def _pattern(name: str) -> re.Pattern[str]:
        steps = re.split(r"\{(\w+)\}", name)
        return re.compile("".join(f"(?P<{s}>[^/]+)" if i % 2 else re.escape(s) for i, s in enumerate(steps)))

    def find(self, method: str, path: str) -> tuple[str, Operation, dict[str, str]] | None:
        """Its published name, the operation and the path's steps. Of several, that with the fewest steps."""
        found = [(match, name, operation) for pattern, name, operation in self._published
                 if (match := pattern.fullmatch(f"{method} {path}"))]  # fmt: skip
        if not found:
            return None
        match, name, operation = min(found, key=lambda each: len(each[0].groupdict()))
        return name, operation, match.groupdict()
