"""What flows tell of a wrong entry has a sentence of the pages for each of its kinds, with values that are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from domain.errors import ConflictError
from domain.told import Told
from flows.intent_declared import InvalidIntentError, read_intent
from flows.intent_files import IntentFileError, read_intents
from flows.intents import OutdatedIntentError
from flows.tenant_settings import SettingsRefusedError, read_settings
from web.complaints import SENTENCES, complaints
from web.i18n import catalogue
from web.pages import TEMPLATES

SOURCES = TEMPLATES.parents[1]
PASSED_ON = {("_told", "flows/intent_declared.py")}
"""Functions that say the same kind with more words, and where they stand."""


def told_calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Every place that tells something: its file, the call, the function that it stands in."""
    for source in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(source.read_text())
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module | ast.ClassDef):
                continue
            for node in _own(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Told":
                    yield str(source.relative_to(SOURCES)), node, getattr(function, "name", "")


def _own(function: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child
            yield from _own(child)


def test_that_pages_have_a_sentence_for_every_kind_that_flows_tell_and_its_values() -> None:
    told: set[str] = set()
    for file, call, function in told_calls():
        if (function, file) in PASSED_ON:
            continue
        kind = call.args[0]
        assert isinstance(kind, ast.Constant), f"{file}:{call.lineno} does not name its kind"
        told.add(str(kind.value))
        assert str(kind.value) in SENTENCES, f"{file}:{call.lineno}"
        given = {one.arg for one in call.keywords}
        wanted = set(re.findall(r"%\((\w+)\)s", SENTENCES[str(kind.value)]))
        assert wanted <= given, f"{file}:{call.lineno} gives {given}, its sentence names {wanted}"
    assert len(told) > 40
    assert set(SENTENCES) == told, "no sentence is there in vain"


def shown(error: Exception, language: str = "pt_BR") -> list[str]:
    """The complaints in a page's words."""
    words = catalogue(language)
    found = complaints(error)  # type: ignore[arg-type]
    assert all(one.sentence for one in found), [one.said for one in found]
    return [str(words.get(one.sentence).string) % dict(one.values) for one in found]


class Shop:
    default_language = "pt"
    languages = ("pt", "es", "en")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"examples": {"pt": []}}, "necessário"),
        ({"examples": {}}, "exemplo"),
        ({"answer": {"pt": "oi"}, "action": "stay_silent"}, "silêncio"),
        ({"replies": {"ok": {"pt": "{{ x"}}}, "chaves"),
        ({"replies": {"ok": {"pt": "{{ x }}"}}}, "x"),
        ({"name": "Pedido!"}, "letras minúsculas"),
        ({"answer": {"pt": "Olá {{ nome }}"}}, "texto fixo"),
        ({"answer": {"en": "Hi"}}, "em pt"),
        ({"function": "nothing"}, "nothing"),
        ({"threshold": 3}, "0 a 1"),
        ({"examples": {"pt": ["a" * 1_001]}}, "1001"),
    ],
)
def test_that_what_is_wrong_with_an_intent_is_said_in_portuguese(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidIntentError) as caught:
        read_intent({"name": "x", "examples": {"pt": ["oi"]}, **wrong}, Shop(), [])
    assert any(said in one for one in shown(caught.value)), shown(caught.value)
    assert "{" not in str(caught.value).replace("{{", "")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.xyz", b"x"),
        ("a.csv", b" "),
        ("a.csv", b"a,b\n1,2"),
        ("a.csv", b"text,intent\n"),
        ("a.csv", b"text,intent\noi,a\nOi!,b"),
    ],
)
def test_that_what_is_wrong_with_a_file_is_too(name: str, data: bytes) -> None:
    with pytest.raises(IntentFileError) as caught:
        read_intents(name, data)
    assert shown(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("threshold", "2"),
        ("pacing.split_characters", "-1"),
        ("quiet_hours.daily", "late"),
        ("languages", "fr"),
        ("reply_mode", "perhaps"),
        ("satisfaction.ask", "perhaps"),
        ("timezone", "Mars"),
        ("domains", "no domain"),
        ("model.base_url", "nowhere"),
        ("model.name", "a b"),
        ("model.prices", "m"),
        ("model.options", "[]"),
        ("budgets.day", "much"),
        ("handoff.vip_tags", "a" * 99),
        ("texts.disclosure.pt", "{{ nobody }}"),
        ("texts.disclosure.pt", "{{ "),
        ("name", ""),
        ("persona", "x" * 4_001),
    ],
)
def test_that_what_is_wrong_with_a_setting_is_too(key: str, value: str) -> None:
    with pytest.raises(SettingsRefusedError) as caught:
        read_settings({key: value})
    assert shown(caught.value)


def test_that_a_change_meanwhile_is_too_and_other_words_stay_english() -> None:
    assert "7" in shown(OutdatedIntentError("x", 7))[0]
    (other,) = complaints(ConflictError("No room.", hint="Make some."))
    assert (other.sentence, other.said) == ("", "No room. Make some.")
    assert Told("needed", "is {what}", what="needed") == "is needed"
