"""``/api/v1/handoffs``: conversations that the agent, or a program, gave to people."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.conversation_views import ConversationViews
from flows.desk_acts import DeskActs
from flows.handing_off import HandingOff
from flows.idempotency import Answered
from web.api import Api
from web.api_conversation_acts import Claim, actor_of, person_for
from web.api_schema import (
    A_TIME,
    AN_ID,
    Asked,
    Cursor,
    Limit,
    Once,
    Shown,
    body_of,
    listing,
    made,
    operation,
    shown,
    shown_page,
)

State = Literal["waiting", "claimed", "ended"]


class Handoff(Shown):
    """A conversation given to people: why, what it is about, and who took it."""

    id: UUID
    conversation_id: UUID
    state: State
    reason: str
    summary: str
    collected: dict[str, Any] = Field(description="What the customer had given")
    next_step: str
    announcement: str
    announced: bool
    claimed_by: str | None
    claimed_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "conversation_id": AN_ID,
        "state": "waiting",
        "reason": "requested",
        "summary": "Quer trocar o tamanho do pedido 4711.",
        "collected": {"number": "4711"},
        "next_step": "Confirmar o novo tamanho.",
        "announcement": "Vou te passar para uma pessoa da equipe.",
        "announced": True,
        "claimed_by": None,
        "claimed_at": None,
        "ended_at": None,
        "created_at": A_TIME,
    }


class NewHandoff(Asked):
    """What the people who take it should know. The customer is told nothing by this."""

    summary: Annotated[str, Field(max_length=4000)] = ""
    next_step: Annotated[str, Field(max_length=1000)] = ""
    team_id: UUID | None = Field(None, description="Into which queue; null: where it is")
    example: ClassVar[dict[str, Any]] = {"summary": "Fraude suspeita no pedido 4711.", "next_step": "Ligar ao banco."}


def handoffs_router(
    api: Api, once: Once, views: ConversationViews, acts: DeskActs, handing_off: HandingOff
) -> APIRouter:
    """List, read, hand off, claim."""
    router = APIRouter(prefix="/api/v1", tags=["handoffs"])
    reads, writes = Depends(api.caller(Right.CONVERSATIONS_READ)), Depends(api.caller(Right.CONVERSATIONS_WRITE))

    @router.get("/handoffs", **operation(listing("handoffs", Handoff), refusals=[404]))
    async def list_all(
        *,
        request: Request,
        state: State | None = None,
        conversation: UUID | None = None,
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = reads,
    ) -> Response:
        """Handoffs, the newest first."""
        page = await views.handoffs(
            caller.tenant_id, state=state, conversation_id=conversation, cursor=cursor, limit=limit
        )
        return shown_page(request, "handoffs", Handoff, page)

    @router.get("/handoffs/{handoff_id}", **operation(Handoff, refusals=[404]))
    async def get(handoff_id: UUID, caller: ApiCaller = reads) -> Response:
        """One handoff."""
        return shown(Handoff, await views.handoff(caller.tenant_id, handoff_id))

    @router.post(
        "/conversations/{conversation_id}/handoffs",
        **operation(Handoff, NewHandoff, status=201, key="honoured", refusals=[404, 409]),
    )
    async def hand_off(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """Give a conversation to people: the agent is silent, and it waits in a queue."""
        body = await body_of(api, request, NewHandoff)

        async def act() -> Answered:
            new = await handing_off.hand_off(
                actor_of(caller), conversation_id, summary=body.summary, next_step=body.next_step, team_id=body.team_id
            )
            return made(Handoff, await views.handoff(caller.tenant_id, new), location=f"/api/v1/handoffs/{new}")

        return await once(request, caller, act)

    @router.post("/handoffs/{handoff_id}/claim", **operation(Handoff, Claim, refusals=[404, 409]))
    async def claim(request: Request, handoff_id: UUID, caller: ApiCaller = writes) -> Response:
        """Make the conversation a person's own."""
        body = await body_of(api, request, Claim)
        person = person_for(caller, body.user_id)
        found = await views.handoff(caller.tenant_id, handoff_id)
        supervises = Right.SUPERVISION in caller.scopes
        await acts.assign(actor_of(caller), found.conversation_id, person, note=body.note, supervises=supervises)
        return shown(Handoff, await views.handoff(caller.tenant_id, handoff_id))

    return router
