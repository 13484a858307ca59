"""Errors of the web layer, and the one place where errors become answers: a page, a notice in the page, or JSON."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from domain.errors import (
    AtendeError,
    ChangedMeanwhileError,
    ConflictError,
    InvalidInputError,
    NotAllowedError,
    NotAuthenticError,
    NotFoundError,
    TooLargeError,
)
from flows.intent_files import IntentFileError
from flows.message_files import FileNotKeptError
from flows.refusals import RefusedError
from flows.second_factor import CodeRefusedError
from flows.service_window import WindowClosedError
from flows.session_views import QrCodeExpiredError
from flows.sign_in import NoBusinessError, TooManyAttemptsError, WrongCodeError, WrongCredentialsError
from flows.tenant_settings import SettingsRefusedError
from flows.webhooks import NumberUnknownNowError
from flows.writing_desk import HelpBudgetError, HelpFailedError, NoModelError
from store.journal import JournalFullError
from store.outage import UNKEPT, UNREACHABLE
from web.api_errors import (
    BadKeyError,
    RangeError,
    ScopeMissingError,
    TooManyBadKeysError,
    VersionNeededError,
    VersionPassedError,
    described,
    told_to_programs,
)
from web.floods import BusyError, TooManyDeliveriesError
from web.i18n import N_
from web.pages import pages
from web.rates import TooManyCallsError
from web.security import HEADERS

log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
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


@dataclass(frozen=True)
class _Answer:
    status: int
    title: str
    advice: str
    said: str = ""
    """Instead of the advice: words in the reader's language already, which may hold what was typed."""


_ANSWERS: tuple[tuple[type[Exception], _Answer], ...] = (
    (LoginRequiredError, _Answer(401, N_("You are not signed in"), N_("Sign in and try again."))),
    (
        ForgedRequestError,
        _Answer(403, N_("The request was refused"), N_("Reload the page and try again.")),
    ),
    (TooManyAttemptsError, _Answer(429, N_("Too many failed sign-ins"), N_("Wait a few minutes and try again."))),
    (WrongCredentialsError, _Answer(401, N_("This cannot be accepted"), N_("Correct what you entered and try again."))),
    (WrongCodeError, _Answer(401, N_("This cannot be accepted"), N_("Correct what you entered and try again."))),
    (CodeRefusedError, _Answer(422, N_("This cannot be accepted"), N_("Correct what you entered and try again."))),
    (
        NoBusinessError,
        _Answer(403, N_("Your role does not include this"), N_("Ask an administrator of your business.")),
    ),
    (
        NotAllowedError,
        _Answer(403, N_("Your role does not include this"), N_("Ask an administrator of your business.")),
    ),
    (QrExpiredError, _Answer(410, N_("QR code expired"), N_("Wait for the next one, or pair the number again."))),
    (QrCodeExpiredError, _Answer(410, "QR code expired", "")),
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
    (
        NoModelError,
        _Answer(409, N_("There is no language model"), N_("An administrator of your business can name one.")),
    ),
    (
        HelpBudgetError,
        _Answer(
            409,
            N_("The budget for the language model is used up"),
            N_("Your text is as it was. An administrator may raise the budget; else wait for the next day or month."),
        ),
    ),
    (
        HelpFailedError,
        _Answer(
            502, N_("The language model did not answer"), N_("Your text is as it was. Try again, or write it yourself.")
        ),
    ),
    # The API's, which no page shows: not translated.
    (BadKeyError, _Answer(401, "The API key is not valid", "")),
    (ScopeMissingError, _Answer(403, "The API key may not do this", "")),
    (RangeError, _Answer(416, "There is no such part of the file", "")),
    (FileNotKeptError, _Answer(410, "The file was not kept", "")),
    (VersionNeededError, _Answer(428, "The version is missing", "")),
    (VersionPassedError, _Answer(412, "It was changed in the meantime", "")),
    (TooManyCallsError, _Answer(429, "Too many calls", "")),
    (TooManyBadKeysError, _Answer(429, "Too many calls without a valid key", "")),
    (TooManyDeliveriesError, _Answer(429, N_("The request was refused"), N_("Wait a few minutes and try again."))),
    *(
        (kind, _Answer(503, N_("The database cannot be reached"), N_("Try again in a moment.")))
        for kind in (NumberUnknownNowError, JournalFullError, BusyError)
    ),
    (NotAuthenticError, _Answer(401, N_("The request was refused"), N_("Reload the page and try again."))),
    (TooLargeError, _Answer(413, N_("The request was refused"), N_("Reload the page and try again."))),
    (
        SettingsRefusedError,
        _Answer(422, N_("This cannot be accepted"), N_("Correct what you entered and try again.")),
    ),
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
    for kind in UNKEPT:
        app.add_exception_handler(kind, _unkept)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(AtendeError, _expected)
    app.add_exception_handler(RequestValidationError, _expected)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, error: Exception) -> Response:
    if isinstance(error, ChangedMeanwhileError) and _is_programs(request):
        error = VersionPassedError(error)
    answer = next(answer for kind, answer in _ANSWERS if isinstance(error, kind))
    if isinstance(error, RequestValidationError) and any(
        part.get("loc", ("",))[0] == "path" for part in error.errors()
    ):
        answer = _NOT_FOUND  # an id that is not even an id: there is nothing under it
    if isinstance(error, LoginRequiredError) and not _wants_json(request):
        return _to_login(request)
    if isinstance(error, RefusedError):
        answer = replace(answer, said=pages(request).said(request, error))
    detail = error.sentence() if isinstance(error, AtendeError) else described(error)
    if answer.status >= 500:
        log.error("Request failed: %s", detail, exc_info=error if answer.status == 500 else None)
    return _respond(request, answer, detail, _headers(error, answer), error)


