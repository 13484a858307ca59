"""Runs: the same result in one process or several, nothing shared between cases, and no finished case played twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from agent.encoder import UniversalSentenceEncoder
from agent.language_model import ModelSettings
from evaluation.journal import Journal, JournalInUseError, NotAJournalError, OtherRunError
from evaluation.lineup import ModelTerms
from evaluation.pool import WorkerDiedError, may_fork, play_in_processes
from evaluation.results import CaseResult, Run
from evaluation.runner import Terms, run_cases, tasks_of
from evaluation.suites import find_suites
from tests.evaluation.playing import ready, suite, timeless, unlike

BOOK = {"say": "quero agendar o conserto da 10235", "expect": {"records": {"bookings": {"10235": {"number": "10235"}}}}}
FIND = {"say": "como está o conserto da bicicleta 10234?", "expect": {"contains": "Agendados: 0"}}
SEVERAL = [{"name": f"case-{place}", **(BOOK if place % 2 else FIND)} for place in range(12)]
needs_fork = pytest.mark.skipif(not may_fork(), reason="several processes need a system that forks safely")


@needs_fork
def test_that_cases_share_nothing_and_processes_change_nothing(tmp_path: Path) -> None:
    lineup = ready(suite(tmp_path, SEVERAL))
    one = run_cases(lineup, Terms(epochs=2))
    assert [result.case for result in one.results] == [f"case-{place}" for place in range(12) for _ in range(2)]
    assert {result.status for result in one.results} == {"passed"}

    seen: list[CaseResult] = []
    several = run_cases(lineup, Terms(epochs=2, jobs=3), seen.append)
    assert len(seen) == 24
    assert timeless(several) == timeless(one)
    turned = replace(lineup, suites=(replace(lineup.suites[0], cases=lineup.suites[0].cases[::-1]),))
    backwards = {(one.case, one.epoch): timeless(asdict(one)) for one in run_cases(turned, Terms(epochs=2)).results}
    assert backwards == {(one.case, one.epoch): timeless(asdict(one)) for one in one.results}


def test_that_neither_bundle_is_always_played_first_so_that_latencies_can_be_compared(tmp_path: Path) -> None:
    suites = find_suites([str(suite(tmp_path, SEVERAL))])
    tasks = tasks_of(suites, ("A", "B"), 2)
    pairs = list(zip(tasks[::2], tasks[1::2], strict=True))
    assert all((one.case, one.epoch) == (other.case, other.epoch) for one, other in pairs)
    assert sorted(task.bundle for pair in pairs[:2] for task in pair) == ["A", "A", "B", "B"]
    firsts = [one.bundle for one, _ in pairs]
    assert (firsts.count("A"), firsts.count("B")) == (12, 12)
    assert {one.case.name for one, _ in pairs if one.bundle == "A"} == {f"case-{place}" for place in range(12)}


@needs_fork
def test_that_a_killed_run_goes_on_where_it_was_and_ends_with_the_same_document(tmp_path: Path) -> None:
    held = {"name": "held", "say": "eu espero o mecânico da 10234 chegar", "expect": {"contains": "chegou"}}
    file = suite(tmp_path, [*SEVERAL[:6], held, *SEVERAL[6:]])
    gate, journal, out = tmp_path / "gate", tmp_path / "journal.jsonl", tmp_path / "run.json"
    command = [str(Path(sys.executable).with_name("atende")), "eval", "run", str(file), "--jobs", "2"]
    command += ["--resume", str(journal), "--json", str(out)]
    before = 12  # one process is held, the other plays the rest

    with subprocess.Popen(command, env={**os.environ, "TINY_GATE": str(gate)}) as process:
        while not journal.exists() or journal.read_bytes().count(b"\n") < before + 1:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    with journal.open("ab") as torn:
        torn.write(b'{"seconds": 1.0, "result": {"suite": "ti')
    finished = [json.loads(line) for line in journal.read_text().splitlines()[1 : before + 1]]
    gate.touch()
    assert subprocess.run(command, check=False).returncode == 0

    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    played = [line["result"]["case"] for line in lines[1:]]
    assert sorted(played) == sorted({*(f"case-{place}" for place in range(12)), "held"})
    assert lines[1 : before + 1] == finished
    resumed = Run.read(out)
    assert unlike(timeless(resumed), timeless(run_cases(ready(file, encoder=UniversalSentenceEncoder())))) == []
    assert resumed.started_at == lines[0]["started_at"]


def test_that_a_journal_of_other_cases_or_terms_is_not_mixed_in(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    lineup = ready(suite(tmp_path, SEVERAL[:2]))
    run_cases(lineup, Terms(journal=journal))
    with pytest.raises(OtherRunError, match="epochs was 1, is 2"):
        run_cases(lineup, Terms(journal=journal, epochs=2))
    other = replace(lineup, suites=(replace(lineup.suites[0], digest="other"),))
    with pytest.raises(OtherRunError, match="suites was"):
        run_cases(other, Terms(journal=journal))
    mine = tmp_path / "notes.txt"
    mine.write_text("what I must not lose\n", encoding="utf-8")
    with pytest.raises(NotAJournalError, match=r"notes.txt:1"):
        run_cases(lineup, Terms(journal=mine))
    assert mine.read_text() == "what I must not lose\n"


def test_that_an_errored_case_is_played_again_when_the_run_is_resumed(tmp_path: Path) -> None:
    finished = CaseResult("s", "a", "A", 1, "passed", "local")
    with Journal(tmp_path / "j", {"of": 1}) as journal:
        journal.keep(finished, 1.0)
        journal.keep(replace(finished, case="b", status="errored", error="the endpoint was down"), 2.5)
    with Journal(tmp_path / "j", {"of": 1}) as journal:
        assert list(journal.finished.values()) == [finished]
        assert journal.seconds == 2.5
        journal.keep(replace(finished, case="b"), 3.0)
    with Journal(tmp_path / "j", {"of": 1}) as journal:
        assert [key[1] for key in journal.finished] == ["a", "b"]


def test_that_a_journal_serves_one_run_at_a_time(tmp_path: Path) -> None:
    path, inside, go = tmp_path / "journal.jsonl", tmp_path / "inside", tmp_path / "go"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom evaluation.journal import Journal\n"
        "with Journal(Path(sys.argv[1]), {'of': 1}):\n    Path(sys.argv[2]).touch()\n"
        "    while not Path(sys.argv[3]).exists():\n        time.sleep(0.02)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path), str(inside), str(go)]) as other:
        while not inside.exists():
            assert other.poll() is None
            time.sleep(0.02)
        with pytest.raises(JournalInUseError, match="is kept by another run"), Journal(path, {"of": 1}):
            pass
        go.touch()
    with Journal(path, {"of": 1}) as journal:
        assert journal.finished == {}


def test_that_a_journal_of_another_judge_is_not_mixed_in(tmp_path: Path) -> None:
    journal, file = tmp_path / "journal.jsonl", suite(tmp_path, SEVERAL[:1])
    run_cases(ready(file, ModelTerms(judge=ModelSettings("strict"))), Terms(journal=journal))
    with pytest.raises(OtherRunError, match=r"asked was .*strict.* is .*lenient"):
        run_cases(ready(file, ModelTerms(judge=ModelSettings("lenient"))), Terms(journal=journal))
    run_cases(ready(file, ModelTerms(judge=ModelSettings("strict"))), Terms(journal=journal))


@needs_fork
def test_that_a_process_that_is_killed_is_told_and_what_was_sent_is_kept(tmp_path: Path) -> None:
    result, seen = CaseResult("s", "a", "A", 1, "passed", "local"), []

    async def play(places: Iterable[int]) -> AsyncIterator[CaseResult]:
        for place in places:
            if place == 3:
                await asyncio.to_thread(_wait_for_files, tmp_path, 3)
                os.kill(os.getpid(), signal.SIGKILL)
            yield replace(result, case=str(place))
            (tmp_path / str(place)).touch()

    with pytest.raises(WorkerDiedError, match="ended by SIGKILL"):
        play_in_processes(4, 2, play, seen.append)
    assert {one.case for one in seen} == {"0", "1", "2"}


def _wait_for_files(folder: Path, count: int) -> None:
    while len(list(folder.iterdir())) < count:
        time.sleep(0.01)
