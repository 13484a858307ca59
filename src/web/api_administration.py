"""``/api/v1/audit``, ``notifications``, ``secrets``, ``invitations``: what administrators do on their pages."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import NotFoundError
from domain.roles import Right
from flows.absence import Absence
from flows.api_keys import ApiCaller
from flows.audit import AuditFilter, AuditTrail
from flows.functions_desk import FunctionDesk
from flows.idempotency import Answered
from flows.notifications import Notifications
from flows.pages import Page, cursor_of, place_in
from flows.team_people import TeamPeople
from web.api import Api
from web.api_conversation_acts import actor_of, person_for
from web.api_people import Invitation
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

_LAST_ID = 2**63 - 1


class AuditChange(Shown):
    """A field before and after."""

    field: str
    before: Any
    after: Any


class AuditEntry(Shown):
    """Something that somebody changed, or a sign-in."""

    id: int
    kind: str
    actor: str
    person: str = Field(description="The name behind `actor`, if it is somebody of this business")
    at: datetime
    changes: list[AuditChange]
    facts: dict[str, Any] = Field(description="What it was about")
    example: ClassVar[dict[str, Any]] = {
        "id": 4711,
        "kind": "policy.changed",
        "actor": f"user:{AN_ID}",
        "person": "Ana",
        "at": A_TIME,
        "changes": [{"field": "mode", "before": None, "after": "off"}],
        "facts": {"intent": "hours"},
    }


class Notification(Shown):
    """What one person is told, kept until read."""

    id: int
    kind: str
    conversation_id: UUID | None
    contact: str
    payload: dict[str, Any]
    created_at: datetime
    read_at: datetime | None
    example: ClassVar[dict[str, Any]] = {
        "id": 17,
        "kind": "lead.created",
        "conversation_id": AN_ID,
        "contact": "Bruno Lima",
        "payload": {},
        "created_at": A_TIME,
        "read_at": None,
    }


class SecretName(Shown):
    """A key of the business's own system, kept sealed and never shown."""

    name: str
    example: ClassVar[dict[str, Any]] = {"name": "erp.example.com/bearer"}


class SecretValue(Asked):
    """The key itself."""

    value: Annotated[str, Field(min_length=1, max_length=4000)]
    example: ClassVar[dict[str, Any]] = {"value": "sk-…"}


class OpenLink(Shown):
    """A one-time link that may still be used. Its token was shown when it was made."""

    id: UUID
    email: str
    name: str
    role: str
    user_id: UUID | None = Field(description="Of a link for a new password: whose")
    expires_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "email": "ana@shop.example",
        "name": "Ana",
        "role": "operator",
        "user_id": None,
        "expires_at": A_TIME,
    }


class Away(Asked):
    """Whether the person is away from work."""

    away: bool
    example: ClassVar[dict[str, Any]] = {"away": True}


class Returned(Shown):
    """How many conversations went back to the queue."""

    conversations: int
    example: ClassVar[dict[str, Any]] = {"conversations": 3}


def audit_api_router(api: Api, audit: AuditTrail) -> APIRouter:
    """Who did what."""
    router = APIRouter(prefix="/api/v1/audit", tags=["audit"])
    reads = Depends(api.caller(Right.AUDIT_READ))

    @router.get("", **operation(listing("entries", AuditEntry)))
    async def entries(
        *,
        request: Request,
        family: Annotated[str, Query(max_length=40, description="What stands before the dot of a kind")] = "",
        actor: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")] = "",
        since: Annotated[date | None, Query(description="The first day, in the business's own time")] = None,
        until: Annotated[date | None, Query(description="The last day")] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = reads,
    ) -> Response:
        """What people and programs changed, before and after, and who signed in; the newest first."""
        (before,) = place_in(cursor, int) or (None,)
        wanted = AuditFilter(family, actor, since, until)
        found = await audit.page(caller.tenant_id, wanted, before=before, at_most=limit, readable=False)
        page = Page(list(found.entries), cursor_of([found.next]) if found.next else None)
        return shown_page(request, "entries", AuditEntry, page)

    return router


