"""One number in the browser: added, linked by QR or pairing code, stopped, unlinked, deleted; its log and figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.errors import AtendeError
from domain.roles import Right
from domain.sending_pace import PACE_SETTINGS
from flows.number_pace import change_pace, pace_lines
from flows.number_teams import GATEWAYS, put_in_team, settings_of, team_and_config, teams
from flows.session_control import ChannelSessions, PairingCode
from flows.session_views import SessionViews
from flows.sessions import HOSTED, SIMULATED
from store import inbox
from web.access import CurrentVisitor, Visitor
from web.complaints import Complaint, complaints, status_of
from web.numbers import Card
from web.pages import pages
from web.services import services

PROVIDERS = (HOSTED, *GATEWAYS, SIMULATED)
Wish = Literal["start", "stop", "restart", "logout", "delete"]


def number_pages_router(sessions: ChannelSessions, views: SessionViews) -> APIRouter:
    """``/numbers/new`` and ``/numbers/{id}``; wired after ``web.numbers``, whose words would be taken for ids."""
    router = APIRouter(prefix="/numbers")

    _adding(router, sessions)

    @router.get("/{session_id}")
    async def show(request: Request, visitor: CurrentVisitor, session_id: UUID, before: str | None = None) -> Response:
        visitor.need(Right.SESSIONS_READ)
        return await _page(request, visitor, views, session_id, before=before)

    @router.get("/{session_id}/state")
    async def show_state(request: Request, visitor: CurrentVisitor, session_id: UUID) -> Response:
        """The part that changes while a phone is being linked."""
        visitor.need(Right.SESSIONS_READ)
        card = Card((await views.one(visitor.tenant_id, session_id)).number)
        return pages(request).render(
            request, "numbers/state.html", card=card, may_act=visitor.may(Right.SESSIONS_WRITE)
        )

    @router.post("/{session_id}/act")
    async def act(
        request: Request, visitor: CurrentVisitor, session_id: UUID, wish: Annotated[Wish, Form()] = "start"
    ) -> Response:
        await _administered(visitor, views, session_id)
        tenant_id, actor = visitor.tenant_id, str(visitor.actor)
        try:
            match wish:
                case "start":
                    await sessions.start(tenant_id, session_id, actor=actor)
                case "stop":
                    await sessions.stop(tenant_id, session_id, actor=actor)
                case "restart":
                    await sessions.restart(tenant_id, session_id, actor=actor)
                case "logout":
                    await sessions.log_out(tenant_id, session_id, actor=actor)
                case "delete":
                    await sessions.delete(tenant_id, session_id, actor=actor)
                    return RedirectResponse("/numbers", status_code=303)
        except AtendeError as error:
            wrong, status = complaints(error), status_of(error)
            return await _page(request, visitor, views, session_id, status=status, complaints=wrong)
        return RedirectResponse(f"/numbers/{session_id}", status_code=303)

    @router.post("/{session_id}/pair-code")
    async def pair_code(
        request: Request, visitor: CurrentVisitor, session_id: UUID, phone: Annotated[str, Form(max_length=40)] = ""
    ) -> Response:
        """A code to type into the phone instead of scanning."""
        await _administered(visitor, views, session_id)
        try:
            code = await sessions.pair_code(visitor.tenant_id, session_id, phone, actor=str(visitor.actor))
        except AtendeError as error:
            wrong, status = complaints(error), status_of(error)
            return await _page(request, visitor, views, session_id, status=status, complaints=wrong, phone=phone)
        return await _page(request, visitor, views, session_id, code=code)

    @router.post("/{session_id}/settings")
    async def change(
        request: Request,
        visitor: CurrentVisitor,
        session_id: UUID,
        name: Annotated[str, Form()] = "",
        team: Annotated[str, Form()] = "",
    ) -> Response:
        await _administered(visitor, views, session_id)
        posted = {key: str(value) for key, value in (await request.form()).items()}
        wishes = {key[5:]: value for key, value in posted.items() if key.startswith("pace/")}
        actor, db = str(visitor.actor), services(request).db
        try:
            await change_pace(db, visitor.tenant_id, session_id, wishes, actor=actor)
            await sessions.change(visitor.tenant_id, session_id, name=name, actor=actor)
            team_id = UUID(team) if team else None
            await put_in_team(db, visitor.tenant_id, session_id, team_id, actor=actor)
        except AtendeError as error:
            wrong, status = complaints(error), status_of(error)
            return await _page(request, visitor, views, session_id, status=status, complaints=wrong, pace=wishes)
        return RedirectResponse(f"/numbers/{session_id}", status_code=303)

    return router


def _adding(router: APIRouter, sessions: ChannelSessions) -> None:
    @router.get("/new")
    async def new(request: Request, visitor: CurrentVisitor, provider: str = "") -> Response:
        visitor.need(Right.SESSIONS_WRITE)
        return _new_page(request, provider if provider in PROVIDERS else "")

    @router.post("/new")
    async def add(request: Request, visitor: CurrentVisitor) -> Response:
        """A gateway's secrets are stored and never shown again."""
        visitor.need(Right.SESSIONS_WRITE)
        posted = {key: str(value) for key, value in (await request.form()).items()}
        provider, name = posted.get("provider", ""), posted.get("name", "")
        given = {key[4:]: value.strip() for key, value in posted.items() if key.startswith("set/") and value.strip()}
        try:
            made = await sessions.create(
                visitor.tenant_id, name=name, provider=provider, config=given, actor=str(visitor.actor)
            )
        except AtendeError as error:
            wrong, status = complaints(error), status_of(error)
            return _new_page(request, provider, status=status, complaints=wrong, name=name, given=given)
        return RedirectResponse(f"/numbers/{made}", status_code=303)


