"""Rasa NLU training data (YAML of Rasa 2 and 3): examples with their lines, entity annotations taken off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

_ANNOTATED: Final = re.compile(r"\[(?P<text>(?:\\.|[^\[\]\\])+)\](?:\([^()]*\)|\{[^{}]*\}|\[\s*\{[^\[\]]*\}\s*\])")
"""``[Lima](city)``, ``[10h]{"entity": "time", "value": "10:00"}`` and ``[x][{"entity": "a"}, {"entity": "b"}]``."""
_ITEM: Final = re.compile(r"\s*[-*+](?:\s+(.*))?$")
_OTHER_ITEMS: Final = ("synonym", "regex", "lookup")


class RasaProblem(Exception):  # noqa: N818 - raised to intent_files alone, which makes an error for people of it
    """The file cannot be read at all: ``what`` is wrong on ``line``."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what


@dataclass(frozen=True, slots=True)
class RasaExample:
    """One example, as a customer would have written it."""

    line: int
    intent: str
    text: str


@dataclass(slots=True)
class RasaFile:
    """What was found. ``answers``: of retrieval intents (``faq/hours``), the first text of ``utter_faq/hours``."""

    examples: list[RasaExample] = field(default_factory=list)
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def without_annotations(text: str) -> str:
    """The example as it is said: annotations are taken off, their words stay."""
    return _ANNOTATED.sub(lambda found: re.sub(r"\\(.)", r"\1", found["text"]), text).strip()


def read_rasa(text: str) -> RasaFile:
    """Read a file. Raises RasaProblem where it is no Rasa NLU file."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise RasaProblem(line, f"is not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise RasaProblem(0, f"is not valid YAML: {error}") from None
    except RecursionError:
        raise RasaProblem(0, "is nested too deeply") from None
    if not isinstance(root, yaml.MappingNode):
        raise RasaProblem(_line(root) if root else 0, "is no Rasa file: it needs a list under the key nlu")
    found = RasaFile()
    known = False
    for key, value in _pairs(root):
        if key == "nlu":
            known = True
            _nlu(value, found, text.splitlines())
        elif key == "responses":
            _responses(value, found)
        elif key != "version":
            found.ignored.append(key)
    if not known:
        raise RasaProblem(1, f"is no Rasa NLU file: it has {_named(root)}, but not the key nlu")
    met = {example.intent for example in found.examples}
    found.answers = {intent: answer for intent, answer in found.answers.items() if intent in met}
    return found


def _nlu(node: yaml.Node, found: RasaFile, lines: list[str]) -> None:
    if not isinstance(node, yaml.SequenceNode):
        found.problems.append((_line(node), "nlu must be a list of `- intent: name`"))
        return
    for item in node.value:
        fields = dict(_pairs(item)) if isinstance(item, yaml.MappingNode) else {}
        other = next((name for name in _OTHER_ITEMS if name in fields), None)
        if other is not None:
            found.ignored.append(f"{other} {_text(fields[other])}")
            continue
        name, examples = fields.get("intent"), fields.get("examples")
        if not isinstance(name, yaml.ScalarNode) or not name.value.strip():
            found.problems.append((_line(item), "is no `- intent: name` with examples"))
        elif examples is None:
            found.problems.append((_line(item), f"the intent {name.value} has no examples"))
        else:
            taken = list(_examples(examples, lines, found))
            if not taken and not found.problems:
                found.problems.append((_line(examples), f"the intent {name.value} has no examples"))
            found.examples += [RasaExample(line, name.value.strip(), without_annotations(text)) for line, text in taken]


def _examples(node: yaml.Node, lines: list[str], found: RasaFile) -> Iterator[tuple[int, str]]:
    """(line, text) of a block of ``- text`` lines, or of a list whose items are texts or have a key ``text``."""
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        if node.style == ">":
            found.problems.append((_line(node), "examples are folded by `>`: write `examples: |`"))
            return
        for line in range(node.start_mark.line + 1, min(node.end_mark.line + 1, len(lines))):
            content = lines[line].strip()
            if not content or content.startswith("#"):
                continue
            if line == node.end_mark.line and node.end_mark.column == 0:
                return
            item = _ITEM.match(content)
            if item is None:
                found.problems.append((line + 1, f"is no example: begin it with `- ` (it is {content[:60]!r})"))
            else:
                yield line + 1, item[1] or ""
    elif isinstance(node, yaml.SequenceNode):
        for item_node in node.value:
            inner = dict(_pairs(item_node)).get("text") if isinstance(item_node, yaml.MappingNode) else item_node
            if isinstance(inner, yaml.ScalarNode):
                yield _line(inner), re.sub(r"^\s*- ", "", inner.value).strip()
            else:
                found.problems.append((_line(item_node), "is no example: it needs a key text"))
    else:
        found.problems.append((_line(node), "examples must be a block: write `examples: |` and `- text` lines below"))


def _responses(node: yaml.Node, found: RasaFile) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for name, variants in _pairs(node):
        if "/" not in name or not isinstance(variants, yaml.SequenceNode):
            continue
        for variant in variants.value:
            text = dict(_pairs(variant)).get("text") if isinstance(variant, yaml.MappingNode) else None
            if isinstance(text, yaml.ScalarNode) and text.value.strip():
                found.answers.setdefault(name.removeprefix("utter_"), (_line(text), text.value.strip()))


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
    for key, value in node.value:
        yield _text(key), value


def _text(node: yaml.Node) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""


def _named(node: yaml.MappingNode) -> str:
    return ", ".join(key for key, _ in _pairs(node)) or "nothing"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
