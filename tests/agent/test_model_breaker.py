"""A model that keeps failing is left alone for a while, by everybody, and by nobody for one tenant's own fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.language_model import LanguageModel, ModelClients, ModelRefusedError, ModelSettings, ModelUnavailableError
from agent.model_breaker import BreakerTerms, CircuitBreaker
from agent.model_faults import retry_after
from tests.openai_server import ScriptedOpenAI

ASK = [{"role": "user", "content": "oi"}]
OK = {"reply": "Olá!"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def clients() -> AsyncIterator[ModelClients]:
    clients = ModelClients(BreakerTerms(failures=3, open_seconds=3600, counted_timeout_seconds=0.5))
    yield clients
    await clients.aclose()


def _model(server: ScriptedOpenAI, clients: ModelClients, **settings: Any) -> LanguageModel:
    settings = {"model": "main", "max_attempts": 1, "timeout_seconds": 15.0, **settings}
    return LanguageModel(ModelSettings(base_url=server.base_url, **settings), clients, seed=7)


def _fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        admission = breaker.enter()
        assert admission is not None
        breaker.leave(admission, served=False)


def test_that_it_opens_after_failures_in_a_row_and_lets_one_probe_through_at_a_time() -> None:
    clock = Clock()
    breaker = CircuitBreaker(BreakerTerms(failures=3, open_seconds=10, longest_seconds=35), clock=clock, seed=1)
    _fail(breaker, 2)
    served = breaker.enter()
    assert served is not None
    breaker.leave(served, served=True)
    _fail(breaker, 3)  # the row began anew with the success
    assert breaker.enter() is None
    clock.now = 7.9
    assert breaker.enter() is None
    clock.now = 12.1
    probe = breaker.enter()
    assert probe is not None
    assert probe.is_probe
    assert breaker.enter() is None
    breaker.leave(probe, served=False)  # open again, for twice as long
    clock.now += 15.9
    assert breaker.enter() is None
    clock.now += 8.2
    probe = breaker.enter()
    assert probe is not None
    breaker.leave(probe, served=None)  # the prober was cancelled: the next one may try
    probe = breaker.enter()
    assert probe is not None
    assert probe.is_probe
    breaker.leave(probe, served=True)
    assert not any(admission.is_probe for admission in (breaker.enter(), breaker.enter()) if admission)
    _fail(breaker, 2)
    assert breaker.enter() is not None


def test_that_a_late_failure_of_another_call_does_not_end_a_probe() -> None:
    clock = Clock()
    breaker = CircuitBreaker(BreakerTerms(failures=1, open_seconds=10), clock=clock, seed=1)
    slow, first = breaker.enter(), breaker.enter()
    assert slow is not None
    assert first is not None
    breaker.leave(first, served=False)
    clock.now = 13
    probe = breaker.enter()
    assert probe is not None
    assert probe.is_probe
    breaker.leave(slow, served=False)
    assert breaker.enter() is None
    breaker.leave(probe, served=True)
    assert breaker.enter() is not None


async def test_that_an_open_circuit_goes_to_the_fallback_without_asking_and_is_shared_by_all_tenants(
    clients: ModelClients,
) -> None:
    async with ScriptedOpenAI([{"status": 503}] * 3 + [OK] * 2) as server:
        for _ in range(3):
            with pytest.raises(ModelUnavailableError):
                await _model(server, clients, api_key="one").complete(ASK)
        other = _model(server, clients, api_key="another", fallback_model="spare")
        answer = await other.complete(ASK)
        assert (answer.model, answer.attempts) == ("spare", ("main: circuit open",))
        with pytest.raises(ModelUnavailableError, match="circuit open"):
            await _model(server, clients, api_key="another").complete(ASK)
        assert [body["model"] for body in server.requests] == ["main"] * 3 + ["spare"]


@pytest.mark.parametrize(
    "fault",
    [{"status": 401}, {"status": 400}, {"status": 404}, {"status": 429, "retry_after": 3600}, {"reply": ""}],
    ids=["key", "request", "name", "limit", "silence"],
)
async def test_that_one_tenants_own_faults_open_nothing(fault: dict[str, Any], clients: ModelClients) -> None:
    async with ScriptedOpenAI([fault] * 6 + [OK]) as server:
        for _ in range(6):
            with pytest.raises((ModelUnavailableError, ModelRefusedError)):
                await _model(server, clients).complete(ASK)
        assert (await _model(server, clients).complete(ASK)).text == "Olá!"


async def test_that_a_timeout_counts_only_if_it_was_long_enough(clients: ModelClients) -> None:
    async with ScriptedOpenAI([{"hold": 60}] * 12) as server:
        for seconds, last in ((0.1, "no answer"), (0.6, "circuit open")):
            for _ in range(4):
                with pytest.raises(ModelUnavailableError) as caught:
                    await _model(server, clients, timeout_seconds=seconds).complete(ASK)
            assert last in caught.value.attempts[-1]


async def test_that_a_cancelled_probe_lets_the_next_one_in() -> None:
    clients = ModelClients(BreakerTerms(failures=1, open_seconds=0.01))
    async with ScriptedOpenAI([{"status": 500}, {"hold": 60}, OK]) as server:
        with pytest.raises(ModelUnavailableError):
            await _model(server, clients).complete(ASK)
        await asyncio.sleep(0.05)
        probe = asyncio.create_task(_model(server, clients).complete(ASK))
        while len(server.requests) < 2:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        assert (await _model(server, clients).complete(ASK)).text == "Olá!"
    await clients.aclose()


async def test_that_a_used_up_quota_is_not_waited_for(clients: ModelClients) -> None:
    body = {"error": {"message": "no credit", "code": "insufficient_quota"}}
    async with ScriptedOpenAI([{"status": 429, "error": body["error"]}, OK]) as server:
        with pytest.raises(ModelRefusedError):
            await _model(server, clients, max_attempts=3).complete(ASK)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT"}, 10.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT"}, 0.0),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_that_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, datetime(2026, 10, 21, 7, 28, tzinfo=UTC)) == seconds
