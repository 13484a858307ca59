"""``atende eval convert``: suites of promptfoo, in and out."""

from __future__ import annotations

from pathlib import Path

import yaml

from app.eval_case_export import write_suite
from app.eval_run import shipped_evals
from app.settings import shipped_tenants
from domain.errors import ConflictError
from evaluation.case_files import CaseReader
from evaluation.promptfoo import read_promptfoo
from evaluation.promptfoo_writing import SCHEMA, as_promptfoo
from evaluation.suites import find_suites


def convert_suite(source: Path, target: Path, folder: str, *, force: bool = False) -> int:
    """The exit code. Raises CaseFilesError with file and line of what cannot be taken over, ConflictError, OSError."""
    if target.exists() and not force:
        raise ConflictError(f"{target} exists already.", hint="Name another file, or say --force to write over it.")
    if source.is_file() and _is_promptfoo(source):
        cases = read_promptfoo(source)
        write_suite(target, target.name.split(".")[0], f"From {source.name}", cases, folder)
        print(f"{len(cases)} cases: {target}")
        return 0
    suites = find_suites([str(source)], shipped_evals(), shipped_tenants())
    every = [case for suite in suites for case in suite.cases]
    config, left = as_promptfoo(every, " · ".join(suite.title or suite.name for suite in suites))
    text = yaml.safe_dump(config, allow_unicode=True, sort_keys=False, width=116)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"# yaml-language-server: $schema={SCHEMA}\n{text}", encoding="utf-8")
    print(f"{len(config['tests'])} tests: {target}")
    if left:
        print(f"{len(left)} cases of several messages or turns have no counterpart there: {', '.join(left)}")
    return 0


def _is_promptfoo(path: Path) -> bool:
    documents = CaseReader().documents(path)
    return any(isinstance(one.content, dict) and "tests" in one.content for one in documents)
