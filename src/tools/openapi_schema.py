"""Schemas of an OpenAPI document (3.0 or 3.1) as JSON Schema of their own, without references into the document.

Shared schemas are written out where they are used; one that contains itself, or whatever is left once a schema has
grown large, is kept once under ``$defs``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from tools.http_assembly import NotImportableError

_MOST_WRITTEN_OUT: Final = 600
"""Schema objects; from then on references stay references."""
_MOST_NODES: Final = 6_000
_DEEPEST: Final = 40
_LONGEST_DESCRIPTION: Final = 600
_PLAIN: Final = (
    "type", "format", "enum", "const", "default", "title", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems",
    "minProperties", "maxProperties",
)  # fmt: skip
_BELOW: Final = ("items", "not", "additionalProperties", "contains", "propertyNames")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")


def at_pointer(document: Any, reference: str) -> Any:
    """What a reference ``#/…`` names. Raises NotImportableError."""
    if not reference.startswith("#"):
        raise NotImportableError(f"{reference} refers to another document: bundle them into one first")
    found = document
    for step in reference[1:].split("/")[1:]:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, Mapping) and key in found:
            found = found[key]
        else:
            raise NotImportableError(f"{reference} leads nowhere")
    return found


def dereferenced(document: Any, node: Any) -> Mapping[str, Any]:
    """A parameter, body, path or response that may be a reference, with what stands beside the reference."""
    seen: set[str] = set()
    while isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
        reference = node["$ref"]
        if reference in seen:
            raise NotImportableError(f"{reference} refers to itself")
        seen.add(reference)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        found = at_pointer(document, reference)
        node = {**found, **beside} if isinstance(found, Mapping) else found
    if not isinstance(node, Mapping):
        raise NotImportableError(f"an object was expected, not {str(node)[:40]!r}")
    return node


class Schemas:
    """Converts the schemas of one operation; ``definitions`` gathers what they still refer to."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self.definitions: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self._nodes = 0

    def convert(self, node: Any, stack: tuple[str, ...] = ()) -> dict[str, Any]:
        """The schema as JSON Schema 2020-12. Raises NotImportableError."""
        self._nodes += 1
        if self._nodes > _MOST_NODES or len(stack) > _DEEPEST:
            raise NotImportableError("its schema is too large for a function that a model or a customer fills in")
        if isinstance(node, bool):
            return {} if node else {"not": {}}
        if not isinstance(node, Mapping):
            raise NotImportableError(f"a schema was expected, not {str(node)[:40]!r}")
        if isinstance(node.get("$ref"), str):
            return self._referred(node, stack)
        found: dict[str, Any] = {key: node[key] for key in _PLAIN if key in node}
        found |= {key: value for key, value in node.items() if str(key).startswith("x-atende-")}
        if isinstance(node.get("description"), str):
            found["description"] = " ".join(node["description"].split())[:_LONGEST_DESCRIPTION]
        self._add_properties(found, node, (*stack, ""))
        for key in _BELOW:
            if isinstance(node.get(key), Mapping | bool):
                is_plain = isinstance(node[key], bool)
                found[key] = node[key] if is_plain else self.convert(node[key], (*stack, ""))
        for key in _LISTS:
            if isinstance(node.get(key), list):
                found[key] = [self.convert(one, (*stack, "")) for one in node[key]]
        return _merged(_modern(found, node))

    def _add_properties(self, found: dict[str, Any], node: Mapping[str, Any], stack: tuple[str, ...]) -> None:
        if not isinstance(node.get("properties"), Mapping):
            if isinstance(node.get("required"), list):
                found["required"] = [str(name) for name in node["required"]]
            return
        found.setdefault("type", "object")
        kept = {
            str(name): declared
            for name, declared in node["properties"].items()
            # What only answers hold is not asked for.
            if not (isinstance(declared, Mapping) and self._read_only(declared))
        }
        found["properties"] = {name: self.convert(declared, stack) for name, declared in kept.items()}
        left_out = set(map(str, node["properties"])) - set(kept)
        found["required"] = [str(name) for name in _list(node.get("required")) if str(name) not in left_out]

    def _read_only(self, declared: Mapping[str, Any]) -> bool:
        if declared.get("readOnly") is True:
            return True
        reference = declared.get("$ref")
        return isinstance(reference, str) and dereferenced(self._document, declared).get("readOnly") is True

    def _referred(self, node: Mapping[str, Any], stack: tuple[str, ...]) -> dict[str, Any]:
        reference = node["$ref"]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        if reference in stack or reference in self._names or self._nodes > _MOST_WRITTEN_OUT:
            name = self._define(reference)
            return {"$ref": f"#/$defs/{name}", **{k: v for k, v in beside.items() if k == "description"}}
        found = self.convert(at_pointer(self._document, reference), (*stack, reference))
        if not beside:
            return found
        return _merged({"allOf": [found, self.convert(beside, (*stack, ""))]})

    def _define(self, reference: str) -> str:
        if reference not in self._names:
            plain = re.sub(r"\W+", "_", reference.rpartition("/")[2]) or "schema"
            taken = set(self._names.values())
            name = next(n for n in (plain, *(f"{plain}_{i}" for i in range(2, 9_999))) if n not in taken)
            self._names[reference] = name
            self.definitions[name] = self.convert(at_pointer(self._document, reference), (reference,))
        return self._names[reference]


def _modern(found: dict[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0's spellings as JSON Schema has them now."""
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(found.get(exclusive), bool) and found.pop(exclusive) and bound in found:
            found[exclusive] = found.pop(bound)
    if node.get("nullable") is True and "type" in found:
        found["type"] = [*_list(found["type"]), "null"]
        if "enum" in found and None not in found["enum"]:
            found["enum"] = [*found["enum"], None]
    if found.get("format") == "binary" or node.get("contentMediaType"):
        raise NotImportableError("it takes a file, which a conversation cannot give")
    if "type" not in found and "enum" not in found and "items" in found:
        found["type"] = "array"
    return found


def _merged(found: dict[str, Any]) -> dict[str, Any]:
    """``allOf`` of plain objects as one object, and a choice of one as that one."""
    for key in ("oneOf", "anyOf"):
        if len(found.get(key, ())) == 1:
            found.setdefault("allOf", [])
            found["allOf"] = [*found["allOf"], *found.pop(key)]
    branches = found.get("allOf")
    if not branches:
        found.pop("allOf", None)
        return found
    if any(set(branch) & {"$ref", "oneOf", "anyOf", "allOf", "not"} for branch in branches):
        return found
    whole: dict[str, Any] = {}
    for branch in (*branches, {key: value for key, value in found.items() if key != "allOf"}):
        for key, value in branch.items():
            if key == "properties":
                before = whole.get(key, {})
                whole[key] = {**before, **{n: _both(before.get(n), one) for n, one in value.items()}}
            elif key == "required":
                whole[key] = list(dict.fromkeys([*whole.get(key, ()), *value]))
            elif key == "enum" and key in whole:
                whole[key] = [one for one in whole[key] if one in value]
            elif key != "additionalProperties" or value is not False:
                whole[key] = value
    return whole


def _both(before: Any, now: Any) -> Any:
    """A property that two branches declare: the later one says more, or contradicts."""
    return {**before, **now} if isinstance(before, Mapping) and isinstance(now, Mapping) else now


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
