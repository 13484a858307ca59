"""A bundle as ``atende bundle show --json`` prints it, over a tenant's folder that has the code and the records."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.bundle import content_hash
from agent.prompts import PromptLibrary
from evaluation.bundle_edits import BundleFileError, with_prompts
from flows.bundle_content import BundleContent
from flows.functions_described import described
from flows.knowledge_snapshot import declared
from flows.tenant_declaration import IntentDeclaration, TenantDeclaration, TenantSettings


def with_stored(path: Path, base: TenantDeclaration, library: PromptLibrary) -> tuple[TenantDeclaration, str]:
    """The tenant under the bundle, and the bundle's description. Raises BundleFileError."""
    try:
        whole: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content = BundleContent.from_json({key: whole[key] for key in whole if key not in _BESIDE})
        knowledge = declared(content.documents, {key: {"chunks": one} for key, one in whole["texts"].items()})
        changed = replace(
            base,
            settings=_settings(base, content),
            intents={name: IntentDeclaration.model_validate(one) for name, one in content.intents.items()},
            functions=_functions(path, base, content),
            knowledge=tuple(knowledge),
            prompts={},
            version=content_hash([base.version, content.to_json()]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
        raise BundleFileError(path, f"is no bundle as atende bundle show --json prints it ({problem})") from error
    sources = {f"{path}:prompts/{name}.md.j2": source for name, source in content.prompts.items()}
    return with_prompts(changed, library, sources), str(whole.get("description") or whole.get("bundle") or path.stem)


_BESIDE = frozenset({"bundle", "description", "texts"})


def _settings(base: TenantDeclaration, content: BundleContent) -> TenantSettings:
    trusted: list[Any] = [
        {"function": name, "intents": list(one.trusted_for)} if one.trusted_for else name
        for name, one in content.functions.items()
        if one.trusted
    ]
    whole = base.settings.model_dump(mode="json", by_alias=True)
    return TenantSettings.model_validate({**whole, **content.settings, "trusted_writes": trusted})


def _functions(path: Path, base: TenantDeclaration, content: BundleContent) -> dict[str, Any]:
    if gone := sorted(content.functions.keys() - base.functions.keys()):
        raise BundleFileError(path, f"names functions that {base.folder} has no code for: {', '.join(gone)}")
    offered = {name: base.functions[name] for name in content.functions}
    return described(offered, {name: one.wording for name, one in content.functions.items()})