def notifications_api_router(api: Api, notifications: Notifications) -> APIRouter:
    """A person's own: an API key is nobody in particular."""
    router = APIRouter(prefix="/api/v1/notifications", tags=["notifications"])
    mine = Depends(api.caller(Right.CONVERSATIONS_READ))

    @router.get("", **operation(listing("notifications", Notification)))
    async def list_all(
        *, request: Request, unread: bool = False, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = mine
    ) -> Response:
        """What the caller's person was told, the newest first. 422 for a key."""
        (before,) = place_in(cursor, int) or (None,)
        found = await notifications.page(
            caller.tenant_id, person_for(caller, None), before=before, only_unread=unread, at_most=limit + 1
        )
        page = paged(found[:limit], None, limit, more=len(found) > limit, key="id")
        return shown_page(request, "notifications", Notification, page)

    @router.post("/read", **operation(status=204))
    async def read_all(caller: ApiCaller = mine) -> Response:
        """All are read."""
        await notifications.read(caller.tenant_id, person_for(caller, None))
        return Response(status_code=204)

    @router.post("/{notification_id}/read", **operation(status=204, refusals=[404]))
    async def read(notification_id: int, caller: ApiCaller = mine) -> Response:
        """One is read."""
        person = caller.user_id  # a key has none of its own
        known = person is not None and 0 < notification_id <= _LAST_ID
        if person is None or not known or not await notifications.exists(caller.tenant_id, person, notification_id):
            raise NotFoundError("notification", notification_id)
        await notifications.read(caller.tenant_id, person, [notification_id])
        return Response(status_code=204)

    return router


def secrets_api_router(api: Api, desk: FunctionDesk) -> APIRouter:
    """Keys that business functions send to the business's own systems."""
    router = APIRouter(prefix="/api/v1/secrets", tags=["functions"])
    reads, writes = Depends(api.caller(Right.FUNCTIONS_READ)), Depends(api.caller(Right.FUNCTIONS_WRITE))

    @router.get("", **operation(listing("secrets", SecretName)))
    async def names(request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads) -> Response:
        """The names of the keys that are kept; never a key."""
        kept = (await desk.all(caller.tenant_id))[1]
        return shown_page(request, "secrets", SecretName, paged([{"name": one} for one in kept], cursor, limit))

    @router.put("/{name:path}", **operation(asks=SecretValue, status=204))
    async def put(request: Request, name: str, caller: ApiCaller = writes) -> Response:
        """Keep a key under the name that a function's `missing_secrets` tells; it replaces an earlier one."""
        body = await body_of(api, request, SecretValue)
        await desk.set_secret(caller.tenant_id, name, body.value, actor=caller.actor)
        return Response(status_code=204)

    @router.delete("/{name:path}", **operation(status=204, refusals=[404]))
    async def remove(name: str, caller: ApiCaller = writes) -> Response:
        """Forget a key."""
        await desk.remove_secret(caller.tenant_id, name, actor=caller.actor)
        return Response(status_code=204)

    return router


def links_api_router(api: Api, once: Once, people: TeamPeople, absence: Absence) -> APIRouter:
    """One-time links, and who is away."""
    router = APIRouter(prefix="/api/v1", tags=["users"])
    reads, writes = Depends(api.caller(Right.USERS_READ)), Depends(api.caller(Right.USERS_WRITE))
    supervises = Depends(api.caller(Right.SUPERVISION))

    @router.get("/invitations", **operation(listing("invitations", OpenLink)))
    async def links(request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads) -> Response:
        """Links that may still be used, the newest first."""
        return shown_page(request, "invitations", OpenLink, paged(await people.links(caller.tenant_id), cursor, limit))

    @router.delete("/invitations/{link_id}", **operation(status=204, refusals=[404]))
    async def take_back(link_id: UUID, caller: ApiCaller = writes) -> Response:
        """The link works no more."""
        await people.take_back(actor_of(caller), link_id)
        return Response(status_code=204)

    @router.post("/users/{user_id}/password-link", **operation(Invitation, status=201, key="honoured", refusals=[404]))
    async def password_link(request: Request, user_id: UUID, caller: ApiCaller = writes) -> Response:
        """A one-time link with which the person sets a new password, shown this once. Only for who works for this
        business alone."""

        async def act() -> Answered:
            link = await people.password_link(actor_of(caller), user_id)
            return made(Invitation, {"id": link.id, "email": link.email}, token=link.token)

        return await once(request, caller, act)

    @router.put("/users/{user_id}/away", **operation(Returned, Away, refusals=[404]))
    async def away(request: Request, user_id: UUID, caller: ApiCaller = supervises) -> Response:
        """Away from work: what the person holds goes back to the queue; or back again."""
        body, actor = await body_of(api, request, Away), actor_of(caller)
        colleague = await absence.colleague(actor, user_id)
        if body.away:
            return shown(Returned, {"conversations": await absence.go_away(colleague, by=actor)})
        await absence.come_back(colleague, by=actor)
        return shown(Returned, {"conversations": 0})

    return router
