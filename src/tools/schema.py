"""JSON Schema as the declaration of a function's arguments: what a model sees, what is recognised, what is checked.

Schemas come from documents that others wrote. Nothing in them is ever fetched, and a pattern that could keep a process
busy for ever is not used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from domain.errors import InvalidInputError
from tools.declaration import Choice, Parameter, ParameterKind
from tools.patterns import usable_pattern

KIND: Final = "x-atende-kind"
ASK: Final = "x-atende-ask"
LABELS: Final = "x-atende-labels"
_OWN: Final = (KIND, ASK, LABELS)

_FORMATS: Final = {
    "date": ParameterKind.DATE,
    "email": ParameterKind.EMAIL,
    "idn-email": ParameterKind.EMAIL,
    "phone": ParameterKind.PHONE,
    "cpf": ParameterKind.CPF,
    "cnpj": ParameterKind.CNPJ,
    "cep": ParameterKind.CEP,
    "uuid": ParameterKind.ORDER_NUMBER,
}
_WORDS: Final = {
    "cpf": ParameterKind.CPF,
    "cnpj": ParameterKind.CNPJ,
    "cep": ParameterKind.CEP,
    "email": ParameterKind.EMAIL,
    "phone": ParameterKind.PHONE,
    "telefone": ParameterKind.PHONE,
    "telefono": ParameterKind.PHONE,
    "celular": ParameterKind.PHONE,
    "date": ParameterKind.DATE,
}
"""Last words of a property's name that say what it is, where its schema only says that it is a text."""
_NAMING: Final = frozenset({"id", "ids", "code", "codigo", "number", "numero", "protocol", "protocolo", "sku", "key"})
"""Last words of a property's name that say it selects one thing among many, so it must come from the customer."""
MOST_CHARACTERS: Final = 4_000
_CHECKER: Final = FormatChecker(formats=("date", "email", "uuid", "ipv4", "ipv6"))


class SchemaUnusableError(ValueError):
    """A schema that no arguments can be checked against; the text says why."""


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise SchemaUnusableError unless this is a schema of an object whose references stay inside it."""
    if schema.get("type") != "object":
        raise SchemaUnusableError("the arguments are no object")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise SchemaUnusableError(f"{'.'.join(map(str, error.path)) or 'it'}: {error.message[:200]}") from None
    for reference in _references(schema):
        if not reference.startswith("#/$defs/") or reference.removeprefix("#/$defs/") not in schema.get("$defs", {}):
            raise SchemaUnusableError(f"the reference {reference} leads nowhere")
    _refuse_endless(schema)


def parameters_of(schema: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The properties of an arguments schema as parameters that can be recognised in a message, required ones first."""
    required = [str(name) for name in schema.get("required", ())]
    found = [
        _parameter(str(name), _unwrapped(schema, declared), required=name in required)
        for name, declared in schema.get("properties", {}).items()
    ]
    return tuple(sorted(found, key=lambda parameter: not parameter.required))


