"""What a failed call to a language model means: try again, try another model, or never; and who is to blame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_NO_MORE_CREDIT: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Codes under which status 429 does not pass by waiting."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt ended, in words that hold no secret."""

    what: str
    refused: int | None = None
    """The status of a rejection that trying again cannot change."""
    retry_after: float | None = None
    """Seconds the server asks to wait."""
    is_endpoints: bool = False
    """The endpoint itself is to blame, whoever had called it."""
    is_timeout: bool = False


def failure_of(error: Exception, seconds: float, *, now: datetime | None = None) -> Failure | None:
    """What an attempt of ``seconds`` ended with; None for an error that is a fault of ours and must not be hidden."""
    import openai  # noqa: PLC0415 - only processes that ask a model pay for loading it

    match error:
        case openai.APIStatusError() if error.status_code == 429 and error.code in _NO_MORE_CREDIT:
            return Failure(f"status 429 ({error.code})", refused=429)
        case openai.APIStatusError() if error.status_code in _RETRYABLE or error.status_code >= 500:
            return Failure(
                f"status {error.status_code}",
                retry_after=retry_after(error.response.headers, now or datetime.now(UTC)),
                is_endpoints=error.status_code >= 500,
            )
        case openai.APIStatusError():
            return Failure(f"status {error.status_code}", refused=error.status_code)
        case TimeoutError() | openai.APITimeoutError():
            return Failure(f"no answer within {seconds:.1f} s", is_endpoints=True, is_timeout=True)
        case openai.APIConnectionError():
            return Failure("connection lost", is_endpoints=True)
        case openai.OpenAIError() | ValueError() | OSError() | RecursionError():  # no JSON, too deep, a reset halfway
            return Failure(f"broken answer ({type(error).__name__})", is_endpoints=True)
    return None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the server asks to wait: ``retry-after-ms``, or ``retry-after`` as seconds or as a date."""
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        pass
    asked = headers.get("retry-after", "")
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(asked)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
