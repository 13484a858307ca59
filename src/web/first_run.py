"""The first run in the browser: the sign-up of an empty installation, then trade, number, policy and a try-out."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.errors import AtendeError, InvalidInputError, NotFoundError
from domain.roles import Right
from flows.attendance_declaration import WEEKDAYS
from flows.first_run import (
    SHORTEST_PASSWORD,
    STEPS,
    EntryRefusedError,
    FirstRun,
    Founder,
    NotTheFirstError,
    Progress,
    WrongSetupTokenError,
)
from flows.session_control import ChannelSessions
from flows.sessions import HOSTED, SIMULATED
from flows.sign_in import TooManyAttemptsError
from flows.tenant_settings import TenantSettingsDesk
from flows.trade_templates import LONGEST_ANSWER, TradeAnswers, TradeTemplates, filled, names, trade
from flows.written_hours import read_spans
from store import inbox, numbers, thread
from web.access import CurrentVisitor, Visitor, new_token, set_login_cookie, token_hash
from web.complaints import complaints, status_of
from web.errors import ForgedRequestError
from web.i18n import LANGUAGES, N_
from web.pages import LANGUAGE_COOKIE, pages
from web.security import Throttle, comes_from_here
from web.services import services
from web.session_states import NEXT_STEPS

Step = Literal["trade", "number", "policy", "try"]
_YEAR = 365 * 24 * 3600
HOURS_FIELDS: Final = (("weekdays", WEEKDAYS[:5]), ("saturday", WEEKDAYS[5:6]), ("sunday", WEEKDAYS[6:]))
"""The form's rows of opening hours, with the days each is for."""
PROBLEMS: Final = {
    "name": N_("Enter your name."),
    "business": N_("Enter the name of the business."),
    "email": N_("Enter an e-mail address, such as ana@example.com."),
    "password": N_("Choose a password of at least 10 characters that is not your name or e-mail."),
    "language": N_("Choose a language."),
    "timezone": N_("Choose a time zone."),
    "token": N_("The setup key is wrong. Copy it from the terminal in which Atende runs."),
}


def first_run_router(
    first_run: FirstRun, templates: TradeTemplates, sessions: ChannelSessions, desk: TenantSettingsDesk
) -> APIRouter:
    """``/setup`` before anybody can sign in, and ``/start`` for the administrator after it."""
    router = APIRouter()
    _sign_up(router, first_run)
    _steps(router, first_run, templates, sessions, desk)
    _try_out(router, first_run, sessions)
    return router


def _sign_up(router: APIRouter, first_run: FirstRun) -> None:
    tries = Throttle(limit=10, seconds=300)

    @router.get("/setup")
    async def show_sign_up(request: Request, token: str = "") -> Response:
        if not await first_run.is_empty():
            return RedirectResponse("/login", status_code=303)
        entered = {"token": token, "language": pages(request).language(request), "timezone": "America/Sao_Paulo"}
        return _sign_up_page(request, entered)

    @router.post("/setup")
    async def sign_up(request: Request) -> Response:
        """One step for account and business: an account of no business could not sign in to go on."""
        if not comes_from_here(request.headers):
            raise ForgedRequestError
        address = request.client.host if request.client else ""
        if wait := tries.seconds_to_wait(address):
            raise TooManyAttemptsError(wait)
        entered = {key: str(value) for key, value in (await request.form()).items()}
        founder = Founder(
            **{key: entered.get(key, "") for key in ("name", "email", "password", "business", "language", "timezone")}
        )
        try:
            tenant_id, user_id = await first_run.begin(entered.get("token", ""), founder)
        except NotTheFirstError:
            return RedirectResponse("/login", status_code=303)
        except WrongSetupTokenError:
            tries.failed(address)
            return _sign_up_page(request, entered, {"token"})
        except EntryRefusedError as error:
            return _sign_up_page(request, entered, {field for field, _ in error.problems})
        found = services(request)
        token = new_token()
        await found.db.gate("open_login", token_hash(token), user_id, tenant_id, found.access.stay_signed_in)
        response = RedirectResponse("/start", status_code=303)
        set_login_cookie(response, found.access, token)
        response.set_cookie(
            LANGUAGE_COOKIE, founder.language, _YEAR, samesite="lax", secure=found.access.secure, httponly=True
        )
        return response


