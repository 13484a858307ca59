"""Languages of the pages: gettext catalogues, and which of them a visitor gets.

English is the source language. The catalogues are compiled in memory when the server starts: a checkout needs no
build step, and a stale ``.mo`` cannot exist. After changing words run, from the repository's root::

    pybabel extract -F src/web/locale/babel.cfg -k N_ --no-location -o messages.pot src/web
    pybabel update -i messages.pot -d src/web/locale -D atende --no-fuzzy-matching

and translate what is empty; ``tests/web/test_translations.py`` says what is missing.
"""

from __future__ import annotations

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

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
    source = LOCALE / BABEL_LOCALES[language] / "LC_MESSAGES" / "atende.po"
    if not source.exists():
        return NullTranslations()
    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=BABEL_LOCALES[language]))
    compiled.seek(0)
    return GNUTranslations(compiled)


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
