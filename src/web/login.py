"""Signing in and out, choosing the business, the language."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.errors import NotFoundError
from domain.roles import Right, rights_of
from flows.accounts import Accounts
from flows.first_run import is_unfinished
from flows.sign_in import NoBusinessError, Person, WrongCodeError, WrongCredentialsError
from web.access import (
    CurrentVisitor,
    clear_login_cookie,
    home_of,
    new_token,
    recognise,
    set_login_cookie,
    token_hash,
)
from web.errors import ForgedRequestError
from web.floods import source_of
from web.i18n import N_, known_language
from web.pages import LANGUAGE_COOKIE, pages
from web.security import comes_from_here
from web.services import services

router = APIRouter()
_YEAR = 365 * 24 * 3600


@router.get("/login")
async def show_login(request: Request, next: str = "") -> Response:  # noqa: A002 - the parameter's name in the URL
    visitor = await recognise(request)
    if visitor:
        return RedirectResponse(_local(next) or visitor.home, status_code=303)
    if (await services(request).db.gate("is_empty"))[0][0]:
        return RedirectResponse("/setup", status_code=303)
    return pages(request).render(
        request, "login.html", next=_local(next), demo=services(request).demo, problem="", email=""
    )


@router.post("/login")
async def log_in(
    request: Request,
    email: Annotated[str, Form(max_length=320)],
    password: Annotated[str, Form(max_length=1024)],
    next: Annotated[str, Form(max_length=2048)] = "",  # noqa: A002
) -> Response:
    if not comes_from_here(request.headers):
        raise ForgedRequestError
    accounts: Accounts = request.app.state.accounts
    try:
        person = await accounts.sign_in.check_password(email, password, source_of(request))
    except WrongCredentialsError:
        problem = N_("E-mail or password is wrong. Check both and try again.")
    except NoBusinessError:
        problem = N_("This login belongs to no business yet, or its business was closed. Ask an administrator.")
    else:
        if person.needs_code:
            return _ask_for_code(request, accounts.sign_in.ticket(person), _local(next))
        return await _let_in(request, person, next)
    return pages(request).render(
        request,
        "login.html",
        status=401,
        next=_local(next),
        demo=services(request).demo,
        problem=problem,
        email=email,
    )


@router.post("/login/code")
async def log_in_with_code(
    request: Request,
    ticket: Annotated[str, Form(max_length=2048)],
    code: Annotated[str, Form(max_length=40)] = "",
    next: Annotated[str, Form(max_length=2048)] = "",  # noqa: A002
) -> Response:
    """The second factor, after the password."""
    if not comes_from_here(request.headers):
        raise ForgedRequestError
    accounts: Accounts = request.app.state.accounts
    try:
        person = await accounts.sign_in.redeem(ticket, code, source_of(request))
    except WrongCodeError:
        problem = N_("This code is wrong, too old, or was used already. Wait for the next one.")
        return _ask_for_code(request, ticket, _local(next), problem=problem)
    except WrongCredentialsError:  # it took too long
        return RedirectResponse("/login", status_code=303)
    return await _let_in(request, person, next)


@router.post("/logout")
async def log_out(request: Request, visitor: CurrentVisitor) -> Response:
    await services(request).db.gate("close_login", visitor.token_hash)
    response = RedirectResponse("/login", status_code=303)
    clear_login_cookie(response, visitor.access)
    return response


@router.post("/tenant")
async def switch_tenant(request: Request, visitor: CurrentVisitor, tenant_id: Annotated[UUID, Form()]) -> Response:
    """Work in another business from now on. A fresh token: pages of the former one must not act in the new one."""
    roles = {membership.tenant_id: membership.role for membership in visitor.memberships}
    if tenant_id not in roles:
        raise NotFoundError("business", tenant_id)
    response = await _signed_in(request, visitor.user_id, tenant_id, home_of(roles[tenant_id], runs_platform=False))
    await services(request).db.gate("close_login", visitor.token_hash)
    return response


@router.post("/language")
async def choose(
    request: Request,
    language: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """Remember the language in this browser. Needs no sign-in and changes nothing but a preference."""
    if not comes_from_here(request.headers):
        raise ForgedRequestError
    response = RedirectResponse(_local(next) or "/", status_code=303)
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


def _ask_for_code(request: Request, ticket: str, back: str, *, problem: str = "") -> Response:
    status = 401 if problem else 200
    return pages(request).render(request, "login_code.html", status=status, ticket=ticket, next=back, problem=problem)


async def _let_in(request: Request, person: Person, wanted: str) -> Response:
    tenant_id = person.tenant()
    role = next((one["role"] for one in person.memberships if one["tenant_id"] == str(tenant_id)), "")
    home = home_of(role, runs_platform=person.runs_platform)
    if tenant_id is not None and Right.SETTINGS_WRITE in rights_of(role):
        async with services(request).db.transaction(tenant_id) as tx:
            home = "/start" if await is_unfinished(tx, tenant_id) else home
    return await _signed_in(request, person.user_id, tenant_id, _local(wanted) or home)


async def _signed_in(request: Request, user_id: UUID, tenant_id: UUID | None, target: str) -> Response:
    accounts: Accounts = request.app.state.accounts
    access, token = services(request).access, new_token()
    name = request.headers.get("user-agent", "")[:300]
    await accounts.open_browser(user_id, token_hash(token), tenant_id, access.stay_signed_in, name)
    response = RedirectResponse(target, status_code=303)
    set_login_cookie(response, access, token)
    return response


def _local(target: str) -> str:
    """Only a path of this very site, else nothing: a link must not send people elsewhere after signing in."""
    safe = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if safe and target != "/" else ""
