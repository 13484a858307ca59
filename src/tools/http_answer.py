"""What an HTTP answer means for a business function: a result, an expected no, or a failure that is told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tools.declaration import BusinessError, CallFailedError, Effect, NoEffectError
from tools.http_declaration import HttpDetails

BUSINESS_ERRORS: Mapping[int, str] = {
    400: "rejected",
    402: "rejected",
    404: "not_found",
    409: "conflict",
    410: "not_found",
    412: "conflict",
    422: "rejected",
}
"""Status codes by which a system says an expected no; ``HttpDetails.errors`` adds the function's own."""

_NOT_TAKEN = frozenset({401, 403, 405, 406, 407, 411, 413, 414, 415, 421, 426, 428, 429, 431, 501, 505, 511})
"""The request was turned away before anything was done."""
_MOVED_UNDONE = frozenset({304, 305, 307, 308})
TRANSIENT = frozenset({429, 502, 503, 504})


class NotTakenError(NoEffectError):
    """The other side turned the request away and did nothing. ``status`` is its code."""

    def __init__(self, status: int) -> None:
        hints = {
            401: "Check the stored secret.",
            403: "Check the stored secret and what it may do.",
            429: "It asks for fewer requests; try again later.",
        }
        super().__init__(f"The request was turned away with status {status}.", hint=hints.get(status, ""))
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``body`` is None where it was larger than allowed."""

    status: int
    content_type: str
    body: bytes | None


def result_of(details: HttpDetails, effect: Effect, answer: Answer, hidden: tuple[str, ...]) -> Any:
    """The function's result, as JSON values. ``hidden`` texts are blotted out wherever they stand.

    Raises BusinessError (``detail`` holds what the other side said), NotTakenError, or CallFailedError.
    """
    status = answer.status
    code = details.errors.get(str(status)) or BUSINESS_ERRORS.get(status)
    if code is not None and not 200 <= status < 300:
        said, _ = _read(answer, hidden)
        raise BusinessError(code, status=status, detail=said)
    if status in _NOT_TAKEN or status in _MOVED_UNDONE:
        raise NotTakenError(status)
    if not 200 <= status < 300:
        raise CallFailedError(f"http_{status}", f"The other side answered with status {status}.")
    value, problem = _read(answer, hidden)
    if problem:
        if effect == "write":
            return None  # it says that it acted; what else it says is lost
        raise CallFailedError(problem, f"The answer cannot be used: {problem.replace('_', ' ')}.")
    if details.method == "HEAD":
        return {"found": True}
    return pointed_at(value, details.result)


def pointed_at(value: Any, pointer: str) -> Any:
    """The part of a JSON value that a JSON pointer names; None where there is none."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, Mapping):
            value = value.get(key)
        else:
            return None
    return value


def _read(answer: Answer, hidden: tuple[str, ...]) -> tuple[Any, str]:
    """The body as a JSON value, or why it is none: answer_too_large or answer_unreadable."""
    if answer.body is None:
        return None, "answer_too_large"
    text = answer.body.decode("utf-8", errors="replace").removeprefix("\ufeff")
    for secret in sorted(hidden, key=len, reverse=True):
        if len(secret) >= 4:
            text = text.replace(secret, "***").replace(orjson.dumps(secret).decode()[1:-1], "***")
    if not text.strip():
        return None, ""
    media = answer.content_type.partition(";")[0].strip().lower()
    if media.startswith("text/") and media not in {"text/json", "text/html"}:
        return text, ""
    try:
        return orjson.loads(text), ""
    except orjson.JSONDecodeError:
        return None, "answer_unreadable"
