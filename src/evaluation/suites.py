"""Reading suites: a header, what all of its cases share, and the cases, in one file or several."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from domain.errors import AtendeError
from evaluation.case_files import CaseReader, Located, shown_path
from evaluation.cases import Case, CaseContent, Name, Suite
from evaluation.expectations import Declared
from flows.tenant_declaration import Language

SUITE_FILE: Final = "suite.yaml"
PATTERNS: Final = ("*.eval.yaml", "*.eval.yml", "*.eval.jsonl")
"""What a folder's cases are called where it has no suite.yaml."""


class NoSuchSuiteError(AtendeError):
    """What was asked for is neither a file nor a folder of cases, nor the name of a shipped suite."""

    def __init__(self, reference: str, shipped: Sequence[str]) -> None:
        names = f" Shipped suites: {', '.join(shipped)}." if shipped else ""
        super().__init__(f"There is no suite {reference}.", hint=f"Name a file or a folder of cases.{names}")
        self.reference = reference


class EmptySuiteError(AtendeError):
    """A suite without a case, which must not pass for success."""

    def __init__(self, path: Path, line: int = 1) -> None:
        super().__init__(
            f"{shown_path(path)}:{line}: the suite has no case.", hint="Add one; evals/README.md shows how."
        )
        self.path = path


class _Defaults(Declared):
    """What every case has unless it says otherwise; checked with each case."""

    critical: bool = False
    language: Language | Literal[""] = ""
    tags: tuple[str, ...] = ()
    given: dict[str, Any] = Field(default_factory=dict)
    expect: dict[str, Any] = Field(default_factory=dict)
    most_steps: int | None = None


class _Header(Declared):
    suite: Name
    title: str = ""
    tenant: str = ""
    """A tenant's folder, seen from this file, or the name of a shipped tenant."""
    bundle: str = ""
    """What the cases are played under where a run names no bundle: a bundle file or a folder, seen from this file."""
    defaults: _Defaults = _Defaults()
    critical: bool = False
    language: Language | Literal[""] = ""
    tags: tuple[str, ...] = ()
    include: Annotated[tuple[str, ...], Field()] = ()
    """Further files of cases, seen from this one; may hold * and **."""
    cases: list[Any] = Field(default_factory=list)


def find_suites(references: Sequence[str], shipped: Path | None = None, tenants: Path | None = None) -> list[Suite]:
    """The suites of files, folders and names of shipped suites, in that order.

    ``shipped``: the folder with a folder for each shipped suite; ``tenants``: the one with the shipped tenants. Raises
    NoSuchSuiteError, EmptySuiteError, or CaseFilesError with all mistakes of all files.
    """
    reader = CaseReader()
    suites: list[Suite] = []
    for path in dict.fromkeys(path for reference in references for path in _paths(reference, shipped)):
        suite = _load(path, reader, tenants)
        if suite is not None:
            suites.append(suite)
    reader.raise_problems()
    taken: dict[str, Suite] = {}
    for suite in suites:
        if not suite.cases:
            raise EmptySuiteError(suite.path)
        if suite.name in taken:
            found = Located(suite.path, None, 1)
            other = shown_path(taken[suite.name].path)
            reader.problem(found, ("suite",), f"the name {suite.name} is taken by {other}.", "Rename one of them.")
        taken[suite.name] = suite
    reader.raise_problems()
    return suites


def load_suite(path: Path, tenants: Path | None = None) -> Suite:
    """One file. Raises CaseFilesError or EmptySuiteError."""
    return find_suites([str(path)], tenants=tenants)[0]


def shipped_suites(folder: Path | None) -> list[str]:
    """Names of the suites below ``folder``."""
    return sorted(path.parent.name for path in folder.glob(f"*/{SUITE_FILE}")) if folder else []


