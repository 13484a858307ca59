"""Forms made from a JSON Schema of arguments: fields to show, and what was entered turned into checked arguments.

A page shows ``fields_of(schema)`` with the macro ``schema_fields`` of ``schema_form.html`` and reads the posted form
with ``arguments_of``; ``FormError.fields`` is the same form with what was entered and a sentence at each fault. What
has no fields of its own (a list of objects, a choice between objects) is entered as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

from domain.errors import InvalidInputError
from flows.function_forms import ArgumentsError, SchemaFault, checked
from web.i18n import N_

FieldKind = Literal["text", "long_text", "number", "date", "time", "moment", "email", "phone", "choice", "choices"]
Kind = FieldKind | Literal["lines", "json", "group"]
PREFIX: Final = "arg"
"""What the names of all fields begin with, so that a form may hold others."""
_DEEPEST: Final = 3
_LONG: Final = 120
_FORMATS: Final[Mapping[str, Kind]] = {
    "date": "date",
    "time": "time",
    "date-time": "moment",
    "email": "email",
    "idn-email": "email",
    "phone": "phone",
}
_SENTENCES: Final[Mapping[str, str]] = {
    "required": N_("This is needed."),
    "json": N_("This is not valid JSON (line %(expected)s)."),
    "type": N_("This has another form than expected."),
    "integer": N_("Enter a whole number."),
    "number": N_("Enter a number, such as 12.5."),
    "boolean": N_("Choose yes or no."),
    "array": N_("Enter a list."),
    "object": N_("Enter a JSON object, such as {}."),
    "enum": N_("Choose one of the values offered."),
    "const": N_("Only one value is allowed here: %(expected)s."),
    "pattern": N_("This is not in the expected form (%(expected)s)."),
    "format": N_("This is not a valid value of the kind %(expected)s."),
    "minimum": N_("The least is %(expected)s."),
    "exclusiveMinimum": N_("It must be more than %(expected)s."),
    "maximum": N_("The most is %(expected)s."),
    "exclusiveMaximum": N_("It must be less than %(expected)s."),
    "multipleOf": N_("It must be a multiple of %(expected)s."),
    "minLength": N_("Too short: at least %(expected)s characters."),
    "maxLength": N_("Too long: at most %(expected)s characters."),
    "minItems": N_("Too few: at least %(expected)s."),
    "maxItems": N_("Too many: at most %(expected)s."),
    "uniqueItems": N_("The same value stands here twice."),
    "additionalProperties": N_("There is something here that the function does not know."),
}
_OTHERWISE: Final = N_("The function does not take this (%(expected)s).")


@dataclass(frozen=True, slots=True)
class Option:
    """A value to choose: ``value`` is its JSON text, which the form posts. ``words``: how it is shown."""

    value: str
    words: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field, or a group of them. ``path``: where its value stands in the arguments."""

    path: tuple[str, ...]
    label: str
    kind: Kind
    required: bool = False
    description: str = ""
    options: tuple[Option, ...] = ()
    fields: tuple[Field, ...] = ()
    value: str = ""
    chosen: frozenset[str] = frozenset()
    limits: tuple[tuple[str, str], ...] = ()
    """HTML attributes: min, max, step, maxlength, placeholder."""
    problem: str = ""
    """A sentence to translate, with ``expected`` in it."""
    expected: str = ""

    @property
    def name(self) -> str:
        """The name under which the form posts it; a JSON pointer, so that any property's name may stand in it."""
        return "/".join((PREFIX, *(part.replace("~", "~0").replace("/", "~1") for part in self.path)))

    @property
    def html_id(self) -> str:
        """An id for the page; no part of a property's name can break it."""
        return self.name.encode().hex()

    @property
    def attributes(self) -> dict[str, str]:
        """HTML attributes of its input."""
        found = dict(self.limits)
        if self.kind == "moment":
            found.setdefault("placeholder", "2026-05-31T14:00:00Z")
        if self.required:
            found["required"] = ""
        parts = [part for part, there in (("help", self.description), ("problem", self.problem)) if there]
        if parts:
            found["aria-describedby"] = " ".join(f"{self.html_id}-{part}" for part in parts)
        if self.problem:
            found["aria-invalid"] = "true"
        return found


class Posted(Protocol):
    """A posted form."""

    def get(self, key: str, /) -> Any: ...

    def getlist(self, key: str, /) -> Sequence[Any]: ...


