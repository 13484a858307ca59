"""``/api/v1/api-keys``: keys of the tenant's programs. Who makes one gives no more than it has itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.api_keys import ApiCaller, ApiKeys
from flows.idempotency import Answered
from web.api import Api
from web.api_errors import ScopeMissingError
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
    shown_page,
)


class ApiKey(Shown):
    """A key. Only a digest of it is kept."""

    id: UUID
    name: str
    hint: str = Field(description="How it begins")
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute")
    revoked_at: datetime | None
    token: str | None = Field(None, description="The key itself: shown once, when it is made")
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "name": "crm",
        "hint": "atende_Xk3f9",
        "scopes": ["contacts:read"],
        "created_at": A_TIME,
        "expires_at": None,
        "last_used_at": A_TIME,
        "revoked_at": None,
        "token": None,
    }


class NewApiKey(Asked):
    """What the key is for, what it may do, and for how long."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    scopes: Annotated[list[Annotated[str, Field(max_length=60)]], Field(min_length=1, max_length=60)]
    days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(None, description="null: until it is revoked")
    example: ClassVar[dict[str, Any]] = {"name": "crm", "scopes": ["contacts:read"], "days": 365}


def api_keys_router(api: Api, once: Once, keys: ApiKeys) -> APIRouter:
    """List, create, revoke."""
    router = APIRouter(prefix="/api/v1/api-keys", tags=["api keys"])
    writes = Depends(api.caller(Right.API_KEYS_WRITE))

    @router.get("", **operation(listing("api_keys", ApiKey)))
    async def list_all(
        request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = writes
    ) -> Response:
        """The keys with their last use, the newest first."""
        page = paged(await keys.all(caller.tenant_id), cursor, limit)
        return shown_page(request, "api_keys", ApiKey, page)

    @router.post("", **operation(ApiKey, NewApiKey, status=201, key="honoured", refusals=[409]))
    async def create(request: Request, caller: ApiCaller = writes) -> Response:
        """A new key, with no scope that the caller lacks. Its `token` is shown this once, not in a repeated answer."""
        body = await body_of(api, request, NewApiKey)
        for scope in body.scopes:
            if scope not in caller.scopes and scope in set(Right):
                raise ScopeMissingError(scope)

        async def act() -> Answered:
            new = await keys.create(caller.tenant_id, body.name, body.scopes, days=body.days, actor=caller.actor)
            row = next(row for row in await keys.all(caller.tenant_id) if row["id"] == new.id)
            return made(ApiKey, row, token=new.token)

        return await once(request, caller, act)

    @router.delete("/{key_id}", **operation(status=204, refusals=[404]))
    async def revoke(key_id: UUID, caller: ApiCaller = writes) -> Response:
        """Refuse the key from now on."""
        await keys.revoke(caller.tenant_id, str(key_id), actor=caller.actor)
        return Response(status_code=204)

    return router
