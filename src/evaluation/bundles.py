"""Prompt bundles for evals: all that shapes a tenant's answers, from files, with a hash for the whole and each part.

The hash is the one that production keeps on each turn (``agent.bundle``), so that a result of an eval and a turn of a
customer can be told to have run with the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.bundle import bundle_parts, hash_of_parts, part_hashes
from agent.graph import Agent
from agent.language_model import ModelSettings
from agent.prompts import PromptLibrary, load_prompts, prompts_folder
from agent.texts import FixedTexts, load_texts
from agent.turn import TenantProfile
from domain.errors import AtendeError
from evaluation.bundle_edits import BundleFile, edited, read_bundle_file, with_prompts
from evaluation.results import BundleRef
from evaluation.stored_bundle import with_stored
from flows.tenant_declaration import TenantDeclaration, to_profile
from flows.tenant_files import load_tenant

AS_IT_STANDS: Final = "."
"""The reference of the tenant's folder as it stands, with Atende's prompts as they stand."""
STAND_IN_MODEL: Final = "stand-in"
"""What a simulated run calls its model where neither the tenant nor the installation names one."""


class NoSuchBundleError(AtendeError):
    """A reference that leads to no bundle."""

    def __init__(self, reference: str, problem: str) -> None:
        super().__init__(
            f"{reference!r} names no bundle: {problem}.",
            hint="Give . for the tenant's folder as it stands, another tenant folder, a folder with prompts, "
            "or a bundle file (YAML, or JSON from: atende bundle show --json).",
        )
        self.reference = reference


@dataclass(frozen=True)
class Bundle:
    """A tenant under one set of prompts, tools, model, knowledge and thresholds. Immutable; edits make another."""

    reference: str
    description: str
    declaration: TenantDeclaration
    """What ``OfflineTenant`` plays, the tenant's own prompts included."""
    library: PromptLibrary = field(repr=False)
    texts: FixedTexts = field(repr=False)
    model: ModelSettings | None = None
    """None: the tenant is served without a language model."""

    @cached_property
    def profile(self) -> TenantProfile:
        """As the agent reads it."""
        return to_profile(self.declaration, self.declaration.settings.slug)

    @cached_property
    def contents(self) -> Mapping[str, Any]:
        """What the hashes are made of, by part."""
        return bundle_parts(self.library, self.profile, self.model)

    @cached_property
    def parts(self) -> Mapping[str, str]:
        """Hash of each part: prompts, tools, model, knowledge, thresholds."""
        return part_hashes(self.contents)

    @cached_property
    def hash(self) -> str:
        """Of the whole; 16 hex digits. The same as turns of production keep."""
        return hash_of_parts(self.parts)

    def ref(self, label: str) -> BundleRef:
        """As a run document names it."""
        return BundleRef(label, self.hash, self.description, dict(self.parts))

    def agent(self, saver: BaseCheckpointSaver[Any] | None = None) -> Agent:
        """The production graph over this bundle's prompts and texts."""
        return Agent(self.library, self.texts, saver)

    def edited(self, file: BundleFile, *, beside: Path | None = None) -> Bundle:
        """With the changes of a bundle file; paths in it are relative to ``beside``. Raises BundleFileError."""
        base = beside or self.declaration.folder
        declaration = edited(self.declaration, self.library, file, base)
        named = declaration.settings.model.settings(self.model, None)
        model = named if "model" in file.settings else self.model
        return replace(self, declaration=declaration, model=model, description=file.description or self.description)

    def with_prompt(self, source: str) -> Bundle:
        """With the text of a prompt file (front matter included) instead of the prompt of its name."""
        return replace(self, declaration=with_prompts(self.declaration, self.library, {"<edited>": source}))


def load_bundle(reference: str, tenant_folder: Path, *, default_model: ModelSettings | None = None) -> Bundle:
    """The bundle that ``reference`` names, for the tenant of ``tenant_folder``.

    ``.`` (or nothing): the folder as it stands. A folder with a tenant.yaml: that one. A folder with prompts
    (``*.md.j2``): these, on top of the tenant's. A ``.yaml`` file: a bundle file (``evaluation.bundle_edits``). A
    ``.json`` file: a stored bundle, as ``atende bundle show --json`` prints it; what it does not hold (code, records)
    is that of ``tenant_folder``.

    ``default_model``: the installation's, for a tenant that names none. Raises NoSuchBundleError, BundleFileError,
    TenantFilesError or PromptError.
    """
    path = Path(reference)
    if reference in {"", AS_IT_STANDS} or (path.is_dir() and path.resolve() == tenant_folder.resolve()):
        return _of(AS_IT_STANDS, load_tenant(tenant_folder), default_model)
    if path.is_dir() and (path / "tenant.yaml").exists():
        return _of(reference, load_tenant(path), default_model)
    if path.is_dir():
        sources = {str(file): file.read_text(encoding="utf-8") for file in sorted(path.glob("*.md.j2"))}
        if not sources:
            raise NoSuchBundleError(reference, "the folder holds neither a tenant.yaml nor a prompt (*.md.j2)")
        return _with(load_bundle(AS_IT_STANDS, tenant_folder, default_model=default_model), reference, sources)
    if not path.is_file():
        raise NoSuchBundleError(reference, "there is no such file or folder")
    if path.name.endswith(".md.j2"):
        base = load_bundle(AS_IT_STANDS, tenant_folder, default_model=default_model)
        return _with(base, reference, {str(path): path.read_text(encoding="utf-8")})
    if path.suffix not in {".yaml", ".yml", ".json"}:
        raise NoSuchBundleError(reference, "a bundle file ends in .yaml or .json, a prompt in .md.j2")
    if path.suffix == ".json":
        base = load_bundle(AS_IT_STANDS, tenant_folder, default_model=default_model)
        declaration, description = with_stored(path, base.declaration, base.library)
        model = declaration.settings.model.settings(default_model, None)
        return replace(base, reference=reference, declaration=declaration, model=model, description=description)
    file = read_bundle_file(path)
    start = file.start if file.start == AS_IT_STANDS else str(path.parent / file.start)
    base = load_bundle(start, tenant_folder, default_model=default_model)
    changed = base.edited(file, beside=path.parent)
    return replace(changed, reference=reference, description=file.description or path.stem)


def _with(base: Bundle, reference: str, sources: Mapping[str, str]) -> Bundle:
    declaration = with_prompts(base.declaration, base.library, sources)
    return replace(
        base, reference=reference, declaration=declaration, description=_described(declaration, base.library)
    )


def _of(reference: str, declaration: TenantDeclaration, default_model: ModelSettings | None) -> Bundle:
    library, texts = load_prompts(), load_texts(prompts_folder())
    model = declaration.settings.model.settings(default_model, None)
    return Bundle(reference, _described(declaration, library), declaration, library, texts, model)


def _described(declaration: TenantDeclaration, library: PromptLibrary) -> str:
    prompts = {**library.prompts, **declaration.prompts}
    versions = ", ".join(f"{name} {prompt.version}" for name, prompt in sorted(prompts.items()))
    return f"{declaration.settings.slug} {declaration.version} · {versions}"
