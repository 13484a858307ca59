"""``/api/v1/hours`` and ``/api/v1/canned-replies``: when people are there, and what they often say."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.canned import CannedReplies, Reply
from flows.idempotency import Answered
from flows.opening_hours import HoursForm, HoursView, OpeningHours
from web.api import Api, etag, wanted_tag, wanted_version
from web.api_conversation_acts import actor_of
from web.api_schema import (
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

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Span = Annotated[str, Field(pattern=r"^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$")]
Spans = Annotated[list[Span], Field(max_length=10)]
_HOURS: dict[str, Any] = {
    "timezone": "America/Sao_Paulo",
    "weekly": {"monday": ["09:00-12:00", "13:00-18:00"], "saturday": ["09:00-13:00"]},
    "dates": {"2026-12-24": ["09:00-12:00"], "2026-12-25": []},
    "holidays": {"country": "BR", "state": "SP", "optional": False},
    "messages": {},
}


class Holidays(Asked):
    """Public holidays to keep."""

    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    state: Annotated[str, Field(max_length=10)] | None = None
    optional: bool = False


class Hours(Shown):
    """When people are there."""

    timezone: str
    weekly: dict[Day, list[str]] = Field(description="A day that is not there is closed; none at all: always open")
    dates: dict[date, list[str]] = Field(description="Own dates; an empty list: closed")
    holidays: dict[str, Any] | None
    messages: dict[str, str] = Field(description="What is said outside of them, by language; else the usual words")
    opens: datetime | None = Field(description="When it opens next; null: it is open")
    next_holidays: list[date]
    example: ClassVar[dict[str, Any]] = {**_HOURS, "opens": None, "next_holidays": ["2026-12-25"]}


class NewHours(Asked):
    """All of it: what is not there is closed, and no holiday is kept."""

    timezone: Annotated[str, Field(min_length=1, max_length=60)]
    weekly: dict[Day, Spans] = Field(default_factory=dict)
    dates: Annotated[dict[date, Spans], Field(max_length=400, strict=False)] = Field(default_factory=dict)
    holidays: Holidays | None = None
    messages: dict[str, Annotated[str, Field(max_length=1000)]] | None = Field(None, description="pt, es, en")
    example: ClassVar[dict[str, Any]] = _HOURS


class CannedReply(Shown):
    """A text that operators insert by its shortcut; `{{contact.name}}` and the like are filled in."""

    id: UUID
    shortcut: str
    text: str
    shared: bool = Field(description="Everybody's; else the person's own")
    version: int
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "shortcut": "oi",
        "text": "Oi, {{contact.first_name}}! Em que posso ajudar?",
        "shared": True,
        "version": 1,
    }


class NewCannedReply(Asked):
    """Shared ones need `settings:write`; a program has no others."""

    shortcut: Annotated[str, Field(min_length=1, max_length=40)]
    text: Annotated[str, Field(min_length=1, max_length=4000)]
    example: ClassVar[dict[str, Any]] = {"shortcut": "oi", "text": "Oi, {{contact.first_name}}! Em que posso ajudar?"}


def hours_router(api: Api, hours: OpeningHours) -> APIRouter:
    """Read and put."""
    router = APIRouter(prefix="/api/v1/hours", tags=["settings"])
    reads, writes = Depends(api.caller(Right.SETTINGS_READ)), Depends(api.caller(Right.SETTINGS_WRITE))

    @router.get("", **operation(Hours, versioned=True))
    async def get(caller: ApiCaller = reads) -> Response:
        """Hours, own dates and holidays."""
        found = await hours.show(caller.tenant_id)
        return shown(Hours, _hours(found), etag=etag(found.version))

    @router.put("", **operation(Hours, NewHours, versioned=True, based_on="digest"))
    async def put(request: Request, caller: ApiCaller = writes) -> Response:
        """All of it anew; named hours of the tenant's files stay."""
        version, body = wanted_tag(request), await body_of(api, request, NewHours)
        form = HoursForm(
            timezone=body.timezone,
            weekly={day: ", ".join(spans) for day, spans in body.weekly.items()},
            dates="\n".join(f"{day.isoformat()} {', '.join(spans)}".strip() for day, spans in body.dates.items()),
            country=body.holidays.country if body.holidays else "",
            state=(body.holidays.state or "") if body.holidays else "",
            optional="all" if body.holidays and body.holidays.optional else "none",
            messages=dict(body.messages) if body.messages is not None else None,
        )
        await hours.change(caller.tenant_id, form, version=version, actor=caller.actor)
        found = await hours.show(caller.tenant_id)
        return shown(Hours, _hours(found), etag=etag(found.version))

    return router


