"""Voice notes, pictures and documents in words: the seam to whatever can hear and see, and its OpenAI-compatible form.

What comes back is as untrusted as any text of a stranger: a message in words, never an instruction.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, Literal, Protocol

from agent.language_model import ModelClients, ModelSettings
from domain.errors import AtendeError

_ATTEMPTS: Final = 3
_BACKOFF_SECONDS: Final = 0.5
_MOST_TOKENS: Final = 600
_BYTES_A_SECOND: Final = 2_000
"""Of a voice note (Opus at 16 kbit/s): its length for the price, where the endpoint does not tell it."""
_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_AUDIO: Final = frozenset(f"audio/{name}" for name in ("ogg", "mpeg", "mp4", "wav", "webm", "flac", "x-m4a"))
_IMAGES: Final = frozenset(f"image/{name}" for name in ("jpeg", "png", "gif", "webp"))
_PLAIN: Final = frozenset({"text/plain", "text/csv", "text/markdown", "application/json"})
_ENDINGS: Final = {"audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/x-m4a": "m4a"}


class MediaUnreadableError(AtendeError):
    """This file cannot be put into words, however often it is tried: a person must look at it."""


class MediaReaderUnavailableError(AtendeError):
    """What hears and sees did not answer. The file itself may be all right."""


@dataclass(frozen=True, slots=True)
class ReadMedia:
    """A file in words. ``kind``: what was said in it, what is seen in it, or its own text."""

    kind: Literal["speech", "description", "text"]
    text: str
    model: str = ""
    cost_micros: int = 0
    duration_ms: float = 0.0


class MediaReader(Protocol):
    """Whatever puts files into words."""

    def takes(self, mime_type: str) -> bool:
        """Whether files of this type can be read at all."""
        ...

    async def read(self, data: bytes, mime_type: str, *, instructions: str) -> ReadMedia:
        """Raises MediaUnreadableError or MediaReaderUnavailableError, nothing else."""
        ...


@dataclass(frozen=True, slots=True)
class MediaReaderSettings:
    """An endpoint and its models: None for what it cannot do. Prices are millionths of the tenant's currency."""

    base_url: str
    api_key: str = field(default="", repr=False)
    transcribe_model: str | None = None
    describe_model: str | None = None
    timeout_seconds: float = 30.0
    deadline_seconds: float = 60.0
    audio_price_micros_per_minute: int = 0
    input_price_micros_per_1k: int = 0
    output_price_micros_per_1k: int = 0


