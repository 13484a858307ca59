"""The language model: one chat completion over any OpenAI-compatible endpoint, with retries, a deadline and a fallback.

The client's own retries are off: a turn has one deadline over all attempts, honours Retry-After only as far as that
deadline allows, and must know which model finally answered.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from agent import chat_spans
from agent.guarded_client import http_client, refusal
from agent.model_breaker import BreakerTerms, CircuitBreaker
from agent.model_faults import Failure, failure_of
from agent.model_wire import calls_in, choice_in, count_in, name_in, text_in
from domain import telemetry
from domain.errors import AtendeError

if TYPE_CHECKING:
    import httpx
    from aiohttp.abc import AbstractResolver
    from openai import AsyncOpenAI

Message = Mapping[str, Any]
"""One chat message in the wire's own shape (``role``, ``content``, ``tool_calls`` …)."""

_BACKOFF_SECONDS: Final = 0.25
_BACKOFF_LIMIT_SECONDS: Final = 4.0
_RETRY_AFTER_LIMIT_SECONDS: Final = 10.0
"""A server that asks for a longer pause is not waited for: the fallback is tried instead."""
_CHARACTERS_PER_TOKEN: Final = 3
"""Fewer than any of our languages has on the average, so that an estimate is too high rather than too low."""
_TOKENS_PER_MESSAGE: Final = 8
_MOST_OUTPUT_TOKENS: Final = 1_000
"""Expected at most of a model that was given no limit."""


