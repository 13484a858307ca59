"""Joins the inputs of a described request into one flat schema of arguments, and notes where each value goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast, get_args

from tools.declaration import SERVED_BY_CONTEXT
from tools.http_declaration import Binding, BodyFormat, Part, Place

BIND: Final = "x-atende-bind"
WHOLE_BODY: Final = "body"
_BINDINGS: Final = get_args(Binding)
_LONGEST_NAME: Final = 60


class NotImportableError(ValueError):
    """A described request that cannot become a function; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter outside the body. ``schema`` is JSON Schema with its references resolved."""

    name: str
    place: Place
    schema: Mapping[str, Any]
    required: bool = False
    style: str = ""
    explode: bool | None = None
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Assembled:
    """The arguments' schema, and the parts of the request that they and the context fill."""

    schema: Mapping[str, Any]
    parts: tuple[Part, ...]


def assemble(
    inputs: Sequence[Input],
    body: tuple[BodyFormat, Mapping[str, Any]] | None = None,
    *,
    definitions: Mapping[str, Any] | None = None,
    binds: Mapping[str, str] | None = None,
) -> Assembled:
    """``body``: its format and schema. ``binds``: values of the context by parameter name (``customer.phone`` for what
    lies deeper in the body), beside those that the schemas name themselves. Raises NotImportableError."""
    work = _Assembly(dict(binds or {}))
    for one in inputs:
        work.add(
            one.name,
            one.schema,
            Part(place=one.place, name=one.name, style=one.style, explode=one.explode, as_json=one.as_json),
            required=one.required or one.place == "path",
        )
    if body is not None and body[0] != "none":
        work.add_body(body[1])
    if _mentions_bind(definitions or {}):
        raise NotImportableError(f"{BIND} stands in a schema that contains itself, where its place is not certain")
    if unknown := sorted(set(work.binds) - work.used):
        raise NotImportableError(f"there is no parameter {', '.join(unknown)} to bind")
    schema: dict[str, Any] = {
        "type": "object",
        "properties": work.properties,
        "required": work.required,
        "additionalProperties": False,
    }
    if definitions:
        schema["$defs"] = dict(definitions)
    _refuse_names(schema)
    return Assembled(schema, tuple(work.parts))


@dataclass(slots=True)
class _Assembly:
    binds: dict[str, str]
    properties: dict[str, Any] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def add(self, name: str, schema: Mapping[str, Any], part: Part, *, required: bool) -> None:
        """A value of the request: of the context, fixed, or an argument that the model or the customer gives."""
        if binding := self._binding(name, schema):
            self.parts.append(part.model_copy(update={"bind": binding, "required": required}))
            return
        fixed, value = _fixed(schema)
        if fixed:
            if required:
                self.parts.append(part.model_copy(update={"fixed": value}))
            return
        argument = self._free(name if part.place != "body" or name not in self.properties else f"{name}_in_body")
        self.properties[argument] = {key: value for key, value in schema.items() if key != BIND}
        default = schema.get("default")
        if required and default is None:
            self.required.append(argument)
        update = {"argument": argument, "required": required, "default": default if required else None}
        self.parts.append(part.model_copy(update=update))

    def add_body(self, schema: Mapping[str, Any]) -> None:
        """Its properties become arguments beside the others; a body that is no plain object is one argument."""
        rest, bound = self._without_bound(schema, ())
        if _mentions_bind(rest):
            raise NotImportableError(f"{BIND} stands within a list or a choice, where its place is not certain")
        properties = rest.get("properties", {})
        choices = any(key in rest for key in ("oneOf", "anyOf", "allOf", "$ref"))
        if rest.get("type") == "object" and properties and not choices:
            for name, declared in properties.items():
                part = Part(place="body", name=str(name), path=(str(name),))
                self.add(str(name), declared, part, required=name in rest.get("required", ()))
        elif not bound or choices or rest.get("type") != "object":
            self.add(WHOLE_BODY, rest, Part(place="body", name=WHOLE_BODY), required=True)
        self.parts += bound

    def _without_bound(self, schema: Any, path: tuple[str, ...]) -> tuple[dict[str, Any], list[Part]]:
        """The schema without what the context fills in, and where in the body that goes."""
        kept, bound = dict(schema), list[Part]()
        if not isinstance(schema.get("properties"), Mapping):
            return kept, bound
        required = list(schema.get("required", ()))
        properties = {}
        for name, declared in schema["properties"].items():
            below = (*path, str(name))
            if not isinstance(declared, Mapping):
                properties[name] = declared
            elif binding := self._binding(".".join(below), declared):
                bound.append(Part(place="body", name=below[0], path=below, bind=binding, required=name in required))
            else:
                properties[name], deeper = self._without_bound(declared, below)
                bound += deeper
                if deeper and not properties[name].get("properties"):
                    del properties[name]  # all of it comes from the context
        kept["properties"] = properties
        kept["required"] = [name for name in required if name in properties]
        if bound:
            kept["additionalProperties"] = False
        return kept, bound

    def _binding(self, name: str, schema: Mapping[str, Any]) -> Binding | None:
        stated = schema.get(BIND)
        if name in self.binds:
            self.used.add(name)
            stated = self.binds[name]
        if stated is None:
            return None
        if stated not in _BINDINGS:
            raise NotImportableError(f"{name} is bound to {stated!r}; known are {', '.join(_BINDINGS)}")
        return cast(Binding, stated)

    def _free(self, name: str) -> str:
        """A name that models accept, and that no other argument has."""
        plain = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_]", "_", name)).strip("_")[:_LONGEST_NAME] or "value"
        plain = f"p_{plain}" if plain[0].isdigit() else plain
        found, count = plain, 1
        while found in self.properties:
            count += 1
            found = f"{plain}_{count}"
        return found


def _fixed(schema: Mapping[str, Any]) -> tuple[bool, Any]:
    if "const" in schema:
        return True, schema["const"]
    values = schema.get("enum")
    return (True, values[0]) if isinstance(values, list) and len(values) == 1 else (False, None)


def _refuse_names(schema: Mapping[str, Any]) -> None:
    """Nobody but the context may say which tenant or contact is served."""
    for name in _names(schema):
        plain = re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).lower().removeprefix("x_")
        if plain.strip("_") in SERVED_BY_CONTEXT:
            raise NotImportableError(
                f"{name} would let a model say who is served: bind it to the context "
                f"({BIND}: contact.id in the document, or --bind {name}=contact.id)"
            )


def _names(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("properties"), Mapping):
            yield from map(str, schema["properties"])
        for value in schema.values():
            yield from _names(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from _names(value)


def _mentions_bind(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return BIND in schema or any(_mentions_bind(value) for value in schema.values())
    return isinstance(schema, list | tuple) and any(_mentions_bind(value) for value in schema)
