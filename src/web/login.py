"""Signing in and out, choosing the business, the language."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.errors import NotFoundError
from web.access import (
    CurrentVisitor,
    clear_login_cookie,
    new_token,
    recognise,
    set_login_cookie,
    token_hash,
)
from web.errors import ForgedRequestError, TooManyAttemptsError
from web.i18n import N_, known_language
from web.pages import LANGUAGE_COOKIE, pages
from web.security import Throttle, comes_from_here
from web.services import services

router = APIRouter()
_hasher = PasswordHasher()
_NOBODY = _hasher.hash("nobody has this password")
_YEAR = 365 * 24 * 3600


class LoginThrottles:
    """Sign-in limits of this process: per address and name, and per address alone (many names from one place)."""

    def __init__(self) -> None:
        self.person = Throttle(limit=5, seconds=300)
        self.address = Throttle(limit=50, seconds=300)


@router.get("/login")
async def show_login(request: Request, next: str = "/inbox") -> Response:  # noqa: A002 - the parameter's name in the URL
    if await recognise(request):
        return RedirectResponse(_local(next), status_code=303)
    return pages(request).render(
        request, "login.html", next=_local(next), demo=services(request).demo, problem="", email=""
    )


@router.post("/login")
async def log_in(
    request: Request,
    email: Annotated[str, Form(max_length=320)],
    password: Annotated[str, Form(max_length=1024)],
    next: Annotated[str, Form(max_length=2048)] = "/inbox",  # noqa: A002
) -> Response:
    if not comes_from_here(request.headers):
        raise ForgedRequestError
    found = services(request)
    throttles: LoginThrottles = request.app.state.login_throttles
    address = request.client.host if request.client else ""
    person = f"{address} {email.strip().lower()}"
    wait = max(throttles.person.seconds_to_wait(person), throttles.address.seconds_to_wait(address))
    if wait:
        raise TooManyAttemptsError(wait)

    rows = await found.db.gate("find_login", email.strip())
    # Unknown names cost the same as known ones, so that the time taken tells nothing.
    right = await asyncio.to_thread(_matches, rows[0]["password_hash"] if rows else _NOBODY, password)
    problem = ""
    if not rows or not right:
        throttles.person.failed(person)
        throttles.address.failed(address)
        problem = N_("E-mail or password is wrong. Check both and try again.")
    elif not rows[0]["memberships"]:
        problem = N_("This login belongs to no business yet. Ask an administrator to add you.")
    if problem:
        return pages(request).render(
            request, "login.html", status=401, next=_local(next), demo=found.demo, problem=problem, email=email
        )

    throttles.person.succeeded(person)
    token = new_token()
    tenant = UUID(rows[0]["memberships"][0]["tenant_id"])
    await found.db.gate("open_login", token_hash(token), rows[0]["user_id"], tenant, found.access.stay_signed_in)
    response = RedirectResponse(_local(next), status_code=303)
    set_login_cookie(response, found.access, token)
    return response


@router.post("/logout")
async def log_out(request: Request, visitor: CurrentVisitor) -> Response:
    await services(request).db.gate("close_login", visitor.token_hash)
    response = RedirectResponse("/login", status_code=303)
    clear_login_cookie(response, visitor.access)
    return response


@router.post("/tenant")
async def switch_tenant(request: Request, visitor: CurrentVisitor, tenant_id: Annotated[UUID, Form()]) -> Response:
    """Work in another business from now on. A fresh token: pages of the former one must not act in the new one."""
    found = services(request)
    if all(tenant_id != membership.tenant_id for membership in visitor.memberships):
        raise NotFoundError("business", tenant_id)
    token = new_token()
    await found.db.gate("open_login", token_hash(token), visitor.user_id, tenant_id, found.access.stay_signed_in)
    await found.db.gate("close_login", visitor.token_hash)
    response = RedirectResponse("/inbox", status_code=303)
    set_login_cookie(response, found.access, token)
    return response


@router.post("/language")
async def choose(
    request: Request,
    language: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/inbox",  # noqa: A002
) -> Response:
    """Remember the language in this browser. Needs no sign-in and changes nothing but a preference."""
    if not comes_from_here(request.headers):
        raise ForgedRequestError
    response = RedirectResponse(_local(next), status_code=303)
    if known_language(language):
        response.set_cookie(
            LANGUAGE_COOKIE,
            known_language(language) or "",
            max_age=_YEAR,
            samesite="lax",
            secure=services(request).access.secure,
            httponly=True,
        )
    return response


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _local(target: str) -> str:
    """Only a path of this very site, or the inbox: a link must not send people elsewhere after signing in."""
    safe = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if safe else "/inbox"
