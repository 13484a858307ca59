"""The visitor's own account: name and language, password, second factor, and where the person is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import segno
from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.errors import InvalidInputError, NotFoundError
from flows.accounts import LEAST_PASSWORD, Accounts, check_password
from flows.second_factor import CodeRefusedError, Enrolment
from flows.sign_in import WrongCredentialsError
from store import inbox
from store.secrets import SecretUnreadableError
from web.access import ACCOUNT, CurrentVisitor, Visitor, clear_login_cookie
from web.floods import source_of
from web.i18n import N_, known_language
from web.pages import LANGUAGE_COOKIE, pages
from web.services import services

router = APIRouter(prefix=ACCOUNT)
_WRONG_PASSWORD = N_("This is not your password. Check it and try again.")
_SAVED = {
    "profile": N_("Saved."),
    "password": N_("The password was changed, and every other sign-in ended."),
    "removed": N_("The second factor was removed."),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What was wrong in which part of the page; translated where it is shown."""

    part: str
    text: str


@router.get("")
async def show_account(request: Request, visitor: CurrentVisitor, saved: str = "") -> Response:
    return await _page(request, visitor, said=_SAVED.get(saved, ""))


@router.post("/profile")
async def change_profile(
    request: Request,
    visitor: CurrentVisitor,
    name: Annotated[str, Form(max_length=400)] = "",
    language: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """What the person is called, and the language of pages and e-mail; empty: as the browser asks."""
    try:
        await _accounts(request).change(visitor.user_id, name, known_language(language))
    except InvalidInputError:
        return await _page(request, visitor, problem=Problem("profile", N_("A name has 1 to 200 characters.")))
    response = _done("profile")
    response.delete_cookie(LANGUAGE_COOKIE)  # what this browser was once told must not win over the choice just made
    return response


@router.post("/password")
async def change_password(
    request: Request,
    visitor: CurrentVisitor,
    current: Annotated[str, Form(max_length=1024)] = "",
    new: Annotated[str, Form(max_length=1024)] = "",
    again: Annotated[str, Form(max_length=1024)] = "",
) -> Response:
    """A new password; every other sign-in ends."""
    wrong = ""
    if new != again:
        wrong = N_("The new password was not typed twice alike.")
    else:
        try:
            check_password(new)
            await _accounts(request).change_password(
                visitor.user_id, current, new, keep=visitor.login_id, address=source_of(request)
            )
        except InvalidInputError:
            wrong = N_("This password is too easily found out. Take several words.")
        except WrongCredentialsError:
            wrong = _WRONG_PASSWORD
    return await _page(request, visitor, problem=Problem("password", wrong)) if wrong else _done("password")


@router.post("/second-factor")
async def begin_second_factor(
    request: Request, visitor: CurrentVisitor, password: Annotated[str, Form(max_length=1024)] = ""
) -> Response:
    """Show a code for the authenticator. Nothing counts before its first code was typed.

    Asks for the password: who finds an open browser must not lock its owner out.
    """
    try:
        await _accounts(request).sign_in.check_own_password(visitor.user_id, password, source_of(request))
    except WrongCredentialsError:
        return await _page(request, visitor, problem=Problem("second-factor", _WRONG_PASSWORD))
    enrolment = _accounts(request).second.enrol(visitor.user_id, visitor.email)
    return await _page(request, visitor, enrolment=enrolment)


@router.post("/second-factor/confirm")
async def confirm_second_factor(
    request: Request,
    visitor: CurrentVisitor,
    sealed: Annotated[str, Form(max_length=1024)] = "",
    code: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Switch it on; the recovery codes are shown this once."""
    second = _accounts(request).second
    try:
        codes = await second.confirm(visitor.user_id, sealed, code)
    except SecretUnreadableError:  # made up, or by an installation with another secret
        return RedirectResponse(f"{ACCOUNT}#second-factor", status_code=303)
    except CodeRefusedError:
        wrong = N_("This is not the code that your authenticator should show now. Try the next one.")
        enrolment = second.again(visitor.user_id, visitor.email, sealed)
        return await _page(request, visitor, enrolment=enrolment, problem=Problem("second-factor", wrong))
    return await _page(request, visitor, codes=codes)


@router.post("/second-factor/remove")
async def remove_second_factor(
    request: Request, visitor: CurrentVisitor, password: Annotated[str, Form(max_length=1024)] = ""
) -> Response:
    """The password is enough again."""
    try:
        await _accounts(request).remove_second_factor(visitor.user_id, password, source_of(request))
    except WrongCredentialsError:
        return await _page(request, visitor, problem=Problem("second-factor", _WRONG_PASSWORD))
    return _done("removed")


@router.post("/sign-ins/end")
async def sign_out_everywhere(request: Request, visitor: CurrentVisitor) -> Response:
    """End every sign-in of the person, this one too."""
    await _accounts(request).end_others(visitor.user_id, None)
    response = RedirectResponse("/login", status_code=303)
    clear_login_cookie(response, visitor.access)
    return response


@router.post("/sign-ins/{login_id}/end")
async def end_sign_in(request: Request, visitor: CurrentVisitor, login_id: UUID) -> Response:
    """End one of the person's sign-ins."""
    await _accounts(request).end_sign_in(visitor.user_id, login_id)
    return RedirectResponse(f"{ACCOUNT}#sign-ins", status_code=303)


async def _page(
    request: Request,
    visitor: Visitor,
    *,
    said: str = "",
    problem: Problem | None = None,
    enrolment: Enrolment | None = None,
    codes: list[str] | None = None,
) -> Response:
    accounts = _accounts(request)
    return pages(request).render(
        request,
        "account/page.html",
        status=422 if problem else 200,
        account=await accounts.account(visitor.user_id),
        sign_ins=await accounts.sign_ins(visitor.user_id),
        said=said,
        problem=problem,
        enrolment=enrolment,
        picture=segno.make_qr(enrolment.link, error="m").svg_data_uri(border=4, light="#fff", scale=5)
        if enrolment
        else "",
        codes=codes or [],
        least=LEAST_PASSWORD,
        zone=await _zone(request, visitor),
    )


async def _zone(request: Request, visitor: Visitor) -> ZoneInfo:
    try:
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            return ZoneInfo((await inbox.workspace(tx)).timezone)
    except NotFoundError:  # a platform administrator in no business
        return ZoneInfo("UTC")


def _accounts(request: Request) -> Accounts:
    found: Accounts = request.app.state.accounts
    return found


def _done(what: str) -> Response:
    return RedirectResponse(f"{ACCOUNT}?saved={what}", status_code=303)