class FormError(InvalidInputError):
    """What was entered cannot be taken. ``fields``: the form with it, and a sentence at each fault; ``problems``: those
    that belong to no field, as (sentence to translate, what was expected)."""

    def __init__(self, fields: tuple[Field, ...], problems: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__("arguments", "cannot be taken as they are", hint="Look at the marked fields.")
        self.fields = fields
        self.problems = tuple(problems)


def fields_of(schema: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> tuple[Field, ...]:
    """The form's fields, required ones first; filled with ``values`` (arguments), else with the schema's defaults."""
    return _Form(schema).fields(values)


def arguments_of(schema: Mapping[str, Any], posted: Posted) -> dict[str, Any]:
    """What was entered, as arguments that the schema admits; empty fields are left out. Raises FormError."""
    shown = tuple(_entered(field, posted) for field in fields_of(schema))
    unreadable: list[SchemaFault] = []
    values = _values(shown, unreadable)
    if unreadable:
        raise FormError(*_marked(shown, unreadable))
    try:
        return checked(schema, values)
    except ArgumentsError as error:
        raise FormError(*_marked(shown, error.faults)) from None


class _Form:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema

    def fields(self, values: Mapping[str, Any] | None) -> tuple[Field, ...]:
        return self._group((), self._root, values, (True, 0))

    def _group(
        self, path: tuple[str, ...], declared: Mapping[str, Any], values: Mapping[str, Any] | None, at: tuple[bool, int]
    ) -> tuple[Field, ...]:
        needed, depth = at  # within an optional group nothing is needed as long as all of it is empty
        required = {str(name) for name in _listed(declared.get("required"))}
        found = [
            self._field(
                (*path, str(name)), self._resolved(one), (values or {}).get(name), (needed and name in required, depth)
            )
            for name, one in _mapping(declared.get("properties")).items()
        ]
        return tuple(sorted(found, key=lambda field: not field.required))

    def _field(self, path: tuple[str, ...], declared: Mapping[str, Any], value: Any, place: tuple[bool, int]) -> Field:
        required, depth = place
        given = declared.get("default") if value is None else value
        kind, options = self._kind(declared, depth)
        field = Field(
            path=path,
            label=str(declared.get("title") or path[-1]),
            kind=kind,
            required=required and "default" not in declared,
            description=str(declared.get("description") or ""),
            options=options,
            limits=_limits(declared, kind),
        )
        if kind == "group":
            inner = given if isinstance(given, Mapping) else None
            return replace(field, fields=self._group(path, declared, inner, (required, depth + 1)))
        if given is None:
            return field
        if kind == "choice":
            return replace(field, value=_json(given))
        if kind == "choices":
            return replace(field, chosen=frozenset(_json(one) for one in _listed(given)))
        if kind == "lines":
            return replace(field, value="\n".join(map(str, _listed(given))))
        text = given if isinstance(given, str) and kind != "json" else json.dumps(given, ensure_ascii=False, indent=2)
        return replace(field, value=text)

    def _kind(self, declared: Mapping[str, Any], depth: int) -> tuple[Kind, tuple[Option, ...]]:
        types = set(_listed(declared.get("type"))) - {"null"}
        if "const" in declared:
            return "choice", (_option(declared["const"]),)
        if values := [value for value in _listed(declared.get("enum")) if value is not None]:
            return "choice", tuple(map(_option, values))
        if types == {"boolean"}:
            return "choice", (Option("true", N_("Yes")), Option("false", N_("No")))
        if types and types <= {"integer", "number"}:
            return "number", ()
        if types == {"array"}:
            item = self._resolved(declared.get("items"))
            if choices := _listed(item.get("enum")):
                return "choices", tuple(map(_option, choices))
            inner = set(_listed(item.get("type")))
            return ("lines" if inner and inner <= {"string", "integer", "number"} else "json"), ()
        if types == {"object"} or (not types and "properties" in declared):
            simple = declared.get("properties") and depth < _DEEPEST and not declared.get("additionalProperties")
            return ("group" if simple else "json"), ()
        if types != {"string"}:
            return ("text" if "string" in types and not types & {"array", "object"} else "json"), ()
        if kind := _FORMATS.get(str(declared.get("format"))):
            return kind, ()
        longest = declared.get("maxLength")
        return ("long_text" if isinstance(longest, int) and longest > _LONG else "text"), ()

    def _resolved(self, declared: Any) -> Mapping[str, Any]:
        """The schema behind references and behind a choice between one thing and nothing."""
        seen: set[str] = set()
        found = _mapping(declared)
        while isinstance(found.get("$ref"), str) and found["$ref"] not in seen:
            seen.add(found["$ref"])
            behind = _mapping(self._root.get("$defs")).get(found["$ref"].removeprefix("#/$defs/"))
            found = {**_mapping(behind), **{key: value for key, value in found.items() if key != "$ref"}}
        for key in ("anyOf", "oneOf"):
            branches = [_mapping(one) for one in _listed(found.get(key))]
            said = [one for one in branches if one.get("type") != "null"]
            if len(said) == 1 and len(branches) == 2:
                return {**self._resolved(said[0]), **{name: value for name, value in found.items() if name != key}}
        return found


def _entered(field: Field, posted: Posted) -> Field:
    if field.kind == "group":
        return replace(field, fields=tuple(_entered(one, posted) for one in field.fields))
    if field.kind == "choices":
        return replace(field, chosen=frozenset(map(str, posted.getlist(field.name))))
    return replace(field, value=str(posted.get(field.name) or "").replace("\r\n", "\n"))


def _values(fields: Sequence[Field], unreadable: list[SchemaFault]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields:
        name = field.path[-1]
        if field.kind == "group":
            inner = _values(field.fields, unreadable)
            if inner or field.required:
                found[name] = inner
        elif field.kind == "choices":
            if field.chosen or field.required:
                found[name] = [json.loads(option.value) for option in field.options if option.value in field.chosen]
        elif field.value.strip():
            found[name] = _value(field, unreadable)
    return found


def _value(field: Field, unreadable: list[SchemaFault]) -> Any:
    text = field.value.strip()
    if field.kind == "choice":
        offered = {option.value: option for option in field.options}
        return json.loads(text) if text in offered else text
    if field.kind == "lines":
        return [line.strip() for line in text.split("\n") if line.strip()]
    if field.kind == "number":
        # A comma is how most of our people write a fraction.
        return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    if field.kind == "json":
        try:
            return json.loads(text)
        except ValueError as error:
            line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
            unreadable.append(SchemaFault(field.path, "json", line))
            return None
    return text


def _marked(
    fields: Sequence[Field], faults: Sequence[SchemaFault]
) -> tuple[tuple[Field, ...], tuple[tuple[str, str], ...]]:
    """The fields with their faults, and the faults that no field shows."""
    places = _paths(fields)
    homes: dict[tuple[str, ...], SchemaFault] = {}
    homeless: list[tuple[str, str]] = []
    for fault in faults:
        path = fault.path
        while path and path not in places:
            path = path[:-1]  # within a field of JSON or lines: shown at that field
        if path:
            homes.setdefault(path, fault)
        else:
            homeless.append(_sentence(fault))
    return tuple(_with(field, homes) for field in fields), tuple(dict.fromkeys(homeless))


def _paths(fields: Sequence[Field]) -> set[tuple[str, ...]]:
    return {path for field in fields for path in (field.path, *_paths(field.fields))}


def _with(field: Field, homes: Mapping[tuple[str, ...], SchemaFault]) -> Field:
    shown = replace(field, fields=tuple(_with(one, homes) for one in field.fields))
    if field.path not in homes:
        return shown
    problem, expected = _sentence(homes[field.path])
    return replace(shown, problem=problem, expected=expected)


def _sentence(fault: SchemaFault) -> tuple[str, str]:
    rule = fault.rule
    if rule == "type":
        named = [one for one in _listed(fault.expected) if one in _SENTENCES]
        rule = str(named[0]) if named else "type"
    expected = str(fault.expected)[:200] if not isinstance(fault.expected, Mapping | list) else rule
    return (_SENTENCES[rule], expected) if rule in _SENTENCES else (_OTHERWISE, rule)


def _limits(declared: Mapping[str, Any], kind: Kind) -> tuple[tuple[str, str], ...]:
    if kind in {"text", "long_text", "email", "phone"}:
        examples = [one for one in _listed(declared.get("examples")) if isinstance(one, str)]
        longest = declared.get("maxLength")
        found = [("maxlength", str(longest))] if isinstance(longest, int) and longest > 0 else []
        return tuple(found + [("placeholder", one) for one in examples[:1]])
    return ()


def _option(value: Any) -> Option:
    return Option(_json(value), value if isinstance(value, str) else _json(value))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
