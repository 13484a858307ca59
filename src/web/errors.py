"""Errors of the web layer, and the one place where errors become answers: a page, a notice in the page, or JSON."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from domain.errors import (
    AtendeError,
    ConflictError,
    InvalidInputError,
    NotAllowedError,
    NotAuthenticError,
    NotFoundError,
    TooLargeError,
)
from flows.intent_declared import InvalidIntentError
from flows.intent_files import IntentFileError
from flows.service_window import WindowClosedError
from flows.webhooks import NumberUnknownNowError
from store.journal import JournalFullError
from store.outage import UNREACHABLE
from web.floods import BusyError, TooManyDeliveriesError
from web.i18n import N_
from web.pages import pages
from web.security import HEADERS

log = logging.getLogger(__name__)

API = "/api/"
"""Below this path answers are JSON, whoever asks; errors are problem details (RFC 9457)."""


class LoginRequiredError(AtendeError):
    """Nobody is signed in, or the sign-in ended."""

    def __init__(self) -> None:
        super().__init__("You are not signed in.", hint="Sign in and try again.")


class ForgedRequestError(AtendeError):
    """A change arrived without the proof that it comes from a page of ours."""

    def __init__(self) -> None:
        super().__init__("The request did not come from this page.", hint="Reload the page and try again.")


class QrExpiredError(AtendeError):
    """The code that was asked for can no longer be scanned."""

    def __init__(self) -> None:
        super().__init__("This QR code has expired.", hint="Wait for the next one, or pair the number again.")


class TooManyAttemptsError(AtendeError):
    """Sign-in was tried too often. ``seconds`` is when it may be tried again."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many failed sign-ins.", hint=f"Try again in {seconds} seconds.")
        self.seconds = seconds


class BadKeyError(NotAuthenticError):
    """A call of the API without a key, or with one that is nobody's."""

    def __init__(self, *, given: bool) -> None:
        what = "The API key is unknown, revoked or past its time." if given else "There is no API key."
        super().__init__(what, hint="Send one as: Authorization: Bearer … (atende api-key create makes it).")


class TooManyBadKeysError(AtendeError):
    """So many calls without a valid key came from there that they are told to wait ``seconds``."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many calls without a valid API key.", hint=f"Try again in {seconds} seconds.")
        self.seconds = seconds


class ScopeMissingError(AtendeError):
    """The key is valid but may not do this."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key may not do this: it lacks the scope {scope}.", hint="Make a key with it.")
        self.scope = scope


class VersionNeededError(AtendeError):
    """A change without the version it is based on would overwrite what somebody else has just written."""

    def __init__(self) -> None:
        super().__init__(
            "The version that this change is based on is missing.",
            hint='Send the ETag that you read as: If-Match: "3" (or If-Match: * to overwrite whatever is there).',
        )


class VersionPassedError(AtendeError):
    """The version that the change is based on is no longer the current one, ``current``."""

    def __init__(self, told: str) -> None:
        super().__init__(told)


@dataclass(frozen=True)
class _Answer:
    status: int
    title: str
    advice: str


_ANSWERS: tuple[tuple[type[Exception], _Answer], ...] = (
    (LoginRequiredError, _Answer(401, N_("You are not signed in"), N_("Sign in and try again."))),
    (
        ForgedRequestError,
        _Answer(403, N_("The request was refused"), N_("Reload the page and try again.")),
    ),
    (TooManyAttemptsError, _Answer(429, N_("Too many failed sign-ins"), N_("Wait a few minutes and try again."))),
    (
        NotAllowedError,
        _Answer(403, N_("Only administrators may do this"), N_("Ask an administrator of your business.")),
    ),
    (QrExpiredError, _Answer(410, N_("QR code expired"), N_("Wait for the next one, or pair the number again."))),
    (NotFoundError, _Answer(404, N_("This does not exist"), N_("It may have been removed, or the address is wrong."))),
    (
        WindowClosedError,
        _Answer(
            409,
            N_("The 24-hour window is closed"),
            N_("WhatsApp takes only approved templates now. Send one, or wait for the customer's next message."),
        ),
    ),
    (
        ConflictError,
        _Answer(
            409,
            N_("This changed in the meantime"),
            N_("Nothing was done. The page now shows the current state; look at it and decide again."),
        ),
    ),
    # The API's, which no page shows: not translated.
    (BadKeyError, _Answer(401, "The API key is not valid", "")),
    (ScopeMissingError, _Answer(403, "The API key may not do this", "")),
    (VersionNeededError, _Answer(428, "The version is missing", "")),
    (VersionPassedError, _Answer(412, "It was changed in the meantime", "")),
    (TooManyBadKeysError, _Answer(429, "Too many calls without a valid key", "")),
    (TooManyDeliveriesError, _Answer(429, N_("The request was refused"), N_("Wait a few minutes and try again."))),
    *(
        (kind, _Answer(503, N_("The database cannot be reached"), N_("Try again in a moment.")))
        for kind in (NumberUnknownNowError, JournalFullError, BusyError)
    ),
    (NotAuthenticError, _Answer(401, N_("The request was refused"), N_("Reload the page and try again."))),
    (TooLargeError, _Answer(413, N_("The request was refused"), N_("Reload the page and try again."))),
    (IntentFileError, _Answer(422, "The file cannot be imported", "")),
    (InvalidInputError, _Answer(422, N_("This cannot be accepted"), N_("Correct what you entered and try again."))),
    (
        RequestValidationError,
        _Answer(422, N_("This cannot be accepted"), N_("Correct what you entered and try again.")),
    ),
    (AtendeError, _Answer(500, N_("This did not work"), N_("Try again. If it goes on, tell your administrator."))),
)
_NOT_FOUND = _Answer(404, N_("This does not exist"), N_("It may have been removed, or the address is wrong."))
_BROKEN = _Answer(500, N_("Something went wrong on our side"), N_("Try again. If it goes on, tell your administrator."))
_AWAY = _Answer(503, N_("The database cannot be reached"), N_("Try again in a moment."))
_RETRY_AFTER_SECONDS = 5


