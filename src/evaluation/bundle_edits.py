"""Bundle files: what differs from a bundle one starts from, in YAML that a person reads.

from: .                        # what it starts from, relative to this file; "." is the tenant's folder as it stands
description: Shorter rules, and a stricter threshold
prompts: [converse.md.j2]      # prompt files, relative to this file
settings:                      # as in tenant.yaml; groups are merged, the rest is replaced
  threshold: 0.85
  model: {name: gpt-4.1-mini}
functions:                     # what a language model reads of them; their code is no part of a bundle
  order_status: {description: Find an order by its number., parameters: {order_number: Five digits}}
intents:
  opening_hours: {threshold: 0.9}
knowledge: {remove: [trocas], add: [novas-trocas.md]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.bundle import content_hash
from agent.prompts import Prompt, PromptError, PromptLibrary, check_own, read_prompt
from domain.errors import AtendeError
from flows.functions_described import DescribedFunction, described
from flows.tenant_declaration import IntentDeclaration, KnowledgeDocument, TenantDeclaration, TenantSettings
from flows.tenant_texts import read_knowledge

_APART: Final = frozenset({"slug", "numbers", "users"})
"""Settings of tenant.yaml that are no part of a bundle."""


class BundleFileError(AtendeError):
    """A bundle file that cannot be used. ``line`` is 0 where none is known."""

    def __init__(self, path: Path | str, problem: str, *, line: int = 0) -> None:
        place = f"{path}:{line}" if line else str(path)
        super().__init__(f"{place}: {problem}.", hint="Correct the bundle file.")
        self.path = Path(path)
        self.line = line


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class KnowledgeEdits(_Part):
    """Documents to leave out, by ref, and files to add (one of the same name replaces)."""

    remove: tuple[str, ...] = ()
    add: tuple[str, ...] = ()


class BundleFile(_Part):
    """A bundle file; see the module."""

    start: str = Field(default=".", alias="from")
    description: str = ""
    prompts: tuple[str, ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict)
    functions: dict[str, DescribedFunction] = Field(default_factory=dict)
    intents: dict[str, dict[str, Any]] = Field(default_factory=dict)
    knowledge: KnowledgeEdits = KnowledgeEdits()


def read_bundle_file(path: Path) -> BundleFile:
    """Raises BundleFileError with the line, where there is one."""
    text = path.read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise BundleFileError(path, f"is not valid YAML: {error.problem}", line=line) from error
    if not isinstance(content, dict):
        raise BundleFileError(path, "holds no keys", line=1)
    try:
        return BundleFile.model_validate(content)
    except ValidationError as error:
        raise _refused(path, text, error) from error


def edited(declaration: TenantDeclaration, library: PromptLibrary, file: BundleFile, beside: Path) -> TenantDeclaration:
    """The declaration with the file's changes. Raises BundleFileError or PromptError."""
    try:
        changed = replace(
            declaration,
            settings=_settings(declaration.settings, file.settings),
            intents=_intents(declaration, file.intents),
            functions=described(declaration.functions, file.functions),
            knowledge=_knowledge(declaration, file.knowledge, beside),
            version=content_hash([declaration.version, file.model_dump(mode="json")]),
        )
    except ValidationError as error:
        raise _refused(beside, "", error) from error
    sources = {str(beside / name): _text(beside / name) for name in file.prompts}
    return with_prompts(changed, library, sources) if sources else changed


def with_prompts(
    declaration: TenantDeclaration, library: PromptLibrary, sources: Mapping[str, str]
) -> TenantDeclaration:
    """With prompts of its own, from the text of prompt files by their paths. Raises PromptError."""
    own: dict[str, Prompt] = dict(declaration.prompts)
    for path, text in sources.items():
        prompt = read_prompt(Path(path), text)
        check_own(prompt, library)
        own[prompt.name] = prompt
    # What is word for word Atende's own is no wording of the tenant's.
    own = {name: prompt for name, prompt in own.items() if prompt.digest != library[name].digest}
    version = content_hash([declaration.version, *(prompt.digest for prompt in own.values())])
    return replace(declaration, prompts=own, version=version)


def _settings(before: TenantSettings, edits: Mapping[str, Any]) -> TenantSettings:
    if not edits:
        return before
    if apart := sorted(_APART & edits.keys()):
        raise BundleFileError("settings", f"{', '.join(apart)} is no part of a bundle")
    whole = before.model_dump(mode="json", by_alias=True)
    return TenantSettings.model_validate(_merged(whole, edits))


def _intents(declaration: TenantDeclaration, edits: Mapping[str, Mapping[str, Any]]) -> Mapping[str, IntentDeclaration]:
    found = dict(declaration.intents)
    for name, changes in edits.items():
        before = found[name].model_dump(mode="json") if name in found else {"name": name}
        found[name] = IntentDeclaration.model_validate(_merged(before, changes))
    return found


def _knowledge(declaration: TenantDeclaration, edits: KnowledgeEdits, beside: Path) -> tuple[KnowledgeDocument, ...]:
    found = {document.ref: document for document in declaration.knowledge}
    for ref in edits.remove:
        if ref not in found:
            known = ", ".join(sorted(found)) or "none"
            raise BundleFileError("knowledge.remove", f"there is no document {ref!r}; there are {known}")
        del found[ref]
    for name in edits.add:
        document = read_knowledge(beside / name, declaration.settings.default_language)
        found[document.ref] = document
    return tuple(found.values())


def _merged(before: Any, changes: Any) -> Any:
    if not isinstance(before, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {**before, **{key: _merged(before.get(key), value) for key, value in changes.items()}}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PromptError(path, 1, f"cannot be read ({error.strerror})") from error


def _refused(path: Path, text: str, error: ValidationError) -> BundleFileError:
    detail = error.errors()[0]
    places = [str(part) for part in detail["loc"]]
    lines = text.splitlines()
    line = next((number for number, one in enumerate(lines, 1) if places and one.strip().startswith(places[-1])), 0)
    problem = f"{'.'.join(places)}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
    return BundleFileError(path, problem, line=line)
