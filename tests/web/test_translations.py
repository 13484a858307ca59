"""All that people read is in the catalogues, and the catalogues are complete."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import Environment

from web.i18n import LOCALE, catalogue
from web.pages import TEMPLATES

WEB = TEMPLATES.parent
NAMES = {"Atende", "Ctrl", "Enter", "+"}
"""Words that are the same in every language."""
READ_ATTRIBUTES = {"title", "placeholder", "aria-label", "alt"}


@pytest.mark.parametrize("locale", ["pt_BR", "es"])
def test_that_every_sentence_is_translated(locale: str) -> None:
    words = catalogue(locale)
    keywords = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    options = {"templates/**.html": {"extensions": "jinja2.ext.i18n", "newstyle_gettext": "true", "silent": "false"}}
    wanted = {found[2] for found in extract_from_dir(WEB, methods, options, keywords)}
    assert len(wanted) > 150
    for message in wanted:
        entry = words.get(message if isinstance(message, str) else message[0])
        assert entry is not None, f"{locale} lacks {message!r}"
        texts = entry.string if isinstance(entry.string, tuple | list) else [entry.string]
        assert all(texts), f"{locale} does not translate {message!r}"
        assert not entry.fuzzy, f"{locale} guesses at {message!r}"
        for text in texts:
            assert set(re.findall(r"%\(\w+\)s", text)) == set(re.findall(r"%\(\w+\)s", str(entry.id))), text


@pytest.mark.parametrize("locale", ["pt_BR", "es"])
def test_that_a_sentence_is_translated_in_one_place(locale: str) -> None:
    found: dict[object, str] = {}
    for source in sorted((LOCALE / locale / "LC_MESSAGES").glob("*.po")):
        with source.open("rb") as file:
            for message in read_po(file, locale=locale):
                assert not message.id or message.id not in found, f"{message.id!r} also in {found[message.id]}"
                found[message.id] = source.name


@pytest.mark.parametrize("template", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_that_no_template_speaks_without_a_catalogue(template: Path) -> None:
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    literal = "".join(value if kind == "data" else " " for _, kind, value in environment.lex(template.read_text()))
    reader = _Reader()
    reader.feed(literal)
    spoken = {word for text in reader.texts for word in text.split() if re.search(r"[^\W\d_]", word)} - NAMES
    assert not spoken, f"{template.name} says {sorted(spoken)}"


class _Reader(HTMLParser):
    """Collects what a person would read."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if name in READ_ATTRIBUTES and value]
