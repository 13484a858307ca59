"""A language model's tool arguments, checked against the declaration before anything runs."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from agent.language_model import RequestedCall
from domain.errors import InvalidInputError
from domain.text import storable_json
from tools.declaration import BusinessFunction, Parameter, ParameterKind
from tools.schema import as_collected, conform

_MOST_CHARACTERS: Final = 1_000
_NUMBERS: Final = {ParameterKind.INTEGER, ParameterKind.MONEY}


def parse_arguments(function: BusinessFunction, raw: str) -> dict[str, Any]:
    """Read the raw text of a call's arguments; raise InvalidInputError, worded so that the model can correct it."""
    try:
        given = storable_json(json.loads(raw or "{}"))
    except RecursionError as error:
        raise InvalidInputError("arguments", "nested too deeply") from error
    except ValueError as error:
        raise InvalidInputError("arguments", f"not valid JSON ({error})") from error
    if not isinstance(given, Mapping):
        raise InvalidInputError("arguments", "must be one JSON object")
    if function.schema is not None:
        return as_collected(function.parameters, conform(function.schema, given))
    declared = {parameter.name: parameter for parameter in function.parameters}
    for name in given:
        if name not in declared:
            raise InvalidInputError(name, f"unknown parameter; {function.name} takes {', '.join(declared) or 'none'}")
    arguments = {
        name: _checked(declared[name], value)
        for name, value in given.items()
        if value is not None and (declared[name].required or value != "")  # models leave nothing out
    }
    for parameter in function.parameters:
        if parameter.required and parameter.name not in arguments:
            raise InvalidInputError(parameter.name, "required; ask the customer for it")
    return arguments


def parse_spelled_arguments(function: BusinessFunction, call: RequestedCall) -> dict[str, Any]:
    """``parse_arguments`` of a call whose personal data were hidden from the model, which so could not fit a pattern.

    Tries the customer's own spelling first, then others of the same values; raises what the first attempt raised.
    """
    try:
        return parse_arguments(function, call.arguments)
    except InvalidInputError:
        for raw in call.spellings:
            with contextlib.suppress(InvalidInputError):
                return parse_arguments(function, raw)
        raise


def _checked(parameter: Parameter, value: Any) -> Any:
    name = parameter.name
    if parameter.kind is ParameterKind.JSON:
        return _list_of_texts(name, value)
    if parameter.kind is ParameterKind.BOOLEAN:
        if not isinstance(value, bool):
            raise InvalidInputError(name, "must be true or false")
        return value
    if parameter.kind in _NUMBERS:
        return _number(parameter, value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # models often send an order number as a number
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(name, "must be a text that is not empty")
    if len(value) > _MOST_CHARACTERS:
        raise InvalidInputError(name, f"longer than {_MOST_CHARACTERS} characters")
    if parameter.choices and value not in {choice.value for choice in parameter.choices}:
        raise InvalidInputError(name, f"must be one of {', '.join(choice.value for choice in parameter.choices)}")
    if parameter.pattern and not re.fullmatch(parameter.pattern, value.strip()):
        raise InvalidInputError(name, f"must match {parameter.pattern}")
    return value.strip()


def _number(parameter: Parameter, value: Any) -> Any:
    whole = parameter.kind is ParameterKind.INTEGER
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise InvalidInputError(parameter.name, "must be a whole number" if whole else "must be a number")
    return value


def _list_of_texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str | int) for item in value):
        raise InvalidInputError(name, "must be a list of texts")
    return [str(item) for item in value]
