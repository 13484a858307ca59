"""Test files of promptfoo as suites, and suites as test files of promptfoo.

What a promptfoo file can say of one message goes both ways. What only Atende knows (decision, intent, functions, the
state a case begins in) stands under ``metadata.atende`` of an exported test, so that reading it again loses nothing.
Assertions that run somebody's code are refused, with what to write instead.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from evaluation.case_files import CaseReader, Located
from evaluation.cases import Case, CaseContent

SCHEMA: Final = "https://promptfoo.dev/config-schema.json"
_MESSAGE_NAMES: Final = ("message", "input", "question", "query", "user_message", "user_input", "text", "prompt")
"""Variables that hold what the customer writes, the likeliest first."""
_VARIABLE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_TEMPLATE_CODE: Final = re.compile(r"\{[%#]|\{\{(?!\s*\w+\s*\}\})")
_OURS: Final = "atende"
_CODE: Final = {
    "javascript": "Write what must hold as contains, matches, calls, records or rubric.",
    "python": "Write what must hold as contains, matches, calls, records or rubric.",
    "ruby": "Write what must hold as contains, matches, calls, records or rubric.",
    "webhook": "Write what must hold as contains, matches, calls, records or rubric.",
}
_INSTEAD: Final = {
    **_CODE,
    "similar": "Write the figures and words that matter as icontains, or an llm-rubric.",
    "factuality": "Use an llm-rubric, or unsupported_claims: none, which needs no model.",
    "context-faithfulness": "Use unsupported_claims: none, which needs no model.",
    "context-recall": "Use cites: and the document's name.",
    "is-valid-openai-tools-call": "Use calls: with the function's name and arguments.",
    "tool-call-f1": "Use calls: {exactly: […]}.",
    "is-refusal": "Use decision: hand_off, with the handoff_reason.",
    "classifier": "Use intent: with the intent's name.",
    "is-json": "Atende answers customers in words; use matches for a form.",
    "contains-json": "Atende answers customers in words; use matches for a form.",
}
_KNOWN_KEYS: Final = frozenset({"type", "value", "threshold", "metric", "weight", "provider", "rubricPrompt", "config"})


# Reading --------------------------------------------------------------------------------------------------------------
def read_promptfoo(path: Path) -> list[dict[str, Any]]:
    """The tests of a promptfooconfig.yaml as cases, in the form of a suite's ``cases``.

    Raises CaseFilesError with file and line of everything that cannot be taken over.
    """
    reader = CaseReader()
    cases: list[dict[str, Any]] = []
    for document in reader.documents(path):
        if not isinstance(document.content, dict) or "tests" not in document.content:
            reader.problem(document, (), "has no tests.", "Name a promptfooconfig.yaml with tests.")
            continue
        cases += _Config(reader, document).cases()
    reader.raise_problems()
    _unique(cases)
    return cases


class _Config:
    def __init__(self, reader: CaseReader, document: Located) -> None:
        self._reader = reader
        self._document = document
        default = document.content.get("defaultTest") or {}
        if not isinstance(default, dict):
            reader.problem(document, ("defaultTest",), "stands in another file.", "Put it into this one.")
            default = {}
        self._default: dict[str, Any] = default
        self._prompts = self._read_prompts(document.content.get("prompts"))

    def cases(self) -> Iterator[dict[str, Any]]:
        for place, located in enumerate(self._tests()):
            yield from self._of_test(located, place)

    def _tests(self) -> Iterator[Located]:
        tests = self._document.content["tests"]
        if isinstance(tests, str):
            tests = [tests]
            yield from self._from_file(tests[0], ("tests",))
            return
        if not isinstance(tests, list):
            self._reader.problem(self._document, ("tests",), "is no list of tests.", "Write a list.")
            return
        for place, located in enumerate(self._document.items("tests")):
            if isinstance(located.content, str):
                yield from self._from_file(located.content, ("tests", place))
            else:
                yield located

    def _from_file(self, reference: str, place: Sequence[str | int]) -> Iterator[Located]:
        path = self._document.path.parent / reference.removeprefix("file://")
        if path.suffix not in {".yaml", ".yml"} or not path.is_file():
            what = f"{reference} is no YAML file that can be read."
            todo = "Write the tests here, or in a YAML file beside this one."
            self._reader.problem(self._document, place, what, todo)
            return
        for document in self._reader.documents(path):
            if isinstance(document.content, list):
                yield from document.items()
            else:
                yield document

    def _read_prompts(self, prompts: Any) -> list[str]:
        listed = prompts if isinstance(prompts, list) else [prompts] if prompts else []
        texts = [one.get("raw") if isinstance(one, dict) else one for one in listed]
        return [text for text in texts if isinstance(text, str) and not text.startswith("file://")]

    def _of_test(self, test: Located, place: int) -> Iterator[dict[str, Any]]:
        if not isinstance(test.content, dict):
            self._reader.problem(test, (), "is no test.", "Write vars: and assert:.")
            return
        content = test.content
        ours = (content.get("metadata") or {}).get(_OURS) or {}
        threshold = content.get("threshold", self._default.get("threshold"))
        if threshold not in {None, 1}:
            what = "lets a test pass of which a part fails."
            self._reader.problem(test, ("threshold",), what, "Leave it out: every expectation of a case must hold.")
        expect = _Expect(self._reader, test, ours.get("expect") or {})
        for at, one in enumerate(self._default.get("assert") or ()):
            expect.add(one, self._document, ("defaultTest", "assert", at))
        for at, one in enumerate(content.get("assert") or ()):
            expect.add(one, test, ("assert", at))
        for variables in self._combinations({**(self._default.get("vars") or {}), **(content.get("vars") or {})}):
            message = self._message(variables, test)
            if message is None:
                return
            description = str(content.get("description") or "")
            case: dict[str, Any] = {"name": ours.get("name") or _name(description, place)}
            if description and description != case["name"]:
                case["title"] = description
            case |= {key: value for key, value in ours.items() if key not in {"name", "expect"}}
            case["say"] = message
            case["expect"] = expect.rendered(variables)
            self._reader.model(test, CaseContent, case)
            yield case

    def _combinations(self, variables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """A list stands for one test with each of its values, as promptfoo does."""
        lists = {name: value for name, value in variables.items() if isinstance(value, list)}
        for chosen in itertools.product(*lists.values()):
            yield {**variables, **dict(zip(lists, chosen, strict=True))}

    def _message(self, variables: Mapping[str, Any], test: Located) -> str | None:
        """What the customer writes: the variable that is named so, the only one there is, or the filled prompt."""
        name = next((name for name in _MESSAGE_NAMES if name in variables), None)
        if name is None and len(variables) == 1:
            name = next(iter(variables))
        if name is not None:
            text = str(variables[name])
        elif len(self._prompts) == 1 and not _TEMPLATE_CODE.search(self._prompts[0]):
            text = _filled(self._prompts[0], variables)
        else:
            what = f"none of {', '.join(variables) or 'no variables'} says what the customer writes."
            self._reader.problem(test, ("vars",), what, f"Call the variable {_MESSAGE_NAMES[0]}.")
            return None
        if text.startswith("file://"):
            self._reader.problem(test, ("vars", name or ""), "stands in another file.", "Write the message here.")
            return None
        return text


class _Expect:
    """Gathers what a test's assertions expect."""

    def __init__(self, reader: CaseReader, test: Located, ours: Mapping[str, Any]) -> None:
        self._reader = reader
        self._test = test
        self._found: dict[str, Any] = dict(ours)

    def rendered(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """With the variables of one combination in its texts."""
        found: dict[str, Any] = _filled_in(self._found, variables)
        return found

    def add(self, written: Any, where: Located, place: Sequence[str | int]) -> None:
        """One assertion; what cannot be taken over is noted with its line."""
        if not isinstance(written, dict) or "type" not in written:
            self._reader.problem(where, place, "is no assertion.", "Write type: and value:.")
            return
        kind, value = str(written["type"]), written.get("value")
        if kind == "assert-set":
            if written.get("threshold") not in {None, 1}:
                todo = "List what must hold without a set."
                self._reader.problem(where, place, "passes although a part fails.", todo)
            for at, one in enumerate(written.get("assert") or ()):
                self.add(one, where, (*place, "assert", at))
            return
        if unknown := written.keys() - _KNOWN_KEYS:
            self._reader.problem(where, (*place, sorted(unknown)[0]), "is not known here.", "Leave it out.")
            return
        if written.get("weight") == 0:
            return  # promptfoo only reports it
        if isinstance(value, str) and value.startswith(("file://", "package:")):
            self._reader.problem(where, (*place, "value"), "stands in another file.", "Write it here.")
            return
        if not self._take(kind, value, written.get("threshold")):
            todo = _INSTEAD.get(kind.removeprefix("not-"), "See evals/README.md for what a case may expect.")
            runs = "runs code of its own" if kind.removeprefix("not-") in _CODE else "has no counterpart"
            self._reader.problem(where, (*place, "type"), f"{kind} {runs} and is not taken over.", todo)

    def _take(self, kind: str, value: Any, threshold: Any) -> bool:  # noqa: PLR0912 - one typed switch
        texts = [str(one) for one in value] if isinstance(value, list) else [str(value)]
        exact = [f"(?-i:{re.escape(text)})" for text in texts]
        match kind:
            case "icontains" | "icontains-all":
                self._more("contains", texts)
            case "not-icontains":
                self._more("lacks", texts)
            case "icontains-any" if "contains_any" not in self._found:
                self._more("contains_any", texts)
            case "contains" | "contains-all":
                self._more("matches", exact)
            case "not-contains" | "not-contains-any":
                self._more("matches_not", exact)
            case "not-icontains-any":
                self._more("lacks", texts)
            case "contains-any":
                self._more("matches", [f"(?-i:{'|'.join(re.escape(text) for text in texts)})"])
            case "starts-with":
                self._more("matches", [rf"\A{exact[0]}"])
            case "equals" if isinstance(value, str | int | float):
                self._more("matches", [rf"\A\s*{exact[0]}\s*\Z"])
            case "not-equals" if isinstance(value, str | int | float):
                self._more("matches_not", [rf"\A\s*{exact[0]}\s*\Z"])
            case "regex" if _compiles(texts[0]):
                self._more("matches", [f"(?-i:{texts[0]})"])
            case "not-regex" if _compiles(texts[0]):
                self._more("matches_not", [f"(?-i:{texts[0]})"])
            case "llm-rubric" if isinstance(value, str):
                rubric = {"ask": value, **({"at_least": threshold} if threshold is not None else {})}
                self._found["rubric"] = [*self._found.get("rubric", ()), rubric]
            case "cost" if threshold is not None:
                self._found["cost"] = threshold
            case "latency" if threshold is not None:
                self._found["latency_ms"] = threshold
            case _:
                return False
        return True

    def _more(self, name: str, values: Sequence[str]) -> None:
        there = self._found.get(name, [])
        there = [there] if isinstance(there, str) else list(there)
        self._found[name] = [*there, *(value for value in values if value not in there)]


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _filled(text: str, variables: Mapping[str, Any]) -> str:
    return _VARIABLE.sub(lambda match: str(variables.get(match[1], match[0])), text)


def _filled_in(value: Any, variables: Mapping[str, Any]) -> Any:
    match value:
        case str():
            # In a pattern the braces stand escaped.
            plain = _filled(value, variables)
            return re.sub(
                r"\\\{\\\{(?:\\ )?(\w+)(?:\\ )?\\\}\\\}",
                lambda match: re.escape(str(variables[match[1]])) if match[1] in variables else match[0],
                plain,
            )
        case Mapping():
            return {name: _filled_in(item, variables) for name, item in value.items()}
        case list() | tuple():
            return [_filled_in(item, variables) for item in value]
        case _:
            return value


def _name(description: str, place: int) -> str:
    return re.sub(r"[^\w.+-]+", "-", description).strip("-")[:80] or f"test-{place + 1}"


def _unique(cases: Sequence[dict[str, Any]]) -> None:
    seen: dict[str, int] = {}
    for case in cases:
        count = seen[case["name"]] = seen.get(case["name"], 0) + 1
        if count > 1:
            case["name"] = f"{case['name']}-{count}"


# Writing --------------------------------------------------------------------------------------------------------------
def as_promptfoo(cases: Sequence[Case], description: str = "") -> tuple[dict[str, Any], list[str]]:
    """A promptfooconfig, and the names of cases that it cannot hold: those of several messages or turns."""
    tests: list[dict[str, Any]] = []
    left: list[str] = []
    for case in cases:
        said = case.content.say
        plain = len(said) == 1 and not said[0].forwarded and said[0].kind == "text" and said[0].text
        if not plain or _VARIABLE.search(said[0].text) or _TEMPLATE_CODE.search(said[0].text):
            left.append(case.name)
            continue
        tests.append(_test(case))
    config: dict[str, Any] = {
        "description": description or "Cases of Atende",
        "prompts": ["{{message}}"],
        # What answers: put in how your assistant is reached. `echo` only repeats the message.
        "providers": ["echo"],
        "tests": tests,
    }
    return config, left


def _test(case: Case) -> dict[str, Any]:
    content = case.content.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    content.pop("say")
    expect = dict(content.pop("expect", {}))
    asserts = list(_asserts(expect))
    ours = {**content, **({"expect": expect} if expect else {})}
    description = ours.pop("title", "") or case.name
    return {
        "description": description,
        "vars": {"message": case.content.say[0].text},
        "assert": asserts,
        "metadata": {_OURS: ours},
    }


def _asserts(expect: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Takes out of ``expect`` what promptfoo can hold."""
    yield from ({"type": "icontains", "value": text} for text in expect.pop("contains", ()))
    yield from ({"type": "not-icontains", "value": text} for text in expect.pop("lacks", ()))
    if several := expect.pop("contains_any", None):
        yield {"type": "icontains-any", "value": list(several)}
    for name, kind in (("matches", ""), ("matches_not", "not-")):
        patterns = list(expect.pop(name, ()))
        kept = [pattern for pattern in patterns if not (pattern.startswith("(?-i:") and _whole(pattern))]
        yield from (_exact(pattern[5:-1], kind) for pattern in patterns if pattern not in kept)
        if kept:
            expect[name] = kept
    for rubric in expect.pop("rubric", ()):
        if rubric.get("name"):
            expect["rubric"] = [*expect.get("rubric", ()), rubric]
            continue
        threshold = {"threshold": rubric["at_least"]} if "at_least" in rubric else {}
        yield {"type": "llm-rubric", "value": rubric["ask"], **threshold}
    for name, kind in (("cost", "cost"), ("latency_ms", "latency")):
        bounds = expect.get(name)
        if bounds is not None and bounds.get("min") is None:
            yield {"type": kind, "threshold": expect.pop(name)["max"]}


def _exact(pattern: str, kind: str) -> dict[str, Any]:
    literal = re.sub(r"\\(.)", r"\1", pattern)
    if re.escape(literal) == pattern:
        return {"type": f"{kind}contains", "value": literal}
    return {"type": f"{kind}regex", "value": pattern}


def _whole(pattern: str) -> bool:
    """Whether its last bracket closes its first."""
    return pattern.endswith(")") and _compiles(pattern[5:-1])
