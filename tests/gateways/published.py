"""The operations of a published API, written briefly: what a request's path, parameters and body may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = Any
"""A type; a tuple of allowed values; a dictionary (an object whose keys end with "!" where they are required, and that
has no others); a list of one shape (an array); AnyOf; ANYTHING."""

ANYTHING = object()
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of several shapes."""

    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One published request. ``form`` names the fields of a multipart body, ``files`` those that are files."""

    body: Shape = None
    query: Mapping[str, type] = field(default_factory=dict)
    required_query: frozenset[str] = frozenset()
    form: Mapping[str, Shape] | None = None
    files: frozenset[str] = frozenset()


def schema_of(shape: Shape) -> dict[str, Any]:
    """The JSON Schema of a shape (see tests.gateways.shapes)."""
    if shape is ANYTHING:
        return {}
    if isinstance(shape, AnyOf):
        return {"anyOf": [schema_of(each) for each in shape.shapes]}
    if isinstance(shape, tuple):
        return {"enum": list(shape)}
    if isinstance(shape, list):
        return {"type": "array", "items": schema_of(shape[0])}
    if isinstance(shape, Mapping):
        return {
            "type": "object",
            "properties": {name.removesuffix("!"): schema_of(inner) for name, inner in shape.items()},
            "required": [name[:-1] for name in shape if name.endswith("!")],
            "additionalProperties": False,
        }
    return {"type": _TYPES[shape]}


class Operations:
    """Finds the operation of a request among ``"METHOD /path/{step}"``."""

    def __init__(self, published: Mapping[str, Operation]) -> None:
        self._published = [(self._pattern(name), name, operation) for name, operation in published.items()]

    @staticmethod
    def _pattern(name: str) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)\}", name)
        return re.compile("".join(f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts)))

    def find(self, method: str, path: str) -> tuple[str, Operation, dict[str, str]] | None:
        """Its published name, the operation and the path's steps. Of several, that with the fewest steps."""
        tried = ((pattern.fullmatch(f"{method} {path}"), name, found) for pattern, name, found in self._published)
        matching = [(match.groupdict(), name, found) for match, name, found in tried if match]
        if not matching:
            return None
        steps, name, operation = min(matching, key=lambda each: len(each[0]))
        return name, operation, steps
