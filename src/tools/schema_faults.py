"""What is wrong with arguments, place by place, for people who filled in a form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError
from referencing.exceptions import Unresolvable

from tools.schema import MOST_CHARACTERS, errors_of, texts_of


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """One fault. ``rule``: the keyword of JSON Schema that is broken; ``expected``: that keyword's value."""

    path: tuple[str, ...]
    rule: str
    expected: Any


def faults_of(schema: Mapping[str, Any], given: Mapping[str, Any]) -> list[SchemaFault]:
    """All that is wrong with coerced arguments (tools.schema.coerced); none: they conform."""
    try:
        found = [fault for error in errors_of(schema, given) for fault in _faults(error)]
    except Unresolvable as unresolved:
        return [SchemaFault((), "$ref", unresolved.ref)]
    if any(len(text) > MOST_CHARACTERS for text in texts_of(given)):
        found.append(SchemaFault((), "maxLength", MOST_CHARACTERS))
    return list({(fault.path, fault.rule): fault for fault in found}.values())


def _faults(error: ValidationError) -> Iterator[SchemaFault]:
    path = tuple(str(part) for part in error.absolute_path)
    if error.validator != "required" or not isinstance(error.instance, Mapping):
        yield SchemaFault(path, str(error.validator), error.validator_value)
        return
    needed: Any = error.validator_value
    for name in needed:
        if name not in error.instance:
            yield SchemaFault((*path, str(name)), "required", True)
