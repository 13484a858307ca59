"""The fixed texts: Atende's own wording in ``prompts/texts.yaml``, overridden text by text by the tenant."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from agent.prompts import PromptError, prompts_folder
from agent.templates import TemplateFailedError, render
from agent.turn import TenantProfile, Translations
from tools.declaration import Parameter

LANGUAGES: Final = ("pt", "es", "en")


@dataclass(frozen=True, slots=True)
class FixedTexts:
    """Every fixed text by key and language. Each key has all of LANGUAGES."""

    wording: Mapping[str, Translations]

    def say(self, profile: TenantProfile, key: str, language: str, **variables: Any) -> str:
        """The text in ``language``, in the tenant's words where it has its own and they can be rendered."""
        values = {"business": profile.name, "language": language, **variables}
        own = choose(profile.texts.get(key, {}), language)
        shipped = choose(self.wording.get(key, {}), language, profile.default_language)
        if own or not shipped:
            try:
                return render(key, own or choose(profile.texts.get(key, {}), profile.default_language), values)
            except TemplateFailedError:
                if not shipped:
                    raise
        return render(key, shipped, values)

    def has(self, profile: TenantProfile, key: str) -> bool:
        """Whether the tenant or Atende has a text of that key."""
        return key in profile.texts or key in self.wording


def choose(translations: Translations, *languages: str) -> str:
    """The text in the first of ``languages`` that has one, else in any; "" where there is none at all."""
    for language in languages:
        if translations.get(language):
            return translations[language]
    return next((text for text in translations.values() if text), "")


def label_of(texts: FixedTexts, profile: TenantProfile, parameter: Parameter, language: str) -> str:
    """What the parameter is called in a sentence."""
    described = parameter.description or parameter.name
    return texts.say(profile, f"label_{parameter.kind}", language, description=described)


def load_texts(folder: Path | None = None, required: Sequence[str] = LANGUAGES) -> FixedTexts:
    """Read ``texts.yaml``; raise PromptError where a text lacks one of the ``required`` languages."""
    path = (folder or prompts_folder()) / "texts.yaml"
    wording = _wording(path.read_text(encoding="utf-8"))
    for key, translations in wording.items():
        missing = [language for language in required if not translations.get(language)]
        if missing:
            raise PromptError(path, _line_of(path, key), f"the text {key} has no wording in {', '.join(missing)}")
    return FixedTexts(wording)


@functools.lru_cache(maxsize=8)
def _wording(text: str) -> dict[str, dict[str, str]]:
    wording: dict[str, dict[str, str]] = yaml.safe_load(text)
    return wording


def _line_of(path: Path, key: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"{key}:")), 1)
