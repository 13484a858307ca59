"""Webhooks out, in the browser: endpoints, secrets, and the log of deliveries. For administrators."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import AtendeError, ConflictError, NotFoundError
from domain.event_kinds import KINDS
from domain.roles import Right
from flows.outgoing_webhooks import OutgoingWebhooks, endpoint_version
from store import inbox
from web.access import CurrentVisitor, Visitor
from web.admin_frame import version_in
from web.pages import pages
from web.services import services

_PAGE = 50
_GROUPS = tuple(dict.fromkeys(kind.split(".")[0] + ".*" for kind in KINDS if not kind.startswith("webhook.")))


def endpoints_router(hooks: OutgoingWebhooks) -> APIRouter:
    """The pages under ``/integrations`` and their actions."""
    router = APIRouter(prefix="/integrations")

    @router.get("")
    async def show(request: Request, visitor: CurrentVisitor) -> Response:
        _administers(visitor)
        return await _list(request, visitor, "integrations/page.html")

    @router.post("")
    async def add(
        request: Request,
        visitor: CurrentVisitor,
        url: Annotated[str, Form()] = "",
        kinds: Annotated[str, Form()] = "*",
        description: Annotated[str, Form()] = "",
    ) -> Response:
        _administers(visitor)
        try:
            made = await hooks.add(
                visitor.tenant_id,
                url,
                kinds.replace(",", " ").split(),
                description=description,
                actor=str(visitor.actor),
            )
        except (ConflictError, NotFoundError):
            raise
        except AtendeError as error:
            entered = {"url": url, "kinds": kinds, "description": description}
            return await _list(request, visitor, "integrations/list.html", problem=error.sentence(), entered=entered)
        return await _list(request, visitor, "integrations/list.html", shown=(made.id, made.secret))

    @router.get("/{endpoint_id}")
    async def show_one(request: Request, visitor: CurrentVisitor, endpoint_id: UUID) -> Response:
        await _administers_one(visitor, endpoint_id)
        return await _one(request, visitor, endpoint_id, "integrations/endpoint.html")

    @router.get("/{endpoint_id}/log")
    async def show_log(
        request: Request, visitor: CurrentVisitor, endpoint_id: UUID, before: int | None = None
    ) -> Response:
        await _administers_one(visitor, endpoint_id)
        return await _one(request, visitor, endpoint_id, "integrations/log.html", before=before)

    @router.post("/{endpoint_id}/{action}")
    async def act(request: Request, visitor: CurrentVisitor, endpoint_id: UUID, action: str) -> Response:
        await _administers_one(visitor, endpoint_id)
        tenant_id, actor = visitor.tenant_id, str(visitor.actor)
        secret, version = "", version_in(await request.form())
        match action:
            case "rotate":
                secret = await hooks.rotate(tenant_id, endpoint_id, actor=actor)
            case "test":
                await hooks.test(tenant_id, endpoint_id)
            case "disable":
                await hooks.disable(tenant_id, endpoint_id, version=version, actor=actor)
            case "enable":
                await hooks.enable(tenant_id, endpoint_id, version=version, actor=actor)
            case "skip":
                await hooks.enable(tenant_id, endpoint_id, skip_missed=True, version=version, actor=actor)
            case "remove":
                await hooks.remove(tenant_id, endpoint_id, version=version, actor=actor)
                return Response(status_code=204, headers={"HX-Redirect": "/integrations"})
            case _:
                raise NotFoundError("action", action)
        return await _one(request, visitor, endpoint_id, "integrations/body.html", secret=secret)

    @router.post("/{endpoint_id}/deliveries/{delivery_id}/replay")
    async def replay(request: Request, visitor: CurrentVisitor, endpoint_id: UUID, delivery_id: int) -> Response:
        await _administers_one(visitor, endpoint_id)
        await hooks.replay(visitor.tenant_id, delivery_id)
        return await _one(request, visitor, endpoint_id, "integrations/body.html")

    async def _administers_one(visitor: Visitor, endpoint_id: UUID) -> None:
        await hooks.log(visitor.tenant_id, endpoint_id, limit=1)  # another tenant's must look like none, whoever asks
        _administers(visitor)

    async def _list(
        request: Request,
        visitor: Visitor,
        template: str,
        *,
        problem: str = "",
        entered: dict[str, str] | None = None,
        shown: tuple[UUID, str] | None = None,
    ) -> Response:
        return pages(request).render(
            request,
            template,
            endpoints=await hooks.all(visitor.tenant_id),
            problem=problem,
            entered=entered or {"url": "", "kinds": "*", "description": ""},
            shown=shown,
            groups=_GROUPS,
            kinds=KINDS,
        )

    async def _one(
        request: Request,
        visitor: Visitor,
        endpoint_id: UUID,
        template: str,
        *,
        before: int | None = None,
        secret: str = "",
    ) -> Response:
        endpoint, deliveries = await hooks.log(visitor.tenant_id, endpoint_id, before=before, limit=_PAGE)
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            zone = ZoneInfo((await inbox.workspace(tx)).timezone)
        return pages(request).render(
            request,
            template,
            endpoint=endpoint,
            version=endpoint_version(endpoint),
            deliveries=deliveries,
            more=len(deliveries) == _PAGE,
            secret=secret,
            zone=zone,
        )

    return router


def _administers(visitor: Visitor) -> None:
    visitor.need(Right.WEBHOOKS_WRITE)
