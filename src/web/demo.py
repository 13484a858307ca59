"""The demo: a simulated phone beside the inbox of the same business."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import NotFoundError
from domain.roles import Right
from store import inbox, phone
from web.access import CurrentVisitor, Visitor, needs
from web.inbox import inbox_page
from web.inbox_list import ListQuery, WantedList
from web.pages import pages
from web.services import services

router = APIRouter(prefix="/demo", dependencies=[needs(Right.CONVERSATIONS_READ)])
MOST_CUSTOMERS = 9


@router.get("")
async def show_demo(request: Request, visitor: CurrentVisitor, wanted: WantedList) -> Response:
    return await _page(request, visitor, wanted)


@router.get("/phone/{session_id}")
async def show_phone(
    request: Request, visitor: CurrentVisitor, session_id: UUID, contact: Annotated[str, Query(max_length=200)]
) -> Response:
    """The customer's side: what this contact wrote, and what arrived on the simulated phone."""
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        space = await inbox.workspace(tx)
        if all(session_id != known for known, _ in space.simulators):
            raise NotFoundError("simulated phone", session_id)
        bubbles = await phone.chat(tx, session_id, contact)
    zone = ZoneInfo(space.timezone)
    return pages(request).render(request, "demo/chat.html", bubbles=bubbles, zone=zone)


@router.get("/{conversation_id}")
async def show_conversation(
    request: Request, visitor: CurrentVisitor, conversation_id: UUID, wanted: WantedList
) -> Response:
    return await _page(request, visitor, wanted, conversation_id)


async def _page(request: Request, visitor: Visitor, wanted: ListQuery, conversation_id: UUID | None = None) -> Response:
    wanted = wanted.model_copy(update={"base": "/demo"})
    demo = services(request).demo
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        space = await inbox.workspace(tx)
        seen = [name for session, _ in space.simulators[:1] for name in await phone.contacts(tx, session)]
    known = demo.contacts if demo else ()
    customers = [*known, *(name for name in seen if name not in known)][:MOST_CUSTOMERS]
    return await inbox_page(request, visitor, wanted, conversation_id, phone=True, demo=demo, customers=customers)
