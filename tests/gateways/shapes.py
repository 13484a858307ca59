"""A small JSON Schema checker: the words that the gateways' published shapes use, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
_KNOWN = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "pattern", "minLength", "minItems",
    "maxItems", "minimum", "maximum", "anyOf",
}  # fmt: skip


def problems(value: Any, shape: Mapping[str, Any], where: str = "body") -> Iterator[str]:
    """What in ``value`` is not as ``shape`` (a JSON Schema) says."""
    if unknown := shape.keys() - _KNOWN:
        raise ValueError(f"this checker does not know {sorted(unknown)}")
    if "anyOf" in shape and all(list(problems(value, one, where)) for one in shape["anyOf"]):
        yield f"{where}: fits none of the shapes"
    if "type" in shape:
        stated = shape["type"] if isinstance(shape["type"], list) else [shape["type"]]
        is_bool = isinstance(value, bool) and "boolean" not in stated
        if is_bool or not isinstance(value, tuple(kind for name in stated for kind in _TYPES[name])):
            yield f"{where}: {type(value).__name__} is not {shape['type']}"
            return
    if "enum" in shape and value not in shape["enum"]:
        yield f"{where}: {value!r} is none of {shape['enum']}"
    yield from _of_text_or_number(value, shape, where)
    if isinstance(value, list):
        yield from _of_list(value, shape, where)
    if isinstance(value, dict):
        yield from _of_object(value, shape, where)


def _of_text_or_number(value: Any, shape: Mapping[str, Any], where: str) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) < shape.get("minLength", 0):
            yield f"{where}: too short"
        if "pattern" in shape and not re.search(shape["pattern"], value):
            yield f"{where}: {value[:80]!r} does not match {shape['pattern']}"
    elif isinstance(value, int | float) and not shape.get("minimum", value) <= value <= shape.get("maximum", value):
        yield f"{where}: {value} is out of bounds"


def _of_list(value: list[Any], shape: Mapping[str, Any], where: str) -> Iterator[str]:
    if not shape.get("minItems", 0) <= len(value) <= shape.get("maxItems", len(value)):
        yield f"{where}: {len(value)} items"
    for index, item in enumerate(value):
        yield from problems(item, shape.get("items", {}), f"{where}[{index}]")


def _of_object(value: dict[str, Any], shape: Mapping[str, Any], where: str) -> Iterator[str]:
    properties = shape.get("properties", {})
    for name in shape.get("required", ()):
        if name not in value:
            yield f"{where}: {name} is missing"
    if shape.get("additionalProperties") is False:
        for name in value.keys() - properties.keys():
            yield f"{where}: {name} is not known"
    for name, item in value.items():
        yield from problems(item, properties.get(name, {}), f"{where}.{name}")
