"""What differs between two bundles, in lines that a person reads."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from flows.bundle_content import BundleContent

_CONTEXT = 1


def differences(old: BundleContent, new: BundleContent) -> Iterator[str]:
    """From ``old`` to ``new``, part by part: a line that names the thing, then what left (-) and what came (+)."""
    yield from _by_name("prompt", old.prompts, new.prompts)
    yield from _by_name("setting", old.settings, new.settings)
    yield from _by_name("intent", _intents(old), _intents(new))
    yield from _by_name("function", _functions(old), _functions(new))
    yield from _by_name("document", _documents(old), _documents(new))
    if old.model != new.model:
        yield from _changed("model", "", old.model, new.model)


def _intents(content: BundleContent) -> dict[str, Any]:
    """With their examples in one order: the database knows none."""
    return {
        name: {
            **one,
            "examples": {language: sorted(texts) for language, texts in one.get("examples", {}).items() if texts},
        }
        for name, one in content.intents.items()
    }


def _functions(content: BundleContent) -> dict[str, Any]:
    return {
        name: {
            "description": one.description,
            "parameters": dict(one.parameters),
            "trusted": list(one.trusted_for) or one.trusted,
        }
        for name, one in content.functions.items()
    }


def _documents(content: BundleContent) -> dict[str, str]:
    return {one.ref: f"{one.title} ({one.digest[:12]})" for one in content.documents}


def _by_name(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{what} {name}: gone"
        elif name not in old and what == "setting":
            yield from _changed(what, name, "", new[name])  # its value is what a person wants to see
        elif name not in old:
            yield f"{what} {name}: new"
        elif old[name] != new[name]:
            yield from _changed(what, name, old[name], new[name])


def _changed(what: str, name: str, old: Any, new: Any) -> Iterator[str]:
    yield f"{what} {name}".strip() + ":"
    lines = difflib.unified_diff(_lines(old), _lines(new), lineterm="", n=_CONTEXT)
    yield from (f"  {line}" for line in lines if not line.startswith(("---", "+++", "@@")))


def _lines(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).splitlines()