def install_error_handlers(app: FastAPI) -> None:
    """Map every error of the application. Unexpected ones are logged with their trace and answered without it."""
    for kind in UNREACHABLE:
        app.add_exception_handler(kind, _away)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(AtendeError, _expected)
    app.add_exception_handler(RequestValidationError, _expected)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, error: Exception) -> Response:
    answer = next(answer for kind, answer in _ANSWERS if isinstance(error, kind))
    if isinstance(error, RequestValidationError) and any(
        part.get("loc", ("",))[0] == "path" for part in error.errors()
    ):
        answer = _NOT_FOUND  # an id that is not even an id: there is nothing under it
    if isinstance(error, LoginRequiredError) and not _wants_json(request):
        return _to_login(request)
    detail = error.sentence() if isinstance(error, AtendeError) else "The request is not in the expected form."
    if answer.status >= 500:
        log.error("Request failed: %s", detail, exc_info=error if answer.status == 500 else None)
    return _respond(request, answer, detail, _headers(error, answer), _more(request, error))


def _headers(error: Exception, answer: _Answer) -> dict[str, str]:
    if isinstance(error, BadKeyError):
        return {"WWW-Authenticate": 'Bearer realm="atende"'}
    return _retry_after(error, answer)


def _more(request: Request, error: Exception) -> dict[str, Any]:
    """What a program learns besides: the kind of the problem by name, and each fault with its place."""
    if not request.url.path.startswith(API):
        return {}
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
    more: dict[str, Any] = {"type": f"urn:atende:problem:{kind}", "instance": request.url.path}
    if isinstance(error, InvalidIntentError):
        more["errors"] = [{"pointer": fault.pointer, "detail": fault.what} for fault in error.faults]
    elif isinstance(error, IntentFileError):
        more["errors"] = [{"line": line, "detail": what} for line, what in error.problems]
    elif isinstance(error, RequestValidationError):
        more["errors"] = [
            {"parameter": str(part["loc"][-1]), "detail": str(part["msg"])} for part in error.errors() if part["loc"]
        ]
    return more


def _retry_after(error: Exception, answer: _Answer) -> dict[str, str]:
    """When to come again, for answers that say so."""
    if answer.status not in {429, 503}:
        return {}
    return {"Retry-After": str(getattr(error, "seconds", _RETRY_AFTER_SECONDS))}


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    if error.status_code == 404:
        return _respond(request, _NOT_FOUND, "There is nothing at this address.")
    answer = _Answer(error.status_code, N_("The request was refused"), N_("Reload the page and try again."))
    detail = f"{str(error.detail).rstrip('.')}."
    return _respond(request, answer, detail, headers=dict(error.headers or {}))


async def _away(request: Request, error: Exception) -> Response:
    """Nothing was done that the caller could count on: it may try the same again."""
    log.error("The database cannot be reached: %r", error)
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    return _respond(request, _AWAY, "The database cannot be reached. Try again in a moment.", headers)


async def _gone(_: Request, __: Exception) -> Response:
    """Who asked hung up before the whole request was here; nobody reads this."""
    return Response(status_code=400)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("Unexpected error", exc_info=error)
    response = _respond(request, _BROKEN, "An unexpected error was logged.")
    response.headers.update(HEADERS)  # this answer does not pass through our middleware
    return response


def _respond(
    request: Request,
    answer: _Answer,
    detail: str,
    headers: dict[str, str] | None = None,
    more: dict[str, Any] | None = None,
) -> Response:
    if _wants_json(request):
        problem = {"type": "about:blank", "title": answer.title, "status": answer.status, "detail": detail}
        problem |= more or {}
        return JSONResponse(problem, answer.status, headers, media_type="application/problem+json")
    if request.headers.get("hx-request") == "true":
        response = pages(request).render(request, "notice.html", answer=answer, status=answer.status)
        response.headers["HX-Retarget"] = "#notices"
        response.headers["HX-Reswap"] = "beforeend"
        response.headers["HX-Trigger"] = "atende:refresh"
    else:
        response = pages(request).render(request, "error.html", answer=answer, status=answer.status)
    response.headers.update(headers or {})
    return response


def _to_login(request: Request) -> Response:
    back = request.url.path if request.method == "GET" else "/inbox"
    if request.headers.get("hx-request") == "true":
        # The fragment's address is no page to come back to; the browser's is.
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    return RedirectResponse(f"/login?next={quote(back)}", status_code=303)


def _wants_json(request: Request) -> bool:
    """Programs get JSON; only who asks for HTML, as browsers do, gets a page. The API has none."""
    if request.url.path.startswith(API):
        return True
    return request.headers.get("hx-request") != "true" and "text/html" not in request.headers.get("accept", "")
