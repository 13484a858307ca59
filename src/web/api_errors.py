"""What programs are told when a request is refused: errors of the API alone, and problem details (RFC 9457) of all.

Each says what happened (``detail``), what to do next (``hint``, which ``detail`` ends with), of which kind it is
(``type``) and, where there are several faults, where each is (``errors``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from domain.errors import AtendeError, ChangedMeanwhileError, InvalidInputError, NotAuthenticError
from flows.intent_declared import InvalidIntentError
from flows.intent_files import IntentFileError
from flows.tenant_settings import SettingsRefusedError

_NO_ADDRESS: Final = "GET /api/v1/openapi.json (no key) names every address; docs/api.md tells how to begin."
_HINTS: Final[Mapping[int, str]] = {
    404: "Check the address and its ids: GET /api/v1/openapi.json lists every address.",
    405: "GET /api/v1/openapi.json tells what each address takes.",
    409: "Read it again, then decide.",
    413: "Send less at once.",
    415: "GET /api/v1/openapi.json tells what each address takes.",
    422: "Correct it and send it again: GET /api/v1/openapi.json tells what is taken.",
    429: "Come again after the seconds that Retry-After names.",
    500: "Try again. If it goes on, tell the installation's administrator: the log has more.",
    503: "Come again after the seconds that Retry-After names.",
}
"""Where the error itself knows nothing better."""
_MOST_FAULTS: Final = 50


class BadKeyError(NotAuthenticError):
    """A call of the API without a key or access token, or with one that is nobody's."""

    def __init__(self, *, given: bool) -> None:
        what = (
            "The API key or access token is unknown, revoked or past its time."
            if given
            else "There is no API key or access token."
        )
        renewed = "POST /api/v1/auth/refresh renews a token, atende api-key create makes a key"
        super().__init__(what, hint=f"Send one as: Authorization: Bearer … ({renewed}).")


class TooManyBadKeysError(AtendeError):
    """So many calls without a valid key came from there that they are told to wait ``seconds``."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many calls without a valid API key.", hint=f"Try again in {seconds} seconds.")
        self.seconds = seconds


class ScopeMissingError(AtendeError):
    """The key is valid but may not do this."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key or role may not do this: it lacks {scope}.", hint="Ask an administrator.")
        self.scope = scope


class VersionNeededError(AtendeError):
    """A change without the version it is based on would overwrite what somebody else has just written."""

    def __init__(self) -> None:
        super().__init__(
            "The version that this change is based on is missing.",
            hint='Send the ETag that you read as: If-Match: "3" (or If-Match: * to overwrite whatever is there).',
        )


class InvalidBodyError(InvalidInputError):
    """A body that does not have the form of its operation; ``faults`` holds (JSON pointer, what is wrong) of each."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        first = faults[0]
        super().__init__(first[0].lstrip("/").replace("/", ".") or "body", first[1])
        self.faults = tuple(faults)


class UnknownParameterError(InvalidInputError):
    """Parameters of an address that its operation does not have; ``unknown`` names them."""

    def __init__(self, unknown: Sequence[str], known: Sequence[str]) -> None:
        shown = ", ".join(name[:60] for name in unknown[:10])
        hint = f"Known here: {', '.join(known)}." if known else "There are none here."
        super().__init__("query", f"there is no parameter {shown}", hint=hint)
        self.unknown = tuple(unknown)


class VersionPassedError(AtendeError):
    """The version that a request of a program names in If-Match is no longer the current one."""

    def __init__(self, error: ChangedMeanwhileError) -> None:
        super().__init__(str(error), hint=error.hint)


class RangeError(AtendeError):
    """A part of a file was asked for that it does not have; ``size`` is its length in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size} bytes: there is no such part.", hint="Ask for a part within it.")
        self.size = size


def described(error: Exception) -> str:
    """A refusal of the framework in a sentence: the first parameter at fault, and what is wrong."""
    if not isinstance(error, RequestValidationError):
        return "The request is not in the expected form."
    first = error.errors()[0]
    if first.get("loc", ("",))[0] == "path":
        return f"There is no such {first['loc'][-1]}."
    what = str(first["msg"])
    return f"{first['loc'][-1]}: {what[:1].lower()}{what[1:]}."


def told_to_programs(problem: dict[str, Any], path: str, error: Exception | None) -> dict[str, Any]:
    """The problem with its kind by name, what to do next, and each fault with its place."""
    status = int(problem["status"])
    hint = error.hint if isinstance(error, AtendeError) else ""
    if status == 404 and isinstance(error, HTTPException):
        hint = _NO_ADDRESS
        problem["detail"] = f"{problem['detail']} {hint}"
    if not hint and (hint := _HINTS.get(status, "Correct the request and send it again.")):
        problem["detail"] = f"{problem['detail']} {hint}"
    told = {"type": f"urn:atende:problem:{_kind(error, status)}", **problem, "hint": hint, "instance": path[:500]}
    if error is not None and (faults := list(_faults(error))):
        told["errors"] = faults[:_MOST_FAULTS]
    return told


def _kind(error: Exception | None, status: int) -> str:
    if status == 404 and not isinstance(error, AtendeError):
        return "not-found"
    if isinstance(error, RequestValidationError):
        error = InvalidInputError("", "")
    if isinstance(error, HTTPException):
        return {405: "method-not-allowed", 413: "too-large"}.get(status, "refused")
    if not isinstance(error, AtendeError):
        return "unavailable" if status == 503 else "unexpected"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()


def _faults(error: Exception) -> Iterable[dict[str, Any]]:
    match error:
        case InvalidIntentError():
            return ({"pointer": fault.pointer, "detail": fault.what} for fault in error.faults)
        case InvalidBodyError():
            return ({"pointer": pointer, "detail": what} for pointer, what in error.faults)
        case UnknownParameterError():
            return ({"parameter": name[:60], "detail": "is not known here"} for name in error.unknown)
        case SettingsRefusedError():
            return ({"pointer": f"/settings/{key}", "detail": what} for key, what in error.problems)
        case IntentFileError():
            return ({"line": line, "detail": what} for line, what in error.problems)
        case RequestValidationError():
            faults = (part for part in error.errors() if part["loc"])
            return ({"parameter": str(part["loc"][-1]), "detail": str(part["msg"])} for part in faults)
    return ()
