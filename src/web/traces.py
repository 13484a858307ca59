"""Why the assistant did what it did, turn by turn, for those who work on it: personal data masked for good."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.roles import Right
from flows.trace_list import anonymous, recent
from store import inbox, trace_list
from web.access import Visitor, needs
from web.pages import pages
from web.services import services

router = APIRouter(prefix="/traces")
Reader = Annotated[Visitor, needs(Right.TRACES_READ)]


class TraceQuery(BaseModel):
    """Which turns are wanted; ``before`` and ``before_id`` name the last one already shown."""

    intent: Annotated[str, Query(max_length=200)] = ""
    decision: Literal["", "reply", "suggest", "ask_approval", "hand_off", "stay_silent"] = ""
    status: Literal["", "decided", "voided", "failed"] = ""
    number: UUID | Literal[""] = ""
    bundle: Annotated[str, Query(max_length=100)] = ""
    unsure: bool = False
    before: datetime | None = None
    before_id: UUID | None = None

    def rows(self) -> trace_list.Wanted:
        return trace_list.Wanted(
            self.intent, self.decision, self.status, self.number or None, self.bundle.strip(), self.unsure
        )


@router.get("")
async def show_traces(request: Request, visitor: Reader, wanted: Annotated[TraceQuery, Query()]) -> Response:
    """The latest turns; with ``before`` only the lines that follow."""
    page = (wanted.before, wanted.before_id) if wanted.before and wanted.before_id else None
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        lines, more = await recent(tx, wanted.rows(), services(request).access.secret, before=page)
        intents, numbers = await trace_list.choices(tx)
        zone = ZoneInfo((await inbox.workspace(tx)).timezone)
    kept = wanted.model_dump(exclude={"before", "before_id"}, exclude_defaults=True)
    return pages(request).render(
        request,
        "traces/rows.html" if page else "traces/page.html",
        lines=lines,
        more=more,
        wanted=wanted,
        filters=urlencode({name: str(value) for name, value in kept.items()}),
        intents=intents,
        numbers=numbers,
        zone=zone,
    )


@router.get("/{turn_id}")
async def show_trace(request: Request, visitor: Reader, turn_id: UUID) -> Response:
    """One turn's whole explanation."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        why = await anonymous(tx, turn_id, services(request).access.secret)
        zone = ZoneInfo((await inbox.workspace(tx)).timezone)
    return pages(request).render(request, "traces/trace.html", why=why, zone=zone)


@router.get("/{turn_id}/json")
async def give_trace(request: Request, visitor: Reader, turn_id: UUID) -> Response:
    """The same as JSON, to be kept elsewhere."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        return JSONResponse(await anonymous(tx, turn_id, services(request).access.secret))
