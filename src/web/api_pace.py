"""``/api/v1/sessions/{id}/pace``: how fast a number may send (docs/pace.md)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.number_pace import change_pace, pace_lines, pace_settings, pace_version
from store.database import Database
from web.api import Api, etag, wanted_tag
from web.api_schema import Asked, Shown, body_of, operation, shown

_Wish = Annotated[str, Field(max_length=200)] | None
_EXAMPLE: dict[str, Any] = {"messages_per_minute": "8", "burst": None}


class Pace(Shown):
    """What is set; null: what holds by itself for numbers of this kind."""

    messages_per_minute: str | None
    burst: str | None
    new_contacts_per_day: str | None
    warm_up: str | None
    warm_up_step_days: str | None
    first_contact_gap_seconds: str | None
    seconds_between_messages: str | None
    in_words: list[str] = Field(description="What holds now")
    example: ClassVar[dict[str, Any]] = {
        **dict.fromkeys(("new_contacts_per_day", "warm_up", "warm_up_step_days", "first_contact_gap_seconds")),
        "seconds_between_messages": None,
        **_EXAMPLE,
        "in_words": ["Messages: 8 a minute, up to 20 at once.", "New contacts: no limit."],
    }


class PaceChange(Asked):
    """What is not named stays; null takes back. docs/pace.md tells what each may be."""

    messages_per_minute: _Wish = None
    burst: _Wish = None
    new_contacts_per_day: _Wish = None
    warm_up: _Wish = None
    warm_up_step_days: _Wish = None
    first_contact_gap_seconds: _Wish = None
    seconds_between_messages: _Wish = None
    example: ClassVar[dict[str, Any]] = _EXAMPLE


def pace_router(api: Api, db: Database) -> APIRouter:
    """Read and change."""
    router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])
    reads, writes = Depends(api.caller(Right.SESSIONS_READ)), Depends(api.caller(Right.SESSIONS_WRITE))

    async def told(caller: ApiCaller, session_id: UUID) -> Response:
        found = await pace_settings(db, caller.tenant_id, session_id)
        lines = await pace_lines(db, caller.tenant_id, session_id)
        return shown(Pace, {**found, "in_words": lines}, etag=etag(pace_version(found)))

    @router.get("/{session_id}/pace", **operation(Pace, refusals=[404], versioned=True))
    async def get(session_id: UUID, caller: ApiCaller = reads) -> Response:
        """How fast the number may send: what is set, and what holds."""
        return await told(caller, session_id)

    @router.patch(
        "/{session_id}/pace", **operation(Pace, PaceChange, refusals=[404], versioned=True, based_on="digest")
    )
    async def change(request: Request, session_id: UUID, caller: ApiCaller = writes) -> Response:
        """Set or take back."""
        version, body = wanted_tag(request), await body_of(api, request, PaceChange)
        wishes = {name: value or "" for name, value in body.model_dump(exclude_unset=True).items()}
        await change_pace(db, caller.tenant_id, session_id, wishes, actor=caller.actor, version=version)
        return await told(caller, session_id)

    return router
