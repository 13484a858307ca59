"""What operators do in the inbox: each action calls the flow and answers with the conversation as it is now."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from store import thread
from web.access import CurrentVisitor, Visitor
from web.inbox import live_fragment
from web.services import services

router = APIRouter(prefix="/inbox/{conversation_id}")


@router.post("/reply")
async def reply(
    request: Request, visitor: CurrentVisitor, conversation_id: UUID, text: Annotated[str, Form()] = ""
) -> Response:
    await services(request).desk.reply(visitor.actor, conversation_id, text)
    response = await _answer(request, visitor, conversation_id)
    response.headers["HX-Trigger"] = "atende:sent"
    return response


@router.post("/claim")
async def claim(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
    await services(request).desk.claim(visitor.actor, conversation_id)
    return await _answer(request, visitor, conversation_id)


@router.post("/return")
async def return_to_bot(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
    await services(request).desk.return_to_bot(visitor.actor, conversation_id)
    return await _answer(request, visitor, conversation_id)


@router.post("/close")
async def close(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
    await services(request).desk.close(visitor.actor, conversation_id)
    return await _answer(request, visitor, conversation_id)


@router.post("/tags")
async def tag(
    request: Request, visitor: CurrentVisitor, conversation_id: UUID, tags: Annotated[str, Form(max_length=400)] = ""
) -> Response:
    """Call the contact by these tags, separated by commas."""
    await services(request).desk.tag(visitor.actor, conversation_id, tags.split(","))
    return await _answer(request, visitor, conversation_id)


@router.post("/read")
async def mark_read(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        await thread.head(tx, conversation_id)  # another tenant's must look like none
    await services(request).desk.mark_read(visitor.actor, conversation_id)
    return Response(status_code=204, headers={"HX-Trigger": "atende:list"})


@router.post("/suggestions/{suggestion_id}/approve")
async def approve(
    request: Request,
    visitor: CurrentVisitor,
    conversation_id: UUID,
    suggestion_id: UUID,
    text: Annotated[str | None, Form()] = None,
) -> Response:
    """Send the suggestion; with ``text`` as the operator changed it."""
    final = text.replace("\r\n", "\n") if text is not None else None
    await services(request).desk.approve(visitor.actor, suggestion_id, text=final)
    return await _answer(request, visitor, conversation_id)


@router.post("/suggestions/{suggestion_id}/reject")
async def reject(
    request: Request,
    visitor: CurrentVisitor,
    conversation_id: UUID,
    suggestion_id: UUID,
    reason: Annotated[str, Form(max_length=200)],
) -> Response:
    await services(request).desk.reject(visitor.actor, suggestion_id, reason)
    return await _answer(request, visitor, conversation_id)


@router.post("/approvals/{approval_id}")
async def decide_call(
    request: Request,
    visitor: CurrentVisitor,
    conversation_id: UUID,
    approval_id: UUID,
    decision: Annotated[Literal["approve", "reject"], Form()],
) -> Response:
    await services(request).desk.decide_call(visitor.actor, approval_id, approved=decision == "approve")
    return await _answer(request, visitor, conversation_id)


@router.post("/outbox/{outbox_id}")
async def settle(
    request: Request,
    visitor: CurrentVisitor,
    conversation_id: UUID,
    outbox_id: UUID,
    outcome: Annotated[Literal["arrived", "send_again"], Form()],
) -> Response:
    await services(request).desk.settle_unknown(visitor.actor, outbox_id, arrived=outcome == "arrived")
    return await _answer(request, visitor, conversation_id)


async def _answer(request: Request, visitor: Visitor, conversation_id: UUID) -> Response:
    if request.headers.get("hx-request") != "true":
        return RedirectResponse(f"/inbox/{conversation_id}", status_code=303)
    return await live_fragment(request, visitor, conversation_id)
