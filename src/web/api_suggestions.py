"""``/api/v1/suggestions`` and ``/api/v1/handoffs``: what waits for a person, and what other systems propose."""

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
from flows.desk import Desk
from flows.idempotency import Answered
from flows.outside_suggestions import OutsideSuggestions, Proposal
from flows.suggest_now import SuggestNow
from web.api import Api
from web.api_conversation_acts import SentReply, actor_of
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

State = Literal["pending", "approved", "edited", "rejected", "superseded", "expired"]


class Unsupported(Shown):
    """A part of a text that no source supports: characters start to end."""

    start: int
    end: int
    kind: str


class Suggestion(Shown):
    """A reply that waits for an operator, or what became of it."""

    id: UUID
    conversation_id: UUID
    status: State
    text: str
    final_text: str | None = Field(description="What was sent in the end")
    origin: str = Field(description="agent, operator (asked for in place of another), or the program that proposed it")
    explanation: dict[str, Any]
    unsupported: list[Unsupported] = Field(description="What the operator should look at before it goes out")
    turn_id: UUID | None
    intent: str | None
    confidence: float | None
    reject_reason: str | None
    reject_note: str
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime
    is_current: bool = Field(description="It may be approved: nothing newer happened")
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "conversation_id": AN_ID,
        "status": "pending",
        "text": "Claro! Qual tamanho você prefere?",
        "final_text": None,
        "origin": "crm",
        "explanation": {"reasons": [{"code": "proposed", "detail": "size exchange"}], "sources": []},
        "unsupported": [],
        "turn_id": None,
        "intent": None,
        "confidence": None,
        "reject_reason": None,
        "reject_note": "",
        "decided_by": None,
        "decided_at": None,
        "created_at": A_TIME,
        "is_current": True,
    }


class NewSuggestion(Asked):
    """What another system proposes to answer."""

    text: Annotated[str, Field(min_length=1, max_length=65_536)]
    upto_message_id: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = Field(
        None, description="The contact's last message that was read: with a newer one the proposal is refused"
    )
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    reason: Annotated[str, Field(max_length=500)] = Field("", description="Why, in a few words for the operator")
    sources: Annotated[list[Annotated[str, Field(min_length=1, max_length=300)]], Field(max_length=20)] = Field(
        default_factory=list, description="Passages it rests on, as GET /api/v1/knowledge/search names them"
    )
    example: ClassVar[dict[str, Any]] = {
        "text": "Claro! Qual tamanho você prefere?",
        "upto_message_id": 4711,
        "confidence": 0.9,
        "reason": "size exchange",
    }


class AskedNow(Shown):
    """Whether a suggestion is there already, or the agent looks now (then `suggestion.created` tells)."""

    state: Literal["ready", "asked"]
    suggestion_id: UUID | None
    example: ClassVar[dict[str, Any]] = {"state": "asked", "suggestion_id": None}


class Acceptance(Asked):
    """As it is, or with other words."""

    text: Annotated[str, Field(min_length=1, max_length=65_536)] | None = None
    example: ClassVar[dict[str, Any]] = {"text": "Claro! Qual tamanho você quer?"}


class Rejection(Asked):
    """Why it was turned down; `other` needs a note."""

    reason: Literal["wrong_fact", "wrong_tone", "wrong_intent", "too_long", "outdated", "other"]
    note: Annotated[str, Field(max_length=2000)] = ""
    example: ClassVar[dict[str, Any]] = {"reason": "wrong_fact", "note": "O prazo é de 30 dias."}