def seen_by_models(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without what only Atende reads: questions to customers and their words for choices."""
    found: dict[str, Any] = _without_own(schema)
    return found


def conform(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the schema wants them: texts of digits become numbers where numbers are meant, and so on.

    Raises InvalidInputError, worded so that a language model can correct itself; ``field`` is the parameter at fault.
    """
    given = coerced(schema, arguments)
    if any(len(text) > MOST_CHARACTERS for text in texts_of(given)):
        raise InvalidInputError("arguments", f"a text is longer than {MOST_CHARACTERS} characters")
    try:
        error: ValidationError | None = best_match(errors_of(schema, given))
    except Unresolvable as unresolved:
        raise InvalidInputError("arguments", f"the schema refers to {unresolved.ref}, which is not in it") from None
    if error is not None:
        raise InvalidInputError(_field(error), _problem(error))
    return given


def coerced(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with texts of digits as numbers where numbers are meant, and so on; not checked."""
    found: dict[str, Any] = _coerced(schema, _with_nulls(schema, arguments), schema)
    return found


def errors_of(schema: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[ValidationError]:
    """What is wrong with coerced arguments."""
    return iter(_validator(orjson.dumps(_safe(schema))).iter_errors(given))


def as_collected(parameters: Sequence[Parameter], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checked arguments in the form in which a dialogue collects them: what names something stays a text ("1024").

    So the same wish has the same arguments whether the local reader or a language model understood it; ``conform``
    turns them back into what the schema wants.
    """
    numbers = {ParameterKind.INTEGER, ParameterKind.MONEY, ParameterKind.JSON, ParameterKind.BOOLEAN}
    texts = {parameter.name for parameter in parameters if parameter.kind not in numbers}
    return {
        name: str(value) if name in texts and isinstance(value, int | float) and not isinstance(value, bool) else value
        for name, value in arguments.items()
    }


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Draft202012Validator:
    # An empty registry: a reference to anywhere else must fail instead of being fetched.
    return Draft202012Validator(orjson.loads(schema), registry=Registry(), format_checker=_CHECKER)


def _parameter(name: str, declared: Mapping[str, Any], *, required: bool) -> Parameter:
    kind = _kind(name, declared)
    pattern = declared.get("pattern")
    return Parameter(
        name=name,
        kind=kind,
        description=str(declared.get("description") or declared.get("title") or ""),
        required=required and "default" not in declared and not _admits_null(declared),
        ask={str(k): str(v) for k, v in _mapping(declared.get(ASK)).items()},
        pattern=usable_pattern(pattern) if isinstance(pattern, str) else None,
        choices=_choices(declared) if kind is ParameterKind.ENUM else (),
        schema=seen_by_models(declared),
    )


def _kind(name: str, declared: Mapping[str, Any]) -> ParameterKind:
    if declared.get(KIND) in set(ParameterKind):
        return ParameterKind(declared[KIND])
    types = _types(declared)
    values = _enum(declared)
    if values and all(isinstance(value, str | int | float) for value in values):
        return ParameterKind.BOOLEAN if set(map(type, values)) == {bool} else ParameterKind.ENUM
    last = _last_word(name)
    if types == {"boolean"}:
        return ParameterKind.BOOLEAN
    if types and types <= {"integer", "number", "string"} and last in _NAMING:
        return ParameterKind.ORDER_NUMBER
    if types == {"integer"}:
        return ParameterKind.INTEGER
    if types and types <= {"number", "integer"}:
        return ParameterKind.MONEY
    if types != {"string"}:
        return ParameterKind.JSON if types & {"object", "array"} or not types else ParameterKind.TEXT
    if declared.get("format") in _FORMATS:
        return _FORMATS[declared["format"]]
    if last in _WORDS and "format" not in declared:
        return _WORDS[last]
    return ParameterKind.ORDER_NUMBER if isinstance(declared.get("pattern"), str) else ParameterKind.TEXT


def kind_of_value(name: str, value: Any) -> ParameterKind:
    """What a single value within an object or a list is, by the name it stands under."""
    last = _last_word(name)
    if isinstance(value, bool):
        return ParameterKind.BOOLEAN
    if last in _NAMING:
        return ParameterKind.ORDER_NUMBER
    if isinstance(value, int | float):
        return ParameterKind.INTEGER if isinstance(value, int) else ParameterKind.MONEY
    return _WORDS.get(last, ParameterKind.TEXT)


def _choices(declared: Mapping[str, Any]) -> tuple[Choice, ...]:
    labels = _mapping(declared.get(LABELS))
    found = []
    for value in _enum(declared):
        words = _mapping(labels.get(str(value)))
        # An identifier such as OUT_FOR_DELIVERY is written as words by those who mean it.
        spoken = re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(value))).strip()
        found.append(
            Choice(
                str(value),
                {language: [*map(str, _listed(words.get(language))), spoken] for language in ("pt", "es", "en")},
            )
        )
    return tuple(found)


def _types(declared: Mapping[str, Any]) -> set[str]:
    """The JSON types a value may have, null apart."""
    stated = declared.get("type")
    if stated is None and "properties" in declared:
        return {"object"}
    if stated is None and (values := _enum(declared)):
        names = {str: "string", bool: "boolean", int: "integer", float: "number"}
        return {names.get(type(value), "object") for value in values}
    if stated is None:
        found: set[str] = set()
        for branch in (*_listed(declared.get("anyOf")), *_listed(declared.get("oneOf"))):
            found |= _types(branch) if isinstance(branch, Mapping) else set()
        return found
    return {str(one) for one in _listed(stated)} - {"null"}


def _enum(declared: Mapping[str, Any]) -> list[Any]:
    return [value for value in declared.get("enum", ()) if value is not None]


