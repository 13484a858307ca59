"""The language model: one chat completion over any OpenAI-compatible endpoint, with retries, a deadline and a fallback.

The client's own retries are off: a turn has one deadline over all attempts, honours Retry-After only as far as that
deadline allows, and must know which model finally answered.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from agent import chat_spans
from domain import telemetry
from domain.errors import AtendeError

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion

Message = Mapping[str, Any]
"""One chat message in the wire's own shape (``role``, ``content``, ``tool_calls`` …)."""

_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_BACKOFF_SECONDS: Final = 0.25
_BACKOFF_LIMIT_SECONDS: Final = 4.0
_RETRY_AFTER_LIMIT_SECONDS: Final = 10.0
"""A server that asks for a longer pause is not waited for: the fallback is tried instead."""


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
class ModelSettings:
    """Which model, where, and how long to try. Prices are millionths of the tenant's currency per 1,000 tokens.

    ``timeout_seconds`` bounds one attempt, ``deadline_seconds`` all of them together, the fallback included.
    """

    model: str
    base_url: str = "https://api.openai.com/v1"
    api_key: str = field(default="", repr=False)
    timeout_seconds: float = 20.0
    deadline_seconds: float = 45.0
    max_attempts: int = 3
    fallback_model: str | None = None
    input_price_micros_per_1k: int = 0
    output_price_micros_per_1k: int = 0

    def fingerprint(self) -> dict[str, Any]:
        """What of the settings shapes answers: part of the prompt bundle, and free of secrets."""
        return {"model": self.model, "fallback_model": self.fallback_model, "base_url": self.base_url}


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
    """The process's clients: one per endpoint and key, over aiohttp (a third of httpx's CPU per call)."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], AsyncOpenAI] = {}

    def get(self, settings: ModelSettings) -> AsyncOpenAI:
        # Imported on first use: it costs half a second that a process without a model need not pay.
        from openai import AsyncOpenAI, DefaultAioHttpClient  # noqa: PLC0415

        key = (settings.base_url, settings.api_key)
        if key not in self._clients:
            self._clients[key] = AsyncOpenAI(
                base_url=settings.base_url,
                api_key=settings.api_key or "none",
                max_retries=0,
                http_client=DefaultAioHttpClient(),
            )
        return self._clients[key]

    async def aclose(self) -> None:
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()


class LanguageModel:
    """A tenant's language model over a shared client."""

    def __init__(self, settings: ModelSettings, clients: ModelClients, *, seed: int | None = None) -> None:
        self.settings = settings
        # Here and not in a turn: the first one imports the client library, which takes longer than a turn may.
        self._client = clients.get(settings)
        self._random = random.Random(seed)  # noqa: S311 - jitter

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
        request: dict[str, Any] = {"messages": list(messages), **options}
        if tools:
            request["tools"] = list(tools)
        for model in filter(None, (self.settings.model, self.settings.fallback_model)):
            for attempt in range(self.settings.max_attempts):
                left = deadline - perf_counter()
                if left <= 0:
                    break
                outcome = await self._attempt(model, request, min(left, self.settings.timeout_seconds))
                if isinstance(outcome, ModelAnswer):
                    return _with_attempts(outcome, attempts)
                attempts.append(f"{model}: {outcome.what}")
                refused = outcome.refused
                pause = self._pause(attempt, outcome.retry_after)
                if outcome.refused or pause is None or perf_counter() + pause >= deadline:
                    break
                if attempt + 1 < self.settings.max_attempts:
                    await asyncio.sleep(pause)
            if refused in {401, 403}:
                break  # another model name behind the same key is refused as well
        if refused:
            raise ModelRefusedError(refused, attempts)
        raise ModelUnavailableError(attempts)

    async def _attempt(self, model: str, request: Mapping[str, Any], seconds: float) -> ModelAnswer | _Failure:
        try:
            async with asyncio.timeout(seconds):
                completion = await self._client.chat.completions.create(model=model, timeout=seconds, **request)
        except Exception as error:
            failure = _failure(error, seconds)
            if failure is None:
                raise
            return failure
        return self._read(model, completion)

    def _read(self, model: str, completion: ChatCompletion) -> ModelAnswer | _Failure:
        # The client does not check what it parsed: an HTML page arrives here as a text.
        if not getattr(completion, "choices", None) or completion.choices[0].message is None:
            return _Failure("no choices")
        choice = completion.choices[0]
        calls = tuple(
            RequestedCall(call.id or f"call_{index}", call.function.name or "", call.function.arguments or "")
            for index, call in enumerate(choice.message.tool_calls or ())
            if call.type == "function" and call.function is not None
        )
        text = (choice.message.content or "").strip()
        if not text and not calls:
            return _Failure(f"empty answer (finish reason {choice.finish_reason})")
        usage = completion.usage
        return ModelAnswer(
            text,
            calls,
            choice.finish_reason or "stop",
            completion.model or model,
            self._priced(usage.prompt_tokens, usage.completion_tokens) if usage else Usage(),
        )

    def _priced(self, input_tokens: int, output_tokens: int) -> Usage:
        micros = (
            input_tokens * self.settings.input_price_micros_per_1k
            + output_tokens * self.settings.output_price_micros_per_1k
        )
        return Usage(input_tokens, output_tokens, round(micros / 1000))

    def _pause(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds until the next attempt, with jitter; None when the server asks for more than is worth waiting."""
        if retry_after is not None:
            return None if retry_after > _RETRY_AFTER_LIMIT_SECONDS else retry_after + self._random.uniform(0, 0.1)
        return float(min(_BACKOFF_SECONDS * 2**attempt, _BACKOFF_LIMIT_SECONDS) * self._random.uniform(0.5, 1.5))


@dataclass(frozen=True, slots=True)
class _Failure:
    what: str
    refused: int | None = None
    retry_after: float | None = None


def _failure(error: Exception, seconds: float) -> _Failure | None:
    """What an attempt ended with; None for an error that is a fault of ours and must not be hidden."""
    import openai  # noqa: PLC0415

    match error:
        case openai.APIStatusError() if error.status_code in _RETRYABLE or error.status_code >= 500:
            return _Failure(f"status {error.status_code}", retry_after=_retry_after(error.response.headers))
        case openai.APIStatusError():
            return _Failure(f"status {error.status_code}", refused=error.status_code)
        case TimeoutError() | openai.APITimeoutError():
            return _Failure(f"no answer within {seconds:.1f} s")
        case openai.APIConnectionError():
            return _Failure("connection lost")
        case openai.OpenAIError() | ValueError() | OSError():  # a body that is no JSON, a reset while it is read
            return _Failure(f"broken answer ({type(error).__name__})")
    return None


def _with_attempts(answer: ModelAnswer, attempts: Sequence[str]) -> ModelAnswer:
    return replace(answer, attempts=tuple(attempts))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None  # the date form is rare here; our own backoff serves
