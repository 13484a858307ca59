"""Reads a description from text: JSON, or YAML as its version 1.2 and OpenAPI mean it."""

from __future__ import annotations

import re
from typing import Any

import orjson
import yaml

from domain.errors import AtendeError

MOST_BYTES = 16 * 1024 * 1024
_DEEPEST = 200


class DocumentUnusableError(AtendeError):
    """A description that no function can be imported from; the message says why."""

    def __init__(self, problem: str, *, hint: str = "") -> None:
        super().__init__(f"The document cannot be used: {problem}.", hint=hint)
        self.problem = problem


def parse_document(raw: bytes) -> Any:
    """The document's JSON value. Raises DocumentUnusableError."""
    if len(raw) > MOST_BYTES:
        raise DocumentUnusableError(f"it is larger than {MOST_BYTES // 1024 // 1024} MB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentUnusableError(f"it is not UTF-8 (byte {error.start})", hint="Save it as UTF-8.") from None
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            problem = f"it is not valid JSON: {error.msg} (line {error.lineno})"
            if text.lstrip()[:1] == "[":
                raise DocumentUnusableError(problem) from None
    try:
        # A SafeLoader; it makes nothing but plain values.
        found = yaml.load(text, Loader=_Yaml12)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise DocumentUnusableError(f"it is neither JSON nor YAML: {error.problem}{line}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DocumentUnusableError(f"it is neither JSON nor YAML: {type(error).__name__}") from None
    return _with_text_keys(found, ())


class _Yaml12(yaml.SafeLoader):
    """YAML 1.2's core schema: ``no`` is a text and no truth value, ``2024-01-31`` no date, ``12:30`` no number."""


_Yaml12.yaml_implicit_resolvers = {}
for _tag, _form, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("merge", r"^(?:<<)$", "<"),
):
    _Yaml12.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_form), list(_first))


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


# PyYAML's own reads a leading zero as octal.
_Yaml12.add_constructor("tag:yaml.org,2002:int", _decimal)


def _with_text_keys(value: Any, above: tuple[int, ...]) -> Any:
    """Keys such as the status code 200 as texts, in place: aliases stay one value, however often they are named.

    Raises DocumentUnusableError where an alias leads into itself.
    """
    done: dict[int, Any] = {}

    def visit(node: Any, depth: int) -> Any:
        if not isinstance(node, dict | list):
            return node
        if id(node) in done:
            if done[id(node)] is None:
                raise DocumentUnusableError("an alias in it leads into itself")
            return done[id(node)]
        if depth > _DEEPEST:
            raise DocumentUnusableError("it is nested too deeply")
        done[id(node)] = None
        kept: Any
        if isinstance(node, dict):
            kept = {_key(key): visit(item, depth + 1) for key, item in node.items()}
        else:
            kept = [visit(item, depth + 1) for item in node]
        done[id(node)] = kept
        return kept

    return visit(value, len(above))


def _key(key: Any) -> str:
    return {True: "true", False: "false", None: "null"}.get(key, str(key)) if isinstance(key, bool | None) else str(key)