def canned_router(api: Api, once: Once, canned: CannedReplies) -> APIRouter:
    """List, create, change, remove."""
    router = APIRouter(prefix="/api/v1/canned-replies", tags=["settings"])
    reads, writes = Depends(api.caller(Right.SETTINGS_READ)), Depends(api.caller(Right.SETTINGS_WRITE))

    @router.get("", **operation(listing("canned_replies", CannedReply)))
    async def list_all(
        request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """The shared ones and the caller's own, by shortcut."""
        page = paged(await canned.of(actor_of(caller)), cursor, limit)
        return shown_page(request, "canned_replies", CannedReply, page, _reply)

    @router.post(
        "", **operation(CannedReply, NewCannedReply, status=201, versioned=True, key="honoured", refusals=[409])
    )
    async def create(request: Request, caller: ApiCaller = writes) -> Response:
        """A new one, for everybody."""
        body = await body_of(api, request, NewCannedReply)

        async def act() -> Answered:
            new = await canned.create(actor_of(caller), body.shortcut, body.text, shared=True, shares=True)
            return made(CannedReply, _reply(new), version=new.version, location=f"/api/v1/canned-replies/{new.id}")

        return await once(request, caller, act)

    @router.get("/{reply_id}", **operation(CannedReply, refusals=[404], versioned=True))
    async def get(reply_id: UUID, caller: ApiCaller = reads) -> Response:
        """One of them."""
        found = await canned.one(actor_of(caller), reply_id)
        return shown(CannedReply, _reply(found), etag=etag(found.version))

    @router.put(
        "/{reply_id}", **operation(CannedReply, NewCannedReply, refusals=[404, 409], versioned=True, based_on="counter")
    )
    async def put(request: Request, reply_id: UUID, caller: ApiCaller = writes) -> Response:
        """Other words, or another shortcut."""
        body, version = await body_of(api, request, NewCannedReply), await _version(request, caller, reply_id)
        found = await canned.change(actor_of(caller), reply_id, body.shortcut, body.text, version=version, shares=True)
        return shown(CannedReply, _reply(found), etag=etag(found.version))

    @router.delete("/{reply_id}", **operation(status=204, refusals=[404, 409], based_on="counter"))
    async def remove(request: Request, reply_id: UUID, caller: ApiCaller = writes) -> Response:
        """Forget it."""
        version = await _version(request, caller, reply_id)
        await canned.remove(actor_of(caller), reply_id, version=version, shares=True)
        return Response(status_code=204)

    async def _version(request: Request, caller: ApiCaller, reply_id: UUID) -> int:
        wanted = wanted_version(request)
        return wanted if wanted is not None else (await canned.one(actor_of(caller), reply_id)).version

    return router


def _reply(found: Reply) -> dict[str, Any]:
    names = ("id", "shortcut", "text", "version")
    return {**{name: getattr(found, name) for name in names}, "shared": found.is_shared}


def _hours(view: HoursView) -> dict[str, Any]:
    declared = view.declared
    closed: dict[date, list[str]] = {day: [] for day in declared.closed_dates}
    special = {day: list(spans) for day, spans in declared.special_dates.items()}
    return {
        "timezone": view.timezone,
        "weekly": {day: list(spans) for day, spans in declared.weekly.items()},
        "dates": closed | special,
        "holidays": declared.holidays.model_dump(mode="json") if declared.holidays else None,
        "messages": dict(view.messages),
        "opens": view.opens,
        "next_holidays": list(view.holidays),
    }
