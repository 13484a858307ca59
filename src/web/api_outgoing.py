"""``/api/v1/outgoing``: what waits to be sent, why and until when; and settling what may or may not have arrived."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from flows.api_keys import ApiCaller
from flows.outgoing import AT_MOST, OPEN, OutgoingMessages
from web.api import Api
from web.api_schema import A_TIME, AN_ID, Asked, Cursor, Limit, Shown, body_of, listing, operation, paged, shown_page


class OutgoingMessage(Shown):
    """A message on its way out."""

    id: UUID
    conversation_id: UUID
    number_id: UUID
    number: str
    contact: str
    origin: str = Field(description="bot, operator or program")
    state: str = Field(description="queued, sending, sent, unknown, failed or cancelled")
    ack: str | None
    waits_for: str | None = Field(description="Why it is not sent yet")
    waits_until: datetime | None
    error: str | None
    attempts: int
    text: str
    queued_at: datetime
    sent_at: datetime | None
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "conversation_id": AN_ID,
        "number_id": AN_ID,
        "number": "Vendas",
        "contact": "Bruno Lima",
        "origin": "program",
        "state": "queued",
        "ack": None,
        "waits_for": "rate",
        "waits_until": A_TIME,
        "error": None,
        "attempts": 0,
        "text": "Seu pedido saiu para entrega.",
        "queued_at": A_TIME,
        "sent_at": None,
    }


class Settling(Asked):
    """What a person says became of it."""

    outcome: Literal["arrived", "send_again"]
    example: ClassVar[dict[str, Any]] = {"outcome": "arrived"}


def outgoing_router(api: Api, outgoing: OutgoingMessages) -> APIRouter:
    """List and settle."""
    router = APIRouter(prefix="/api/v1/outgoing", tags=["outgoing"])
    reads, writes = Depends(api.caller("outgoing:read")), Depends(api.caller("outgoing:write"))

    @router.get("", **operation(listing("outgoing", OutgoingMessage)))
    async def list_all(
        *,
        request: Request,
        state: Annotated[str, Query(description="Some of them, separated by commas")] = ",".join(OPEN),
        number: UUID | None = None,
        conversation: UUID | None = None,
        cursor: Cursor = None,
        limit: Limit = 100,
        caller: ApiCaller = reads,
    ) -> Response:
        """What is on its way, the longest waiting first; the first 500 of them."""
        states = [one.strip() for one in state.split(",") if one.strip()]
        found = await outgoing.list(
            caller.tenant_id, states=states, number=number, conversation=conversation, at_most=AT_MOST
        )
        return shown_page(request, "outgoing", OutgoingMessage, paged(found, cursor, limit))

    @router.post("/{outbox_id}/settle", **operation(None, Settling, status=204, refusals=[404, 409]))
    async def settle(request: Request, outbox_id: UUID, caller: ApiCaller = writes) -> Response:
        """Settle a message of unknown outcome. Saying the same once more changes nothing."""
        arrived = (await body_of(api, request, Settling)).outcome == "arrived"
        await outgoing.settle(caller.tenant_id, outbox_id, arrived=arrived, actor=caller.actor)
        return Response(status_code=204)

    return router
