"""What a language model reads of functions, laid over their declarations: bundles reword it, never what they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from domain.errors import NotFoundError
from tools.declaration import BusinessFunction


class DescribedFunction(BaseModel):
    """The wording of one function. ``parameters``: descriptions by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = ""
    parameters: dict[str, str] = Field(default_factory=dict)


def described(
    functions: Mapping[str, BusinessFunction], wording: Mapping[str, DescribedFunction], *, strict: bool = True
) -> dict[str, BusinessFunction]:
    """The functions in these words. ``strict``: raise NotFoundError for one, or a parameter, that is not there."""
    found = dict(functions)
    for name, words in wording.items():
        if name in found:
            found[name] = _described(found[name], words, strict=strict)
        elif strict:
            raise NotFoundError("function", name)
    return found


def wording_of(schema: Mapping[str, Any]) -> DescribedFunction:
    """The wording within a function's entry for a model (``BusinessFunction.json_schema()["function"]``)."""
    properties = (schema.get("parameters") or {}).get("properties") or {}
    said = {name: str(one.get("description") or "") for name, one in properties.items() if isinstance(one, Mapping)}
    return DescribedFunction(description=str(schema.get("description") or ""), parameters=said)


def _described(function: BusinessFunction, words: DescribedFunction, *, strict: bool) -> BusinessFunction:
    known = {parameter.name for parameter in function.parameters}
    if strict and (gone := sorted(words.parameters.keys() - known)):
        raise NotFoundError(f"parameter of {function.name}", gone[0])
    said = {name: text for name, text in words.parameters.items() if text}
    parameters = tuple(
        replace(one, description=said[one.name], schema=_worded(one.schema, said[one.name]))
        if one.name in said
        else one
        for one in function.parameters
    )
    schema = function.schema
    if schema is not None:
        properties = {
            name: {**one, "description": said[name]} if name in said else one
            for name, one in (schema.get("properties") or {}).items()
        }
        schema = {**schema, "properties": properties}
    return replace(
        function, description=words.description or function.description, parameters=parameters, schema=schema
    )


def _worded(schema: Mapping[str, Any] | None, text: str) -> Mapping[str, Any] | None:
    return None if schema is None else {**schema, "description": text}
