"""Pages of what there is to do and to know: notifications, leads, tasks, the audit trail."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, cast, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from domain.errors import NotFoundError
from domain.leads import BASE, POINTS, LeadStatus
from domain.roles import Right
from flows.audit import FAMILIES, AuditFilter, AuditTrail
from flows.leads import Board, LeadFilter, Leads
from flows.notifications import Notifications
from flows.refusals import RefusedError
from flows.tasks import Tasks, View, Whose
from store import inbox
from web.access import Visitor, needs
from web.admin_frame import answer, uuids
from web.pages import pages
from web.services import services

Worker = Annotated[Visitor, needs(Right.CONVERSATIONS_READ)]
LeadReader = Annotated[Visitor, needs(Right.CONTACTS_READ)]
LeadWriter = Annotated[Visitor, needs(Right.CONTACTS_WRITE)]
Auditor = Annotated[Visitor, needs(Right.AUDIT_READ)]
_PAGE = 50


def _lead_filter(source: str = "", words: str = "", least_score: str = "") -> LeadFilter:
    score = int(least_score) if least_score.isascii() and least_score.isdigit() and len(least_score) < 4 else 0
    return LeadFilter(source[:200].replace("\0", ""), words.strip()[:100].replace("\0", ""), min(score, 100))


def _audit_filter(family: str = "", actor: str = "", since: str = "", until: str = "") -> AuditFilter:
    return AuditFilter(family, actor[:200].replace("\0", ""), _day(since), _day(until))


def _day(text: str) -> date | None:
    """A day of a form; what is none counts as not given."""
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2200 else None


def _after(text: str) -> tuple[datetime, UUID]:
    at, _, last = text.partition("/")
    try:
        found = datetime.fromisoformat(at)
        return found if found.tzinfo else found.replace(tzinfo=UTC), UUID(last)
    except ValueError:
        raise NotFoundError("page after", text) from None


LeadQuery = Annotated[LeadFilter, Depends(_lead_filter)]
AuditQuery = Annotated[AuditFilter, Depends(_audit_filter)]


def notifications_router(notifications: Notifications) -> APIRouter:
    """What the visitor was told."""
    router = APIRouter(prefix="/notifications")

    @router.get("")
    async def show(request: Request, visitor: Worker, before: int | None = None, unread: bool = False) -> Response:
        return await _answer(request, visitor, before, unread)

    @router.get("/bell")
    async def bell(request: Request, visitor: Worker) -> Response:
        """How many are not read."""
        count = await notifications.unread(visitor.tenant_id, visitor.user_id)
        return pages(request).render(request, "admin/notifications/bell.html", unread=count)

    @router.post("/read")
    async def read_all(request: Request, visitor: Worker) -> Response:
        await notifications.read(visitor.tenant_id, visitor.user_id)
        return await _answer(request, visitor, None, False)

    @router.post("/{notification_id}/read")
    async def read_one(request: Request, visitor: Worker, notification_id: int) -> Response:
        if not 0 < notification_id < 2**63:
            raise NotFoundError("notification", notification_id)
        if not await notifications.exists(visitor.tenant_id, visitor.user_id, notification_id):
            raise NotFoundError("notification", notification_id)
        await notifications.read(visitor.tenant_id, visitor.user_id, [notification_id])
        return await _answer(request, visitor, None, False)

    async def _answer(request: Request, visitor: Visitor, before: int | None, unread: bool) -> Response:
        found = await notifications.page(
            visitor.tenant_id, visitor.user_id, before=before, only_unread=unread, at_most=_PAGE + 1
        )
        return answer(
            request,
            "notifications",
            found=found[:_PAGE],
            next=found[_PAGE - 1]["id"] if len(found) > _PAGE else None,
            only_unread=unread,
            count=await notifications.unread(visitor.tenant_id, visitor.user_id),
            zone=await _zone(request, visitor),
        )

    return router


def leads_router(leads: Leads) -> APIRouter:
    """Who wrote for the first time, by status."""
    router = APIRouter(prefix="/leads")

    @router.get("")
    async def show(request: Request, visitor: LeadReader, wanted: LeadQuery) -> Response:
        return await _answer(request, visitor, wanted, await leads.board(visitor.tenant_id, wanted))

    @router.get("/more")
    async def more(
        request: Request, visitor: LeadReader, wanted: LeadQuery, column: LeadStatus, after: str = ""
    ) -> Response:
        """The next cards of a column; ``after``: time and id of the last one shown."""
        found = await leads.more(visitor.tenant_id, column, wanted, _after(after))
        return pages(request).render(
            request,
            "admin/leads/cards.html",
            leads=found,
            column=column.value,
            wanted=wanted,
            statuses=list(LeadStatus),
            zone=await _zone(request, visitor),
            may_act=visitor.may(Right.CONTACTS_WRITE),
        )

    @router.post("/{contact_id}")
    async def change(
        request: Request, visitor: LeadWriter, contact_id: UUID, version: Annotated[int, Form()] = 0
    ) -> Response:
        form = await request.form()
        status, score = str(form.get("status", "")), str(form.get("score", ""))
        await leads.change(visitor.actor, contact_id, status=status, score=score, version=version)
        return await _answer(request, visitor, LeadFilter(), await leads.board(visitor.tenant_id, LeadFilter()))

    async def _answer(request: Request, visitor: Visitor, wanted: LeadFilter, board: Board) -> Response:
        return answer(
            request,
            "leads",
            board=board,
            wanted=wanted,
            statuses=list(LeadStatus),
            points=POINTS,
            base=BASE,
            zone=await _zone(request, visitor),
            may_act=visitor.may(Right.CONTACTS_WRITE),
        )

    return router


def tasks_router(tasks: Tasks) -> APIRouter:
    """The visitor's tasks and the team's."""
    router = APIRouter(prefix="/tasks")

    @router.get("")
    async def show(
        request: Request, visitor: LeadReader, whose: str = "mine", view: str = "open", skip: int = 0
    ) -> Response:
        return await _answer(request, visitor, whose, view, skip)

    @router.get("/contacts")
    async def contacts(request: Request, visitor: LeadReader, words: str = "") -> Response:
        """Customers to choose from, while somebody types."""
        found = await tasks.found(visitor.actor, words)
        return pages(request).render(request, "admin/tasks/contacts.html", found=found, chosen="")

    @router.post("")
    async def create(request: Request, visitor: LeadWriter) -> Response:
        form = await request.form()
        chosen = str(form.get("contact", ""))
        if not chosen:
            raise RefusedError("contact", "Choose a customer of the list.")
        assignee = str(form.get("assignee", ""))
        await tasks.create(
            visitor.actor,
            contact_id=uuids("contact", [chosen])[0],
            title=str(form.get("title", "")),
            due=str(form.get("due", "")),
            assignee_id=uuids("assignee", [assignee])[0] if assignee else None,
        )
        return await _answer(request, visitor, "mine" if assignee == str(visitor.user_id) else "team", "open", 0)

    @router.post("/{task_id}/{act}")
    async def act(request: Request, visitor: LeadWriter, task_id: UUID, act: str) -> Response:
        form = await request.form()
        match act:
            case "done" | "reopen":
                await tasks.finish(visitor.actor, task_id, done=act == "done")
            case "take":
                await tasks.take(visitor.actor, task_id)
            case "postpone":
                await tasks.postpone(visitor.actor, task_id, str(form.get("due", "")))
            case _:
                raise NotFoundError("action", act)
        whose, view = str(form.get("whose", "mine")), str(form.get("view", "open"))
        return await _answer(request, visitor, whose, view, 0)

    async def _answer(request: Request, visitor: Visitor, whose: str, view: str, skip: int) -> Response:
        mine = cast(Whose, whose if whose in get_args(Whose) else "mine")
        shown = cast(View, view if view in get_args(View) else "open")
        page = await tasks.page(visitor.actor, whose=mine, view=shown, skip=min(max(skip, 0), 100_000))
        may_act = visitor.may(Right.CONTACTS_WRITE)
        return answer(
            request,
            "tasks",
            page=page,
            whose=mine,
            view=shown,
            zone=page.zone,
            may_act=may_act,
            people=await tasks.people(visitor.actor) if may_act else [],
            found=await tasks.found(visitor.actor, "") if may_act else [],
        )

    return router


def audit_router(audit: AuditTrail) -> APIRouter:
    """Who did what."""
    router = APIRouter(prefix="/audit")

    @router.get("")
    async def show(request: Request, visitor: Auditor, wanted: AuditQuery, before: int | None = None) -> Response:
        page = await audit.page(visitor.tenant_id, wanted, before=before)
        return answer(request, "audit", page=page, wanted=wanted, families=FAMILIES, before=before, zone=page.zone)

    @router.get("/audit.csv")
    async def download(visitor: Auditor, wanted: AuditQuery) -> Response:
        """The same without pages, as a file."""
        lines = audit.as_csv(visitor.tenant_id, wanted)
        headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    return router


async def _zone(request: Request, visitor: Visitor) -> ZoneInfo:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        return ZoneInfo((await inbox.workspace(tx)).timezone)
