"""The page of what may go out by itself: the kill switch, the reply policy's rules, and what intents have earned."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.autonomy import Autonomy
from flows.policy_view import policy_view
from flows.stopping import KillSwitch
from store import inbox, numbers, policy
from web.access import CurrentVisitor, Visitor, needs
from web.admin_frame import version_in
from web.pages import pages
from web.services import services


def policy_router(switch: KillSwitch, autonomy: Autonomy) -> APIRouter:
    """The page and its actions. Everybody of the tenant may look, administrators may act."""
    router = APIRouter(prefix="/policy")

    @router.get("", dependencies=[needs(Right.POLICY_READ)])
    async def show_policy(request: Request, visitor: CurrentVisitor) -> Response:
        return await _answer(request, visitor, "policy/page.html")

    @router.get("/content", dependencies=[needs(Right.POLICY_READ)])
    async def show_content(request: Request, visitor: CurrentVisitor) -> Response:
        """The part of the page that changes."""
        return await _answer(request, visitor, "policy/content.html")

    @router.post("/stop")
    async def stop(request: Request, visitor: CurrentVisitor) -> Response:
        _administers(visitor)
        await switch.stop(visitor.tenant_id, actor=str(visitor.actor))
        return await _answer(request, visitor, "policy/content.html")

    @router.post("/resume")
    async def resume(request: Request, visitor: CurrentVisitor) -> Response:
        _administers(visitor)
        await switch.resume(visitor.tenant_id, actor=str(visitor.actor))
        return await _answer(request, visitor, "policy/content.html")

    @router.post("/numbers/{session_id}/stop")
    async def stop_number(request: Request, visitor: CurrentVisitor, session_id: UUID) -> Response:
        await _own_number(request, visitor, session_id)
        await switch.stop(visitor.tenant_id, session_id, actor=str(visitor.actor))
        return await _answer(request, visitor, "policy/content.html")

    @router.post("/numbers/{session_id}/resume")
    async def resume_number(request: Request, visitor: CurrentVisitor, session_id: UUID) -> Response:
        await _own_number(request, visitor, session_id)
        await switch.resume(visitor.tenant_id, session_id, actor=str(visitor.actor))
        return await _answer(request, visitor, "policy/content.html")

    @router.post("/intents/{intent}/veto")
    async def veto(request: Request, visitor: CurrentVisitor, intent: str) -> Response:
        await _own_intent(request, visitor, intent)
        version = version_in(await request.form())
        await autonomy.veto(visitor.tenant_id, intent, actor=str(visitor.actor), version=version)
        return await _answer(request, visitor, "policy/content.html")

    @router.post("/intents/{intent}/allow")
    async def allow(request: Request, visitor: CurrentVisitor, intent: str) -> Response:
        await _own_intent(request, visitor, intent)
        version = version_in(await request.form())
        await autonomy.lift_veto(visitor.tenant_id, intent, actor=str(visitor.actor), version=version)
        return await _answer(request, visitor, "policy/content.html")

    return router


async def _own_number(request: Request, visitor: Visitor, session_id: UUID) -> None:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        await numbers.number(tx, session_id)  # another tenant's must look like none, whoever asks
    _administers(visitor)


async def _own_intent(request: Request, visitor: Visitor, intent: str) -> None:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        await policy.check_intent(tx, intent)
    _administers(visitor)


def _administers(visitor: Visitor) -> None:
    visitor.need(Right.POLICY_WRITE)


async def _answer(request: Request, visitor: Visitor, template: str) -> Response:
    last_event = request.app.state.feed.cursor  # before reading: what comes later is told by the websocket
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        view = await policy_view(tx)
        zone = ZoneInfo((await inbox.workspace(tx)).timezone)
    return pages(request).render(
        request, template, view=view, zone=zone, last_event=last_event, may_act=visitor.may(Right.POLICY_WRITE)
    )