def _headers(error: Exception, answer: _Answer) -> dict[str, str]:
    if isinstance(error, BadKeyError):
        return {"WWW-Authenticate": 'Bearer realm="atende"'}
    if isinstance(error, RangeError):
        return {"Content-Range": f"bytes */{error.size}"}
    return _retry_after(error, answer)


def _retry_after(error: Exception, answer: _Answer) -> dict[str, str]:
    """When to come again, for answers that say so."""
    if answer.status not in {429, 503}:
        return {}
    return {"Retry-After": str(getattr(error, "seconds", _RETRY_AFTER_SECONDS))}


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    if error.status_code == 404:
        return _respond(request, _NOT_FOUND, "There is nothing at this address.", error=error)
    answer = _Answer(error.status_code, N_("The request was refused"), N_("Reload the page and try again."))
    detail = f"{str(error.detail).rstrip('.')}."
    return _respond(request, answer, detail, dict(error.headers or {}), error)


async def _away(request: Request, error: Exception) -> Response:
    """Nothing was done that the caller could count on: it may try the same again."""
    log.error("The database cannot be reached: %r", error)
    headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
    return _respond(request, _AWAY, "The database cannot be reached. Try again in a moment.", headers, error)


async def _unkept(request: Request, _: Exception) -> Response:
    """The transaction was undone. Most doors refuse such a text before; this holds for all of them."""
    hint = "Take it out and send it again."
    return await _expected(
        request, InvalidInputError("text", "holds the character NUL, which cannot be kept", hint=hint)
    )


async def _gone(_: Request, __: Exception) -> Response:
    """Who asked hung up before the whole request was here; nobody reads this."""
    return Response(status_code=400)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("Unexpected error", exc_info=error)
    response = _respond(request, _BROKEN, "An unexpected error was logged.", error=error)
    response.headers.update(HEADERS)  # this answer does not pass through our middleware
    return response


def _respond(
    request: Request,
    answer: _Answer,
    detail: str,
    headers: dict[str, str] | None = None,
    error: Exception | None = None,
) -> Response:
    if _wants_json(request):
        problem: dict[str, Any] = {"title": answer.title, "status": answer.status, "detail": detail}
        if _is_programs(request):
            problem = told_to_programs(problem, request.url.path, error)
        return JSONResponse({"type": "about:blank"} | problem, answer.status, headers, media_type=PROBLEM)
    if request.headers.get("hx-request") == "true":
        response = pages(request).render(request, "notice.html", answer=answer, status=answer.status)
        response.headers["HX-Retarget"] = "#notices"
        response.headers["HX-Reswap"] = "beforeend"
        response.headers["HX-Trigger"] = "atende:refresh" if not answer.said else "atende:refused"
    else:
        response = pages(request).render(request, "error.html", answer=answer, status=answer.status)
    response.headers.update(headers or {})
    return response


def _to_login(request: Request) -> Response:
    back = request.url.path if request.method == "GET" else "/"
    if request.headers.get("hx-request") == "true":
        # The fragment's address is no page to come back to; the browser's is.
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    return RedirectResponse(f"/login?next={quote(back)}", status_code=303)


def _is_programs(request: Request) -> bool:
    return request.url.path.startswith(API) or request.url.path == API.rstrip("/")


def _wants_json(request: Request) -> bool:
    """Programs get JSON; only who asks for HTML, as browsers do, gets a page. The API has none."""
    if _is_programs(request):
        return True
    return request.headers.get("hx-request") != "true" and "text/html" not in request.headers.get("accept", "")
