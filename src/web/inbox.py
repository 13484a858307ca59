"""The inbox: its pages, and the fragments that keep them current."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flows.traces import explain
from store import inbox, thread
from store.database import Connection
from web.access import CurrentVisitor, Visitor
from web.pages import pages
from web.services import services
from web.timeline import timeline

router = APIRouter(prefix="/inbox")
PAGE = 50
MESSAGES = 60
MESSAGES_AT_MOST = 1_000
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@router.get("")
async def show_inbox(request: Request, visitor: CurrentVisitor, view: inbox.View = "open") -> Response:
    return await inbox_page(request, visitor, view)


class ListQuery(BaseModel):
    """Which lines of the list are wanted; ``before`` and ``before_id`` name the last one already shown."""

    view: inbox.View = "open"
    base: Literal["/inbox", "/demo"] = "/inbox"
    selected: UUID | None = None
    before: datetime | None = None
    before_id: UUID | None = None


@router.get("/list")
async def show_list(request: Request, visitor: CurrentVisitor, wanted: Annotated[ListQuery, Query()]) -> Response:
    """The list's lines, as a whole or the ones that follow."""
    page = (wanted.before, wanted.before_id) if wanted.before and wanted.before_id else None
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        context = await _list_context(tx, visitor, wanted.view, before=page)
    template = "inbox/rows.html" if page else "inbox/list.html"
    return pages(request).render(request, template, base=wanted.base, selected=wanted.selected, **context)


@router.get("/{conversation_id}")
async def show_conversation(
    request: Request, visitor: CurrentVisitor, conversation_id: UUID, view: inbox.View = "open"
) -> Response:
    return await inbox_page(request, visitor, view, conversation_id)


@router.get("/{conversation_id}/live")
async def show_live(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
    """The parts of an open conversation that change."""
    return await live_fragment(request, visitor, conversation_id)


@router.get("/{conversation_id}/messages")
async def show_older(request: Request, visitor: CurrentVisitor, conversation_id: UUID, before: int) -> Response:
    """The messages before the oldest one shown."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        space = await inbox.workspace(tx)
        head = await thread.head(tx, conversation_id)
        zone = ZoneInfo(space.timezone)
        entries, older = await _timeline(tx, conversation_id, zone, before=before)
    return pages(request).render(request, "inbox/older.html", head=head, entries=entries, older=older, zone=zone)


@router.get("/{conversation_id}/turns/{turn_id}")
async def show_turn(request: Request, visitor: CurrentVisitor, conversation_id: UUID, turn_id: UUID) -> Response:
    """Why the assistant did what it did, in one turn, for those who read the conversation anyway."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        space = await inbox.workspace(tx)
        why = await explain(tx, turn_id, conversation_id=conversation_id, reveal=True)
    return pages(request).render(request, "inbox/why.html", why=why, zone=ZoneInfo(space.timezone))


@router.get("/{conversation_id}/turns/{turn_id}/trace")
async def give_trace(
    request: Request, visitor: CurrentVisitor, conversation_id: UUID, turn_id: UUID, *, reveal: bool = False
) -> Response:
    """The same as JSON, to be kept elsewhere: personal data are masked unless ``reveal``."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        return JSONResponse(await explain(tx, turn_id, conversation_id=conversation_id, reveal=reveal))


async def inbox_page(
    request: Request,
    visitor: Visitor,
    view: inbox.View,
    conversation_id: UUID | None = None,
    *,
    base: str = "/inbox",
    **more: Any,
) -> Response:
    """The whole page, or for htmx just the conversation's pane. ``base`` is the address that the links stay under."""
    last_event = request.app.state.feed.cursor  # before reading: what comes later is told by the websocket
    pane_only = request.headers.get("hx-target") == "pane"
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        context = await _list_context(tx, visitor, view)
        if conversation_id is not None:
            context |= await conversation_context(tx, visitor, conversation_id)
    return pages(request).render(
        request,
        "inbox/pane.html" if pane_only else "inbox/page.html",
        base=base,
        selected=conversation_id,
        last_event=last_event,
        **context,
        **more,
    )


async def live_fragment(request: Request, visitor: Visitor, conversation_id: UUID) -> Response:
    """Thread, cards, header and details of a conversation, each to be put in its place."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        context = await conversation_context(tx, visitor, conversation_id, since=_first_shown(request))
    return pages(request).render(request, "inbox/live.html", **context)


async def conversation_context(
    tx: Connection, visitor: Visitor, conversation_id: UUID, *, since: int | None = None
) -> dict[str, Any]:
    """What the conversation's templates need, with the messages from id ``since`` on; raises NotFoundError."""
    zone = ZoneInfo((await inbox.workspace(tx)).timezone)
    head = await thread.head(tx, conversation_id)
    entries, older = await _timeline(tx, conversation_id, zone, since=since)
    return {
        "head": head,
        "entries": entries,
        "older": older,
        "suggestion": await thread.pending_suggestion(tx, conversation_id),
        "approvals": await thread.pending_approvals(tx, conversation_id),
        "handoff": await thread.open_handoff(tx, conversation_id),
        "turn": await thread.last_turn(tx, conversation_id),
        "zone": zone,
        "mine": head.assignee_id == visitor.user_id,
    }


async def _timeline(
    tx: Connection, conversation_id: UUID, zone: ZoneInfo, *, before: int | None = None, since: int | None = None
) -> tuple[list[Any], int | None]:
    """The entries to show, and the id before which there are older messages (None: these are the first).

    ``since`` is the oldest message that the page already shows: a refresh must not let it fall out of the window.
    """
    limit = MESSAGES if since is None else MESSAGES_AT_MOST
    found = await thread.messages(tx, conversation_id, before=before, since=since, limit=limit + 1)
    shown = found[-limit:]
    older = shown[0].id if len(found) > limit else None
    has_start = not older and since is None
    lines = await thread.system_lines(
        tx,
        conversation_id,
        since=_BEGINNING if has_start or not shown else shown[0].sent_at,
        until=await thread.sent_at(tx, conversation_id, before) if before is not None else None,
    )
    return timeline(shown, lines, zone), older


def _first_shown(request: Request) -> int | None:
    value = request.headers.get("x-first-message", "")
    return int(value) if value.isdecimal() and len(value) < 19 else None


async def _list_context(
    tx: Connection, visitor: Visitor, view: inbox.View, *, before: tuple[datetime, UUID] | None = None
) -> dict[str, Any]:
    rows = await inbox.conversations(tx, view, visitor.user_id, before=before, limit=PAGE + 1)
    space = await inbox.workspace(tx)
    return {
        "view": view,
        "rows": rows[:PAGE],
        "more": len(rows) > PAGE,
        "counts": await inbox.counts(tx, visitor.user_id) if before is None else None,
        "zone": ZoneInfo(space.timezone),
        "workspace": space,
    }