def _steps(
    router: APIRouter,
    first_run: FirstRun,
    templates: TradeTemplates,
    sessions: ChannelSessions,
    desk: TenantSettingsDesk,
) -> None:
    @router.get("/start")
    async def resume(visitor: CurrentVisitor) -> Response:
        """Where the last visit ended."""
        visitor.need(Right.SETTINGS_WRITE)
        progress = await first_run.progress(visitor.tenant_id)
        return RedirectResponse(f"/start/{progress.next_step}", status_code=303)

    @router.get("/start/{step}")
    async def show_step(request: Request, visitor: CurrentVisitor, step: Step, name: str = "") -> Response:
        visitor.need(Right.SETTINGS_WRITE)
        progress = await first_run.progress(visitor.tenant_id)
        chosen = name if name in names() else ""
        return _page(request, step, progress, **await _context(request, visitor, first_run, step, chosen))

    @router.post("/start/trade")
    async def apply_trade(request: Request, visitor: CurrentVisitor, name: Annotated[str, Form()] = "") -> Response:
        visitor.need(Right.SETTINGS_WRITE)
        found = trade(name)
        posted = {key: str(value) for key, value in (await request.form()).items()}
        said = {question.key: posted.get(f"said/{question.key}", "") for question in found.about.questions}
        progress = await first_run.progress(visitor.tenant_id)
        hours_said = {row: posted.get(f"hours/{row}", "") for row, _ in HOURS_FIELDS}
        try:
            weekly = _weekly(hours_said) or progress.weekly
            await templates.apply(visitor.tenant_id, name, TradeAnswers(said, weekly), actor=str(visitor.actor))
        except InvalidInputError as error:
            more = {"chosen": found, "said": said, "hours_said": hours_said}
            wrong, status = complaints(error), status_of(error)
            return _page(request, "trade", progress, status=status, complaints=wrong, **more)
        await first_run.note(visitor.tenant_id, "trade")
        return RedirectResponse("/start/number", status_code=303)

    @router.post("/start/number")
    async def add_number(
        request: Request, visitor: CurrentVisitor, kind: Annotated[Literal["qr", "simulator", "go_on"], Form()]
    ) -> Response:
        visitor.need(Right.SETTINGS_WRITE)
        progress = await first_run.progress(visitor.tenant_id)
        language, actor = pages(request).language(request), str(visitor.actor)
        called = pages(request).words(language)
        if kind == "qr":
            if progress.provider != HOSTED:
                await sessions.create(visitor.tenant_id, name="WhatsApp", provider=HOSTED, actor=actor)
            return RedirectResponse("/start/number", status_code=303)
        if kind == "simulator" and progress.number is None:
            name = called("Simulated phone")
            await sessions.create(visitor.tenant_id, name=name, provider=SIMULATED, actor=actor)
        await first_run.note(visitor.tenant_id, "number")
        return RedirectResponse("/start/policy", status_code=303)

    @router.post("/start/policy")
    async def choose_policy(
        visitor: CurrentVisitor, mode: Annotated[Literal["suggest", "auto"], Form()] = "suggest"
    ) -> Response:
        visitor.need(Right.SETTINGS_WRITE)
        await desk.change(visitor.tenant_id, {"reply_mode": mode}, actor=str(visitor.actor))
        await first_run.note(visitor.tenant_id, "policy")
        return RedirectResponse("/start/try", status_code=303)

    @router.post("/start/done")
    async def finish(visitor: CurrentVisitor) -> Response:
        visitor.need(Right.SETTINGS_WRITE)
        await first_run.note(visitor.tenant_id, "try")
        await first_run.note(visitor.tenant_id, "done")
        return RedirectResponse("/inbox", status_code=303)

    @router.get("/start/number/state")
    async def number_state(request: Request, visitor: CurrentVisitor) -> Response:
        """The code to scan and what to do next, for as long as nobody is linked."""
        visitor.need(Right.SETTINGS_WRITE)
        more = await _context(request, visitor, first_run, "number", "")
        if more["hosted"] is None:
            raise NotFoundError("number", "to link")
        return pages(request).render(request, "start/number_state.html", **more)


