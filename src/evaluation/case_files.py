"""Reading files of cases so that every mistake names its file and line, and what to do about it.

All mistakes of all files are collected: whoever writes the files corrects them in one pass.
"""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from domain.errors import AtendeError

Model = TypeVar("Model", bound=BaseModel)

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_QUOTE_IT = "Put the value in quotes."
_DEEPEST = 60
"""Levels of a YAML file; no case comes near."""
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class CaseProblem:
    """One mistake. ``key``: a dotted path within the document, "" for the whole of it."""

    path: Path
    line: int
    key: str
    what: str
    todo: str = ""

    def __str__(self) -> str:
        said = f"{self.key}: {self.what}" if self.key else self.what
        return f"{shown_path(self.path)}:{self.line}: {said} {self.todo}".rstrip()


class CaseFilesError(AtendeError):
    """Files of cases that cannot be played as they are; ``problems`` holds all that was found."""

    def __init__(self, problems: Sequence[CaseProblem]) -> None:
        shown = sorted(set(problems), key=lambda problem: (str(problem.path), problem.line, problem.key))
        count = "1 mistake" if len(shown) == 1 else f"{len(shown)} mistakes"
        listed = "\n".join(f"  {problem}" for problem in shown)
        super().__init__(f"The cases have {count}:\n{listed}", hint="Nothing was played. Correct the files.")
        self.problems = tuple(shown)

    def sentence(self) -> str:
        """A line for each."""
        return f"{self}\n{self.hint}"