class OpenAIMediaReader:
    """``/audio/transcriptions`` for sound, a chat completion with the file for pictures and PDF. Plain text needs none.

    The client's own retries are off: all attempts share one deadline.
    """

    def __init__(self, settings: MediaReaderSettings, clients: ModelClients, *, seed: int | None = None) -> None:
        self.settings = settings
        self._client = clients.get(ModelSettings("", settings.base_url, settings.api_key))
        self._random = random.Random(seed)  # noqa: S311 - jitter

    def takes(self, mime_type: str) -> bool:
        """See MediaReader."""
        if mime_type in _AUDIO:
            return self.settings.transcribe_model is not None
        if mime_type in _IMAGES or mime_type == "application/pdf":
            return self.settings.describe_model is not None
        return mime_type in _PLAIN

    async def read(self, data: bytes, mime_type: str, *, instructions: str) -> ReadMedia:
        """See MediaReader."""
        if not self.takes(mime_type):
            raise MediaUnreadableError(f"Files of the type {mime_type or 'unknown'} cannot be read.")
        started = perf_counter()
        if mime_type in _PLAIN:
            return ReadMedia("text", _checked(data.decode(errors="replace")))
        if mime_type in _AUDIO:
            heard = await self._tried(lambda seconds: self._hear(data, mime_type, seconds))
        else:
            heard = await self._tried(lambda seconds: self._look(data, mime_type, instructions, seconds))
        kind: Literal["speech", "description"] = "speech" if mime_type in _AUDIO else "description"
        text, model, cost = heard
        return ReadMedia(kind, _checked(text), model, cost, (perf_counter() - started) * 1000)

    async def _hear(self, data: bytes, mime_type: str, seconds: float) -> tuple[str, str, int]:
        model = self.settings.transcribe_model or ""
        name = f"voice.{_ENDINGS.get(mime_type) or mime_type.partition('/')[2]}"
        answer = await self._client.audio.transcriptions.create(
            model=model, file=(name, data, mime_type), response_format="json", timeout=seconds
        )
        if isinstance(answer, str) or getattr(answer, "text", None) is None:
            raise ValueError("no transcript")  # an HTML page arrives here as a text
        usage = getattr(answer, "usage", None)
        stated = getattr(usage, "seconds", None) or getattr(answer, "duration", None)
        length = float(stated) if isinstance(stated, int | float) else len(data) / _BYTES_A_SECOND
        cost = round(length / 60 * self.settings.audio_price_micros_per_minute)
        return str(answer.text), model, cost

    async def _look(self, data: bytes, mime_type: str, instructions: str, seconds: float) -> tuple[str, str, int]:
        encoded = f"data:{mime_type};base64,{base64.b64encode(data).decode()}"
        shown: Any = (
            {"type": "file", "file": {"filename": "document.pdf", "file_data": encoded}}
            if mime_type == "application/pdf"
            else {"type": "image_url", "image_url": {"url": encoded}}
        )
        model = self.settings.describe_model or ""
        completion = await self._client.chat.completions.create(
            model=model,
            messages=[{"role": "system", "content": instructions}, {"role": "user", "content": [shown]}],
            max_tokens=_MOST_TOKENS,
            timeout=seconds,
        )
        choices = getattr(completion, "choices", None)
        if not choices or choices[0].message is None:
            raise ValueError("no choices")
        usage = completion.usage
        tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        prices = (self.settings.input_price_micros_per_1k, self.settings.output_price_micros_per_1k)
        cost = round(sum(count * price for count, price in zip(tokens, prices, strict=True)) / 1000)
        return choices[0].message.content or "", model, cost

    async def _tried(self, attempt: Callable[[float], Awaitable[tuple[str, str, int]]]) -> tuple[str, str, int]:
        """The first answer within the deadline."""
        import openai  # noqa: PLC0415 - loaded with the client

        deadline = perf_counter() + self.settings.deadline_seconds
        what = "no time left"
        for number in range(_ATTEMPTS):
            left = deadline - perf_counter()
            if left <= 0:
                break
            seconds = min(left, self.settings.timeout_seconds)
            try:
                async with asyncio.timeout(seconds):
                    return await attempt(seconds)
            except openai.APIStatusError as error:
                what = f"status {error.status_code}"
                if error.status_code < 500 and error.status_code not in _RETRYABLE:
                    raise MediaUnreadableError(
                        f"The endpoint that reads files refused this one with {what}.",
                        hint="Check the model names and the key, if it refuses all.",
                    ) from error
            except (TimeoutError, openai.APITimeoutError):
                what = f"no answer within {seconds:.1f} s"
            except openai.APIConnectionError:
                what = "connection lost"
            except (openai.OpenAIError, ValueError, OSError) as error:  # no JSON, a reset while it is read
                what = f"broken answer ({type(error).__name__})"
            pause = _BACKOFF_SECONDS * 2**number * self._random.uniform(0.5, 1.5)
            if number + 1 < _ATTEMPTS and perf_counter() + pause < deadline:
                await asyncio.sleep(pause)
        raise MediaReaderUnavailableError(
            f"The endpoint that reads files did not answer; the last attempt ended with {what}.",
            hint="Check that it is up; people look at customers' files meanwhile.",
        )


def _checked(text: str) -> str:
    if not text.strip():
        raise MediaUnreadableError("Nothing can be heard, seen or read in this file.")
    return text.strip()
