"""Prompt files: Jinja2 with YAML front matter, strict about what goes in.

A file ``<name>.md.j2`` declares ``name``, ``version``, ``description``, ``inputs`` (name: what it holds) and ``model``
(settings that go to the wire). Line numbers in errors are those of the file, front matter included.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import yaml
from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent.untrusted import shown
from domain.errors import AtendeError

VERSIONS: Final = "versions"
"""Subfolder of a prompts folder with versions that are not in force: earlier ones, and candidates to be compared."""
_NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "converse": frozenset({"canary", "language", "masked", "passages"}),
    "second_reading": frozenset({"masked"}),
    "summary": frozenset({"masked"}),
}
"""Inputs without which a prompt would no longer keep a promise of the product, whoever wrote it."""
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
    source: str = field(repr=False)
    """The whole file."""
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

    def fill(self, **values: Any) -> str:
        """``render`` for a prompt that may declare fewer inputs than there are: a tenant's own, an earlier version."""
        return self.render(**{name: value for name, value in values.items() if name in self.inputs})


@dataclass(frozen=True, slots=True)
class PromptLibrary:
    """All prompts of one folder. ``texts_digest``: of the fixed texts beside them (agent.texts), "" without any."""

    prompts: Mapping[str, Prompt]
    folder: Path
    texts_digest: str = ""

    def __getitem__(self, name: str) -> Prompt:
        return self.prompts[name]

    def of(self, own: Mapping[str, Prompt], name: str) -> Prompt:
        """The prompt of that name, in a tenant's ``own`` wording where it has one."""
        return own.get(name) or self.prompts[name]


def prompts_folder() -> Path:
    """Where the prompts lie: beside this module in an installed package, at the top of a checkout."""
    shipped = Path(__file__).parent / "prompts"
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "prompts"


def load_prompts(folder: Path | None = None) -> PromptLibrary:
    """Read and check every prompt below ``folder``; raise PromptError on the first that is wrong."""
    folder = folder or prompts_folder()
    prompts: dict[str, Prompt] = {}
    for path in sorted(folder.rglob("*.md.j2")):
        if VERSIONS in path.relative_to(folder).parts:
            continue
        prompt = read_prompt(path, path.read_text(encoding="utf-8"))
        if prompt.name in prompts:
            raise PromptError(path, 1, f"the name {prompt.name!r} is taken by {prompts[prompt.name].path}")
        prompts[prompt.name] = prompt
    texts = folder / "texts.yaml"
    return PromptLibrary(prompts, folder, digest_of(texts.read_bytes()) if texts.exists() else "")


def digest_of(content: bytes) -> str:
    """What names a file's content: SHA-256 of its lines, whatever ends them."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def check_own(prompt: Prompt, shipped: PromptLibrary) -> None:
    """Raise PromptError where a tenant's own wording does not fit the prompt of its name that Atende ships."""
    if prompt.name not in shipped.prompts:
        known = ", ".join(sorted(shipped.prompts))
        raise PromptError(prompt.path, 1, f"there is no prompt {prompt.name!r}; a tenant may reword {known}")
    inputs = shipped[prompt.name].inputs
    for name in prompt.inputs:
        if name not in inputs:
            raise PromptError(prompt.path, prompt.lines[name], f"the input {name!r} is never given to this prompt")
    for name in sorted(_NEEDED.get(prompt.name, frozenset()) - prompt.inputs.keys()):
        raise PromptError(prompt.path, 1, f"the input {name!r} is needed: it must be declared and used")


@functools.lru_cache(maxsize=256)  # a template is compiled once in a process, however many tenants use it
def read_prompt(path: Path, text: str) -> Prompt:
    """Check ``text`` as a prompt file of that ``path``, which need not exist. Raises PromptError."""
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
        digest=digest_of(text.encode()),
        lines=lines,
        source=text,
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