def _try_out(router: APIRouter, first_run: FirstRun, sessions: ChannelSessions) -> None:
    async def chat(request: Request, visitor: Visitor, wrong: list[Any] | None = None) -> Response:
        more = await _context(request, visitor, first_run, "try", "")
        return pages(request).render(request, "start/chat.html", complaints=wrong or [], **more)

    @router.get("/start/try/chat")
    async def show_chat(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.SETTINGS_WRITE)
        return await chat(request, visitor)

    @router.post("/start/try/say")
    async def say(request: Request, visitor: CurrentVisitor, text: Annotated[str, Form()] = "") -> Response:
        """As a customer, on the simulated phone; one is added where there is none yet."""
        visitor.need(Right.SETTINGS_WRITE)
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            simulated = (await inbox.workspace(tx)).simulators
        if not simulated:
            name = pages(request).words(pages(request).language(request))("Simulated phone")
            await sessions.create(visitor.tenant_id, name=name, provider=SIMULATED, actor=str(visitor.actor))
        try:
            await first_run.say(visitor.tenant_id, text)
        except AtendeError as error:
            return await chat(request, visitor, complaints(error))
        await first_run.note(visitor.tenant_id, "try")
        return await chat(request, visitor)

    @router.post("/start/try/approve/{suggestion_id}")
    async def approve(request: Request, visitor: CurrentVisitor, suggestion_id: UUID) -> Response:
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            await thread.suggestion_exists(tx, suggestion_id)
        visitor.need(Right.SETTINGS_WRITE)
        visitor.need(Right.MESSAGES_WRITE)
        await services(request).desk.approve(visitor.actor, suggestion_id)
        return await chat(request, visitor)


async def _context(request: Request, visitor: Visitor, first_run: FirstRun, step: str, chosen: str) -> dict[str, Any]:
    """What a step's template needs besides the progress."""
    if step == "trade":
        progress = await first_run.progress(visitor.tenant_id)
        name = chosen or progress.trade
        return {
            "chosen": trade(name) if name else None,
            "said": progress.answers if name == progress.trade else {},
            "hours_said": _hours_said(progress),
        }
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        found = await numbers.all_numbers(tx)
        zone = ZoneInfo((await inbox.workspace(tx)).timezone)
    if step == "number":
        hosted = next((one for one in found if one.provider == HOSTED), None)
        state = hosted.status if hosted else ""
        return {"hosted": hosted, "next_step": NEXT_STEPS.get(state, NEXT_STEPS["unknown"]), "numbers": found}
    if step == "try":
        return {"chat": await first_run.chat(visitor.tenant_id), "zone": zone}
    return {}


def _page(request: Request, step: str, progress: Progress, *, status: int = 200, **more: Any) -> Response:
    context = {"complaints": [], "ideas": _ideas(progress, pages(request).language(request))} | more
    trades = [trade(name) for name in names()]
    return pages(request).render(
        request,
        f"start/{step}.html",
        status=status,
        step=step,
        steps=STEPS,
        progress=progress,
        trades=trades,
        longest_answer=LONGEST_ANSWER,
        hours_fields=[row for row, _ in HOURS_FIELDS],
        **context,
    )


def _ideas(progress: Progress, language: str) -> list[str]:
    """Messages to try: a new way of asking is better, but a click must do."""
    if not progress.trade:
        return []
    known = filled(trade(progress.trade), "", TradeAnswers(progress.answers, progress.weekly))
    wanted = [one for one in known.values() if one.answer and one.name != "greeting"]
    texts = [one.examples.get(language, ("",))[1] for one in wanted if len(one.examples.get(language, ())) > 1]
    return [text for text in texts if text][:4]


def _hours_said(progress: Progress) -> dict[str, str]:
    found = {}
    for row, days in HOURS_FIELDS:
        said = {", ".join(progress.weekly.get(day, ())) for day in days}
        found[row] = said.pop() if len(said) == 1 else ""
    return found


def _weekly(said: dict[str, str]) -> dict[str, list[str]]:
    """Spans by weekday from what people write: ``9-18``, ``9h às 12h e 13h30 às 18h``. Raises RefusedError."""
    return {day: list(spans) for row, days in HOURS_FIELDS if (spans := read_spans("hours", said[row])) for day in days}


def _sign_up_page(request: Request, entered: dict[str, str], wrong: set[str] | None = None) -> Response:
    return pages(request).render(
        request,
        "start/setup.html",
        status=422 if wrong else 200,
        entered={key: entered.get(key, "") for key in ("token", "name", "email", "business", "language", "timezone")},
        wrong={field: PROBLEMS[field] for field in PROBLEMS if wrong and field in wrong},
        zones=sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix"))),
        shortest=SHORTEST_PASSWORD,
        spoken=LANGUAGES,
    )
