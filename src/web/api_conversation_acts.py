"""What programs (and people's own tools) do with conversations: the same acts as in the inbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, Field
from starlette.requests import Request
from starlette.responses import Response

from domain.conversation import ClosingReason, Status
from domain.errors import ChangedMeanwhileError, InvalidInputError, OutdatedError
from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.conversation_views import ConversationViews
from flows.desk import Actor, Desk
from flows.desk_acts import DeskActs
from flows.idempotency import Answered
from web.api import Api, etag, wanted_version
from web.api_conversations import Conversation, Note, Priority, conversation_json
from web.api_schema import AN_ID, Asked, Once, Shown, body_of, listing, made, operation, shown

Text = Annotated[str, Field(max_length=8000)]
Label = Annotated[str, Field(min_length=1, max_length=40)]


class Claim(Asked):
    """For whom; a person's own token claims for that person."""

    user_id: UUID | None = None
    note: Text = ""
    example: ClassVar[dict[str, Any]] = {"user_id": AN_ID}


class Assignment(Asked):
    """Who shall have the conversation. The note is for colleagues."""

    user_id: UUID
    note: Text = ""
    example: ClassVar[dict[str, Any]] = {"user_id": AN_ID, "note": "Cliente antigo, prefere você."}


class Transfer(Asked):
    """Into which queue; null: everybody's."""

    team_id: UUID | None
    note: Text = ""
    example: ClassVar[dict[str, Any]] = {"team_id": AN_ID}


class Closing(Asked):
    """Why it is done."""

    reason: Literal["resolved", "cancelled", "no_answer", "spam", "duplicate", "other"] = "resolved"
    note: Text = ""
    example: ClassVar[dict[str, Any]] = {"reason": "resolved"}


class Snooze(Asked):
    """Until when it is put aside; null: until the contact writes."""

    until: Annotated[AwareDatetime, Field(strict=False)] | None
    example: ClassVar[dict[str, Any]] = {"until": "2027-03-02T12:00:00Z"}


class ConversationChange(Asked):
    """What is not named stays."""

    priority: Priority | None = None
    labels: Annotated[list[Label], Field(max_length=20)] | None = None
    unread: bool | None = None
    example: ClassVar[dict[str, Any]] = {"priority": "high", "labels": ["devolução"]}


class NewNote(Asked):
    """For colleagues: neither the contact nor the agent sees it."""

    text: Annotated[str, Field(min_length=1, max_length=8000)]
    example: ClassVar[dict[str, Any]] = {"text": "Já ligou duas vezes."}


class NewReply(Asked):
    """What goes to the contact. Files and all but text go by /api/v1/sessions/{session_id}/messages."""

    text: Annotated[str, Field(min_length=1, max_length=65_536)]
    example: ClassVar[dict[str, Any]] = {"text": "Claro! Qual tamanho você prefere?"}


class SentReply(Shown):
    """A message on its way."""

    message_id: int
    conversation_id: UUID
    state: str
    example: ClassVar[dict[str, Any]] = {"message_id": 4712, "conversation_id": AN_ID, "state": "queued"}


class Approval(Shown):
    """A business function that waits for a person, with its exact parameters."""

    id: UUID
    function: str
    arguments: dict[str, Any]
    turn_id: UUID
    intent: str | None
    intent_title: str | None
    expires_at: datetime | None
    created_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "function": "cancel_order",
        "arguments": {"number": "4711"},
        "turn_id": AN_ID,
        "intent": "cancel_order",
        "intent_title": "The customer wants to cancel an order",
        "expires_at": "2026-03-03T12:00:00Z",
        "created_at": "2026-03-02T12:00:00Z",
    }


class Verdict(Asked):
    """Whether it may run."""

    approved: bool
    example: ClassVar[dict[str, Any]] = {"approved": True}


@dataclass(frozen=True, slots=True)
class Acting:
    """The flows behind the acts."""

    desk: Desk
    acts: DeskActs
    views: ConversationViews


