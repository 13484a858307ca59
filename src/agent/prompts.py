"""Prompt files: Jinja2 with YAML front matter, strict about what goes in, and the hash that names a prompt bundle.

A file ``<name>.md.j2`` declares ``name``, ``version``, ``description``, ``inputs`` (name: what it holds) and ``model``
(settings that go to the wire). Line numbers in errors are those of the file, front matter included.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import yaml
from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent.untrusted import shown
from domain.errors import AtendeError

if TYPE_CHECKING:
    from agent.language_model import ModelSettings
    from agent.turn import IntentSpec, TenantProfile

_FENCE: Final = "---"
_REQUIRED: Final = ("name", "version", "description")


class PromptError(AtendeError):
    """A prompt file, or what was handed to it, is wrong. ``path`` and ``line`` point at the place."""

    def __init__(self, path: Path | str, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}", hint="Correct the file or its inputs.")
        self.path = Path(path)
        self.line = line
        self.problem = problem


def as_data(value: object) -> str:
    """Untrusted text as it may stand between delimiters: it cannot close its own tag nor open another."""
    return shown(str(value)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data"] = as_data
    return environment


_ENVIRONMENT: Final = _environment()


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt file, compiled."""

    name: str
    version: str
    description: str
    inputs: Mapping[str, str]
    model: Mapping[str, Any]
    path: Path
    digest: str
    lines: Mapping[str, int]
    """Line of each declared input."""
    _template: Template = field(repr=False, compare=False)

    def render(self, **values: Any) -> str:
        """Fill the prompt. Raises PromptError on an input it does not declare, lacks, or reaches into wrongly."""
        for name in values:
            if name not in self.inputs:
                known = ", ".join(self.inputs) or "none"
                raise PromptError(self.path, 1, f"unknown input {name!r}; the front matter declares {known}")
        for name in self.inputs:
            if name not in values:
                raise PromptError(self.path, self.lines[name], f"the input {name!r} was not given")
        try:
            return self._template.render(values).strip()
        except UndefinedError as error:
            raise PromptError(self.path, _line_in(error.__traceback__, self.path), str(error)) from error


@dataclass(frozen=True, slots=True)
class PromptLibrary:
    """All prompts of one folder."""

    prompts: Mapping[str, Prompt]
    folder: Path

    def __getitem__(self, name: str) -> Prompt:
        return self.prompts[name]

    def digest(self) -> str:
        """Hash of every file in the folder that shapes an answer, the fixed texts included."""
        digest = hashlib.sha256()
        for path in sorted(p for p in self.folder.rglob("*") if p.suffix in {".j2", ".yaml"}):
            digest.update(path.relative_to(self.folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()


def prompts_folder() -> Path:
    """Where the prompts lie: beside this module in an installed package, at the top of a checkout."""
    shipped = Path(__file__).parent / "prompts"
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "prompts"


def load_prompts(folder: Path | None = None) -> PromptLibrary:
    """Read and check every prompt below ``folder``; raise PromptError on the first that is wrong."""
    folder = folder or prompts_folder()
    prompts: dict[str, Prompt] = {}
    for path in sorted(folder.rglob("*.md.j2")):
        prompt = _load(path)
        if prompt.name in prompts:
            raise PromptError(path, 1, f"the name {prompt.name!r} is taken by {prompts[prompt.name].path}")
        prompts[prompt.name] = prompt
    return PromptLibrary(prompts, folder)


def _load(path: Path) -> Prompt:
    text = path.read_text(encoding="utf-8")
    header, body, body_line = _split(path, text)
    front = _front_matter(path, header)
    inputs: dict[str, str] = {str(name): str(about) for name, about in (front.get("inputs") or {}).items()}
    # Padded with the front matter's lines, so that the template's line numbers are the file's.
    source = "\n" * (body_line - 1) + body
    try:
        tree = _ENVIRONMENT.parse(source, filename=str(path))
        template = _ENVIRONMENT.from_string(source)
    except TemplateSyntaxError as error:
        raise PromptError(path, error.lineno, error.message or "bad template syntax") from error
    template.filename = str(path)
    used = meta.find_undeclared_variables(tree)
    for name in sorted(used - inputs.keys()):
        raise PromptError(path, _first_use(tree, name), f"the variable {name!r} is not declared under inputs")
    lines = {name: _declared_at(header, name) for name in inputs}
    for name in inputs:
        if name not in used:
            raise PromptError(path, lines[name], f"the input {name!r} is declared but never used")
    return Prompt(
        name=str(front["name"]),
        version=str(front["version"]),
        description=str(front["description"]).strip(),
        inputs=inputs,
        model=dict(front.get("model") or {}),
        path=path,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        lines=lines,
        _template=template,
    )


def _split(path: Path, text: str) -> tuple[list[str], str, int]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != _FENCE or _FENCE not in (line.strip() for line in lines[1:]):
        raise PromptError(path, 1, f"the file must begin with front matter between two lines {_FENCE}")
    end = next(index for index, line in enumerate(lines) if index and line.strip() == _FENCE)
    return lines[:end], "\n".join(lines[end + 1 :]), end + 2


def _front_matter(path: Path, header: list[str]) -> dict[str, Any]:
    try:
        front = yaml.safe_load("\n".join(header[1:])) or {}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise PromptError(path, line, f"the front matter is no YAML ({error.problem})") from error
    for key in _REQUIRED:
        if not isinstance(front, dict) or not front.get(key):
            raise PromptError(path, 1, f"the front matter lacks {key!r}")
    return front


def _declared_at(header: list[str], name: str) -> int:
    return next((number for number, line in enumerate(header, 1) if line.strip().startswith(f"{name}:")), 1)


def _first_use(tree: nodes.Template, name: str) -> int:
    return min(node.lineno for node in tree.find_all(nodes.Name) if node.name == name)


def _line_in(traceback: TracebackType | None, path: Path) -> int:
    def lines() -> Iterator[int]:
        step = traceback
        while step:
            if step.tb_frame.f_code.co_filename in {str(path), "<template>"}:
                yield step.tb_lineno
            step = step.tb_next

    return max(lines(), default=1)


def bundle_hash(library: PromptLibrary, profile: TenantProfile, model: ModelSettings | None = None) -> str:
    """Name of everything that shapes this tenant's answers apart from its knowledge and examples; 16 hex digits.

    Covers the prompts and fixed texts, the functions as a model sees them, intents with their answers and thresholds,
    the model's settings (never its key) and the reply policy.
    """
    parts = {
        "prompts": library.digest(),
        "functions": {name: [f.json_schema(), f.effect] for name, f in profile.functions.items()},
        "trusted_writes": sorted(profile.trusted_writes),
        "domains": sorted(profile.domains),
        "intents": {name: _intent(spec) for name, spec in profile.intents.items()},
        "threshold": profile.threshold,
        "knowledge_threshold": profile.knowledge_threshold,
        "reply_mode": [profile.reply_mode, profile.unmatched_mode, [str(rule) for rule in profile.policy_rules]],
        "texts": {key: dict(text) for key, text in profile.texts.items()},
        "persona": profile.persona,
        "languages": [*profile.languages, profile.default_language],
        "model": model.fingerprint() if model else None,
        "mask_model_prompts": profile.mask_model_prompts,
    }
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _intent(spec: IntentSpec) -> list[Any]:
    replies = {outcome: dict(texts) for outcome, texts in spec.replies.items()}
    return [spec.function, dict(spec.answer), replies, spec.action, spec.threshold, spec.reply_mode, spec.restricted]
