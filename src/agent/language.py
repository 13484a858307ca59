"""Which language a customer writes: Portuguese, Spanish or English.

WhatsApp messages are a word or two as often as a sentence, and Portuguese and Spanish share half of them. So small
words that belong to one language decide first; a statistical detector (py3langid) only speaks up on longer texts; and
what stays undecided keeps the conversation's language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from agent.language_words import LOANED, OF_COMMERCE, SMALL
from agent.normalise import MAX_READ, fold, visible

_MAX_DETECTED: Final = 600
_MIN_LETTERS_FOR_STATISTICS: Final = 12
_SURE: Final = 0.80
_NOT_LANGUAGE: Final = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|[\d#]\S*|\{[{%].*?[}%]\}|`[^`]*`")
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_DRAWN_OUT: Final = re.compile(r"(?<=.)([aeiouy])\1+(?=e?$)")
"""Of a word: "yy" alone is no Spanish "y"."""

_LANGUAGES: Final = tuple(SMALL)


def _lexicon() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for language in _LANGUAGES:
        for word in dict.fromkeys(f"{SMALL[language]} {OF_COMMERCE[language]}".split()):
            found[word] = (*found.get(word, ()), language)
    return found


_LEXICON: Final = _lexicon()
_LOANED: Final = re.compile(rf"\b(?:{'|'.join(sorted(LOANED, key=len, reverse=True))})\b")
# How words are written in one of the three, and how much it says. Read with accents.
_SPELLING: Final = (
    ("pt", 1.5, re.compile(r"[ãõçâêô]|ção|ções")),
    ("pt", 1.0, re.compile(r"[a-zà-ü]{2}(?:[nl]h[aeoáéó]|ões|eiro|eira)|\b[a-z]{3,}(?:ou|ei|eu)\b")),
    # "ñ" alone is a Brazilian's "não".
    ("es", 1.5, re.compile(r"\Bñ|ñ\B|[¿¡]|ción|ciones")),
    ("es", 1.0, re.compile(r"\bqué\b|\bll[aeoá]|[a-z]{3}ó\b|[áéíóú]n\b|[bcdfjlmnprstv]ue[lnrstvb]|[btv]iene")),
    ("en", 1.0, re.compile(r"\b[a-z]*(?:th|sh|ck|gh|oo|ee)[a-z]*\b|[a-z]{3}ing\b|[a-z]'(?:t|s|re|ll|m|ve|d)\b")),
)
_ROMANCE: Final = re.compile(r"[áéíóú]")
"""Portuguese and Spanish alike, and never English."""


def detect_language(text: str, default: str, allowed: Iterable[str] = ("pt", "es", "en")) -> str:
    """The language of ``text`` among ``allowed`` (codes of pt, es, en), or ``default`` where it cannot be told.

    ``default`` is the conversation's language so far: "ok" or a bare order number never changes it.
    """
    among = [language for language in _LANGUAGES if language in set(allowed)]
    cleaned = _NOT_LANGUAGE.sub(" ", visible(text[:MAX_READ]).lower())[:_MAX_DETECTED]
    cleaned = _LOANED.sub(" ", cleaned)
    if not among or not _WORD.search(cleaned):
        return default
    votes = _votes(cleaned, among)
    first, second = [*sorted(votes.values(), reverse=True), 0.0][:2]
    winner = max(votes, key=lambda language: votes[language])
    found = _WORD.findall(cleaned)
    letters = sum(map(len, found)) if len(found) > 1 else 0
    if first >= second + 0.99 and (first >= 2 * second or letters < _MIN_LETTERS_FOR_STATISTICS):
        return winner
    if letters >= _MIN_LETTERS_FOR_STATISTICS:
        return _statistics(cleaned, among, votes) or default
    return default


def _votes(cleaned: str, among: list[str]) -> dict[str, float]:
    """Own words count one each, words of two languages a third: they weigh against the remaining one only."""
    votes = dict.fromkeys(among, 0.0)
    said = _WORD.findall(fold(cleaned))
    for word in said if len(cleaned.strip()) > 1 else ():
        known = _LEXICON.get(word) or _LEXICON.get(_DRAWN_OUT.sub(r"\1", word), ())
        owners = [language for language in known if language in votes]
        for language in owners:
            votes[language] += 1.0 if len(owners) == 1 else 1 / 3
    for language, weight, spelling in _SPELLING:
        # English spelling alone is in names and in what is sold everywhere: "Washington", "cheeseburger".
        if language in votes and (language != "en" or votes["en"]) and spelling.search(cleaned):
            votes[language] += weight
    for language in votes:
        if language != "en" and _ROMANCE.search(cleaned):
            votes[language] += 1 / 3
    return votes


def _statistics(cleaned: str, among: list[str], votes: dict[str, float]) -> str | None:
    chances = dict(_identifier().rank(cleaned))
    weighed = {language: chances[language] * (1 + votes[language]) for language in among}
    total = sum(weighed.values())
    best = max(weighed, key=lambda language: weighed[language])
    return best if total > 0 and weighed[best] / total >= _SURE else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - a second, only for longer texts

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(_LANGUAGES)
    return identifier
