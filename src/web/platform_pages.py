"""The page of who runs the platform: all businesses, without a look into any."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from flows.platform import NewTenant, Platform
from flows.tenant_declaration import LANGUAGES
from flows.trade_templates import names, trade
from web.access import CurrentPlatformAdmin, Needs, Visitor
from web.admin_frame import answer, link


def platform_router(platform: Platform) -> APIRouter:
    """List, found, close and open again."""
    router = APIRouter(prefix="/platform")

    @router.get("", dependencies=[Depends(Needs(platform=True))])
    async def home() -> Response:
        return RedirectResponse("/platform/tenants", status_code=303)

    @router.get("/tenants")
    async def show(request: Request, visitor: CurrentPlatformAdmin) -> Response:
        return await _list(request, visitor)

    @router.post("/tenants")
    async def found(request: Request, visitor: CurrentPlatformAdmin) -> Response:
        form = await request.form()
        names = ("name", "slug", "locale", "timezone", "admin_name", "admin_email", "trade")
        made = await platform.found(visitor.user_id, NewTenant(**{name: str(form.get(name, "")) for name in names}))
        return await _list(request, visitor, made=(made.email, link(request, made.token)), was_taught=made.was_taught)

    @router.post("/tenants/{tenant_id}/link")
    async def link_again(request: Request, visitor: CurrentPlatformAdmin, tenant_id: UUID) -> Response:
        made = await platform.link_again(visitor.user_id, tenant_id)
        return await _list(request, visitor, made=(made.email, link(request, made.token)))

    @router.post("/tenants/{tenant_id}/close")
    async def close(request: Request, visitor: CurrentPlatformAdmin, tenant_id: UUID) -> Response:
        await platform.close(visitor.user_id, tenant_id)
        return await _list(request, visitor)

    @router.post("/tenants/{tenant_id}/reopen")
    async def reopen(request: Request, visitor: CurrentPlatformAdmin, tenant_id: UUID) -> Response:
        await platform.reopen(visitor.user_id, tenant_id)
        return await _list(request, visitor)

    async def _list(
        request: Request, visitor: Visitor, made: tuple[str, str] | None = None, *, was_taught: bool = True
    ) -> Response:
        return answer(
            request,
            "tenants",
            tenants=await platform.tenants(visitor.user_id),
            languages_known=LANGUAGES,
            zones=sorted(zone for zone in available_timezones() if "/" in zone),
            zone=ZoneInfo("UTC"),
            made=made,
            was_taught=was_taught,
            trades=[trade(name) for name in names()],
        )

    return router
