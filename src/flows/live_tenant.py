"""A tenant's rows, read together, and what the agent makes of them: as they are, or under a stored bundle."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from agent.bundle import documents_version, examples_version
from agent.language_model import ModelSettings
from agent.prompts import Prompt, PromptError, PromptLibrary, check_own, read_prompt
from agent.turn import TenantProfile
from flows.bundle_content import SETTINGS, BundleContent, DocumentPart, function_part, sources_of
from flows.functions import WITHHELD, WORDING
from flows.functions_described import DescribedFunction, described
from flows.model_declaration import declared_model
from flows.tenant_profile import profile_of
from store import bundles, functions, knowledge, knowledge_documents
from store.database import Connection, Row
from store.functions import FunctionRow
from tools.declaration import BusinessFunction

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveTenant:
    """What of a tenant shapes answers. ``functions`` are callable."""

    tenant: Mapping[str, Any]
    intents: Mapping[str, Mapping[str, Any]]
    """Declarations by name, without examples."""
    function_rows: Sequence[FunctionRow]
    functions: Mapping[str, BusinessFunction]
    examples: Sequence[Mapping[str, Any]]
    """(intent, language, text, …) as ``store.knowledge.examples``."""
    documents: Sequence[DocumentPart]
    prompts: Mapping[str, Prompt]
    library: PromptLibrary
    default_model: ModelSettings | None
    model_key: str | None
    allowed_hosts: frozenset[str] = frozenset()
    """Of our own network, for the model's address: see Holdings."""

    def profile(self) -> TenantProfile:
        """As the agent reads it."""
        rows: Any = [{"declaration": declaration} for declaration in self.intents.values()]
        tenant: Any = self.tenant
        return replace(
            profile_of(tenant, rows, self.function_rows, self.functions),
            prompts=self.prompts,
            documents_version=documents_version((one.ref, one.language, one.digest) for one in self.documents),
            examples_version=examples_version((row["intent"], row["language"], row["text"]) for row in self.examples),
        )

    def model(self) -> ModelSettings | None:
        """The language model in effect."""
        return declared_model(self.tenant["settings"]).settings(self.default_model, self.model_key, self.allowed_hosts)

    def content(self, contents: Mapping[str, Any]) -> BundleContent:
        """What a bundle stores of it. ``contents``: agent.bundle's parts."""
        examples: dict[str, dict[str, list[str]]] = {name: {} for name in self.intents}
        for row in self.examples:
            examples[row["intent"]].setdefault(row["language"], []).append(row["text"])
        trust = {row.name: row for row in self.function_rows}
        settings, model = self.tenant["settings"], self.model()
        return BundleContent(
            prompts=sources_of(self.library, self.prompts),
            settings={key: settings[key] for key in SETTINGS if key in settings},
            intents={name: {**one, "examples": examples[name]} for name, one in self.intents.items()},
            functions={
                name: function_part(one, trusted=trust[name].trusted, trusted_for=trust[name].trusted_for)
                for name, one in self.functions.items()
            },
            documents=tuple(self.documents),
            model=model.fingerprint() if model else None,
            contents=contents,
        )

    def under(self, content: BundleContent) -> LiveTenant:
        """The same tenant under a stored bundle, as far as it still has the functions."""
        kept = {key: value for key, value in self.tenant["settings"].items() if key not in SETTINGS}
        words = {name: one.wording for name, one in content.functions.items()}
        rows = [
            replace(row, trusted=part.trusted, trusted_for=part.trusted_for)
            for row in self.function_rows
            if (part := content.functions.get(row.name))
        ]
        offered = {name: one for name, one in self.functions.items() if name in content.functions}
        return replace(
            self,
            tenant={**dict(self.tenant.items()), "settings": {**kept, **content.settings}},
            intents={
                name: {key: value for key, value in one.items() if key != "examples"}
                for name, one in sorted(content.intents.items())
            },
            function_rows=rows,
            functions=described(offered, words, strict=False),
            examples=[
                {"intent": intent, "language": language, "text": text, "encoder": "", "embedding": None}
                for intent, language, text in content.examples()
            ],
            documents=content.documents,
            prompts=own_prompts(content.prompts, self.library),
        )


@dataclass(frozen=True, slots=True)
class TenantRows:
    """The rows of a LiveTenant, before its functions are made callable."""

    tenant: Row
    intents: Sequence[Row]
    functions: Sequence[FunctionRow]
    examples: Sequence[Row]
    documents: Sequence[DocumentPart]
    prompts: Mapping[str, str]
    canary: tuple[bundles.Canary, BundleContent] | None


async def read_rows(tx: Connection, tenant_id: UUID) -> TenantRows:
    """Everything at once. Some tens of milliseconds for a large tenant; never in a turn."""
    known = await knowledge_documents.digests(tx, tenant_id)
    canary = await bundles.canary(tx)
    content = None
    if canary is not None and (stored := await bundles.matching(tx, canary.hash)):
        content = (canary, BundleContent.from_json(stored[0]["content"]))
    return TenantRows(
        await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id),
        await tx.fetch("SELECT name, declaration FROM intent ORDER BY name"),
        await functions.every(tx),
        await knowledge.examples(tx),
        tuple(
            DocumentPart(ref, row["digest"], row["title"], row["language"], row["file_name"], row["source"])
            for ref, row in sorted(known.items())
        ),
        await bundles.wordings(tx),
        content,
    )


def own_prompts(sources: Mapping[str, str], library: PromptLibrary) -> dict[str, Prompt]:
    """The tenant's own wording among these files. One that fits no longer is left out, and told in the log.

    That happens where an update of Atende needs more of a prompt; its own wording is then the safe one.
    """
    found: dict[str, Prompt] = {}
    for name, source in sources.items():
        try:
            prompt = read_prompt(Path(f"prompts/{name}.md.j2"), source)
            check_own(prompt, library)
        except PromptError as error:
            log.warning("a tenant's own prompt is not used: %s", error)
            continue
        if prompt.digest != library[name].digest:
            found[name] = prompt
    return found


def worded(usable: Mapping[str, BusinessFunction], rows: Sequence[FunctionRow]) -> dict[str, BusinessFunction]:
    """The functions that the published bundle offers, in its words."""
    withheld = {row.name for row in rows if row.declaration.get(WITHHELD)}
    usable = {name: one for name, one in usable.items() if name not in withheld}
    words = {
        row.name: DescribedFunction.model_validate(row.declaration[WORDING])
        for row in rows
        if WORDING in row.declaration and row.name in usable
    }
    return described(usable, words, strict=False)
