"""``/api/v1/leads`` and ``/api/v1/tasks``: who may buy, and what is to be done for whom."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, Field
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.contacts import Contacts
from flows.idempotency import Answered
from flows.leads import Leads
from flows.pages import Page, cursor_of, place_in
from flows.tasks import Tasks
from store.contact_records import ContactFilter
from web.api import Api, etag, wanted_version
from web.api_contacts import Contact
from web.api_conversation_acts import actor_of
from web.api_schema import (
    AN_ID,
    Asked,
    Cursor,
    Limit,
    Once,
    Shown,
    Words,
    body_of,
    listing,
    made,
    operation,
    shown,
    shown_page,
)

LeadStatus = Literal["new", "qualified", "won", "lost"]


class LeadChange(Asked):
    """What is not named stays."""

    status: LeadStatus | None = None
    score: Annotated[int, Field(ge=0, le=100)] | None = None
    example: ClassVar[dict[str, Any]] = {"status": "qualified", "score": 60}


class Task(Shown):
    """Something to be done for a contact."""

    id: UUID
    title: str
    contact_id: UUID
    contact: str
    conversation_id: UUID | None
    assignee_id: UUID | None
    assignee: str
    due_at: datetime | None
    done_at: datetime | None
    overdue: bool
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "title": "Ligar sobre a troca",
        "contact_id": AN_ID,
        "contact": "Bruno Lima",
        "conversation_id": None,
        "assignee_id": None,
        "assignee": "",
        "due_at": "2026-12-24T12:00:00Z",
        "done_at": None,
        "overdue": False,
    }


class NewTask(Asked):
    """For whom, what, by when, and who does it."""

    contact_id: UUID
    title: Annotated[str, Field(min_length=1, max_length=200)]
    due_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    assignee_id: UUID | None = None
    conversation_id: UUID | None = None
    example: ClassVar[dict[str, Any]] = {"contact_id": AN_ID, "title": "Ligar", "due_at": "2026-12-24T12:00:00Z"}


class NewTaskId(Shown):
    """The task that was made."""

    id: UUID
    example: ClassVar[dict[str, Any]] = {"id": AN_ID}


class TaskChange(Asked):
    """What is not named stays."""

    done: bool | None = None
    due_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    example: ClassVar[dict[str, Any]] = {"done": True}


def leads_router(api: Api, contacts: Contacts, leads: Leads) -> APIRouter:
    """List, change."""
    router = APIRouter(prefix="/api/v1/leads", tags=["leads"])
    reads, writes = Depends(api.caller(Right.CONTACTS_READ)), Depends(api.caller(Right.CONTACTS_WRITE))

    @router.get("", **operation(listing("leads", Contact)))
    async def list_all(
        *,
        request: Request,
        status: LeadStatus | None = None,
        search: Words = None,
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = reads,
    ) -> Response:
        """Contacts that are leads, the newest first."""
        wanted = ContactFilter(search=search, lead_status=status, leads=True)
        page = await contacts.page(caller.tenant_id, wanted, cursor=cursor, limit=limit)
        return shown_page(request, "leads", Contact, page)

    @router.patch("/{contact_id}", **operation(Contact, LeadChange, refusals=[404], versioned=True, based_on="counter"))
    async def change(request: Request, contact_id: UUID, caller: ApiCaller = writes) -> Response:
        """Another status or score of a lead; If-Match is the contact's version."""
        wanted, body = wanted_version(request), await body_of(api, request, LeadChange)
        before = await contacts.get(caller.tenant_id, contact_id)
        await leads.change(
            actor_of(caller),
            contact_id,
            status=body.status or before.lead_status or "",
            score=str(before.lead_score if body.score is None else body.score),
            version=before.version if wanted is None else wanted,
        )
        found = await contacts.get(caller.tenant_id, contact_id)
        return shown(Contact, found, etag=etag(found.version))

    return router


def tasks_router(api: Api, once: Once, tasks: Tasks) -> APIRouter:
    """List, create, change."""
    router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])
    reads, writes = Depends(api.caller(Right.CONTACTS_READ)), Depends(api.caller(Right.CONTACTS_WRITE))

    @router.get("", **operation(listing("tasks", Task)))
    async def list_all(
        *,
        request: Request,
        view: Literal["open", "overdue", "done"] = "open",
        mine: bool = False,
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = reads,
    ) -> Response:
        """Tasks, the most pressing first (of done ones the newest). `mine`: of the person who calls."""
        (skip,) = place_in(cursor, int) or (0,)
        found = await tasks.page(
            actor_of(caller), whose="mine" if mine else "team", view=view, skip=skip, at_most=limit
        )
        page = Page(found.tasks, cursor_of([found.next]) if found.next is not None else None)
        return shown_page(request, "tasks", Task, page, lambda row: {**row, "overdue": bool(row["overdue"])})

    @router.post("", **operation(NewTaskId, NewTask, status=201, key="honoured", refusals=[404]))
    async def create(request: Request, caller: ApiCaller = writes) -> Response:
        """A new task."""
        body = await body_of(api, request, NewTask)

        async def act() -> Answered:
            new = await tasks.create(
                actor_of(caller),
                contact_id=body.contact_id,
                title=body.title,
                due=body.due_at.isoformat() if body.due_at else "",
                assignee_id=body.assignee_id,
                conversation_id=body.conversation_id,
            )
            return made(NewTaskId, {"id": new})

        return await once(request, caller, act)

    @router.patch("/{task_id}", **operation(status=204, asks=TaskChange, refusals=[404]))
    async def change(request: Request, task_id: UUID, caller: ApiCaller = writes) -> Response:
        """Done, or to be done after all; due at another time."""
        body = await body_of(api, request, TaskChange)
        if body.due_at is not None:
            await tasks.postpone(actor_of(caller), task_id, body.due_at.isoformat())
        if body.done is not None:
            await tasks.finish(actor_of(caller), task_id, done=body.done)
        return Response(status_code=204)

    return router
