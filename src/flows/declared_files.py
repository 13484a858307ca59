"""Reading declaration files so that every mistake names its file, its key and what to do about it.

Problems are collected, not raised one by one: whoever writes the files corrects them in one pass.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from domain.errors import AtendeError

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. ``file`` is relative to the tenant folder; ``key`` is a dotted path in it, "" for the whole file."""

    file: str
    key: str
    what: str
    todo: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, f"{self.what} {self.todo}") if part)


class TenantFilesError(AtendeError):
    """A tenant folder that cannot be used as it is; ``problems`` holds all that was found."""

    def __init__(self, folder: Path, problems: Sequence[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            "\n".join([f"The tenant folder {folder} has {count}:", *(f"  {problem}" for problem in problems), ""]),
            hint="Nothing was imported. Correct the files, then try again.",
        )
        self.folder = folder
        self.problems = tuple(problems)


class FileReader:
    """Reads the files below one folder and keeps the problems met on the way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[Problem] = []

    def problem(self, file: str, key: str, what: str, todo: str) -> None:
        """Note one mistake."""
        self.problems.append(Problem(file, key, what, todo))

    def raise_problems(self) -> None:
        """Raise TenantFilesError if anything was noted, in the order of the files."""
        if self.problems:
            raise TenantFilesError(self.folder, sorted(self.problems, key=lambda problem: problem.file))

    def files(self, subfolder: str, *suffixes: str) -> list[str]:
        """Relative paths of the files of a subfolder, sorted; files with another ending are noted as problems."""
        found = []
        for path in sorted((self.folder / subfolder).glob("*")):
            relative = f"{subfolder}/{path.name}"
            if path.name.startswith((".", "_")) or path.name in {"README.md", "versions"}:
                continue
            if path.is_file() and path.suffix.lower() in suffixes:
                found.append(relative)
            else:
                endings = " or ".join(suffixes)
                self.problem(relative, "", "is not read.", f"Rename it to end in {endings}, or move it elsewhere.")
        return found

    def text(self, file: str) -> str | None:
        """The file's text; None, with the problem noted, if it cannot be read."""
        try:
            return (self.folder / file).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            self.problem(file, "", f"is not UTF-8 (line {line}).", "Save it as UTF-8.")
        except OSError as error:
            self.problem(file, "", f"cannot be read ({error.strerror}).", "Create it, or check its permissions.")
        return None

    def yaml(self, file: str, model: type[Model]) -> Model | None:
        """The file as a ``model``; None, with the problems noted, if it is none."""
        text = self.text(file)
        if text is None:
            return None
        try:
            content = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader that refuses double keys
        except yaml.MarkedYAMLError as error:
            line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
            self.problem(file, "", f"is not valid YAML: {error.problem}{line}.", "Correct that line.")
            return None
        except yaml.YAMLError as error:
            self.problem(file, "", f"is not valid YAML: {error}.", "Remove the characters that YAML refuses.")
            return None
        if not isinstance(content, dict):
            self.problem(file, "", "holds no keys.", "Write `key: value` lines, as in the example tenant.")
            return None
        try:
            return model.model_validate(content)
        except ValidationError as error:
            for detail in error.errors():
                self._note(file, model, dict(detail))
            return None

    def json(self, file: str) -> dict[str, Any] | None:
        """The file's JSON object; None, with the problem noted, if it is none."""
        text = self.text(file)
        if text is None:
            return None
        try:
            content = json.loads(text, object_pairs_hook=_unique_pairs)
        except json.JSONDecodeError as error:
            self.problem(file, "", f"is not valid JSON: {error.msg} (line {error.lineno}).", "Correct that line.")
            return None
        except _RepeatedKeyError as error:
            self.problem(file, error.key, "is there twice.", "Keep one of them.")
            return None
        if not isinstance(content, dict):
            self.problem(file, "", "is no JSON object.", 'Write records by key: {"10234": {…}}.')
            return None
        return content

    def _note(self, file: str, model: type[BaseModel], detail: dict[str, Any]) -> None:
        place = [part for part in detail["loc"] if part != "[key]"]
        key = ".".join(str(part) for part in place)
        if detail["type"] == "extra_forbidden":
            known = list(model.model_fields) if len(place) == 1 else []
            close = difflib.get_close_matches(str(place[-1]), known, 1)
            todo = f"Did you mean `{close[0]}`?" if close else "Check its spelling, or remove it."
            self.problem(file, key, "is not a known key.", todo)
        elif detail["type"] == "missing":
            self.problem(file, key, "is missing.", "Add it.")
        elif detail["type"] == "string_type":
            self.problem(file, key, f"is read as {detail['input']!r}, not as text.", "Put the value in quotes.")
        elif detail["type"] in {"too_short", "string_too_short"}:
            self.problem(file, key, "is empty.", "Add at least one entry, or remove the key.")
        elif detail["type"] == "value_error":
            self.problem(file, key, f"is refused: {detail['ctx']['error']}.", "Correct the value.")
        else:
            message = str(detail["msg"])
            self.problem(file, key, message[:1].lower() + message[1:] + ".", f"It is now {detail['input']!r}.")


class _StrictLoader(yaml.SafeLoader):
    """YAML keeps the last of two equal keys without a word; a lost half of a file is a mistake here."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (list, dict)) or key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


class _RepeatedKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique_pairs(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise _RepeatedKeyError(key)
        content[key] = value
    return content
