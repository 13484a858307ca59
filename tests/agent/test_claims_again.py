"""The claim ledger with a second reading, on labelled replies that nobody tuned on: the recorded readings, replayed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from evals.claims import again
from evals.claims.__main__ import MOST_FALSE_ALARMS, MOST_MISSES, is_blind, main, read, score
from evals.claims.cases import FOLDER

from tests.openai_server import ScriptedOpenAI

BLIND = sorted(path for path in FOLDER.glob("*.jsonl") if is_blind(path))


def test_that_the_aims_hold_on_every_reply_that_nobody_tuned_on() -> None:
    recorded = again.load()
    bad = good = missed = alarms = 0
    for path in BLIND:
        cases = read(path)
        answers = again.replayed(cases, recorded[path.stem])
        assert set(answers) == {case.id for case in cases}, path.name
        total = score(cases, answers)
        bad, good = bad + total.bad, good + total.good
        missed, alarms = missed + len(total.missed), alarms + len(total.alarms)
    assert bad >= 400
    assert good >= 300
    assert missed <= MOST_MISSES * bad
    assert alarms <= MOST_FALSE_ALARMS * good


def test_that_an_empty_reading_changes_nothing() -> None:
    cases = read(FOLDER / "dev.jsonl")
    alone, again_ = score(cases), score(cases, {case.id: '{"claims": []}' for case in cases})
    assert [case.id for case, _ in alone.missed] == [case.id for case, _ in again_.missed]
    assert [case.id for case, _ in alone.alarms] == [case.id for case, _ in again_.alarms]


def test_that_a_recording_of_another_request_is_refused() -> None:
    case = read(FOLDER / "dev.jsonl")[0]
    with pytest.raises(again.StaleReadingError, match="second_reading"):
        again.replayed([case], {case.id: {"key": "0" * 64, "answer": "{}"}})


async def test_that_a_models_own_readings_are_asked_for_measured_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some = tmp_path / "some.jsonl"
    some.write_text("".join((FOLDER / "dev.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:12]))
    kept = tmp_path / "kept.jsonl"
    async with ScriptedOpenAI() as server:
        monkeypatch.setenv("ATENDE_MODEL", "mine")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "key")
        code = await asyncio.to_thread(main, ["--again", "live", str(some), "--record", str(kept)])
        asked = [request["model"] for request in server.readings]
    assert asked == ["mine"] * 12
    assert code in {0, 1}
    assert "12 replies" in capsys.readouterr().out
    cases = read(some)
    rows = again.load(kept)["some"]
    assert again.replayed(cases, rows) == {case.id: '{"claims": []}' for case in cases}


def test_that_a_missing_model_and_a_broken_file_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ATENDE_MODEL", raising=False)
    assert main(["--again", "live", str(FOLDER / "dev.jsonl")]) == 2
    assert "ATENDE_MODEL" in capsys.readouterr().err
    broken = tmp_path / "broken.jsonl"
    broken.write_text(json.dumps({"id": "x"}) + "\n")
    assert main(["--again", "recorded", str(broken)]) == 2
    assert "broken.jsonl" in capsys.readouterr().err
