"""The inbox: its pages, and the fragments that keep them current."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.roles import Right
from flows.traces import explain
from store import functions, inbox, notes, queues, suggestions, thread
from store.database import Connection
from store.thread_changes import first_changed
from web.access import CurrentVisitor, Visitor, needs
from web.inbox_list import ListQuery, WantedList, list_context, people
from web.pages import pages
from web.services import services
from web.timeline import timeline

router = APIRouter(prefix="/inbox", dependencies=[needs(Right.CONVERSATIONS_READ)])
MESSAGES = 60
MESSAGES_AT_MOST = 1_000
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@router.get("")
async def show_inbox(request: Request, visitor: CurrentVisitor, wanted: WantedList) -> Response:
    return await inbox_page(request, visitor, wanted)


@router.get("/{conversation_id}")
async def show_conversation(
    request: Request, visitor: CurrentVisitor, conversation_id: UUID, wanted: WantedList
) -> Response:
    return await inbox_page(request, visitor, wanted, conversation_id)


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
        has_model = await _has_model(request, tx)
    context: dict[str, Any] = {"head": head, "entries": entries, "older": older, "zone": zone, "has_model": has_model}
    return pages(request).render(request, "inbox/older.html", **context)


@router.get("/{conversation_id}/turns/{turn_id}", dependencies=[needs(Right.TRACES_READ)])
async def show_turn(request: Request, visitor: CurrentVisitor, conversation_id: UUID, turn_id: UUID) -> Response:
    """Why the assistant did what it did, in one turn, for those who read the conversation anyway."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        space = await inbox.workspace(tx)
        why = await explain(tx, turn_id, conversation_id=conversation_id, reveal=True)
    return pages(request).render(request, "inbox/why.html", why=why, zone=ZoneInfo(space.timezone))


@router.get("/{conversation_id}/turns/{turn_id}/trace", dependencies=[needs(Right.TRACES_READ)])
async def give_trace(
    request: Request, visitor: CurrentVisitor, conversation_id: UUID, turn_id: UUID, *, reveal: bool = False
) -> Response:
    """The same as JSON, to be kept elsewhere: personal data are masked unless ``reveal``."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        return JSONResponse(await explain(tx, turn_id, conversation_id=conversation_id, reveal=reveal))


async def inbox_page(
    request: Request,
    visitor: Visitor,
    wanted: ListQuery,
    conversation_id: UUID | None = None,
    **more: Any,
) -> Response:
    """The whole page, or for htmx just the conversation's pane."""
    last_event = request.app.state.feed.cursor  # before reading: what comes later is told by the websocket
    pane_only = request.headers.get("hx-target") == "pane"
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        shown = wanted.model_copy(update={"selected": conversation_id})
        context: dict[str, Any] = {"selected": conversation_id} if pane_only else await list_context(tx, visitor, shown)
        if conversation_id is not None:
            context |= await conversation_context(tx, visitor, conversation_id)
            context["has_model"] = await _has_model(request, tx)
    return pages(request).render(
        request,
        "inbox/pane.html" if pane_only else "inbox/page.html",
        last_event=last_event,
        **context,
        **more,
    )


async def live_fragment(request: Request, visitor: Visitor, conversation_id: UUID) -> Response:
    """Thread, cards, header and details of a conversation, each to be put in its place."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        shown, told = _number(request, "x-first-message"), _number(request, "x-told")
        changed = None
        if shown is not None and told is not None:
            changed = await first_changed(tx, conversation_id, told=told, since=shown)
        context = await conversation_context(tx, visitor, conversation_id, since=changed or shown)
        context["is_end"] = changed is not None
        context["withdrawn"] = await _withdrawn(tx, visitor, request, conversation_id)
        context["has_model"] = await _has_model(request, tx)
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
        "suggestion": await _offered(tx, conversation_id),
        "approvals": await thread.pending_approvals(tx, conversation_id),
        "handoff": await thread.open_handoff(tx, conversation_id),
        "turn": await thread.last_turn(tx, conversation_id),
        "zone": zone,
        "mine": head.assignee_id == visitor.user_id,
        "tasks": await notes.tasks(tx, head.contact_id),
        "people": await people(tx),
        "teams": await tx.fetch("SELECT id, name FROM team ORDER BY name"),
        "all_labels": await queues.labels(tx),
        "functions": [row for row in await functions.every(tx) if row.enabled]
        if visitor.may(Right.MESSAGES_WRITE)
        else [],
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
    # From the beginning, where nothing older is left.
    first = shown[0].sent_at if shown and (older or since is not None) else _BEGINNING
    until = await thread.sent_at(tx, conversation_id, before) if before is not None else None
    lines = await thread.system_lines(tx, conversation_id, since=first, until=until)
    found_notes = await notes.notes(tx, conversation_id, since=first, until=until)
    return timeline(shown, lines, zone, found_notes), older


def _number(request: Request, header: str) -> int | None:
    value = request.headers.get(header, "")
    return int(value) if value.isdecimal() and len(value) < 19 else None


async def _has_model(request: Request, tx: Connection) -> bool:
    """Whether the page offers what a language model does."""
    writing = services(request).writing
    return writing is not None and await writing.has_model(tx)


async def _offered(tx: Connection, conversation_id: UUID) -> thread.PendingSuggestion | None:
    """The suggestion that may be sent: one that something newer overtook waits for the next turn to replace it."""
    found = await thread.pending_suggestion(tx, conversation_id)
    return found if found is not None and found.is_current else None


async def _withdrawn(
    tx: Connection, visitor: Visitor, request: Request, conversation_id: UUID
) -> suggestions.Withdrawn | None:
    """What became of the suggestion that the page shows, unless it was this very person's doing."""
    try:
        shown = UUID(request.headers.get("x-suggestion", ""))
    except ValueError:
        return None
    found = await suggestions.withdrawn(tx, conversation_id, shown)
    return None if found is None or found.who_id == visitor.user_id else found