def suggestions_router(
    api: Api, once: Once, views: ConversationViews, desk: Desk, proposals: tuple[OutsideSuggestions, SuggestNow]
) -> APIRouter:
    """List, read, propose, ask for one, approve (edited or not), reject."""
    router = APIRouter(prefix="/api/v1", tags=["suggestions"])
    reads, writes = Depends(api.caller(Right.CONVERSATIONS_READ)), Depends(api.caller(Right.CONVERSATIONS_WRITE))
    sends = Depends(api.caller(Right.MESSAGES_WRITE))
    outside, now = proposals

    @router.get("/suggestions", **operation(listing("suggestions", Suggestion), refusals=[404]))
    async def list_all(
        *,
        request: Request,
        status: State | None = None,
        conversation: UUID | None = None,
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = reads,
    ) -> Response:
        """Suggestions, the newest first."""
        page = await views.suggestions(
            caller.tenant_id, status=status, conversation_id=conversation, cursor=cursor, limit=limit
        )
        return shown_page(request, "suggestions", Suggestion, page, suggestion_json)

    @router.get("/suggestions/{suggestion_id}", **operation(Suggestion, refusals=[404]))
    async def get(suggestion_id: UUID, caller: ApiCaller = reads) -> Response:
        """One suggestion."""
        return shown(Suggestion, suggestion_json(await views.suggestion(caller.tenant_id, suggestion_id)))

    @router.post(
        "/conversations/{conversation_id}/suggestions",
        **operation(Suggestion, NewSuggestion, status=201, key="honoured", refusals=[404, 409]),
    )
    async def propose(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """Offer a reply to the operators: never sent by itself, marked with its origin, checked claim by claim."""
        body = await body_of(api, request, NewSuggestion)

        async def act() -> Answered:
            new = await outside.propose(
                caller.tenant_id, conversation_id, Proposal(**body.model_dump()), origin=caller.name
            )
            found = await views.suggestion(caller.tenant_id, new)
            return made(Suggestion, suggestion_json(found), location=f"/api/v1/suggestions/{new}")

        return await once(request, caller, act)

    @router.post(
        "/conversations/{conversation_id}/suggest", **operation(AskedNow, status=202, key="honoured", refusals=[404])
    )
    async def suggest(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """Have the agent look now. Whatever the reply policy says, what comes of it is a suggestion at most."""

        async def act() -> Answered:
            asked = await now.ask(caller.tenant_id, conversation_id, actor=caller.actor)
            state = "ready" if asked.suggestion_id else "asked"
            return made(AskedNow, {"state": state, "suggestion_id": asked.suggestion_id}, status=202)

        return await once(request, caller, act)

    @router.post(
        "/suggestions/{suggestion_id}/approve",
        **operation(SentReply, Acceptance, status=202, key="needed", refusals=[404, 409]),
    )
    async def approve(request: Request, suggestion_id: UUID, caller: ApiCaller = sends) -> Response:
        """Send it, as it is or with other words. 409: something newer came first."""
        body = await body_of(api, request, Acceptance)

        async def act() -> Answered:
            message_id = await desk.approve(actor_of(caller), suggestion_id, text=body.text)
            found = await views.suggestion(caller.tenant_id, suggestion_id)
            answer = {"message_id": message_id, "conversation_id": found.conversation_id, "state": "queued"}
            return made(SentReply, answer, status=202)

        return await once(request, caller, act, needed=True)

    @router.post("/suggestions/{suggestion_id}/reject", **operation(Suggestion, Rejection, refusals=[404, 409]))
    async def reject(request: Request, suggestion_id: UUID, caller: ApiCaller = writes) -> Response:
        """Turn it down; the conversation stays where it is."""
        body = await body_of(api, request, Rejection)
        await desk.reject(actor_of(caller), suggestion_id, body.reason, body.note)
        return shown(Suggestion, suggestion_json(await views.suggestion(caller.tenant_id, suggestion_id)))

    return router


def suggestion_json(found: Any) -> dict[str, Any]:
    """A flow's record as ``Suggestion`` reads it: what explains a proposal stands with it."""
    values = {name: getattr(found, name) for name in Suggestion.model_fields}
    confidence = found.confidence if found.confidence is not None else found.explanation.get("confidence")
    return {**values, "confidence": confidence}
