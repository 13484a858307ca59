"""What a page of settings is made of, and words for what holds where nothing is set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from flows.tenant_declaration import LANGUAGES
from web.i18n import N_

Kind = Literal["line", "lines", "number", "choice", "switch", "secret"]


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of a page. ``name`` and ``help`` are translated where they are shown."""

    key: str
    name: str
    help: str = ""
    kind: Kind = "line"
    choices: tuple[tuple[str, str], ...] = ()
    """Of a choice: value and name."""
    language: str = ""
    """Of words for customers: in which language."""


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together."""

    name: str
    about: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """A page below /settings."""

    slug: str
    name: str
    about: str
    icon: str
    sections: tuple[Section, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """All of them."""
        return tuple(field for section in self.sections for field in section.fields)


def words(key: str, name: str, help_: str) -> tuple[Field, ...]:
    """A text for customers, a field for each language."""
    return tuple(Field(f"texts.{key}.{language}", name, help_, "lines", language=language) for language in LANGUAGES)


USUAL: Final = {
    "at_once": N_("is answered at once"),
    "by_hand": N_("whoever takes it"),
    "yes": N_("yes"),
    "no": N_("no"),
    "until a person returns it": N_("until a person returns it"),
    "the installation's": N_("the installation's"),
    "the installation's, at its own address": N_("the installation's, at its own address"),
    "as model.name": N_("the first model"),
    "as reply_mode": N_("as everything else"),
    "tokens only": N_("tokens only"),
    "twice as long": N_("twice as long"),
    "1, or less": N_("1, or less"),
    "Atende's words": N_("Atende's own words"),
}
"""What holds where nothing is set, where it is no figure."""