def actor_of(caller: ApiCaller) -> Actor:
    """The caller as the one who acts in a flow."""
    return Actor(caller.tenant_id, caller.user_id, caller.name)


def person_for(caller: ApiCaller, given: UUID | None) -> UUID:
    """For whom something is done: who was named, else the caller's own person. Raises InvalidInputError."""
    found = given or caller.user_id
    if found is None:
        raise InvalidInputError("user_id", "is missing: an API key is nobody in particular", hint="Name a person.")
    return found


def conversation_acts_router(api: Api, once: Once, acting: Acting) -> APIRouter:
    """Claim, assign, transfer, return, close, reopen, snooze, label, note, reply, decide on approvals."""
    router = APIRouter(prefix="/api/v1/conversations/{conversation_id}", tags=["conversations"])
    writes = Depends(api.caller(Right.CONVERSATIONS_WRITE))
    told = operation(Conversation, refusals=[404, 409], versioned=True)

    @router.patch("", **operation(Conversation, ConversationChange, refusals=[404, 409, 412], versioned=True))
    async def change(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """Another priority, other labels, read or unread. If-Match is honoured."""
        body, actor = await body_of(api, request, ConversationChange), actor_of(caller)
        before = await acting.views.get(caller.tenant_id, conversation_id)
        version = wanted_version(request) if "if-match" in request.headers else None
        if version is not None and version != before.fence:
            raise ChangedMeanwhileError(f"the conversation (it is version {before.fence} now)")
        if body.priority is not None:
            await acting.acts.prioritise(actor, conversation_id, body.priority)
        if body.labels is not None:
            gone = [label for label in before.labels if label not in body.labels]
            await acting.acts.label(actor, conversation_id, add=body.labels, remove=gone)
        if body.unread is True:
            await acting.acts.mark_unread(actor, conversation_id)
        elif body.unread is False:
            await acting.desk.mark_read(actor, conversation_id)
        return await _now(acting, caller, conversation_id)

    @router.post("/claim", **operation(Conversation, Claim, refusals=[404, 409], versioned=True))
    async def claim(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """Make it a person's own."""
        body = await body_of(api, request, Claim)
        await _assign(acting, caller, conversation_id, person_for(caller, body.user_id), body.note)
        return await _now(acting, caller, conversation_id)

    @router.post("/assign", **operation(Conversation, Assignment, refusals=[404, 409], versioned=True))
    async def assign(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """Give it to a person. One that a colleague holds needs the scope `supervision:write`."""
        body = await body_of(api, request, Assignment)
        await _assign(acting, caller, conversation_id, body.user_id, body.note)
        return await _now(acting, caller, conversation_id)

    @router.post("/transfer", **operation(Conversation, Transfer, refusals=[404, 409], versioned=True))
    async def transfer(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """Put it into a team's queue, or everybody's."""
        body = await body_of(api, request, Transfer)
        supervises = Right.SUPERVISION in caller.scopes
        await acting.acts.transfer(
            actor_of(caller), conversation_id, body.team_id, note=body.note, supervises=supervises
        )
        return await _now(acting, caller, conversation_id)

    @router.post("/return", **told)
    async def give_back(conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """Give it back to the agent."""
        await acting.desk.return_to_bot(actor_of(caller), conversation_id)
        return await _now(acting, caller, conversation_id)

    @router.post("/close", **operation(Conversation, Closing, refusals=[404, 409], versioned=True))
    async def close(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """It is done; the contact's next message reopens it."""
        body = await body_of(api, request, Closing)
        await acting.desk.close(actor_of(caller), conversation_id, ClosingReason(body.reason), note=body.note)
        return await _now(acting, caller, conversation_id)

    @router.post("/reopen", **operation(Conversation, Claim, refusals=[404, 409], versioned=True))
    async def reopen(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """A closed one is a person's again."""
        body = await body_of(api, request, Claim)
        person = person_for(caller, body.user_id)
        found = await acting.views.get(caller.tenant_id, conversation_id)
        if found.status != Status.CLOSED:
            raise OutdatedError("conversation", f"it is {found.status} by now")
        await _assign(acting, caller, conversation_id, person, body.note)
        return await _now(acting, caller, conversation_id)

    _aside(router, api, once, acting)
    _replies(router, api, once, acting)
    return router


def _aside(router: APIRouter, api: Api, once: Once, acting: Acting) -> None:
    writes = Depends(api.caller(Right.CONVERSATIONS_WRITE))

    @router.post("/snooze", **operation(Conversation, Snooze, refusals=[404, 409], versioned=True))
    async def snooze(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """Put it aside until a time (at most a year ahead), or until the contact writes."""
        body = await body_of(api, request, Snooze)
        await acting.acts.snooze(actor_of(caller), conversation_id, body.until)
        return await _now(acting, caller, conversation_id)

    @router.delete("/snooze", **operation(Conversation, refusals=[404, 409], versioned=True))
    async def unsnooze(conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """Back into the queues now."""
        await acting.acts.unsnooze(actor_of(caller), conversation_id)
        return await _now(acting, caller, conversation_id)

    @router.post("/notes", **operation(Note, NewNote, status=201, key="honoured", refusals=[404]))
    async def note(request: Request, conversation_id: UUID, caller: ApiCaller = writes) -> Response:
        """A note for colleagues."""
        body = await body_of(api, request, NewNote)

        async def act() -> Answered:
            note_id = await acting.acts.note(actor_of(caller), conversation_id, body.text)
            page = await acting.views.notes(caller.tenant_id, conversation_id, limit=1)
            found = next(one for one in page.items if one.id == note_id)
            return made(Note, found)

        return await once(request, caller, act)


def _replies(router: APIRouter, api: Api, once: Once, acting: Acting) -> None:
    reads, sends = Depends(api.caller(Right.CONVERSATIONS_READ)), Depends(api.caller(Right.MESSAGES_WRITE))

    @router.post("/replies", **operation(SentReply, NewReply, status=202, key="needed", refusals=[404, 409]))
    async def reply(request: Request, conversation_id: UUID, caller: ApiCaller = sends) -> Response:
        """Answer as an operator does: who writes takes the conversation over, and suggestions are withdrawn.

        To send without taking it over, POST to /api/v1/sessions/{session_id}/messages.
        """
        body = await body_of(api, request, NewReply)

        async def act() -> Answered:
            message_id = await acting.desk.reply(actor_of(caller), conversation_id, body.text)
            answer = {"message_id": message_id, "conversation_id": conversation_id, "state": "queued"}
            return made(SentReply, answer, status=202)

        return await once(request, caller, act, needed=True)

    @router.get("/approvals", **operation(listing("approvals", Approval), refusals=[404]))
    async def approvals(conversation_id: UUID, caller: ApiCaller = reads) -> Response:
        """Business functions that wait for a person's yes, the oldest first."""
        found = await acting.views.approvals(caller.tenant_id, conversation_id)
        return shown(listing("approvals", Approval), {"approvals": found, "next_cursor": None, "next": None})

    @router.post("/approvals/{approval_id}", **operation(None, Verdict, status=204, refusals=[404, 409]))
    async def decide(request: Request, conversation_id: UUID, approval_id: UUID, caller: ApiCaller = sends) -> Response:
        """Let a business function run with its exact parameters, or refuse it."""
        body = await body_of(api, request, Verdict)
        await acting.views.get(caller.tenant_id, conversation_id)
        await acting.desk.decide_call(actor_of(caller), approval_id, approved=body.approved)
        return Response(status_code=204)


async def _assign(acting: Acting, caller: ApiCaller, conversation_id: UUID, user_id: UUID, note: str) -> None:
    supervises = Right.SUPERVISION in caller.scopes
    await acting.acts.assign(actor_of(caller), conversation_id, user_id, note=note, supervises=supervises)


async def _now(acting: Acting, caller: ApiCaller, conversation_id: UUID) -> Response:
    found = await acting.views.get(caller.tenant_id, conversation_id)
    return shown(Conversation, conversation_json(found), etag=etag(found.fence))
