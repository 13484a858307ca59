"""Languages of the pages: gettext catalogues, and which of them a visitor gets.

English is the source language. The catalogues are compiled in memory when the server starts: a checkout needs no
build step, and a stale ``.mo`` cannot exist. A language's catalogue is every ``.po`` file of its folder, one for each
part of the pages; ``atende.po`` holds what belongs to none. ``tests/web/test_translations.py`` says what is missing.
"""

from __future__ import annotations

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE = Path(__file__).parent / "locale"
LANGUAGES: dict[str, str] = {"pt": "Português", "es": "Español", "en": "English"}
"""Language code of tenants and users → its own name, in the order offered. The first is the fallback."""

BABEL_LOCALES = {"pt": "pt_BR", "es": "es", "en": "en"}
HTML_LANGUAGES = {"pt": "pt-BR", "es": "es", "en": "en"}


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name, which the extractor looks for
    """Mark a string for translation where it is declared; it is translated where it is shown."""
    return message


@cache
def load_catalogue(language: str) -> NullTranslations:
    """The translations of ``language``; English falls through to the source strings."""
    words = catalogue(BABEL_LOCALES[language])
    if not len(words):
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, words)
    compiled.seek(0)
    return GNUTranslations(compiled)


def catalogue(locale: str) -> Catalog:
    """All ``.po`` files of a locale in one; a sentence that stands in two is taken from the first."""
    joined = Catalog(locale=locale)
    for source in sorted((LOCALE / locale / "LC_MESSAGES").glob("*.po")):
        with source.open("rb") as file:
            for message in read_po(file, locale=locale):
                if message.id and message.id not in joined:
                    joined[message.id] = message
    return joined


def known_language(tag: str | None) -> str | None:
    """``pt-BR``, ``pt_BR`` or ``pt`` → ``pt``; None for a language without a catalogue."""
    code = (tag or "").replace("_", "-").split("-")[0].strip().lower()
    return code if code in LANGUAGES else None


def accepted_language(header: str) -> str | None:
    """The best known language of an ``Accept-Language`` header."""
    ranked: list[tuple[float, str]] = []
    for part in header.split(",")[:20]:
        tag, _, quality = part.partition(";q=")
        language = known_language(tag.strip())
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if language and weight > 0:
            ranked.append((weight, language))
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def choose_language(*, chosen: str | None, preferred: str | None, accepted: str, fallback: str | None = None) -> str:
    """What was chosen in this browser, else the user's preference, else the browser's, else the tenant's."""
    return (
        known_language(chosen)
        or known_language(preferred)
        or accepted_language(accepted)
        or known_language(fallback)
        or next(iter(LANGUAGES))
    )
