"""An intent as programs and files declare it, read leniently where the meaning is plain and checked as a whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from pydantic import ValidationError

from agent.language import detect_language
from domain.errors import InvalidInputError
from domain.text import storable_json
from domain.told import Told, told_of_detail
from flows.declared_files import FileReader, Problem
from flows.tenant_declaration import LANGUAGES, IntentDeclaration
from flows.tenant_files import check_intent, fold_sentence

LONGEST_EXAMPLE: Final = 1_000
MOST_EXAMPLES: Final = 2_000
"""Characters of one example; examples of one intent."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a place: a JSON pointer such as ``/examples/pt/3``, "" for the whole."""

    pointer: str
    what: str


class InvalidIntentError(InvalidInputError):
    """A declaration that cannot be taken; ``faults`` holds all that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        listed = "; ".join(f"{fault.pointer or '/'} {fault.what}" for fault in faults)
        super().__init__("intent", listed, hint="Nothing was changed. Correct it and send it again.")
        self.faults = tuple(faults)


class Tenant(Protocol):
    """What reading needs to know of the tenant."""

    @property
    def default_language(self) -> str: ...

    @property
    def languages(self) -> Sequence[str]: ...


def read_intent(body: Any, tenant: Tenant, functions: Collection[str], *, name: str | None = None) -> IntentDeclaration:
    """The declaration in ``body``, a JSON object with the fields of IntentDeclaration.

    ``examples`` may also be a list of sentences, whose languages are then detected, and ``answer`` one text in the
    tenant's own language; ``description`` may be missing. ``name``: what the address says; the body may repeat it.
    Raises InvalidIntentError.
    """
    if not isinstance(body, Mapping):
        raise InvalidIntentError([Fault("", "must be a JSON object")])
    fields: dict[str, Any] = {str(key): value for key, value in storable_json(body).items()}
    if name is not None and fields.setdefault("name", name) != name:
        raise InvalidIntentError([Fault("/name", f"must be {name}, as in the address: names do not change")])
    fields.setdefault("description", fields.get("name"))
    if isinstance(fields.get("answer"), str):
        fields["answer"] = {tenant.default_language: fields["answer"]} if fields["answer"].strip() else {}
    fields["examples"] = _examples(fields.get("examples", {}), tenant)
    fields = {key: value for key, value in fields.items() if value is not None}
    try:
        intent = IntentDeclaration.model_validate(fields)
    except ValidationError as error:
        raise InvalidIntentError([_fault(dict(detail)) for detail in error.errors()]) from None
    intent = intent.model_copy(update={"examples": _distinct(intent.examples)})
    _check(intent, tenant, functions)
    return intent


def as_json(intent: IntentDeclaration) -> dict[str, Any]:
    """The declaration as it is read back: what :func:`read_intent` takes, whole."""
    return intent.model_dump(mode="json")


def _examples(given: Any, tenant: Tenant) -> Any:
    if not isinstance(given, list):
        return given
    sorted_in: dict[str, list[Any]] = {}
    for place, one in enumerate(given):
        text, language = (one.get("text"), one.get("language")) if isinstance(one, Mapping) else (one, None)
        if not isinstance(text, str) or not text.strip():
            raise InvalidIntentError([Fault(f"/examples/{place}", 'must be text, or {"text": …, "language": …}')])
        sorted_in.setdefault(language or language_of(text, tenant), []).append(text)
    return sorted_in


def language_of(text: str, tenant: Tenant) -> str:
    """The language of an example, the tenant's own where it cannot be told."""
    return detect_language(text, tenant.default_language, [one for one in tenant.languages if one in LANGUAGES])


def _distinct(examples: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Each sentence once, in the language in which it came first."""
    seen: set[str] = set()
    kept: dict[str, list[str]] = {}
    for language, sentences in examples.items():
        for sentence in sentences:
            if fold_sentence(sentence) not in seen:
                seen.add(fold_sentence(sentence))
                kept.setdefault(language, []).append(sentence)
    return {language: tuple(sentences) for language, sentences in kept.items()}


def _check(intent: IntentDeclaration, tenant: Tenant, functions: Collection[str]) -> None:
    faults = []
    count = sum(map(len, intent.examples.values()))
    if count == 0:
        faults.append(
            Fault("/examples", Told("examples_needed", "are missing: add at least one sentence; ten or more work well"))
        )
    if count > MOST_EXAMPLES:
        faults.append(Fault("/examples", f"are {count}; an intent takes at most {MOST_EXAMPLES}"))
    faults += [
        Fault(
            f"/examples/{language}/{place}",
            Told(
                "long_example", "has {count} characters; at most {most} are read", count=len(text), most=LONGEST_EXAMPLE
            ),
        )
        for language, sentences in intent.examples.items()
        for place, text in enumerate(sentences)
        if len(text) > LONGEST_EXAMPLE
    ]
    for key, translations in {"answer": intent.answer, **_replies(intent)}.items():
        if translations and tenant.default_language not in translations:
            english = "is missing: {language} is the tenant's default language"
            what = Told("default_language_needed", english, language=tenant.default_language)
            faults.append(Fault(f"/{key}/{tenant.default_language}", what))
    reader = FileReader(Path())
    check_intent(reader, "", intent, functions, may_be_bare=True)
    faults += [
        Fault("/" + problem.key.replace(".", "/") if problem.key else "", _told(problem)) for problem in reader.problems
    ]
    if faults:
        raise InvalidIntentError(faults)


def _replies(intent: IntentDeclaration) -> dict[str, Mapping[str, str]]:
    return {f"replies/{outcome}": texts for outcome, texts in intent.replies.items()}


def _fault(detail: dict[str, Any]) -> Fault:
    place = "".join(f"/{part}" for part in detail["loc"] if part != "[key]")
    if detail["type"] == "value_error":
        return Fault(place, told_of_detail(detail))
    if detail["type"] == "string_pattern_mismatch" and place == "/name":
        return Fault(place, Told("intent_name", "must be small letters, digits and _, beginning with a letter"))
    said = str(detail["msg"])
    said = said[:1].lower() + said[1:]
    if place == "/threshold" and detail["type"].endswith("_than_equal"):
        return Fault(place, Told("share", "{said}", said=said))
    if detail["type"] == "string_too_short":
        return Fault(place, Told("needed", "{said}", said=said))
    return Fault(place, _BY_TYPE.get(detail["type"], said))


_BY_TYPE: Final[Mapping[str, str]] = {
    "extra_forbidden": "is no field of an intent",
    "missing": Told("needed", "is missing"),
    "too_short": Told("needed", "is empty"),
}
"""Our own words for some of pydantic's."""


def _told(problem: Problem) -> str:
    """The same in one sentence."""
    english = f"{problem.what} {problem.todo}"
    if not isinstance(problem.what, Told):
        return english
    return Told(problem.what.kind, "{english}", english=english, **problem.what.values)
