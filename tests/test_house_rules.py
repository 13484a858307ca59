"""Rules of the house that no linter knows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LONGEST_MODULE = 400
# In parts, so that this file names none either.
REGISTRIES = (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("ghcr", "io"), ("docker", "io"))
HOSTS = re.compile("|".join(rf"\b{name}\.{end}\b" for name, end in REGISTRIES), re.IGNORECASE)
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")


def tracked_files() -> list[Path]:
    """Every file of the repository, or of the source distribution where there is no repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    return [file for file in ROOT.rglob("*") if file.is_file() and not {".venv", ".git"} & set(file.parts)]


def lines_of_text() -> list[tuple[str, str]]:
    """Place and content of every line of every text file that people write."""
    found = []
    for file in tracked_files():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        name = file.relative_to(ROOT)
        found += [(f"{name}:{number}", line) for number, line in enumerate(text.splitlines(), 1)]
    return found


def test_that_no_module_is_longer_than_a_reader_takes_in() -> None:
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in SOURCES}
    assert lengths
    assert {str(file): length for file, length in lengths.items() if length >= LONGEST_MODULE} == {}


def test_that_no_file_names_a_package_registry() -> None:
    assert [place for place, line in lines_of_text() if HOSTS.search(line)] == []


def test_that_nothing_is_left_unfinished() -> None:
    ours = ("src/", "tests/", "bench/", "evals/", "prompts/")
    vendored = ("src/web/static/vendor/", "src/web/static/tabler")
    assert [
        place
        for place, line in lines_of_text()
        if place.startswith(ours) and not place.startswith(vendored) and UNFINISHED.search(line)
    ] == []


def test_that_our_own_modules_are_never_patched() -> None:
    patches = re.compile(r"mocker\.patch|monkeypatch\.setattr|mock\.patch")
    assert [place for place, line in lines_of_text() if place.startswith("tests/") and patches.search(line)] == []


@pytest.mark.timeout(180)
def test_that_imports_run_in_one_direction() -> None:
    checked = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("part", "unneeded"),
    [
        ("web_part", {"sqlmodel", "sqlalchemy", "langgraph", "langchain_core", "neonize"}),
        ("worker_part", {"sqlmodel", "sqlalchemy", "neonize"}),
        ("sessions_part", {"sqlmodel", "sqlalchemy", "langgraph", "numpy", "neonize"}),
        ("pairing_part", {"sqlmodel", "sqlalchemy", "langgraph", "numpy", "neonize"}),
    ],
)
def test_that_no_process_loads_what_it_does_not_use(part: str, unneeded: set[str]) -> None:
    code = f"import sys, app.{part}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert unneeded.intersection(loaded) == set()  # each costs every start a quarter of a second or more