async def _administered(visitor: Visitor, views: SessionViews, session_id: UUID) -> None:
    await views.one(visitor.tenant_id, session_id)  # another tenant's must look like none, whoever asks
    visitor.need(Right.SESSIONS_WRITE)


def _new_page(request: Request, provider: str, *, status: int = 200, **more: Any) -> Response:
    context: dict[str, Any] = {"complaints": [], "name": "", "given": {}} | more
    known = settings_of(provider) if provider in GATEWAYS else []
    # What is secret is entered again: it never comes back to a page.
    secret = {name for name, _, hidden, _ in known if hidden}
    context["given"] = {name: value for name, value in context["given"].items() if name not in secret}
    return pages(request).render(
        request,
        "numbers/new.html",
        status=status,
        provider=provider if provider in PROVIDERS else "",
        providers=PROVIDERS,
        settings=known,
        **context,
    )


async def _page(
    request: Request,
    visitor: Visitor,
    views: SessionViews,
    session_id: UUID,
    *,
    status: int = 200,
    before: str | None = None,
    complaints: list[Complaint] | None = None,
    code: PairingCode | None = None,
    phone: str = "",
    pace: Mapping[str, str] | None = None,
) -> Response:
    last_event = request.app.state.feed.cursor  # before reading: what comes later is told by the websocket
    view = await views.one(visitor.tenant_id, session_id)
    figures = await views.figures(visitor.tenant_id, session_id, days=7)
    log = await views.log(visitor.tenant_id, session_id, cursor=before, limit=30)
    lines = await pace_lines(services(request).db, visitor.tenant_id, session_id)
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        zone = ZoneInfo((await inbox.workspace(tx)).timezone)
        all_teams = await teams(tx)
        team, config = await team_and_config(tx, session_id)
    return pages(request).render(
        request,
        "numbers/number.html",
        status=status,
        card=Card(view.number),
        figures=figures,
        log=log,
        zone=zone,
        teams=all_teams,
        team=team,
        pace=pace if pace is not None else {name: config.get(name) or "" for name in PACE_SETTINGS},
        pace_lines=lines,
        complaints=complaints or [],
        code=code,
        phone=phone,
        last_event=last_event,
        may_act=visitor.may(Right.SESSIONS_WRITE),
    )
