"""What operators do in the inbox: each action calls the flow and answers with the conversation as it is now."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.conversation import ClosingReason
from domain.roles import Right
from flows.desk_undo import held_for
from store import thread
from store.reach import may_see
from web.access import CurrentVisitor, Visitor, needs
from web.inbox import live_fragment
from web.repeats import once
from web.services import services

router = APIRouter(prefix="/inbox/{conversation_id}")


Seen = Annotated[str | None, Form(max_length=60)]


class Acceptance(BaseModel):
    """A suggestion accepted: as it is, or as ``text``. ``key`` and ``undo``: as of a reply."""

    text: str | None = None
    key: str = ""
    undo: float = Field(default=0, ge=0, le=60, allow_inf_nan=False)


class Rejection(BaseModel):
    """A suggestion turned down."""

    reason: str = Field(max_length=40)
    note: str = Field("", max_length=2_000)


class Writing(BaseModel):
    """``key`` is the page's own for this sending: repeated after a lost answer, it is the same sending. ``undo``: how
    many seconds the writer wants for taking it back."""

    text: str = ""
    key: str = ""
    undo: float = Field(default=0, ge=0, le=60, allow_inf_nan=False)


class Closing(BaseModel):
    """``reason``: domain.conversation.ClosingReason; ``seen``: flows.desk_assignment.standing."""

    reason: str = ClosingReason.RESOLVED
    note: str = ""
    seen: str | None = None


@router.post("/reply", dependencies=[needs(Right.MESSAGES_WRITE)])
async def reply(
    request: Request, visitor: CurrentVisitor, conversation_id: UUID, form: Annotated[Writing, Form()]
) -> Response:
    """Send."""
    hold = held_for(form.undo)
    message_id = await services(request).desk.reply(visitor.actor, conversation_id, form.text, key=form.key, hold=hold)
    return await sent(request, visitor, conversation_id, message_id, form.undo)


@router.post("/claim", dependencies=[needs(Right.CONVERSATIONS_WRITE)])
async def claim(request: Request, visitor: CurrentVisitor, conversation_id: UUID, seen: Seen = None) -> Response:
    await services(request).desk.claim(visitor.actor, conversation_id, seen=seen)
    return await answer(request, visitor, conversation_id)


@router.post("/return", dependencies=[needs(Right.CONVERSATIONS_WRITE)])
async def return_to_bot(
    request: Request, visitor: CurrentVisitor, conversation_id: UUID, seen: Seen = None
) -> Response:
    await services(request).desk.return_to_bot(visitor.actor, conversation_id, seen=seen)
    return await answer(request, visitor, conversation_id)


@router.post("/close", dependencies=[needs(Right.CONVERSATIONS_WRITE)])
async def close(
    request: Request,
    visitor: CurrentVisitor,
    conversation_id: UUID,
    form: Annotated[Closing, Form()],
) -> Response:
    desk = services(request).desk

    def act() -> Awaitable[None]:
        return desk.close(visitor.actor, conversation_id, form.reason, seen=form.seen, note=form.note)

    await once(request, visitor, act)
    response = await answer(request, visitor, conversation_id)
    response.headers["HX-Trigger"] = json.dumps({"atende:closed": {"conversation": str(conversation_id)}})
    return response


@router.post("/tags", dependencies=[needs(Right.CONTACTS_WRITE)])
async def tag(
    request: Request, visitor: CurrentVisitor, conversation_id: UUID, tags: Annotated[str, Form(max_length=400)] = ""
) -> Response:
    """Call the contact by these tags, separated by commas."""
    await services(request).desk.tag(visitor.actor, conversation_id, tags.split(","))
    return await answer(request, visitor, conversation_id)


@router.post("/read", dependencies=[needs(Right.CONVERSATIONS_WRITE)])
async def mark_read(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        await thread.head(tx, conversation_id)  # another tenant's must look like none
    await services(request).desk.mark_read(visitor.actor, conversation_id)
    return Response(status_code=204, headers={"HX-Trigger": "atende:list"})


@router.post("/suggestions/{suggestion_id}/approve", dependencies=[needs(Right.MESSAGES_WRITE)])
async def approve(
    request: Request,
    visitor: CurrentVisitor,
    conversation_id: UUID,
    suggestion_id: UUID,
    form: Annotated[Acceptance, Form()],
) -> Response:
    """Send the suggestion; with ``text`` as the operator changed it."""
    final = form.text.replace("\r\n", "\n") if form.text is not None else None
    hold = held_for(form.undo)
    desk = services(request).desk
    message_id = await desk.approve(visitor.actor, suggestion_id, text=final, key=form.key, hold=hold)
    return await sent(request, visitor, conversation_id, message_id, form.undo)


@router.post("/suggestions/{suggestion_id}/reject", dependencies=[needs(Right.CONVERSATIONS_WRITE)])
async def reject(
    request: Request,
    visitor: CurrentVisitor,
    conversation_id: UUID,
    suggestion_id: UUID,
    form: Annotated[Rejection, Form()],
) -> Response:
    await services(request).desk.reject(visitor.actor, suggestion_id, form.reason, form.note)
    return await answer(request, visitor, conversation_id)


@router.post("/approvals/{approval_id}", dependencies=[needs(Right.MESSAGES_WRITE)])
async def decide_call(
    request: Request,
    visitor: CurrentVisitor,
    conversation_id: UUID,
    approval_id: UUID,
    decision: Annotated[Literal["approve", "reject"], Form()],
) -> Response:
    await services(request).desk.decide_call(visitor.actor, approval_id, approved=decision == "approve")
    return await answer(request, visitor, conversation_id)


@router.post("/outbox/{outbox_id}", dependencies=[needs(Right.OUTGOING_WRITE)])
async def settle(
    request: Request,
    visitor: CurrentVisitor,
    conversation_id: UUID,
    outbox_id: UUID,
    outcome: Annotated[Literal["arrived", "send_again"], Form()],
) -> Response:
    await services(request).desk.settle_unknown(visitor.actor, outbox_id, arrived=outcome == "arrived")
    return await answer(request, visitor, conversation_id)


async def sent(request: Request, visitor: Visitor, conversation_id: UUID, message_id: int, undo: float) -> Response:
    """The conversation with the message in it, and for ``undo`` seconds the way to take it back."""
    response = await answer(request, visitor, conversation_id)
    told: dict[str, Any] = {"atende:sent": {}}
    if undo:
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            outbox_id = await tx.fetchval("SELECT id FROM outbox_message WHERE message_id = $1", message_id)
        told["atende:held"] = {"conversation": str(conversation_id), "outbox": str(outbox_id), "undo": undo}
    response.headers["HX-Trigger"] = json.dumps(told)
    return response


async def answer(request: Request, visitor: Visitor, conversation_id: UUID) -> Response:
    """The conversation as it is now: its parts for htmx, else the way to its page."""
    if request.headers.get("hx-request") != "true":
        return RedirectResponse(f"/inbox/{conversation_id}", status_code=303)
    if visitor.sight and not await may_see(services(request).db, visitor.tenant_id, visitor.sight, conversation_id):
        # Who sees only some conversations has just given this one away.
        return Response(status_code=204, headers={"HX-Redirect": "/inbox"})
    return await live_fragment(request, visitor, conversation_id)
