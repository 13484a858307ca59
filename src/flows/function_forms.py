"""Arguments of a business function as a person enters them: which schema asks for them, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.errors import InvalidInputError
from store.functions import FunctionRow
from tools.schema import coerced
from tools.schema_faults import SchemaFault, faults_of

__all__ = ["ArgumentsError", "SchemaFault", "arguments_schema", "checked"]

_NONE: Mapping[str, Any] = {"type": "object", "properties": {}}


class ArgumentsError(InvalidInputError):
    """Arguments that the function cannot take; ``faults`` holds everything that is wrong, each with its place."""

    def __init__(self, faults: Sequence[SchemaFault]) -> None:
        listed = "; ".join(f"{'.'.join(fault.path) or 'arguments'} ({fault.rule})" for fault in faults[:10])
        super().__init__("arguments", f"do not fit: {listed}", hint="Correct them and try again.")
        self.faults = tuple(faults)


def arguments_schema(row: FunctionRow) -> Mapping[str, Any]:
    """JSON Schema of what somebody who runs the function has to give; what the context fills is not in it."""
    own = row.details.get({"http": "schema", "mcp": "arguments"}.get(row.kind, ""))
    found = own if isinstance(own, Mapping) else row.declaration.get("parameters")
    return found if isinstance(found, Mapping) and found.get("type") == "object" else _NONE


def checked(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the function takes them, numbers as numbers. Raises ArgumentsError."""
    given = coerced(schema, values)
    faults = faults_of(schema, given)
    if faults:
        raise ArgumentsError(faults)
    return given
