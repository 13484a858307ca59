"""Which content each version of a prompt has: recorded once, so that a change without a new version is noticed.

Beside the prompts lies ``versions.yaml``: ``{name: {version: digest}}``, earlier versions included.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import yaml

from agent.prompts import Prompt, PromptError, read_prompt

RECORD: Final = "versions.yaml"
_HEAD: Final = (
    "# The content of each version of a prompt, as SHA-256 of its file: written by `atende bundle stamp`.\n"
    "# A prompt whose content is another one than recorded here needs a new version in its front matter.\n"
)


def recorded(folder: Path) -> dict[str, dict[str, str]]:
    """What ``versions.yaml`` says; empty where there is none. Raises PromptError."""
    path = folder / RECORD
    if not path.exists():
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {str(name): {str(key): str(one) for key, one in versions.items()} for name, versions in found.items()}
    except (yaml.YAMLError, AttributeError) as error:
        raise PromptError(path, 1, f"is no record of versions ({error})") from error


def check_versions(folder: Path) -> None:
    """Raise PromptError for the first prompt whose content is not what is recorded for its version, or not at all."""
    known = recorded(folder)
    for prompt in _prompts(folder):
        digest = known.get(prompt.name, {}).get(prompt.version)
        if digest == prompt.digest:
            continue
        if digest is not None:
            raise _changed(prompt)
        problem = f"version {prompt.version} of {prompt.name} is not recorded yet: atende bundle stamp"
        raise PromptError(prompt.path, _version_line(prompt), problem)


def check_reused(prompts: Iterable[Prompt], folders: Iterable[Path]) -> None:
    """Raise PromptError for a prompt, wherever it lies, that bears a version recorded with another content."""
    records = [recorded(folder) for folder in folders]
    for prompt in prompts:
        known = {one[prompt.name][prompt.version] for one in records if prompt.version in one.get(prompt.name, {})}
        if known and prompt.digest not in known:
            raise _changed(prompt)


def _changed(prompt: Prompt) -> PromptError:
    problem = f"the content changed, but the version is still {prompt.version}: give it a new one"
    return PromptError(prompt.path, _version_line(prompt), problem)


def _version_line(prompt: Prompt) -> int:
    return next((n for n, text in enumerate(prompt.source.splitlines(), 1) if text.startswith("version:")), 1)


def record(folder: Path) -> list[str]:
    """Add versions that are not recorded yet; lines that tell which. Raises PromptError as ``check_versions`` does for
    a version whose content changed."""
    known = recorded(folder)
    told = []
    for prompt in _prompts(folder):
        if prompt.version not in known.setdefault(prompt.name, {}):
            known[prompt.name][prompt.version] = prompt.digest
            told.append(f"{prompt.name} {prompt.version}: {prompt.digest[:12]}")
    if told:
        lines = yaml.safe_dump(known, sort_keys=True, allow_unicode=True, default_flow_style=False)
        (folder / RECORD).write_text(_HEAD + lines, encoding="utf-8")
    check_versions(folder)
    return told


def _prompts(folder: Path) -> list[Prompt]:
    paths = sorted(folder.rglob("*.md.j2"))
    return [read_prompt(path, path.read_text(encoding="utf-8")) for path in paths]
