"""The language model's client over real HTTP: each fault is retried, passed to the fallback, or named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

import pytest

from agent.language_model import (
    LanguageModel,
    ModelClients,
    ModelPrice,
    ModelRefusedError,
    ModelSettings,
    ModelUnavailableError,
)
from tests.openai_server import ScriptedOpenAI

ASK = [{"role": "user", "content": "oi"}]
OK = {"reply": "Olá!"}


@pytest.fixture
async def clients() -> AsyncIterator[ModelClients]:
    clients = ModelClients()
    yield clients
    await clients.aclose()


def _model(server: ScriptedOpenAI, clients: ModelClients, **settings: Any) -> LanguageModel:
    settings = {"model": "main", "timeout_seconds": 1.5, "deadline_seconds": 8.0, **settings}
    return LanguageModel(ModelSettings(base_url=server.base_url, api_key="secret-key", **settings), clients, seed=7)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "retry_after": 0},
        {"status": 500},
        {"status": 503},
        {"hold": 30},
        {"reset": True},
        {"empty_choices": True},
        {"reply": ""},
        {"body": "<html>gateway</html>"},
        {"body": "<html>gateway</html>", "content_type": "text/html"},
        {"body": "{}"},
    ],
    ids=lambda fault: next(f"{key}-{value}"[:24] for key, value in fault.items()),
)
async def test_that_a_passing_fault_is_tried_again(fault: dict[str, Any], clients: ModelClients) -> None:
    async with ScriptedOpenAI([fault, OK]) as server:
        answer = await _model(server, clients).complete(ASK)
    assert answer.text == "Olá!"
    assert len(answer.attempts) == 1
    assert len(server.requests) == 2


async def test_that_retry_after_is_waited_for(clients: ModelClients) -> None:
    async with ScriptedOpenAI([{"status": 429, "retry_after": 0.6}, OK]) as server:
        started = perf_counter()
        await _model(server, clients).complete(ASK)
    assert perf_counter() - started >= 0.6


async def test_that_a_long_retry_after_goes_to_the_fallback_at_once(clients: ModelClients) -> None:
    async with ScriptedOpenAI([{"status": 429, "retry_after": 3600}, OK]) as server:
        started = perf_counter()
        answer = await _model(server, clients, fallback_model="spare").complete(ASK)
    assert answer.model == "spare"
    assert perf_counter() - started < 60  # not an hour


async def test_that_the_fallback_model_answers_when_the_main_one_stays_down(clients: ModelClients) -> None:
    async with ScriptedOpenAI([{"status": 500}] * 2 + [OK]) as server:
        answer = await _model(server, clients, max_attempts=2, fallback_model="spare").complete(ASK)
    assert [body["model"] for body in server.requests] == ["main", "main", "spare"]
    assert answer.attempts == ("main: status 500", "main: status 500")


async def test_that_the_deadline_bounds_all_attempts_together(clients: ModelClients) -> None:
    async with ScriptedOpenAI([{"hold": 30}] * 10) as server:
        with pytest.raises(ModelUnavailableError):
            await _model(server, clients, timeout_seconds=0.4, deadline_seconds=0.9, fallback_model="spare").complete(
                ASK
            )
    assert 1 <= len(server.requests) <= 3  # 0.4 s each, and no fourth begins after 0.9 s


async def test_that_a_refusal_is_not_repeated_and_never_shows_the_key(clients: ModelClients) -> None:
    async with ScriptedOpenAI([{"status": 401}, OK]) as server:
        with pytest.raises(ModelRefusedError) as caught:
            await _model(server, clients, fallback_model="spare").complete(ASK)
    assert caught.value.status == 401
    assert len(server.requests) == 1
    assert "secret-key" not in f"{caught.value.sentence()} {caught.value.attempts} {_model(server, clients).settings}"


async def test_that_tool_calls_and_their_cost_are_read(clients: ModelClients) -> None:
    calls = [{"name": "a", "arguments": {"x": 1}}, {"name": "b", "arguments": "{not json"}]
    async with ScriptedOpenAI([{"tool_calls": calls}]) as server:
        model = _model(server, clients, prices={"main": ModelPrice(1.0, 2.0)})
        answer = await model.complete(ASK, tools=[{"type": "function", "function": {"name": "a", "parameters": {}}}])
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("a", '{"x": 1}'), ("b", "{not json")]
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.cost_micros) == (120, 30, 180)


async def test_that_one_client_serves_every_tenant_of_an_endpoint(clients: ModelClients) -> None:
    settings = ModelSettings("m", base_url="http://127.0.0.1:9/v1", api_key="k")
    assert clients.get(settings) is clients.get(ModelSettings("other", base_url="http://127.0.0.1:9/v1", api_key="k"))
    assert clients.get(settings) is not clients.get(ModelSettings("m", base_url="http://127.0.0.1:9/v1", api_key="l"))
