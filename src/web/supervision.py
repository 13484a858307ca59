"""Supervision: who works on what, queues, waits against targets, assigning by hand; and everybody's presence."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import InvalidInputError
from domain.roles import Right
from flows.absence import Absence
from flows.desk import Actor
from flows.desk_acts import DeskActs
from flows.supervision import Supervision
from web import supervision_words
from web.access import Visitor, needs
from web.pages import pages

Supervisor = Annotated[Visitor, needs(Right.SUPERVISION)]
Attendant = Annotated[Visitor, needs(Right.CONVERSATIONS_WRITE)]


def supervision_router(supervision: Supervision, acts: DeskActs, absence: Absence) -> APIRouter:
    """The page, its live part, and what can be done from it."""
    router = APIRouter()

    @router.get("/supervision")
    async def show(request: Request, visitor: Supervisor) -> Response:
        return await _answer(request, visitor, "supervision/page.html")

    @router.get("/supervision/content")
    async def content(request: Request, visitor: Supervisor) -> Response:
        """The part of the page that changes."""
        return await _answer(request, visitor, "supervision/content.html")

    @router.post("/supervision/assign")
    async def assign(
        request: Request, visitor: Supervisor, conversation_id: Annotated[UUID, Form()], to: Annotated[str, Form()]
    ) -> Response:
        """Give a conversation to a person."""
        try:
            person = UUID(to)
        except ValueError:
            raise InvalidInputError("to", "nobody was chosen", hint="Choose a person.") from None
        await acts.assign(visitor.actor, conversation_id, person, supervises=True)
        return await _answer(request, visitor, "supervision/content.html")

    @router.post("/supervision/people/{user_id}/away")
    async def set_away(request: Request, visitor: Supervisor, user_id: UUID, away: Annotated[bool, Form()]) -> Response:
        """Say of somebody that the person is away, or is back."""
        who = await absence.colleague(visitor.actor, user_id)
        await (absence.go_away if away else absence.come_back)(who, by=visitor.actor)
        return await _answer(request, visitor, "supervision/content.html")

    @router.get("/presence")
    async def own(request: Request, visitor: Attendant) -> Response:
        """The button by which people go away and come back."""
        return await _button(request, visitor.actor)

    @router.post("/presence")
    async def change(request: Request, visitor: Attendant, away: Annotated[bool, Form()]) -> Response:
        """Go away, or come back."""
        await (absence.go_away if away else absence.come_back)(visitor.actor)
        return await _button(request, visitor.actor)

    async def _button(request: Request, actor: Actor) -> Response:
        return pages(request).render(request, "supervision/presence.html", away=await absence.is_away(actor))

    async def _answer(request: Request, visitor: Visitor, template: str) -> Response:
        last_event = request.app.state.feed.cursor  # before reading: what comes later is told by the websocket
        view = await supervision.view(visitor.tenant_id)
        return pages(request).render(
            request, template, view=view, last_event=last_event, words=supervision_words, may_assign=True
        )

    return router
