"""A bundle's life from the command line: drafted, evaluated, published, tried on some contacts, taken back."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

from flows.tenant_files import load_tenant
from store.database import Database
from tests.app.serving import atende
from tests.database import SECRET
from tests.evaluation.playing import TINY, suite
from tests.evaluation.test_recordings import AURORA

CASE = {"name": "hours", "say": "que horas vocês abrem?", "expect": {"intent": "hours", "decision": "reply"}}
WRONG = {"name": "wrong", "say": "que horas vocês abrem?", "expect": {"intent": "book"}}
PROMPT = AURORA.parents[1] / "prompts" / "converse.md.j2"


async def test_that_a_change_is_drafted_evaluated_published_and_taken_back_from_the_command_line(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(TINY, folder)
    slug = load_tenant(folder).settings.slug

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return atende(
            *map(str, arguments),
            DATABASE_URL=owner_dsn,
            ATENDE_SECRET=SECRET.decode(),
            ATENDE_TENANT_FOLDERS=str(tmp_path),
        )

    def told(*arguments: object) -> str:
        ran = run(*arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def refused(*arguments: object) -> str:
        ran = run(*arguments)
        assert ran.returncode == 2, ran.stdout + ran.stderr
        return ran.stderr

    told("tenant", "import", folder)
    change = tmp_path / "stricter.yaml"
    change.write_text(f"from: {folder}\nsettings: {{threshold: 0.71}}\n", encoding="utf-8")
    found = re.search(r"\b[0-9a-f]{16}\b", told("bundle", "draft", folder, "--with", change))
    assert found
    draft = found[0]
    assert "threshold" in told("bundle", "diff", draft, "--tenant", slug)

    good, bad = suite(tmp_path, [CASE], name="good"), suite(tmp_path, [CASE, WRONG], name="bad")
    passed, failed, other = tmp_path / "passed.json", tmp_path / "failed.json", tmp_path / "other.json"
    played = ("--tenant", folder, "-j", 1)
    told("eval", "run", good, *played, "--bundle", change, "--json", passed)
    assert json.loads(passed.read_text())["bundles"][0]["hash"] == draft
    assert run("eval", "run", bad, *played, "--bundle", change, "--json", failed).returncode == 1
    told("eval", "run", good, *played, "--json", other)

    assert "50.0% of 2 cases" in refused("bundle", "publish", draft, "--tenant", slug, "--run", failed)
    assert "is about other bundles" in refused("bundle", "publish", draft, "--tenant", slug, "--run", other)
    assert "--run" in refused("bundle", "publish", draft, "--tenant", slug)
    told("bundle", "canary", draft, "--tenant", slug, "--share", 10)
    assert "10" in told("bundle", "list", "--tenant", slug)
    told("bundle", "publish", draft, "--tenant", slug, "--run", passed)
    assert "0.71" in told("tenant", "show", "--tenant", slug)
    told("bundle", "rollback", "--tenant", slug, "--reason", "too strict")
    assert "0.71" not in told("tenant", "show", "--tenant", slug)
    assert "too strict" in told("bundle", "list", "--tenant", slug)


async def test_that_a_prompt_that_kept_its_version_or_names_an_unknown_variable_becomes_no_draft(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(TINY, folder)

    def refused(*arguments: object) -> str:
        ran = atende(*map(str, arguments), DATABASE_URL=owner_dsn, ATENDE_SECRET=SECRET.decode())
        assert ran.returncode == 2, ran.stdout + ran.stderr
        return ran.stderr

    settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode()}
    assert atende("tenant", "import", str(folder), **settings).returncode == 0
    prompts = tmp_path / "mine" / "prompts"
    prompts.mkdir(parents=True)
    prompt = prompts / PROMPT.name
    prompt.write_text(PROMPT.read_text(encoding="utf-8") + "Be brief.\n", encoding="utf-8")
    assert "the content changed, but the version is still" in refused("bundle", "draft", folder, "--with", prompt)
    prompt.write_text(PROMPT.read_text(encoding="utf-8") + "Be {{ bref }}.\n", encoding="utf-8")
    line = len(prompt.read_text(encoding="utf-8").splitlines())
    assert f"converse.md.j2:{line}: the variable 'bref'" in refused("bundle", "draft", folder, "--with", prompt)