def _paths(reference: str, shipped: Path | None) -> list[Path]:
    path = Path(reference)
    if not path.exists() and shipped is not None and (shipped / reference / SUITE_FILE).is_file():
        path = shipped / reference
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise NoSuchSuiteError(reference, shipped_suites(shipped))
    found = sorted({*path.rglob(SUITE_FILE), *(one for pattern in PATTERNS for one in path.rglob(pattern))})
    if not found:
        raise EmptySuiteError(path)
    return found


def _load(path: Path, reader: CaseReader, tenants: Path | None) -> Suite | None:
    documents = reader.documents(path)
    if not documents:
        if not reader.problems:
            raise EmptySuiteError(path)
        return None
    first, rest = documents[0], documents[1:]
    if isinstance(first.content, dict) and "suite" in first.content:
        header = reader.model(first, _Header)
        if header is None:
            return None
        items = [*(first.items("cases") if header.cases else ()), *rest]
    else:
        # Cases alone: the file's name is the suite's.
        header = _Header(suite=path.name.split(".")[0].replace("_", "-") or "cases")
        items = list(_items(first)) + rest
    folder = path.parent
    for pattern in header.include:
        included = sorted(folder.glob(pattern))
        if not included:
            reader.problem(first, ("include",), f"no file is called {pattern}.", "Correct the name.")
        for file in included:
            for document in reader.documents(file):
                items += _items(document)
    cases = list(_cases(items, header, reader))
    tenant = _tenant(header.tenant, folder, tenants)
    if header.tenant and tenant is None:
        reader.problem(first, ("tenant",), f"there is no tenant folder {header.tenant}.", "Name one seen from here.")
    bundle = str(folder / header.bundle) if header.bundle else ""
    if bundle and not Path(bundle).exists():
        reader.problem(first, ("bundle",), f"there is no bundle {header.bundle}.", "Name one seen from here.")
    return Suite(header.suite, path, tenant, tuple(cases), header.title, bundle, _digest(items, header))


def _items(document: Located) -> Iterator[Located]:
    """The cases of a file that has no header: a list, ``cases:`` or a single one."""
    match document.content:
        case list():
            yield from document.items()
        case {"cases": list()} if len(document.content) == 1:
            yield from document.items("cases")
        case _:
            yield document


def _cases(items: Sequence[Located], header: _Header, reader: CaseReader) -> Iterator[Case]:
    written = header.defaults.model_dump(exclude_unset=True)
    own = header.model_dump(include={"critical", "language", "tags"}, exclude_unset=True)
    shared = {**own, **written, "tags": (*header.tags, *header.defaults.tags)}
    seen: dict[str, Case] = {}
    for item in items:
        content = _with_defaults(shared, item.content) if isinstance(item.content, dict) else item.content
        found = reader.model(item, CaseContent, content)
        if found is None:
            continue
        if found.name in seen:
            reader.problem(
                item,
                ("name",),
                f"{found.name} is taken by the case at {seen[found.name].source}.",
                "Rename one of them.",
            )
        seen[found.name] = Case(header.suite, found, item)
        yield seen[found.name]


def _with_defaults(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = _merged(shared, own)
    own_tags = own.get("tags", ())
    if isinstance(own_tags, list | tuple):
        merged["tags"] = list(dict.fromkeys((*shared["tags"], *own_tags)))
    return merged


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings key by key, all else as ``over`` has it."""
    merged = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], Mapping) and isinstance(over[key], Mapping):
            merged[key] = _merged(under[key], over[key])
    return merged


def _tenant(named: str, folder: Path, tenants: Path | None) -> Path | None:
    if not named:
        return None
    beside = folder / named
    if (beside / "tenant.yaml").is_file():
        return beside.resolve()
    known = tenants / named if tenants else None
    return known if known is not None and (known / "tenant.yaml").is_file() else None


def _digest(items: Sequence[Located], header: _Header) -> str:
    said = [header.model_dump(mode="json", exclude={"cases"}), [item.content for item in items]]
    # In the order of the file: a script begins with its first line. Keys that are no texts are mistakes told elsewhere.
    return hashlib.sha256(json.dumps(said, skipkeys=True, default=str).encode()).hexdigest()[:16]