class ModelError(AtendeError):
    """The language model gave nothing that can be used; ``attempts`` tells what was tried, without any secret."""

    def __init__(self, message: str, *, attempts: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.attempts = tuple(attempts)


class ModelUnavailableError(ModelError):
    """Every attempt failed for a passing reason: time-outs, resets, 429, 5xx, or answers without a choice."""

    def __init__(self, attempts: Sequence[str]) -> None:
        last = attempts[-1] if attempts else "no time left"
        super().__init__(
            f"The language model did not answer in {len(attempts)} attempt(s); the last one ended with {last}.",
            attempts=attempts,
            hint="Check that the endpoint is up and its limits suffice; the turn went on without it.",
        )


class ModelRefusedError(ModelError):
    """The endpoint rejected the request for good (key, model name, request too large …): trying again cannot help."""

    def __init__(self, status: int, attempts: Sequence[str]) -> None:
        super().__init__(
            f"The language model's endpoint refused the request with status {status}.",
            attempts=attempts,
            hint="Check the model name, the API key and the base address in the settings.",
        )
        self.status = status


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What a model costs, in units of the tenant's currency per million tokens, as price lists say it."""

    input: float
    output: float
    cached_input: float | None = None
    """Of input that the endpoint had cached; None: as other input."""

    def cost_micros(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> int:
        """Millionths of the currency, rounded up. ``cached_tokens`` are part of ``input_tokens``."""
        cached = min(cached_tokens, input_tokens)
        cached_price = self.input if self.cached_input is None else self.cached_input
        # A price per million tokens is the price of one in millionths.
        exact = (input_tokens - cached) * self.input + cached * cached_price + output_tokens * self.output
        return math.ceil(round(exact, 6))


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model, where, what it costs, and how long to try.

    ``timeout_seconds`` bounds one attempt, ``deadline_seconds`` all of them together, the fallback included.
    """

    model: str
    base_url: str = "https://api.openai.com/v1"
    api_key: str = field(default="", repr=False)
    timeout_seconds: float = 20.0
    deadline_seconds: float = 45.0
    max_attempts: int = 3
    fallback_model: str | None = None
    """Asked at the same endpoint when ``model`` fails."""
    summary_model: str | None = None
    """Writes the summaries of long conversations; None: ``model``."""
    prices: Mapping[str, ModelPrice] = field(default_factory=dict)
    """By model; one without a price counts in tokens only."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Goes to the wire with every request and wins over the prompt's own options; None takes one of those away."""
    is_tenants_own: bool = False
    """A tenant chose the address: only public hosts are connected to, and ``private_hosts``."""
    private_hosts: frozenset[str] = frozenset()

    def fingerprint(self) -> dict[str, Any]:
        """What of the settings shapes answers: part of the prompt bundle, and free of secrets."""
        shaping = {"model": self.model, "fallback_model": self.fallback_model, "base_url": self.base_url}
        return shaping | ({"options": dict(self.options)} if self.options else {})


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """A tool call as the model wrote it. ``arguments`` is its raw text: it may be no JSON at all."""

    id: str
    name: str
    arguments: str
    spellings: tuple[str, ...] = ()
    """The same arguments with personal data spelled otherwise (agent.masked_model): the model could not see them."""
    unknown_placeholders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used, over every round of a turn."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_micros + other.cost_micros,
        )


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """One completion. Either ``text`` or ``tool_calls`` may be empty, never both."""

    text: str
    tool_calls: tuple[RequestedCall, ...]
    finish_reason: str
    model: str
    usage: Usage
    attempts: tuple[str, ...] = ()
    """Failed attempts before this answer, for the reasons of the turn."""
    unknown_placeholders: tuple[str, ...] = ()
    """What the text calls personal data of which nothing is known (agent.masked_model): the model made them up."""


class ModelClients:
    """What a process's models share: a client per endpoint and key, a circuit breaker per endpoint and model.

    The clients are over aiohttp: a third of httpx's CPU per call. Evals hand in a ``transport`` of their own, which
    records, replays or stands in for a model below the very client that production uses.
    """

    def __init__(
        self,
        breaker_terms: BreakerTerms | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        names: AbstractResolver | None = None,
    ) -> None:
        """``names``: who is asked for the addresses of tenants' own hosts; None: the system."""
        self._transport = transport
        self._names = names
        self.breaker_terms = breaker_terms or BreakerTerms()
        self._clients: dict[tuple[str, str, frozenset[str] | None], AsyncOpenAI] = {}
        self._breakers: dict[tuple[str, str], CircuitBreaker] = {}

    def get(self, settings: ModelSettings) -> AsyncOpenAI:
        from openai import AsyncOpenAI  # noqa: PLC0415 - half a second that a process without a model need not pay

        hosts = settings.private_hosts if settings.is_tenants_own else None
        key = (settings.base_url, settings.api_key, hosts)
        if key not in self._clients:
            http = http_client(hosts, self._names, self._transport)
            self._clients[key] = AsyncOpenAI(
                base_url=settings.base_url, api_key=settings.api_key or "none", max_retries=0, http_client=http
            )
        return self._clients[key]

    def breaker(self, base_url: str, model: str) -> CircuitBreaker:
        key = (base_url.rstrip("/").lower(), model)
        if key not in self._breakers:
            self._breakers[key] = CircuitBreaker(self.breaker_terms)
        return self._breakers[key]

    async def aclose(self) -> None:
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()


class LanguageModel:
    """A tenant's language model over a shared client."""

    def __init__(self, settings: ModelSettings, clients: ModelClients, *, seed: int | None = None) -> None:
        self.settings = settings
        self._clients = clients
        # Here and not in a turn: the first one imports the client library, which takes longer than a turn may.
        self._client = clients.get(settings)
        self._random = random.Random(seed)  # noqa: S311 - jitter

    def summarist(self) -> LanguageModel:
        """The model that writes summaries: in one attempt, since a summary is worth no trouble."""
        once = replace(
            self.settings,
            model=self.settings.summary_model or self.settings.model,
            fallback_model=None,
            max_attempts=1,
            deadline_seconds=self.settings.timeout_seconds,
        )
        return LanguageModel(once, self._clients)

    def estimate(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), **options: Any
    ) -> Usage:
        """What one answer will use at most, as far as that can be known before; tokens are counted by the provider."""
        characters = sum(len(str(m.get("content") or "")) for m in messages)
        characters += sum(len(json.dumps(call["function"])) for m in messages for call in m.get("tool_calls") or ())
        characters += len(json.dumps(tools)) if tools else 0
        given = {**self.settings.options, **options}
        most = given.get("max_completion_tokens") or given.get("max_tokens") or _MOST_OUTPUT_TOKENS
        used = -(-characters // _CHARACTERS_PER_TOKEN) + _TOKENS_PER_MESSAGE * len(messages)
        models = filter(None, (self.settings.model, self.settings.fallback_model))
        return max((self._priced(model, used, int(most)) for model in models), key=lambda usage: usage.cost_micros)

    async def complete(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), **options: Any
    ) -> ModelAnswer:
        """Ask for the next message. ``options`` go to the wire as they are (``temperature``, ``max_tokens`` …).

        One span covers all attempts. Raises ModelUnavailableError or ModelRefusedError; never an error of the client
        library.
        """
        if not telemetry.is_on():
            return await self._complete(messages, tools, options)
        with telemetry.span(
            f"chat {self.settings.model}", kind="client", attributes=chat_spans.asked(self.settings, options)
        ) as span:
            answer = await self._complete(messages, tools, options)
            span.set(chat_spans.answered(answer))
            if telemetry.shows_content():
                span.set(chat_spans.content(messages, answer))
            return answer

    async def _complete(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
    ) -> ModelAnswer:
        deadline = perf_counter() + self.settings.deadline_seconds
        attempts: list[str] = []
        refused: int | None = None
        request = {"messages": list(messages), **_merged(options, self.settings.options)}
        if tools:
            request["tools"] = list(tools)
        for model in filter(None, (self.settings.model, self.settings.fallback_model)):
            for attempt in range(self.settings.max_attempts):
                left = deadline - perf_counter()
                if left <= 0:
                    break
                outcome = await self._admitted(model, request, min(left, self.settings.timeout_seconds))
                if isinstance(outcome, ModelAnswer):
                    return replace(outcome, attempts=tuple(attempts))
                attempts.append(f"{model}: {outcome.what}")
                refused = outcome.refused
                pause = self._pause(attempt, outcome.retry_after)
                if outcome.refused or outcome == _CIRCUIT_OPEN or pause is None or perf_counter() + pause >= deadline:
                    break
                if attempt + 1 < self.settings.max_attempts:
                    await asyncio.sleep(pause)
            if refused in {401, 403}:
                break  # another model name behind the same key is refused as well
        if refused:
            raise ModelRefusedError(refused, attempts)
        raise ModelUnavailableError(attempts)

    async def _admitted(self, model: str, request: Mapping[str, Any], seconds: float) -> ModelAnswer | Failure:
        """One attempt, if the circuit breaker lets it through, and what the breaker learns from it."""
        breaker = self._clients.breaker(self.settings.base_url, model)
        admission = breaker.enter()
        if admission is None:
            return _CIRCUIT_OPEN
        served: bool | None = None
        try:
            outcome = await self._attempt(model, request, seconds)
            served = self._was_served(outcome, seconds)
        finally:
            breaker.leave(admission, served)
        return outcome

    def _was_served(self, outcome: ModelAnswer | Failure, seconds: float) -> bool | None:
        if isinstance(outcome, ModelAnswer):
            return True
        hurried = outcome.is_timeout and seconds < self._clients.breaker_terms.counted_timeout_seconds
        return False if outcome.is_endpoints and not hurried else None

    async def _attempt(self, model: str, request: Mapping[str, Any], seconds: float) -> ModelAnswer | Failure:
        try:
            async with asyncio.timeout(seconds):
                # Not ``chat.completions.create``: checking and copying what is JSON already took a third of a call.
                found = await self._client.post(
                    "/chat/completions", cast_to=object, body={"model": model, **request}, options={"timeout": seconds}
                )
        except Exception as error:
            if refused := refusal(error):
                raise ModelError(f"The language model was not asked: {refused}", hint=refused.hint) from error
            failure = failure_of(error, seconds)
            if failure is None:
                raise
            return failure
        return self._read(model, found)

    def _read(self, model: str, completion: Any) -> ModelAnswer | Failure:
        choice = choice_in(completion)
        if choice is None:
            return Failure("no choices", is_endpoints=True)
        text = text_in(choice["message"])
        calls = tuple(RequestedCall(*call) for call in calls_in(choice["message"]))
        finish_reason = name_in(choice.get("finish_reason")) or "stop"
        if not text and not calls:
            return Failure(f"empty answer (finish reason {finish_reason})")
        answered = completion.get("model")
        answered = name_in(answered) if isinstance(answered, str) else ""
        return ModelAnswer(text, calls, finish_reason, answered or model, self._usage(model, completion.get("usage")))

    def _usage(self, model: str, usage: Any) -> Usage:
        if not isinstance(usage, dict):
            return Usage()
        details = usage.get("prompt_tokens_details")
        cached = count_in(details.get("cached_tokens")) if isinstance(details, dict) else 0
        read, written = count_in(usage.get("prompt_tokens")), count_in(usage.get("completion_tokens"))
        return self._priced(model, read, written, cached)

    def _priced(self, model: str, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> Usage:
        price = self.settings.prices.get(model)
        cost = price.cost_micros(input_tokens, output_tokens, cached_tokens) if price else 0
        return Usage(input_tokens, output_tokens, cost)

    def _pause(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds until the next attempt, with jitter; None when the server asks for more than is worth waiting."""
        if retry_after is not None:
            if retry_after > _RETRY_AFTER_LIMIT_SECONDS:
                return None
            # Never before that moment, and not all who were told so at once.
            return retry_after * self._random.uniform(1, 1.2) + self._random.uniform(0, 0.1)
        return float(min(_BACKOFF_SECONDS * 2**attempt, _BACKOFF_LIMIT_SECONDS) * self._random.uniform(0.5, 1.5))


_CIRCUIT_OPEN: Final = Failure("circuit open")


def _merged(options: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**options, **over}.items() if value is not None}
