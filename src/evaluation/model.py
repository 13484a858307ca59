"""The language model of an eval: live, recorded, replayed or stood in for, below the client that production uses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol

import httpx

from agent.language_model import (
    LanguageModel,
    Message,
    ModelAnswer,
    ModelClients,
    ModelError,
    ModelSettings,
    ModelUnavailableError,
)
from domain.errors import AtendeError
from evaluation.recordings import RecordingMissingError, Recordings
from evaluation.results import Origin

Mode = Literal["replay", "live", "simulated"]
_SPARED: Final = "circuit open"
"""What an attempt is called that the circuit breaker did not let through."""
_CHECK_ENDPOINT: Final = (
    "Check that the endpoint is up and its limits suffice, then run it again; with --resume only what errored is "
    "played."
)
CANARY: Final = "ref5e7a1b9c02"
"""For ``TurnContext.canary``: the word that each process draws anew would make every request another."""
ORIGINS: Final[Mapping[Mode, Origin]] = {"replay": "replayed", "live": "live", "simulated": "simulated"}


class NoAnswerError(AtendeError):
    """The endpoint failed while an eval asked it: nothing was found out about the agent.

    ``before``: how it failed when it was last asked, for a call that was spared because it keeps failing.
    """

    def __init__(self, error: ModelError, before: str = "") -> None:
        if before and all(one.endswith(_SPARED) for one in error.attempts[-1:]):
            told = f"The language model keeps failing (the last time with {before}), so it is not asked for a while."
        else:
            told = str(error)
        hint = _CHECK_ENDPOINT if isinstance(error, ModelUnavailableError) else error.hint
        super().__init__(told, hint=hint)
        self.attempts = error.attempts


class Simulation(Protocol):
    """What stands in for a model: a request's body to a response's, the same every time."""

    def respond(self, body: Mapping[str, Any], *, sample: int) -> dict[str, Any]: ...


@dataclass(slots=True)
class _Asking:
    """The call that is going on in this task."""

    sample: int
    recordings: Recordings
    missing: RecordingMissingError | None = None


_ASKING: Final[ContextVar[_Asking]] = ContextVar("asking")


class EvalModels:
    """What an eval's models share: the mode, and one client over it. One per run; close it.

    ``record``: in mode ``live``, keep each answer in the suite's recordings (saving them is up to the caller).
    ``simulation`` answers in mode ``simulated``.
    """

    def __init__(self, mode: Mode, *, record: bool = False, simulation: Simulation | None = None) -> None:
        if record and mode != "live":
            raise ValueError(f"only answers of a live model are recorded, not of mode {mode}")
        if mode == "simulated" and simulation is None:
            raise ValueError("mode simulated needs what stands in for the model")
        self.mode = mode
        self.origin: Origin = ORIGINS[mode]
        self._transport = _Transport(mode, record, simulation)
        self.clients = ModelClients(transport=self._transport)
        self.last_fault = ""
        """How the endpoint failed when it was last asked."""

    def model(self, settings: ModelSettings, recordings: Recordings | None = None, *, sample: int = 1) -> EvalModel:
        """The model for one case. ``sample``: which of several answers to the same request, the epoch from 1."""
        # One that replays or stands in never fails for a passing reason: a second try would find the same.
        tries = settings.max_attempts if self.mode == "live" else 1
        patient = replace(settings, max_attempts=tries, fallback_model=settings.fallback_model if tries > 1 else None)
        return EvalModel(patient, self, recordings if recordings is not None else Recordings(), sample)

    async def aclose(self) -> None:
        await self.clients.aclose()
        await self._transport.aclose()


class EvalModel(LanguageModel):
    """A language model for one case: raises what is in the way instead of letting the agent work round it.

    ``calls`` counts its answers; ``origin`` says where they came from.
    """

    def __init__(self, settings: ModelSettings, models: EvalModels, recordings: Recordings, sample: int) -> None:
        super().__init__(settings, models.clients)
        self._models = models
        self._recordings = recordings
        self._sample = sample
        self.calls = 0

    @property
    def origin(self) -> Origin:
        """``local`` as long as nothing was asked."""
        return self._models.origin if self.calls else "local"

    def summarist(self) -> LanguageModel:
        """As LanguageModel.summarist, in the same mode."""
        settings = super().summarist().settings
        return EvalModel(settings, self._models, self._recordings, self._sample)

    async def complete(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = (), **options: Any
    ) -> ModelAnswer:
        """As LanguageModel.complete. Raises RecordingMissingError or NoAnswerError: no node hides these."""
        asking = _Asking(self._sample, self._recordings)
        token = _ASKING.set(asking)
        self.calls += 1
        try:
            return await super().complete(messages, tools=tools, **options)
        except ModelError as error:
            if asking.missing is not None:
                raise asking.missing from error
            faults = [one for one in error.attempts if not one.endswith(_SPARED)]
            self._models.last_fault = faults[-1] if faults else self._models.last_fault
            raise NoAnswerError(error, self._models.last_fault) from error
        finally:
            _ASKING.reset(token)


@dataclass(slots=True)
class _Transport(httpx.AsyncBaseTransport):
    mode: Mode
    record: bool
    simulation: Simulation | None
    _wire: httpx.AsyncHTTPTransport | None = field(default=None, init=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        asking = _ASKING.get()
        if self.mode == "live":
            return await self._live(request, content, asking)
        body = json.loads(content)
        if self.mode == "simulated" and self.simulation is not None:
            return httpx.Response(200, json=self.simulation.respond(body, sample=asking.sample))
        try:
            return httpx.Response(200, json=asking.recordings.answer(body, asking.sample))
        except RecordingMissingError as error:
            asking.missing = error
            return httpx.Response(404, json={"error": {"message": "no recording", "code": "recording_missing"}})

    async def _live(self, request: httpx.Request, content: bytes, asking: _Asking) -> httpx.Response:
        if self._wire is None:
            self._wire = httpx.AsyncHTTPTransport()
        response = await self._wire.handle_async_request(request)
        if self.record and response.status_code == 200:
            await response.aread()
            answer = _usable(response)
            if answer is not None:
                asking.recordings.keep(json.loads(content), answer, asking.sample)
        return response

    async def aclose(self) -> None:
        # Asked again, it opens anew.
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()


def _usable(response: httpx.Response) -> dict[str, Any] | None:
    """The answer, if it is one: an error page with status 200 is a fault, and faults are not recorded."""
    try:
        found = response.json()
    except ValueError:
        return None
    choices = found.get("choices") if isinstance(found, dict) else None
    message = choices[0].get("message") if isinstance(choices, list) and choices else None
    usable = isinstance(message, dict) and (message.get("content") or message.get("tool_calls"))
    return found if usable else None
