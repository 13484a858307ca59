"""Cases that ask a model: it plays customers, judges rubrics, fails, and may cost only so much."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.language_model import ModelPrice, ModelSettings
from evaluation.asked_models import Purse
from evaluation.lineup import ModelTerms
from evaluation.recordings import UNSORTED_NAME, Recordings
from evaluation.results import CaseResult, Run
from evaluation.runner import Terms, run_cases
from tests.evaluation.playing import ready, suite
from tests.openai_server import ScriptedOpenAI

CUSTOMER = "You play a customer"
JUDGE = "You judge one quality"


def settings(server: ScriptedOpenAI, model: str = "agent-model") -> ModelSettings:
    prices = {model: ModelPrice(input=1.0, output=2.0)}
    return ModelSettings(model, server.base_url, "key", max_attempts=1, timeout_seconds=60, prices=prices)


def play(file: Path, terms: ModelTerms, **how: Any) -> Run:
    lineup = ready(file, terms)
    return run_cases(lineup, Terms(mode=terms.mode, **how))


def failures(result: CaseResult) -> list[str]:
    return [f"{check.step} {check.name}: {check.expected} / {check.got}" for check in result.checks if not check.passed]


async def test_that_a_model_plays_a_customer_who_pursues_a_goal_and_leaves(tmp_path: Path) -> None:
    case = {
        "name": "played",
        "customer": {
            "goal": "saber da bicicleta 10234 e marcar um conserto",
            "knows": {"bicicleta": "10234"},
            "opens": "oi, como está o conserto da minha bicicleta?",
            "turns": 6,
        },
        "expect": {"calls": ["find", "book"], "turns": {"min": 3, "max": 3}, "records": {"bookings": {"10235": {}}}},
    }
    script = [
        {"when": "Qual é o número", "reply": "10234"},
        {"when": "10234 está pronta", "reply": "ótimo! quero agendar o conserto da 10235"},
        {"when": "10235 agendado", "reply": "###END###"},
    ]
    async with ScriptedOpenAI(script) as server:
        terms = ModelTerms(mode="live", customer=settings(server, "customer-model"))
        run = await asyncio.to_thread(play, suite(tmp_path, [case]), terms)
        first = server.requests[0]
    result = run.results[0]
    assert (failures(result), result.error) == ([], "")
    said = [text for step in result.steps for text in step["say"]]
    assert said == ["oi, como está o conserto da minha bicicleta?", "10234", "ótimo! quero agendar o conserto da 10235"]
    assert (result.origin, result.model_calls) == ("live", 3)
    assert first["model"] == "customer-model"
    assert CUSTOMER in first["messages"][0]["content"]
    assert [message["role"] for message in first["messages"][1:]] == ["assistant", "user"]


async def test_that_a_customer_who_never_leaves_is_bounded(tmp_path: Path) -> None:
    case = {"name": "endless", "customer": {"goal": "conversar", "turns": 3}, "expect": {"turns": {"max": 3}}}
    async with ScriptedOpenAI([{"when": "", "reply": "que horas vocês abrem mesmo?"}]) as server:
        terms = ModelTerms(mode="live", customer=settings(server))
        run = await asyncio.to_thread(play, suite(tmp_path, [case]), terms)
        assert len(server.requests) == 3
    assert len(run.results[0].steps) == 3


async def test_that_a_rubric_is_judged_and_its_score_kept(tmp_path: Path) -> None:
    rubric = {"name": "kind", "ask": "Is it kind?", "at_least": 0.7}
    cases = [
        {"name": "kind", "say": "que horas abrem?", "expect": {"rubric": rubric}},
        {"name": "unkind", "say": "até que horas funciona?", "expect": {"rubric": rubric}},
        {"name": "unclear", "say": "vocês abrem sábado?", "expect": {"rubric": rubric}},
    ]
    script = [
        {"when": "que horas abrem", "reply": 'Well: {"reason": "warm", "score": 0.9}'},
        {"when": "até que horas", "reply": '{"reason": "curt", "score": 0.2}'},
        {"when": "sábado", "reply": "I would say it is fine."},
    ]
    async with ScriptedOpenAI(script) as server:
        terms = ModelTerms(mode="live", judge=settings(server, "judge-model"))
        run = await asyncio.to_thread(play, suite(tmp_path, cases), terms)
        asked = {request["model"]: request["messages"] for request in server.requests}
    kind, unkind, unclear = run.results
    assert (kind.status, kind.scores, kind.origin) == ("passed", {"kind": 0.9}, "live")
    assert (unkind.status, unkind.scores) == ("failed", {"kind": 0.2})
    assert failures(unkind) == ["0 rubric: kind: at least 0.7 / 0.2: curt"]
    assert unclear.status == "errored"
    assert unclear.error.startswith("The judge gave no verdict but said: 'I would say it is fine.'")
    assert "Is it kind?" in asked["judge-model"][0]["content"]
    assert "agent: " in asked["judge-model"][1]["content"]


async def test_that_a_failing_endpoint_errs_and_one_that_the_case_wants_down_does_not(tmp_path: Path) -> None:
    unread = {"understood": False}
    cases = [
        {"name": "down", "say": "me conta uma história", "given": unread},
        {"name": "wanted", "say": "me conta uma história", "given": {**unread, "model": "unavailable"}},
        {"name": "none", "say": "me conta uma história", "given": {**unread, "model": "none"}},
    ]
    async with ScriptedOpenAI([{"when": "", "status": 500}]) as server:
        terms = ModelTerms(mode="live", default=settings(server))
        run = await asyncio.to_thread(play, suite(tmp_path, cases), terms)
    down, wanted, none = run.results
    assert down.status == "errored"
    assert "The language model did not answer" in down.error
    assert (wanted.status, none.status) == ("passed", "passed")
    assert (wanted.origin, none.origin) == ("local", "local")
    assert wanted.steps[0]["turns"][0]["decision"]["reasons"] != none.steps[0]["turns"][0]["decision"]["reasons"]


@pytest.mark.parametrize("jobs", [1, 2])
async def test_that_no_more_is_asked_than_the_run_may_cost(tmp_path: Path, jobs: int) -> None:
    cases = [
        {"name": f"c{place}", "say": f"me conta a história {place}", "given": {"understood": False}}
        for place in range(8)
    ]
    cases.append({"name": "local", "say": "que horas abrem?", "expect": {"intent": "hours"}})
    async with ScriptedOpenAI([{"when": "", "reply": "Era uma vez."}]) as server:
        # Long answers are possible, so that each call holds far more than it then costs.
        model = replace(settings(server), options={"max_completion_tokens": 1000})
        purse = Purse(3_000)
        terms = ModelTerms(mode="live", default=model)
        run = await asyncio.to_thread(play, suite(tmp_path, cases), terms, jobs=jobs, purse=purse)
    spent = sum(one.cost_micros for one in run.results)
    stopped = [one for one in run.results if "The bound of 0.003" in one.error]
    assert 0 < spent <= 3_000
    assert purse.used_micros == spent
    assert purse.refused
    assert stopped
    assert {one.status for one in stopped} == {"errored"}
    assert run.results[-1].status == "passed"
    assert len(stopped) + len(server.requests) >= 8


async def test_that_calls_under_way_keep_no_others_from_being_asked_while_there_is_money(tmp_path: Path) -> None:
    cases = [
        {"name": f"c{place}", "say": f"me conta a história {place}", "given": {"understood": False}}
        for place in range(6)
    ]
    async with ScriptedOpenAI([{"when": "", "reply": "Era uma vez.", "delay": 0.2}]) as server:
        model = replace(settings(server), options={"max_completion_tokens": 4000})
        # One call is held at 8,000 and more, and costs a fraction of it.
        run = await asyncio.to_thread(
            play, suite(tmp_path, cases), ModelTerms(mode="live", default=model), purse=Purse(15_000)
        )
    assert [one.error for one in run.results] == [""] * 6
    assert sum(one.cost_micros for one in run.results) < 15_000


async def test_that_a_run_that_goes_on_has_spent_what_it_spent_before(tmp_path: Path) -> None:
    cases = [{"name": name, "say": f"me conta a história {name}", "given": {"understood": False}} for name in "ab"]
    file, journal = suite(tmp_path, cases), tmp_path / "journal.jsonl"
    rules = [{"when": "história a", "reply": "Era uma vez."}, {"when": "história b", "status": 500}]
    async with ScriptedOpenAI(rules) as server:
        terms = ModelTerms(mode="live", default=settings(server))
        first = await asyncio.to_thread(play, file, terms, journal=journal, purse=Purse(1_000_000))
        spent = first.results[0].cost_micros
        assert [one.status for one in first.results] == ["passed", "errored"]
        asked = len(server.requests)
        again = await asyncio.to_thread(play, file, terms, journal=journal, purse=Purse(spent + 1))
        assert len(server.requests) == asked
    assert "The bound of" in again.results[1].error
    assert again.results[0].status == "passed"


async def test_that_what_was_paid_for_is_recorded_even_if_the_run_is_killed(tmp_path: Path) -> None:
    asked = {"name": "asked", "say": "me conta uma história", "given": {"understood": False}}
    file, journal = suite(tmp_path, [asked, {**asked, "name": "held", "say": "conta outra"}]), tmp_path / "journal"
    rules = [{"when": "uma história", "reply": "Era uma vez."}, {"when": "outra", "hold": 300}]
    command = [str(Path(sys.executable).with_name("atende")), "eval", "run", str(file), "--mode", "live", "--record"]
    async with ScriptedOpenAI(rules) as server:
        environment = {"ATENDE_MODEL": "m", "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "key"}
        process = await asyncio.create_subprocess_exec(
            *command, "--resume", str(journal), env={**os.environ, **environment}
        )
        while not journal.exists() or journal.read_bytes().count(b"\n") < 2:
            assert process.returncode is None, "it ended before it was killed"
            await asyncio.sleep(0.02)
        process.kill()
        await process.wait()
    left = tmp_path / "recordings" / UNSORTED_NAME
    with left.open("ab") as torn:
        torn.write(b'{"key": "abc", "sam')
    terms = ModelTerms(default=ModelSettings("m", server.base_url, "key"))
    replayed = await asyncio.to_thread(play, suite(tmp_path, [asked]), terms)
    assert (replayed.results[0].status, replayed.results[0].origin) == ("passed", "replayed")

    recordings = Recordings.of(tmp_path / "recordings")
    recordings.save()
    assert not left.exists()
    assert len(Recordings.of(tmp_path / "recordings").found) == 2  # the reply, and its second reading


def test_that_two_runs_that_record_the_same_suite_lose_nothing(tmp_path: Path) -> None:
    answer = {"choices": [{"message": {"content": "oi"}, "finish_reason": "stop"}]}
    one, other = Recordings.of(tmp_path), Recordings.of(tmp_path)
    one.keep({"model": "m", "messages": [{"role": "user", "content": "um"}]}, answer)
    other.keep({"model": "m", "messages": [{"role": "user", "content": "dois"}]}, answer)
    one.save()
    other.save()
    assert len(Recordings.of(tmp_path).found) == 2


def test_that_a_case_whose_models_are_missing_says_which(tmp_path: Path) -> None:
    cases = [
        {"name": "customer", "customer": {"goal": "conversar"}},
        {"name": "judge", "say": "que horas abrem?", "expect": {"rubric": "Is it kind?"}},
    ]
    run = play(suite(tmp_path, cases), ModelTerms())
    assert [one.status for one in run.results] == ["errored", "errored"]
    assert "ATENDE_EVAL_CUSTOMER_MODEL" in run.results[0].error
    assert "ATENDE_EVAL_JUDGE_MODEL" in run.results[1].error
    assert json.dumps(run.as_document())