def shown_path(path: Path) -> str:
    """Relative to the current folder where that is shorter."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@dataclass(frozen=True, slots=True)
class Located:
    """A value read from a file, which knows on which line each part of it stands."""

    path: Path
    content: Any
    first_line: int
    node: yaml.Node | None = None
    """None: all of it stands on ``first_line``, as a line of JSONL does."""

    def line(self, place: Sequence[str | int] = ()) -> int:
        """Of the innermost part of ``place`` that is in the file."""
        node, line = self.node, self.first_line
        for key in place:
            found = _inside(node, key)
            if found is not None:
                node, line = found
        return line

    def items(self, *place: str) -> Iterator[Located]:
        """The entries of the list at ``place``."""
        node, content = self.node, self.content
        for key in place:
            found = _inside(node, key)
            node, content = (found[0] if found else None), content[key]
        for position, item in enumerate(content):
            found = _inside(node, position)
            yield Located(self.path, item, found[1] if found else self.first_line, found[0] if found else None)


def _inside(node: yaml.Node | None, key: str | int) -> tuple[yaml.Node, int] | None:
    match node:
        case yaml.MappingNode():
            for name, value in node.value:
                if name.value == str(key):
                    return value, name.start_mark.line + 1
        case yaml.SequenceNode() if isinstance(key, int) and key < len(node.value):
            return node.value[key], node.value[key].start_mark.line + 1
    return None


class CaseReader:
    """Reads YAML and JSONL and keeps the mistakes met on the way."""

    def __init__(self) -> None:
        self.problems: list[CaseProblem] = []

    def problem(self, found: Located, place: Sequence[str | int], what: str, todo: str = "") -> None:
        """Note one mistake."""
        key = ".".join(str(part) for part in place)
        self.problems.append(CaseProblem(found.path, found.line(place), key, what, todo))

    def raise_problems(self) -> None:
        """Raise CaseFilesError if anything was noted."""
        if self.problems:
            raise CaseFilesError(self.problems)

    def documents(self, path: Path) -> list[Located]:
        """One of a YAML file, one per line of a JSONL file; none, with the mistake noted, where there is none."""
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            self._note(path, line, f"is not UTF-8 (byte {error.start}).", "Save it as UTF-8.")
            return []
        except OSError as error:
            self._note(path, 1, f"cannot be read ({error.strerror}).", "Create it, or check its permissions.")
            return []
        if path.suffix.lower() == ".jsonl":
            return list(self._lines(path, text))
        return self._yaml(path, text)

    def model(self, found: Located, model: type[Model], content: Mapping[str, Any] | None = None) -> Model | None:
        """What was found as a ``model`` (or ``content`` in its place); None, with the mistakes noted, if it is none."""
        value = found.content if content is None else content
        if not isinstance(value, dict):
            self.problem(found, (), f"is no set of `key: value` lines but {_brief(value)}.", "See evals/README.md.")
            return None
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for detail in error.errors():
                self._refused(found, model, value, dict(detail))
            return None

    def _yaml(self, path: Path, text: str) -> list[Located]:
        try:
            loader = _Loader(text)
            node = loader.get_single_node()
            if node is None:
                return []
            _check_depth(node)
            return [Located(path, loader.construct_document(node), node.start_mark.line + 1, node)]
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self._note(path, line, f"is not valid YAML: {error.problem}.", "Correct that line.")
        except yaml.YAMLError as error:
            self._note(path, 1, f"is not valid YAML: {error}.", "Remove the characters that YAML refuses.")
        except (RecursionError, ValueError) as error:
            self._note(path, 1, f"cannot be read as YAML: {error}.", "Correct the file.")
        return []

    def _lines(self, path: Path, text: str) -> Iterator[Located]:
        # Not splitlines: JSON strings may hold U+2028 and its like unescaped.
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                yield Located(path, json.loads(line, object_pairs_hook=_once), number)
            except json.JSONDecodeError as error:
                self._note(
                    path, number, f"is not valid JSON: {error.msg} (column {error.colno}).", "Correct that line."
                )
            except (ValueError, RecursionError) as error:
                self._note(path, number, f"{error}.", "Correct that line.")

    def _note(self, path: Path, line: int, what: str, todo: str) -> None:
        self.problems.append(CaseProblem(path, line, "", what, todo))

    def _refused(self, found: Located, model: type[BaseModel], value: Any, detail: dict[str, Any]) -> None:
        place = list(_place(detail["loc"], value))
        match detail["type"]:
            case "extra_forbidden":
                what, todo = "is not a known key.", _meant(model, place)
            case "missing":
                what, todo = "is missing.", "Add it."
            case "string_type":
                what, todo = f"is read as {detail['input']!r}, not as text.", _QUOTE_IT
            case "too_short" | "string_too_short":
                what, todo = "is empty.", "Add at least one entry, or remove the key."
            case "value_error":
                what, todo = f"{detail['ctx']['error']}.", ""
            case _:
                message = str(detail["msg"])
                what, todo = message[:1].lower() + message[1:] + ".", f"It is now {_brief(detail['input'])}."
        self.problem(found, place, what, todo)


def _place(loc: Sequence[str | int], value: Any) -> Iterator[str | int]:
    """The path without what pydantic adds to it (names of types that it tried); a key that is missing stays."""
    for position, part in enumerate(loc):
        inside = isinstance(value, dict) and part in value
        inside |= isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
        if inside:
            yield part
            value = value[part]
        elif position == len(loc) - 1 and isinstance(value, dict) and part != "[key]":
            yield part


def _meant(model: type[BaseModel], place: Sequence[str | int]) -> str:
    known = _fields(model, place[:-1])
    close = difflib.get_close_matches(str(place[-1]), known, 1) if place else []
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"Known here: {', '.join(known)}." if known else "Check its spelling, or remove it."


def _fields(model: Any, place: Sequence[str | int]) -> list[str]:
    """Names that the model at ``place`` knows, as far as its annotations tell."""
    for key in place:
        if isinstance(model, type) and issubclass(model, BaseModel) and key in model.model_fields:
            model = model.model_fields[str(key)].annotation
        model = _element(model, key)
        if model is None:
            return []
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _element(annotation: Any, key: str | int) -> Any:
    """The model within an annotation: of a list, of an optional, of a mapping's values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    origin = get_origin(annotation)
    arguments = [one for one in get_args(annotation) if one not in {type(None), Ellipsis}]
    if origin in {Union, types.UnionType, list, tuple} or hasattr(annotation, "__metadata__"):
        return next((found for one in arguments if (found := _element(one, key)) is not None), None)
    if origin in {dict, Mapping} and arguments:
        return _element(arguments[-1], key)
    return None


def _brief(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 80 else f"{said[:77]}…"


def _check_depth(node: yaml.Node, above: tuple[yaml.Node, ...] = (), sound: set[int] | None = None) -> None:
    """Refuse what could be read but neither compared nor shown. Raises yaml.MarkedYAMLError."""
    sound = set() if sound is None else sound
    if not isinstance(node, yaml.CollectionNode) or id(node) in sound:
        return
    if any(one is node for one in above):
        raise yaml.MarkedYAMLError(problem="it holds itself", problem_mark=node.start_mark)
    if len(above) > _DEEPEST:
        raise yaml.MarkedYAMLError(problem="it is nested too deep", problem_mark=node.start_mark)
    for item in node.value:
        for inner in item if isinstance(item, tuple) else (item,):
            _check_depth(inner, (*above, node), sound)
    sound.add(id(node))


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        twice = next(key for position, (key, _) in enumerate(pairs) if key in dict(pairs[:position]))
        raise ValueError(f"the key {twice!r} is there twice")
    return content


class _Loader(_BaseLoader):  # type: ignore[misc]
    """YAML in which no key may be written twice, and days and times stay the texts that JSON knows."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the library's own shape
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            # ``<<: *shared`` brings keys in below those that stand here, so it makes none of them a double.
            key = _MERGE if key_node.tag == _MERGE else self.construct_object(key_node, deep=True)
            if isinstance(key, list | dict) or key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]
