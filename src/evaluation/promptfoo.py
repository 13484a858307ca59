"""Test files of promptfoo as suites; ``promptfoo_writing`` goes the other way.

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
from evaluation.cases import CaseContent

_MESSAGE_NAMES: Final = ("message", "input", "question", "query", "user_message", "user_input", "text", "prompt")
"""Variables that hold what the customer writes, the likeliest first."""
VARIABLE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
TEMPLATE_CODE: Final = re.compile(r"\{[%#]|\{\{(?!\s*\w+\s*\}\})")
_BETWEEN_COMMAS: Final = re.compile(r'\s*"([^"]*)"\s*(?:,|$)|([^,]+)(?:,|$)')
OURS: Final = "atende"
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
        self._default_vars = self._variables(default, document, ("defaultTest", "vars"))
        self._check_options(default, document, ("defaultTest", "options"))
        if "scenarios" in document.content:
            what = "scenarios are not taken over."
            reader.problem(document, ("scenarios",), what, "Write each of them out under tests.")
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
        metadata = content.get("metadata")
        ours = (metadata.get(OURS) if isinstance(metadata, dict) else None) or {}
        threshold = content.get("threshold", self._default.get("threshold"))
        if threshold is not None and threshold != 1:
            what = "lets a test pass of which a part fails."
            self._reader.problem(test, ("threshold",), what, "Leave it out: every expectation of a case must hold.")
        expect = _Expect(self._reader, test, ours.get("expect") or {})
        self._check_options(content, test, ("options",))
        expect.add_all(self._default.get("assert"), self._document, ("defaultTest", "assert"))
        expect.add_all(content.get("assert"), test, ("assert",))
        own = self._variables(content, test, ("vars",))
        if not own and content.get("vars"):
            return
        for variables in self._combinations({**self._default_vars, **own}):
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

    def _variables(self, test: Mapping[str, Any], where: Located, place: Sequence[str]) -> dict[str, Any]:
        found = test.get("vars") or {}
        if isinstance(found, dict):
            return found
        what = "stands in another file." if isinstance(found, str) else "is no set of variables."
        self._reader.problem(where, place, what, "Write name: value for each of them.")
        return {}

    def _check_options(self, test: Mapping[str, Any], where: Located, place: Sequence[str]) -> None:
        """What changes an answer before it is judged, by code, cannot be done here."""
        options = test.get("options")
        for name in ("transform", "postprocess", "transformVars"):
            if isinstance(options, dict) and name in options:
                what = f"{name} runs code of its own and is not taken over."
                self._reader.problem(where, (*place, name), what, "Judge the answer as the customer reads it.")

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
        elif len(self._prompts) == 1 and not TEMPLATE_CODE.search(self._prompts[0]):
            text = _filled(self._prompts[0], variables)
        else:
            what = f"none of {', '.join(variables) or 'no variables'} says what the customer writes."
            self._reader.problem(test, ("vars",), what, f"Call the variable {_MESSAGE_NAMES[0]}.")
            return None
        if TEMPLATE_CODE.search(text):
            what = "is filled in by code."
            self._reader.problem(test, ("vars", name or ""), what, "Write the message as the customer does.")
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

    def add_all(self, listed: Any, where: Located, place: Sequence[str | int]) -> None:
        """The assertions of a test or of a set."""
        if listed is not None and not isinstance(listed, list):
            self._reader.problem(where, place, "is no list of assertions.", "Begin each with a dash.")
            return
        for at, one in enumerate(listed or ()):
            self.add(one, where, (*place, at))

    def add(self, written: Any, where: Located, place: Sequence[str | int]) -> None:
        """One assertion; what cannot be taken over is noted with its line."""
        if not isinstance(written, dict) or "type" not in written:
            self._reader.problem(where, place, "is no assertion.", "Write type: and value:.")
            return
        kind, value = str(written["type"]), written.get("value")
        if kind == "assert-set":
            if written.get("threshold") is not None and written["threshold"] != 1:
                todo = "List what must hold without a set."
                self._reader.problem(where, place, "passes although a part fails.", todo)
            self.add_all(written.get("assert"), where, (*place, "assert"))
            return
        if unknown := written.keys() - _KNOWN_KEYS:
            self._reader.problem(where, (*place, sorted(unknown)[0]), "is not known here.", "Leave it out.")
            return
        if written.get("weight") == 0:
            return  # promptfoo only reports it
        if isinstance(value, str) and value.startswith(("file://", "package:")):
            self._reader.problem(where, (*place, "value"), "stands in another file.", "Write it here.")
            return
        if any(TEMPLATE_CODE.search(text) for text in _listed(kind, value)):
            self._reader.problem(where, (*place, "value"), "is filled in by code.", "Write the text itself.")
            return
        if not self._take(kind, value, written.get("threshold")):
            todo = _INSTEAD.get(kind.removeprefix("not-"), "See evals/README.md for what a case may expect.")
            runs = "runs code of its own" if kind.removeprefix("not-") in _CODE else "has no counterpart"
            self._reader.problem(where, (*place, "type"), f"{kind} {runs} and is not taken over.", todo)

    def _take(self, kind: str, value: Any, threshold: Any) -> bool:  # noqa: PLR0912 - one typed switch
        texts = _listed(kind, value)
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
            case "regex" if compiles(texts[0]):
                self._more("matches", [f"(?-i:{texts[0]})"])
            case "not-regex" if compiles(texts[0]):
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


def _listed(kind: str, value: Any) -> list[str]:
    """The texts of an assertion. Where several are possible, promptfoo reads one text as a list with commas."""
    if isinstance(value, str) and kind.endswith(("-any", "-all")):
        return [quoted or plain.strip() for quoted, plain in _BETWEEN_COMMAS.findall(value) if quoted or plain.strip()]
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _filled(text: str, variables: Mapping[str, Any]) -> str:
    return VARIABLE.sub(lambda match: str(variables.get(match[1], match[0])), text)


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
