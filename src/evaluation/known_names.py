"""Whether the names that cases use exist: a misspelled one would make an expectation hold for ever, or never."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from evaluation.case_files import CaseReader
from evaluation.cases import CaseContent, Suite
from evaluation.expectations import Condition, ExpectedCall
from flows.tenant_declaration import OWN_COLLECTION, TenantDeclaration


def check_names(suites: Sequence[Suite], declarations: Mapping[str, Sequence[TenantDeclaration]]) -> None:
    """Whether intents, functions and their parameters, documents, numbers and collections exist in a bundle.

    ``declarations``: by the suite's name, one per bundle. Raises CaseFilesError.
    """
    reader = CaseReader()
    for suite in suites:
        known = _Known(declarations[suite.name])
        for case in suite.cases:
            for place, condition in case.content.expectations():
                for key, what, todo in known.mistakes(condition, case.content):
                    reader.problem(case.found, _place(f"{place}.{key}"), what, todo)
            for key, what, todo in known.mistakes_given(case.content):
                reader.problem(case.found, _place(key), what, todo)
    reader.raise_problems()


def _place(dotted: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in dotted.split(".")]


Mistake = tuple[str, str, str]
"""Where, what, and what to do."""


class _Known:
    def __init__(self, declarations: Sequence[TenantDeclaration]) -> None:
        self.intents = {name for one in declarations for name in one.intents}
        self.functions = {name for one in declarations for name in one.functions}
        self.numbers = {number.key for one in declarations for number in one.settings.numbers}
        self.documents = {document.ref for one in declarations for document in one.knowledge}
        self.parameters: dict[str, set[str]] = {}
        for one in declarations:
            for name, function in one.functions.items():
                self.parameters.setdefault(name, set()).update(parameter.name for parameter in function.parameters)
        self.collections = _collections(declarations)

    def mistakes(self, expected: Condition, content: CaseContent) -> Iterator[Mistake]:
        for intent in expected.intent:
            if intent not in {*self.intents, "none"}:
                yield "intent", f"there is no intent {intent}.", _meant(intent, self.intents)
        calls = expected.calls
        if calls is not None:
            every = (*(calls.exactly or ()), *calls.includes, *calls.in_order, *(calls.only or ()), *calls.never)
            for call in every:
                yield from self._call(call)
        for source in expected.cites:
            name = source.partition("#")[0]
            known = self.documents | self.functions | self.intents | {"given"}
            if name not in known:
                yield "cites", f"there is no document, function or intent {name}.", _meant(name, known)
        parameters = {name for names in self.parameters.values() for name in names}
        for key, names in (("asks", expected.asks), ("collected", expected.collected)):
            for name in names:
                if name not in {*parameters, "none"}:
                    yield key, f"no function has a parameter {name}.", _meant(name, parameters)
        unchanged = () if isinstance(expected.records_unchanged, bool) else expected.records_unchanged
        for key, names in (("records", expected.records), ("records_unchanged", unchanged)):
            for name in names:
                if name not in content.given.records:
                    yield from self._collection(key, name)

    def mistakes_given(self, content: CaseContent) -> Iterator[Mistake]:
        given = content.given
        if given.number and given.number not in self.numbers:
            yield "given.number", f"tenant.yaml has no number {given.number}.", _meant(given.number, self.numbers)
        if isinstance(given.trust, tuple):
            for name in given.trust:
                if name not in self.functions:
                    yield "given.trust", f"there is no function {name}.", _meant(name, self.functions)
        for name in given.records:
            if name == OWN_COLLECTION:
                yield "given.records", f"{name} is Atende's own collection.", "Leave it out."
            else:
                yield from self._collection("given.records", name)

    def _call(self, call: ExpectedCall) -> Iterator[Mistake]:
        if call.function not in self.functions:
            yield "calls", f"there is no function {call.function}.", _meant(call.function, self.functions)
            return
        known = self.parameters[call.function]
        for name in call.arguments:
            if name not in known:
                yield "calls", f"the function {call.function} has no parameter {name}.", _meant(name, known)

    def _collection(self, key: str, name: str) -> Iterator[Mistake]:
        if self.collections is not None and name not in {*self.collections, OWN_COLLECTION}:
            yield key, f"neither data nor functions know a collection {name}.", _meant(name, self.collections)


def _collections(declarations: Sequence[TenantDeclaration]) -> set[str] | None:
    """Names that may be a collection's; None where that cannot be told.

    A function may begin a collection that data/ does not have, so every text in its code may name one.
    """
    found: set[str] = set()
    for one in declarations:
        found |= set(one.records)
        for file in one.folder.rglob("*.py"):
            texts = _texts(file)
            if texts is None:
                return None
            found |= texts
    return found


def _texts(file: Path) -> set[str] | None:
    """The short texts in a file of code; None where names of collections are put together as it runs."""
    texts = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case ast.Constant(value=str(text)) if text.replace("_", "a").isalnum():
                texts.add(text)
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="records")), args=[ast.JoinedStr(), *_]):
                return None
    return texts


def _meant(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), 1)
    return f"Did you mean `{close[0]}`?" if close else "Correct its name."
