"""What a turn runs with, and the hash that names it: prompts, tools, model, knowledge and thresholds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from agent.language_model import ModelSettings
from agent.prompts import PromptLibrary
from agent.turn import IntentSpec, TenantProfile

PARTS: Final = ("prompts", "tools", "model", "knowledge", "thresholds")


def bundle_parts(library: PromptLibrary, profile: TenantProfile, model: ModelSettings | None) -> dict[str, Any]:
    """Everything that shapes this tenant's answers, by part, as JSON values; PARTS in that order.

    Prompts: their versions and contents, fixed texts, persona. Tools: the functions as a model sees them, their effect
    and trust. Model: its settings, never its key. Knowledge: which documents and which examples of intents. Thresholds:
    these, intents with their answers, languages, and everything of the reply policy. The code behind functions, the
    encoder and the kill switch are no part of it.
    """
    prompts = {**library.prompts, **profile.prompts}
    return {
        "prompts": {
            "files": {name: [prompt.version, prompt.digest] for name, prompt in prompts.items()},
            "texts": library.texts_digest,
            "own_texts": {key: dict(text) for key, text in profile.texts.items()},
            "persona": profile.persona,
        },
        "tools": {
            "functions": {
                name: [function.json_schema(), function.effect, function.needs_identity]
                for name, function in profile.functions.items()
            },
            "trusted_writes": sorted(profile.trusted_writes),
            "trusted_only_for": {name: sorted(intents) for name, intents in profile.trusted_only_for.items()},
        },
        "model": model.fingerprint() if model else None,
        "knowledge": {"documents": profile.documents_version, "examples": profile.examples_version},
        "thresholds": {
            "threshold": profile.threshold,
            "knowledge_threshold": profile.knowledge_threshold,
            "reply_mode": [profile.reply_mode, profile.unmatched_mode, [str(rule) for rule in profile.policy_rules]],
            "intents": {name: _intent(spec) for name, spec in profile.intents.items()},
            "languages": [*profile.languages, profile.default_language],
            "domains": sorted(profile.domains),
            "mask_model_prompts": profile.mask_model_prompts,
            "second_reading": profile.second_reading,
        },
    }


def part_hashes(parts: Mapping[str, Any]) -> dict[str, str]:
    """A hash of each part; 16 hex digits."""
    return {name: content_hash(parts[name]) for name in PARTS}


def hash_of_parts(hashes: Mapping[str, str]) -> str:
    """The hash that names the bundle with these parts; 16 hex digits."""
    return content_hash({name: hashes[name] for name in PARTS})


def bundle_hash(library: PromptLibrary, profile: TenantProfile, model: ModelSettings | None = None) -> str:
    """Name of everything that shapes this tenant's answers; 16 hex digits."""
    return hash_of_parts(part_hashes(bundle_parts(library, profile, model)))


def documents_version(documents: Iterable[tuple[str, str, str]]) -> str:
    """Names a knowledge snapshot by its documents' (ref, language, digest); "" without any."""
    found = sorted(documents)
    return content_hash(found) if found else ""


def examples_version(examples: Iterable[tuple[str, str, str]]) -> str:
    """Names the examples of all intents, (intent, language, text); "" without any."""
    found = sorted(examples)
    return content_hash(found) if found else ""


def content_hash(value: Any) -> str:
    """Of a JSON value, whatever the order of its keys; 16 hex digits."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode(errors="surrogatepass")).hexdigest()[:16]


def _intent(spec: IntentSpec) -> list[Any]:
    replies = {outcome: dict(texts) for outcome, texts in spec.replies.items()}
    action = [spec.action, spec.restricted, spec.hand_off_reason]
    return [spec.function, dict(spec.answer), replies, *action, spec.threshold, spec.reply_mode]
