"""``GET /api/v1/turns``: the latest runs of the agent over all conversations, without personal data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.pages import Page, cursor_of, place_in
from flows.trace_list import recent
from store.database import Database
from store.trace_list import Wanted
from web.api import Api
from web.api_conversations import Turn
from web.api_schema import AN_ID, Cursor, Limit, listing, operation, shown_page

_Plain = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]


class ListedTurn(Turn):
    """One run of the agent, in short, and what it was about."""

    conversation_id: UUID
    session: str = Field(description="The number's name")
    said: str = Field(description="What the customer had said last, without personal data")
    prompt_bundle: str | None
    reason: str | None = Field(description="Of a handoff")
    example: ClassVar[dict[str, Any]] = {
        **Turn.example,
        "conversation_id": AN_ID,
        "session": "Vendas",
        "said": "Quero trocar o tamanho",
        "prompt_bundle": "3f6d0c2a9b1e4d77",
        "reason": None,
    }


def turns_router(api: Api, db: Database, secret: bytes) -> APIRouter:
    """The list. ``secret`` decides which names stand for names."""
    router = APIRouter(prefix="/api/v1/turns", tags=["conversations"])
    traces = Depends(api.caller(Right.TRACES_READ))

    @router.get("", **operation(listing("turns", ListedTurn)))
    async def turns(
        *,
        request: Request,
        intent: _Plain = "",
        decision: Literal["reply", "suggest", "ask_approval", "hand_off", "stay_silent"] | None = None,
        status: Literal["decided", "voided", "failed"] | None = None,
        session: UUID | None = None,
        bundle: Annotated[_Plain, Query(description="How a prompt bundle's hash begins")] = "",
        unsure: Annotated[bool, Query(description="Only those whose confidence is below 0.8")] = False,
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = traces,
    ) -> Response:
        """Runs of the agent in all conversations, the newest first. `GET /turns/{id}` tells why one did what it did."""
        wanted = Wanted(intent, decision or "", status or "", session, bundle, unsure)
        before = place_in(cursor, datetime, UUID) or None
        async with db.transaction(caller.tenant_id) as tx:
            lines, more = await recent(tx, wanted, secret, before=before, limit=limit)
        last = lines[-1].row if lines and more else None
        page = Page(lines, cursor_of([last["created_at"], last["id"]]) if last else None)
        return shown_page(
            request,
            "turns",
            ListedTurn,
            page,
            lambda one: {**dict(one.row), "session": one.row["number"], "said": one.said},
        )

    return router
