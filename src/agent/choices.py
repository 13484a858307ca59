"""Answers by word: one of a parameter's choices, or yes and no."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final

from agent.findings import Finding
from agent.normalise import fold
from tools.declaration import Choice, ParameterKind

_TYPO_MIN_LETTERS: Final = 5
_TYPO_LIKENESS: Final = 0.85
_SHORT_LABEL: Final = 2
_WORD: Final = re.compile(r"\w+")
_POSITION: Final = re.compile(
    r"^(?:(?:a|o|la|el|the|opcao|opcion|option|numero|number)\s+)*"
    r"(?P<n>\d|primeir[oa]|segund[oa]|terceir[oa]|primer[oa]?|tercer[oa]?|first|second|third)"
    r"(?:\s+(?:opcao|opcion|option|one))?\W*$"
)
_ORDINAL: Final = {"prim": 1, "segu": 2, "terc": 3, "firs": 1, "seco": 2, "thir": 3}
_YES_WORDS: Final = """
sim s ss simm claro isso confirmo confirmado confirma certeza quero pode ok okay okey beleza blz certo exato exatamente
positivo aham uhum aceito perfeito otimo bora si dale vale correcto acepto yes y yep yeah yup sure correct right
"""
_NO_WORDS: Final = "nao n nop nope negativo no nem nunca jamais nah not never cancela ningun tampouco tampoco"
_YES: Final = frozenset(_YES_WORDS.split())
_NO: Final = frozenset(_NO_WORDS.split())
_NOT_EVEN_SO: Final = re.compile(
    r"\b(?:claro|acho|creio|penso|digo|supuesto|creo|course|think)\s+(?:que\s+)?(?:nao|no|not)\b"
)
_UNDECIDED: Final = re.compile(
    r"\b(?:nao sei|nao lembro|nao tenho certeza|talvez|no se|no lo se|no estoy segur[oa]|quiza|not sure|don'?t know|"
    r"maybe|depende|depends)\b"
)
_PHRASE_YES: Final = re.compile(
    r"\b(?:com certeza|pode ser|pode sim|por supuesto|of course|go ahead|isso mesmo|pois e)\b"
)
_LOOKED_AT: Final = 6


def find_boolean(text: str, raw: str) -> Iterator[Finding]:
    """Yes or no in the first words of folded ``text``; ``raw`` may hold a thumb instead. Nothing where undecided."""
    answer = _yes_or_no(text)
    if answer is None and not _WORD.search(text):
        up, down = any(sign in raw for sign in "👍✅👌✔"), any(sign in raw for sign in "👎❌🚫")
        answer = up if up != down else None
    if answer is not None:
        yield Finding(ParameterKind.BOOLEAN, 0, len(text), answer)


def _yes_or_no(text: str) -> bool | None:
    if _UNDECIDED.search(text):
        return None
    if _NOT_EVEN_SO.search(text):
        return False
    if _PHRASE_YES.match(text):
        return True
    for word in _WORD.findall(text)[:_LOOKED_AT]:
        if word in _YES or word in _NO:
            return word in _YES
    return None


def find_choices(text: str, choices: tuple[Choice, ...], *, asked: bool) -> list[Finding]:
    """Every choice that folded ``text`` names: by whole labels, else (asked) by position, else by mistyped labels.

    Labels of one or two letters ("P", "M") only count behind a cue such as "tamanho", or when the choice was asked for.
    """
    labels = _labels(choices)
    exact = [found for label, value in labels if (found := _exact(text, label, value, asked=asked))]
    if exact:
        return _longest(exact)
    if asked and (match := _POSITION.match(text)):
        number = int(match["n"]) if match["n"].isdigit() else _ORDINAL[match["n"][:4]]
        if 1 <= number <= len(choices):
            return [Finding(ParameterKind.ENUM, match.start("n"), match.end("n"), choices[number - 1].value)]
    return _longest([found for label, value in labels if (found := _mistyped(text, label, value))])


def _labels(choices: tuple[Choice, ...]) -> list[tuple[str, str]]:
    """(folded label, value) over all languages: customers mix them. Long labels first."""
    pairs = {
        (fold(label), choice.value)
        for choice in choices
        for label in (choice.value.replace("_", " "), *(text for texts in choice.labels.values() for text in texts))
    }
    return sorted((pair for pair in pairs if pair[0]), key=lambda pair: (-len(pair[0]), pair))


def _exact(text: str, label: str, value: str, *, asked: bool) -> Finding | None:
    cue = (
        ""
        if asked or len(label) > _SHORT_LABEL
        else r"(?:tamanho|tam|talla|size|cor|color|tipo|modelo|opcao|opcion|option) "
    )
    match = re.search(rf"(?<!\w){cue}(?P<label>{re.escape(label)})(?:s|es)?(?!\w)", text)
    return Finding(ParameterKind.ENUM, match.start("label"), match.end(), value) if match else None


def _mistyped(text: str, label: str, value: str) -> Finding | None:
    if len(label) < _TYPO_MIN_LETTERS:
        return None
    words = list(_WORD.finditer(text))
    width = len(_WORD.findall(label))
    for first in range(len(words) - width + 1):
        start, end = words[first].start(), words[first + width - 1].end()
        near = abs(end - start - len(label)) <= 2
        if near and SequenceMatcher(None, text[start:end], label).ratio() >= _TYPO_LIKENESS:
            return Finding(ParameterKind.ENUM, start, end, value)
    return None


def _longest(found: list[Finding]) -> list[Finding]:
    """Without the matches that lie inside a longer one: "azul" in "azul marinho"."""
    return [
        one
        for one in found
        if not any(
            other.start <= one.start and one.end <= other.end and other.end - other.start > one.end - one.start
            for other in found
        )
    ]
