"""``atende eval run``: its exit code says whose fault it is, and what is wrong is told with file and line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import cli
from evaluation.results import Run
from tests.evaluation.playing import TINY, suite
from tests.openai_server import ScriptedOpenAI

GOOD = {"name": "hours", "say": "que horas abrem?", "expect": {"intent": "hours"}}
BAD = {"name": "wrong", "say": "que horas abrem?", "expect": {"intent": "book"}}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs the command in this process; returns its exit code and all that it printed."""
    for name in ("ATENDE_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "ATENDE_ENCODER"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> tuple[int, str]:
        found = CliRunner().invoke(cli, ["eval", *map(str, arguments)])
        return found.exit_code, found.output

    return call


def test_that_a_failed_case_is_told_with_its_place_and_what_was_expected(
    run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    file = suite(tmp_path, [GOOD, BAD])
    written = {ending: tmp_path / "out" / f"run.{ending}" for ending in ("json", "html", "xml", "md")}
    code, said = run(
        "run", file, "-j", 1, "--json", written["json"], "--html", written["html"], "--junit", written["xml"],
        "--markdown", written["md"],
    )  # fmt: skip
    assert code == 1
    assert f"FAILED  tiny/wrong [local] {file}:3" in said
    assert "✗ intent: expected book, got hours" in said
    assert "1 of 2 passed, 1 failed, 0 errored (2 local)" in said
    assert [one.status for one in Run.read(written["json"]).results] == ["passed", "failed"]
    assert all(path.stat().st_size for path in written.values())
    assert run("run", file, "--only", "hours", "-j", 1)[0] == 0


def _broken(folder: Path, what: str) -> tuple[list[object], str]:  # noqa: PLR0912 - one of each
    """Arguments that cannot be played, and what must be told."""
    good = suite(folder, [GOOD])
    yaml = folder / "some.eval.yaml"
    match what:
        case "yaml":
            yaml.write_text("suite: s\ncases:\n  - name: a\n     say: x\n", encoding="utf-8")
            return ["run", yaml], f"{yaml}:4: is not valid YAML"
        case "expectation":
            yaml.write_text(
                f"suite: s\ntenant: {TINY}\ncases:\n  - name: a\n    say: x\n    expect: {{intnet: find}}\n"
            )
            return ["run", yaml], f"{yaml}:6: expect.intnet: is not a known key. Did you mean `intent`?"
        case "intent":
            yaml.write_text(
                f"suite: s\ntenant: {TINY}\ncases:\n  - name: a\n    say: x\n    expect:\n      intent: fnd\n"
            )
            return ["run", yaml], f"{yaml}:7: expect.intent: there is no intent fnd."
        case "prompt":
            prompts = folder / "prompts"
            prompts.mkdir()
            (prompts / "converse.md.j2").write_text(
                "---\nname: converse\nversion: '9'\ndescription: d\ninputs:\n  canary: c\n  language: l\n"
                "  passages: p\n  masked: m\n---\n{{ canary }} {{ language }} {{ passages }} {{ masked }}\n"
                "{{ custmer }}\n"
            )
            return ["run", good, "--bundle", prompts], "converse.md.j2:12: the variable 'custmer' is not declared"
        case "empty":
            yaml.write_text("suite: s\ncases: []\n")
            return ["run", yaml], f"{yaml}:1: the suite has no case."
        case "no tenant":
            yaml.write_text("- {name: a, say: x}\n")
            return ["run", yaml], f"{yaml}:1: the suite some names no tenant."
        case "no suite":
            return ["run", folder / "nowhere"], "There is no suite"
        case "folder":
            (folder / "hollow").mkdir()
            return ["run", folder / "hollow"], "the suite has no case"
        case "only":
            return ["run", good, "--only", "nothing*"], "No case is named or tagged nothing*"
        case "bundle":
            return ["run", good, "--bundle", folder / "no.yaml"], "names no bundle"
        case "gates":
            (folder / "gates.yaml").write_text("critical_failures: none\n")
            return ["run", good, "--gates", folder / "gates.yaml"], "gates.yaml:1"
        case "tenant":
            return ["run", good, "--tenant", folder], "is no tenant folder"
        case "mode":
            return ["run", good, "--mode", "guess"], "guess"
        case "epochs":
            return ["run", good, "--epochs", 0], "epochs"
        case "live":
            return ["run", good, "--mode", "live"], "--mode live has no model to ask."
        case _:
            return ["run", good, "--record"], "--record goes with --mode live alone."


BROKEN = (
    "yaml", "expectation", "intent", "prompt", "empty", "no tenant", "no suite", "folder", "only", "bundle", "gates",
    "tenant", "mode", "epochs", "live", "record",
)  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_that_broken_input_is_pointed_at_and_never_passes(
    run: Callable[..., tuple[int, str]], tmp_path: Path, what: str
) -> None:
    arguments, told = _broken(tmp_path, what)
    code, said = run(*arguments)
    assert (code, told in said) == (2, True), said


def test_that_a_missing_recording_and_a_suite_that_errors_throughout_are_nobodys_failure(
    run: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATENDE_MODEL", "gpt-small")
    asked = {"name": "asked", "say": "me conta uma história de bicicleta", "given": {"understood": False}}
    loose = tmp_path / "gates.yaml"
    loose.write_text("errored_share: 1.0\n", encoding="utf-8")
    code, said = run("run", suite(tmp_path, [asked]), "-j", 1, "--gates", loose)
    assert code == 3, said
    assert f"ERRORED tiny/asked [replayed] {tmp_path / 'tiny.eval.jsonl'}:2" in said
    assert "No answer is recorded for this request" in said
    assert "every case of tiny errored: nothing was found out about it" in said


async def test_that_recorded_answers_are_replayed_and_a_dead_endpoint_is_no_verdict(
    run: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"name": "asked", "say": "me conta da garantia", "given": {"understood": False}}
    file, out = suite(tmp_path, [asked, GOOD]), tmp_path / "run.json"
    monkeypatch.setenv("ATENDE_MODEL", "gpt-small")
    monkeypatch.setenv("ATENDE_MODEL_PRICES", "gpt-small=1.00/2.00")
    async with ScriptedOpenAI([{"when": "", "reply": "O conserto tem garantia de noventa dias."}]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        code, said = await asyncio.to_thread(run, "run", file, "--mode", "live", "--record", "--json", out)
        assert code == 0, said
        assert [one["origin"] for one in json.loads(out.read_text())["results"]] == ["live", "local"]
        spent = json.loads(out.read_text())["results"][0]["cost_micros"]
        assert spent > 0
        asked_so_far = len(server.requests)
        code, said = await asyncio.to_thread(run, "run", file, "--mode", "live", "--max-cost", 0.0001)
        assert code == 3, said
        assert "The bound of 0.0001 on what the run may cost is met" in said
        assert len(server.requests) == asked_so_far
    code, said = await asyncio.to_thread(run, "run", file, "-j", 1, "--json", out)
    assert code == 0, said
    assert [one["origin"] for one in json.loads(out.read_text())["results"]] == ["replayed", "local"]
    code, said = await asyncio.to_thread(run, "run", file, "--mode", "live")
    assert code == 3, said
    assert "ERRORED tiny/asked [live]" in said
    assert "1 of 2 passed, 0 failed, 1 errored" in said


async def test_that_the_judge_is_held_to_what_people_said(
    run: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = [(f"conversa {place}", place % 3 > 0, place % 4 > 0) for place in range(24)]
    file = tmp_path / "labels.jsonl"
    lines = [
        {"ask": "Is it kind?", "conversation": [{"from": "agent", "text": f"{text}."}], "label": human}
        for text, human, _ in verdicts
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    script = [
        {"when": f"agent: {text}\\.", "reply": json.dumps({"reason": "so it is", "score": 0.9 if judged else 0.1})}
        for text, _, judged in verdicts
    ]
    monkeypatch.setenv("ATENDE_EVAL_JUDGE_MODEL", "judge")
    async with ScriptedOpenAI(script) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        code, said = await asyncio.to_thread(run, "judge", file, "--json")
        assert code == 0, said
        assert {request["model"] for request in server.requests} == {"judge"}
        found = json.loads(said)
        # Equal where both or neither divide: by hand, 14 of 24, 12 of them yes; 16 and 18 yes.
        assert (found["items"], found["both_yes"], found["both_no"]) == (24, 12, 2)
        assert found["raw"] == pytest.approx(14 / 24)
        chance = (16 * 18 + 8 * 6) / 24**2
        assert found["kappa"] == pytest.approx((14 / 24 - chance) / (1 - chance))
        assert found["kappa_low"] < found["kappa"] < found["kappa_high"]
        assert (await asyncio.to_thread(run, "judge", file, "--minimum", 0.5))[0] == 1
    file.write_text('{"ask": "a", "conversation": "x", "label": 3}\n', encoding="utf-8")
    code, said = await asyncio.to_thread(run, "judge", file)
    assert code == 2
    assert "labels.jsonl:1: label" in said


def test_that_a_name_that_chooses_nothing_is_told_although_another_one_does(
    run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, said = run("run", suite(tmp_path, [GOOD]), "--only", "hours", "--only", "tag:typo")
    assert (code, "No case is named or tagged tag:typo." in said) == (2, True), said


def test_that_a_conversion_writes_over_nothing_unless_told_to(
    run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    source, target = suite(tmp_path, [GOOD]), tmp_path / "promptfooconfig.yaml"
    target.write_text("mine: kept\n", encoding="utf-8")
    code, said = run("convert", source, target)
    assert (code, target.read_text(encoding="utf-8")) == (2, "mine: kept\n")
    assert "exists already. Name another file, or say --force" in " ".join(said.split())
    assert run("convert", source, target, "--force")[0] == 0
    assert "tests:" in target.read_text(encoding="utf-8")


def test_that_a_report_that_cannot_be_written_is_told_before_anything_is_played(
    run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for option, path in (("--json", tmp_path / "file" / "run.json"), ("--html", tmp_path), ("--resume", tmp_path)):
        code, said = run("run", suite(tmp_path, [GOOD]), option, path)
        assert (code, f"{option} {path}" in said, "passed" in said) == (2, True, False), said


async def test_that_an_endpoint_that_keeps_failing_is_told_by_what_it_answered(
    run: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [{"name": f"c{n}", "say": f"me conta a história {n}", "given": {"understood": False}} for n in range(4)]
    wrong = {"expect": {"contains": "história"}}
    monkeypatch.setenv("ATENDE_MODEL", "gpt-small")
    async with ScriptedOpenAI([{"when": "", "status": 500}]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        file = suite(tmp_path, [{**case, **wrong} for case in cases])
        code, said = await asyncio.to_thread(run, "run", file, "--mode", "live", "-j", 1)
    assert code == 3, said
    assert said.count("ERRORED") == 4
    assert said.count("status 500") == 4, said
    assert "circuit" not in said
    assert "✗" not in said, "what did not come of a case that was not played to its end says nothing of the agent"
