"""``/api/v1/webhooks``: endpoints that events are posted to, and what became of each delivery."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.idempotency import DONE, Answered
from flows.outgoing_webhooks import EndpointWish, OutgoingWebhooks, endpoint_version
from flows.pages import place_in
from web.api import Api, etag, wanted_tag
from web.api_schema import (
    A_TIME,
    AN_ID,
    Asked,
    Cursor,
    Limit,
    Once,
    Shown,
    body_of,
    listing,
    made,
    operation,
    paged,
    shown,
    shown_page,
)

Url = Annotated[str, Field(min_length=1, max_length=2000)]
Kinds = Annotated[list[Annotated[str, Field(max_length=100)]], Field(min_length=1, max_length=50)]
DeliveryId = Annotated[int, Path(ge=0, le=2**63 - 1)]


class Endpoint(Shown):
    """Where events are posted to."""

    id: UUID
    url: str
    description: str
    kinds: list[str]
    state: str = Field(description="active or disabled")
    disabled_reason: str
    failing_since: datetime | None
    waiting: int = Field(description="Deliveries to come")
    failed: int = Field(description="Deliveries given up")
    created_at: datetime
    secret: str | None = Field(
        None, description="What its receiver checks signatures with: shown once, when it is made"
    )
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "url": "https://crm.example.com/atende",
        "description": "CRM",
        "kinds": ["message.*", "conversation.closed"],
        "state": "active",
        "disabled_reason": "",
        "failing_since": None,
        "waiting": 0,
        "failed": 0,
        "created_at": A_TIME,
        "secret": None,
    }


class NewEndpoint(Asked):
    """Events by name, as `message.*`, or `*`."""

    url: Url
    kinds: Kinds
    description: Annotated[str, Field(max_length=200)] = ""
    example: ClassVar[dict[str, Any]] = {"url": "https://crm.example.com/atende", "kinds": ["message.*"]}


class EndpointChange(Asked):
    """What is not named stays."""

    url: Url | None = None
    kinds: Kinds | None = None
    description: Annotated[str, Field(max_length=200)] | None = None
    enabled: bool | None = None
    skip_missed: bool = Field(False, description="When it is enabled: leave out what happened meanwhile")
    example: ClassVar[dict[str, Any]] = {"kinds": ["*"]}


class Secret(Shown):
    """A signing secret. The last one signs beside it for a day."""

    secret: str
    example: ClassVar[dict[str, Any]] = {"secret": "whsec_…"}


class Delivery(Shown):
    """An event on its way to an endpoint."""

    id: int
    kind: str
    key: str = Field(description="The receiver's `webhook-id`")
    state: str = Field(description="pending, delivered or failed")
    attempts: int
    last_status: int | None
    last_error: str | None
    duration_ms: float | None
    created_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "id": 815,
        "kind": "message.received",
        "key": "msg_2f1f4f0a9b21",
        "state": "delivered",
        "attempts": 1,
        "last_status": 200,
        "last_error": None,
        "duration_ms": 84.2,
        "created_at": A_TIME,
    }


def webhooks_api_router(api: Api, once: Once, hooks: OutgoingWebhooks) -> APIRouter:
    """List, create, change, remove, rotate, test; deliveries and their replay."""
    router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])
    reads, writes = Depends(api.caller(Right.WEBHOOKS_READ)), Depends(api.caller(Right.WEBHOOKS_WRITE))

    async def one(caller: ApiCaller, endpoint_id: UUID) -> dict[str, Any]:
        endpoint, _ = await hooks.log(caller.tenant_id, endpoint_id, limit=1)
        listed = {row["id"]: row for row in await hooks.all(caller.tenant_id)}
        return dict(listed.get(endpoint_id) or {**endpoint, "waiting": 0, "failed": 0})

    @router.get("", **operation(listing("webhooks", Endpoint)))
    async def list_all(
        request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """The endpoints, oldest first."""
        page = paged(await hooks.all(caller.tenant_id), cursor, limit)
        return shown_page(request, "webhooks", Endpoint, page)

    @router.post("", **operation(Endpoint, NewEndpoint, status=201, key="honoured", refusals=[409], versioned=True))
    async def create(request: Request, caller: ApiCaller = writes) -> Response:
        """A new endpoint, which gets what happens from now on. Its `secret` is shown this once."""
        body = await body_of(api, request, NewEndpoint)

        async def act() -> Answered:
            new = await hooks.add(
                caller.tenant_id, body.url, body.kinds, description=body.description, actor=caller.actor
            )
            found, place = await one(caller, new.id), f"/api/v1/webhooks/{new.id}"
            version = endpoint_version(found)
            return made(Endpoint, found, version=version, location=place, secret=new.secret)

        return await once(request, caller, act)

    async def told(caller: ApiCaller, endpoint_id: UUID) -> Response:
        found = await one(caller, endpoint_id)
        return shown(Endpoint, found, etag=etag(endpoint_version(found)))

    @router.get("/{endpoint_id}", **operation(Endpoint, refusals=[404], versioned=True))
    async def get(endpoint_id: UUID, caller: ApiCaller = reads) -> Response:
        """One endpoint. The ETag is that of what can be changed, and of its state."""
        return await told(caller, endpoint_id)

    @router.patch(
        "/{endpoint_id}", **operation(Endpoint, EndpointChange, refusals=[404], versioned=True, based_on="digest")
    )
    async def change(request: Request, endpoint_id: UUID, caller: ApiCaller = writes) -> Response:
        """Another address, other events, switched off or on again: all of it, or nothing."""
        version, body = wanted_tag(request), await body_of(api, request, EndpointChange)
        wish = EndpointWish(**body.model_dump())
        await hooks.change(caller.tenant_id, endpoint_id, wish, version=version, actor=caller.actor)
        return await told(caller, endpoint_id)

    @router.delete("/{endpoint_id}", **operation(status=204, refusals=[404], based_on="digest"))
    async def remove(request: Request, endpoint_id: UUID, caller: ApiCaller = writes) -> Response:
        """Forget an endpoint and its log."""
        await hooks.remove(caller.tenant_id, endpoint_id, version=wanted_tag(request), actor=caller.actor)
        return Response(status_code=204)

    @router.post("/{endpoint_id}/rotate", **operation(Secret, status=201, refusals=[404]))
    async def rotate(endpoint_id: UUID, caller: ApiCaller = writes) -> Response:
        """A new secret, shown this once; the last one signs beside it for 24 hours."""
        return shown(Secret, {"secret": await hooks.rotate(caller.tenant_id, endpoint_id, actor=caller.actor)}, 201)

    @router.post("/{endpoint_id}/test", **operation(status=204, key="honoured", refusals=[404, 409]))
    async def test(request: Request, endpoint_id: UUID, caller: ApiCaller = writes) -> Response:
        """Post a `webhook.test` there."""

        async def act() -> Answered:
            await hooks.test(caller.tenant_id, endpoint_id)
            return DONE

        return await once(request, caller, act)

    @router.get("/{endpoint_id}/deliveries", **operation(listing("deliveries", Delivery), refusals=[404]))
    async def deliveries(
        request: Request, endpoint_id: UUID, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """An endpoint's deliveries, the newest first."""
        (before,) = place_in(cursor, int) or (None,)
        _, found = await hooks.log(caller.tenant_id, endpoint_id, before=before, limit=limit)
        page = paged(found, None, limit, more=len(found) == limit, key="id")
        return shown_page(request, "deliveries", Delivery, page)

    @router.post(
        "/{endpoint_id}/deliveries/{delivery_id}/replay",
        **operation(status=204, key="honoured", refusals=[404, 409]),
    )
    async def replay(
        request: Request, endpoint_id: UUID, delivery_id: DeliveryId, caller: ApiCaller = writes
    ) -> Response:
        """Send a delivery once more, under its old id."""

        async def act() -> Answered:
            await hooks.log(caller.tenant_id, endpoint_id, limit=1)
            await hooks.replay(caller.tenant_id, delivery_id)
            return DONE

        return await once(request, caller, act)

    return router
