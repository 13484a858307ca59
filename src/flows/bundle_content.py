"""What a stored prompt bundle holds: enough to explain a turn, to run a share of customers under it, and to go back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from agent.language_model import ModelSettings
from agent.prompts import PromptLibrary
from flows.functions_described import DescribedFunction, wording_of
from flows.tenant_declaration import TenantDeclaration
from tools.declaration import BusinessFunction

SETTINGS: Final = (
    "persona",
    "languages",
    "default_language",
    "reply_mode",
    "unmatched_mode",
    "policy",
    "threshold",
    "knowledge_threshold",
    "texts",
    "domains",
    "model",
    "mask_model_prompts",
    "second_reading",
)
"""What of tenant.yaml, and of ``tenant.settings``, a bundle holds."""
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class FunctionPart:
    """What a bundle says of a function: its wording, and whether it is trusted. Its code is no part of one."""

    description: str
    parameters: Mapping[str, str]
    trusted: bool = False
    trusted_for: tuple[str, ...] = ()

    @property
    def wording(self) -> DescribedFunction:
        """As it is laid over the declared function."""
        return DescribedFunction(description=self.description, parameters=dict(self.parameters))


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A document of the snapshot. ``source``: ``folder`` or ``added``."""

    ref: str
    digest: str
    title: str
    language: str
    file_name: str
    source: str


@dataclass(frozen=True, slots=True)
class BundleContent:
    """See the module. ``prompts``: whole files by name, Atende's own included; ``model``: as it was in effect."""

    prompts: Mapping[str, str]
    settings: Mapping[str, Any]
    intents: Mapping[str, Mapping[str, Any]]
    """Declarations by name, examples included: {language: [sentence]}."""
    functions: Mapping[str, FunctionPart]
    documents: tuple[DocumentPart, ...]
    model: Mapping[str, Any] | None = None
    contents: Mapping[str, Any] = field(default_factory=dict)
    """What the hash is made of, by part (agent.bundle)."""

    @classmethod
    def of_declaration(
        cls,
        declaration: TenantDeclaration,
        library: PromptLibrary,
        model: ModelSettings | None,
        contents: Mapping[str, Any],
    ) -> BundleContent:
        """Of a tenant's folder."""
        settings = declaration.settings.model_dump(mode="json")
        trust = declaration.settings.trust
        return cls(
            prompts=sources_of(library, declaration.prompts),
            settings={key: settings[key] for key in SETTINGS},
            intents={name: intent.model_dump(mode="json") for name, intent in declaration.intents.items()},
            functions={
                name: function_part(function, trusted=name in trust, trusted_for=trust.get(name, ()))
                for name, function in declaration.functions.items()
            },
            documents=tuple(
                DocumentPart(one.ref, one.digest, one.title, one.language, one.file_name, "folder")
                for one in declaration.knowledge
            ),
            model=model.fingerprint() if model else None,
            contents=contents,
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON values, with the format's number."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> BundleContent:
        """The inverse of ``to_json``. Raises KeyError or TypeError for what is none."""
        if found["format"] != FORMAT:
            raise KeyError(f"format {found['format']!r} instead of {FORMAT}")
        return cls(
            prompts=found["prompts"],
            settings=found["settings"],
            intents=found["intents"],
            functions={
                name: FunctionPart(**{**one, "trusted_for": tuple(one["trusted_for"])})
                for name, one in found["functions"].items()
            },
            documents=tuple(DocumentPart(**one) for one in found["documents"]),
            model=found["model"],
            contents=found["contents"],
        )

    def examples(self) -> list[tuple[str, str, str]]:
        """(intent, language, text) of all intents, in the order in which the database hands them out."""
        found = (
            (name, language, text)
            for name, intent in self.intents.items()
            for language, texts in intent.get("examples", {}).items()
            for text in texts
        )
        return sorted(found, key=lambda one: (one[0], one[2]))


def function_part(function: BusinessFunction, *, trusted: bool, trusted_for: Iterable[str]) -> FunctionPart:
    """Of a function as it is offered to a model."""
    words = wording_of(function.json_schema()["function"])
    return FunctionPart(words.description, words.parameters, trusted, tuple(trusted_for))


def sources_of(library: PromptLibrary, own: Mapping[str, Any]) -> dict[str, str]:
    """All prompts in force as whole files, by name."""
    return {name: prompt.source for name, prompt in {**library.prompts, **own}.items()}