def _last_word(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return re.split(r"[\W_]+", words.strip("_"))[-1]


def _resolved(root: Mapping[str, Any], declared: Any) -> Mapping[str, Any]:
    """The schema behind a reference into ``$defs``, with what stands beside the reference."""
    seen = set()
    while isinstance(declared, Mapping) and isinstance(declared.get("$ref"), str) and declared["$ref"] not in seen:
        seen.add(declared["$ref"])
        beside = {key: value for key, value in declared.items() if key != "$ref"}
        declared = {**_mapping(root.get("$defs", {}).get(declared["$ref"].removeprefix("#/$defs/"))), **beside}
    return _mapping(declared)


def _with_nulls(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing is said by null where the schema demands an entry that may be null, else by leaving it out."""
    required = set(schema.get("required", ()))
    nullable = {
        name
        for name, declared in _mapping(schema.get("properties")).items()
        if name in required and _admits_null(_resolved(schema, declared))
    }
    kept = {name: value for name, value in arguments.items() if value is not None}
    return {**kept, **dict.fromkeys(nullable - set(kept))}


def _admits_null(declared: Mapping[str, Any]) -> bool:
    branches = (*_listed(declared.get("anyOf")), *_listed(declared.get("oneOf")))
    return (
        "null" in _listed(declared.get("type"))
        or ("type" not in declared and None in _listed(declared.get("enum")))
        or any(isinstance(branch, Mapping) and _admits_null(branch) for branch in branches)
    )


def _unwrapped(root: Mapping[str, Any], declared: Any) -> Mapping[str, Any]:
    """The schema behind a choice between one thing and nothing, as many write what is optional."""
    found = _resolved(root, declared)
    for key in ("anyOf", "oneOf"):
        branches = [_resolved(root, branch) for branch in _listed(found.get(key))]
        said = [branch for branch in branches if _types(branch) or "enum" in branch]
        if len(said) == 1 and len(branches) == 2:
            types = [*_types(said[0]), "null"]
            return {**said[0], **{k: v for k, v in found.items() if k != key}, "type": types}
    return found


def _coerced(root: Mapping[str, Any], value: Any, declared: Any) -> Any:
    declared = _resolved(root, declared)
    types = _types(declared)
    if isinstance(value, str) and types and "string" not in types:
        return _number(value.strip(), types)
    if isinstance(value, int | float) and not isinstance(value, bool) and types == {"string"}:
        return str(value)  # models often send an order number as a number
    if isinstance(value, float) and types == {"integer"} and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        properties = _mapping(declared.get("properties"))
        return {name: _coerced(root, item, properties.get(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_coerced(root, item, declared.get("items")) for item in value]
    return value


def _number(text: str, types: set[str]) -> Any:
    if "integer" in types and re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    if "number" in types and re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,15})?", text):
        return float(text)
    if types == {"boolean"} and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return text


def _safe(declared: Any) -> Any:
    """The schema without patterns that are not used."""
    if isinstance(declared, Mapping):
        kept = {key: _safe(value) for key, value in declared.items() if key != "patternProperties"}
        if isinstance(kept.get("pattern"), str):
            usable = usable_pattern(kept.pop("pattern"))
            return {**kept, "pattern": usable} if usable else kept
        return kept
    return [_safe(value) for value in declared] if isinstance(declared, list | tuple) else declared


def _field(error: ValidationError) -> str:
    place = [str(part) for part in error.absolute_path]
    if error.validator == "required" and isinstance(error.instance, Mapping):
        place += [name for name in _listed(error.validator_value) if name not in error.instance][:1]
    return ".".join(place) or "arguments"


def _problem(error: ValidationError) -> str:
    match error.validator:
        case "required":
            return "required; ask the customer for it"
        case "additionalProperties":
            known = ", ".join(_mapping(_mapping(error.schema).get("properties"))) or "none"
            return f"unknown parameter; known are: {known}"
        case "type":
            return f"must be of type {' or '.join(_listed(error.validator_value))}"
        case "enum":
            return f"must be one of {', '.join(str(value) for value in _listed(error.validator_value))}"
        case "pattern":
            return f"must match {error.validator_value}"
        case "format":
            return f"must be written as a {error.validator_value}"
        case _:
            return error.message[:300]


def texts_of(value: Any) -> Iterator[str]:
    """Every text within a JSON value, names of properties too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)


def _refuse_endless(schema: Mapping[str, Any]) -> None:
    """A definition that is checked by checking itself, with nothing of the value used up in between, never ends."""
    definitions = _mapping(schema.get("$defs"))
    at_once = {name: {one.removeprefix("#/$defs/") for one in _at_once(node)} for name, node in definitions.items()}
    for name in definitions:
        reached, waiting = set[str](), set(at_once[name])
        while waiting:
            reached |= waiting
            waiting = {one for each in waiting for one in at_once.get(each, ())} - reached
        if name in reached:
            raise SchemaUnusableError(f"the schema {name} is defined by itself")


def _at_once(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for key in ("allOf", "anyOf", "oneOf"):
            for branch in _listed(schema.get(key)):
                yield from _at_once(branch)
        yield from _at_once(schema.get("not"))


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from _references(value)


def _without_own(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_own(item) for key, item in value.items() if key not in _OWN}
    return [_without_own(item) for item in value] if isinstance(value, list | tuple) else value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else () if value is None else (value,)
