"""``/api/v1/conversations``: what is said with whom, who holds it, and why the agent did what it did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.conversation import Status
from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.conversation_views import ConversationViews
from flows.pages import place_in
from store.conversation_records import ConversationFilter
from web.api import Api, answer, etag
from web.api_schema import A_TIME, AN_ID, Cursor, Limit, Shown, Words, listing, operation, shown, shown_page

Priority = Literal["low", "normal", "high", "urgent"]
PRIORITIES: dict[str, int] = {"low": -1, "normal": 0, "high": 1, "urgent": 2}
_NAMES = {value: name for name, value in PRIORITIES.items()}
LAST_ID = 2**63 - 1


class Conversation(Shown):
    """One contact on one number. Its ETag changes with everything that happens to it."""

    id: UUID
    status: Literal["bot", "waiting", "human", "closed"] = Field(
        description="bot: the agent holds it; waiting: handed off; human: a person holds it"
    )
    session_id: UUID
    session: str
    contact_id: UUID
    contact: str
    address: str
    is_group: bool
    assignee_id: UUID | None
    assignee: str | None
    team_id: UUID | None
    team: str | None
    priority: Priority
    labels: list[str]
    unread: int
    language: str | None
    preview: str
    waiting_since: datetime | None
    snoozed_until: datetime | None
    closed_at: datetime | None
    closed_reason: str | None
    last_message_at: datetime
    created_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "status": "waiting",
        "session_id": AN_ID,
        "session": "Vendas",
        "contact_id": AN_ID,
        "contact": "Bruno Lima",
        "address": "phone:5511990001111",
        "is_group": False,
        "assignee_id": None,
        "assignee": None,
        "team_id": None,
        "team": None,
        "priority": "normal",
        "labels": ["devolução"],
        "unread": 2,
        "language": "pt",
        "preview": "Quero trocar o tamanho",
        "waiting_since": A_TIME,
        "snoozed_until": None,
        "closed_at": None,
        "closed_reason": None,
        "last_message_at": A_TIME,
        "created_at": A_TIME,
    }


class MessageFile(Shown):
    """A message's file."""

    id: UUID
    state: str
    mime_type: str
    file_name: str
    size_bytes: int
    href: str | None = Field(None, description="Where its bytes are; null: they are not here (yet)")


class Message(Shown):
    """A message as it stands now."""

    id: int
    author: str = Field(description="contact, bot, operator (also a program), or phone: the paired one")
    kind: str
    text: str
    edited: bool
    revoked: bool
    historical: bool = Field(description="From before the number was connected, or told by the gateway's history")
    late: bool = Field(description="It came after newer ones, so their answer did not know of it")
    writer: str | None = Field(description="The operator")
    sender: str | None = Field(description="Who of a group said it")
    turn_id: UUID | None
    sent_at: datetime
    outbox_id: UUID | None
    delivery: str | None = Field(
        description="queued, sending, unknown, failed, cancelled, sent, delivered, read, played"
    )
    error: str | None
    waits_for: str | None
    waits_until: datetime | None
    quoted_text: str | None
    quoted_author: str | None
    file: MessageFile | None
    transcript: dict[str, Any] | None
    example: ClassVar[dict[str, Any]] = {
        "id": 4711,
        "author": "contact",
        "kind": "text",
        "text": "Quero trocar o tamanho",
        "edited": False,
        "revoked": False,
        "historical": False,
        "late": False,
        "writer": None,
        "sender": None,
        "turn_id": None,
        "sent_at": A_TIME,
        "outbox_id": None,
        "delivery": None,
        "error": None,
        "waits_for": None,
        "waits_until": None,
        "quoted_text": None,
        "quoted_author": None,
        "file": None,
        "transcript": None,
    }


class Note(Shown):
    """A note for colleagues; neither the contact nor the agent sees it."""

    id: int
    text: str
    by: str | None
    created_at: datetime
    example: ClassVar[dict[str, Any]] = {"id": 7, "text": "Já ligou duas vezes.", "by": "Ana", "created_at": A_TIME}


class Turn(Shown):
    """One run of the agent, in short."""

    id: UUID
    status: str = Field(description="decided, voided or failed")
    decision: str = Field(description="reply, suggest, ask_approval, hand_off, stay_silent")
    intent: str | None
    confidence: float | None
    language: str | None
    model: str | None
    cost_micros: int
    latency_ms: float
    created_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "status": "decided",
        "decision": "suggest",
        "intent": "exchange",
        "confidence": 0.91,
        "language": "pt",
        "model": None,
        "cost_micros": 0,
        "latency_ms": 12.5,
        "created_at": A_TIME,
    }


class Trace(Shown):
    """Why a turn did what it did. More keys than these tell of models, calls and what was sent."""

    turn: dict[str, Any]
    received: list[dict[str, Any]]
    understood: dict[str, Any]
    decision: dict[str, Any]
    masked: bool = Field(description="Whether personal data were taken out")
    example: ClassVar[dict[str, Any]] = {
        "turn": {"id": AN_ID, "status": "decided"},
        "received": [{"message_id": 4711, "text": "Quero trocar o tamanho"}],
        "understood": {"intent": "exchange", "confidence": 0.91},
        "decision": {"kind": "suggest", "text": "Claro! Qual tamanho você prefere?"},
        "masked": True,
    }


class Event(Shown):
    """Something that happened. Ids increase; after an event was read, none with a lower id comes."""

    id: int
    kind: str
    conversation_id: UUID | None
    payload: dict[str, Any]
    actor: str
    created_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "id": 90210,
        "kind": "message.received",
        "conversation_id": AN_ID,
        "payload": {"message_id": 4711},
        "actor": "contact",
        "created_at": A_TIME,
    }


def conversation_json(found: Any) -> dict[str, Any]:
    """A flow's record as ``Conversation`` reads it."""
    values = {name: getattr(found, name) for name in Conversation.model_fields}
    return {**values, "priority": _NAMES.get(found.priority, "normal")}


def message_json(found: Any, conversation_id: UUID) -> dict[str, Any]:
    """A flow's message as ``Message`` reads it, its file with an address."""
    values = {name: getattr(found, name) for name in Message.model_fields}
    if (file := found.file) is not None:
        href = f"/api/v1/conversations/{conversation_id}/messages/{found.id}/media" if file.state == "stored" else None
        values["file"] = {**{name: getattr(file, name) for name in _FILE}, "href": href}
    return values


_FILE = ("id", "state", "mime_type", "file_name", "size_bytes")


def conversations_router(api: Api, views: ConversationViews) -> APIRouter:
    """List and read; the acts are in api_conversation_acts."""
    router = APIRouter(prefix="/api/v1", tags=["conversations"])
    reads = Depends(api.caller(Right.CONVERSATIONS_READ))

    @router.get("/conversations", **operation(listing("conversations", Conversation), refusals=[404]))
    async def list_all(
        *,
        request: Request,
        status: Annotated[list[Status] | None, Query(description="Repeatable")] = None,
        session: UUID | None = None,
        contact: UUID | None = None,
        assignee: Annotated[UUID | Literal["none"] | None, Query(description="A person's id, or none")] = None,
        team: UUID | None = None,
        label: Words = None,
        priority: Priority | None = None,
        unread: bool | None = None,
        since: Annotated[datetime | None, Query(description="A message or another status since then")] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = reads,
    ) -> Response:
        """Conversations, the latest message first."""
        wanted = ConversationFilter(
            statuses=[one.value for one in status] if status else None,
            session_id=session,
            contact_id=contact,
            assignee_id=assignee if isinstance(assignee, UUID) else None,
            unassigned=assignee == "none",
            team_id=team,
            label=label.lower() if label else None,
            priority=PRIORITIES[priority] if priority else None,
            unread=unread,
            since=aware(since),
        )
        page = await views.page(caller.tenant_id, wanted, cursor=cursor, limit=limit)
        return shown_page(request, "conversations", Conversation, page, conversation_json)

    @router.get("/conversations/{conversation_id}", **operation(Conversation, refusals=[404], versioned=True))
    async def get(conversation_id: UUID, caller: ApiCaller = reads) -> Response:
        """One conversation."""
        found = await views.get(caller.tenant_id, conversation_id)
        return shown(Conversation, conversation_json(found), etag=etag(found.fence))

    @router.get("/conversations/{conversation_id}/messages", **operation(listing("messages", Message), refusals=[404]))
    async def messages(
        request: Request, conversation_id: UUID, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """Its messages, the newest first."""
        page = await views.messages(caller.tenant_id, conversation_id, cursor=cursor, limit=limit)
        return shown_page(request, "messages", Message, page, lambda one: message_json(one, conversation_id))

    @router.get("/conversations/{conversation_id}/notes", **operation(listing("notes", Note), refusals=[404]))
    async def notes(
        request: Request, conversation_id: UUID, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """Notes of colleagues, the newest first."""
        page = await views.notes(caller.tenant_id, conversation_id, cursor=cursor, limit=limit)
        return shown_page(request, "notes", Note, page)

    _chats(router, reads, views)
    _why(router, api, views)
    _events(router, api, reads, views)
    return router


def _chats(router: APIRouter, reads: Any, views: ConversationViews) -> None:
    @router.get("/sessions/{session_id}/chats", **operation(listing("chats", Conversation), refusals=[404]))
    async def chats(
        request: Request, session_id: UUID, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """A session's chats: its conversations, the latest message first."""
        wanted = ConversationFilter(session_id=session_id)
        page = await views.page(caller.tenant_id, wanted, cursor=cursor, limit=limit)
        return shown_page(request, "chats", Conversation, page, conversation_json)

    @router.get(
        "/sessions/{session_id}/chats/{chat}/messages", **operation(listing("messages", Message), refusals=[404])
    )
    async def chat_messages(
        *,
        request: Request,
        session_id: UUID,
        chat: str,
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = reads,
    ) -> Response:
        """A chat's messages, the newest first. `chat`: a conversation's id, or an address such as `lid:123`."""
        conversation_id = await views.chat(caller.tenant_id, session_id, chat)
        page = await views.messages(caller.tenant_id, conversation_id, cursor=cursor, limit=limit)
        return shown_page(request, "messages", Message, page, lambda one: message_json(one, conversation_id))


def _why(router: APIRouter, api: Api, views: ConversationViews) -> None:
    traces = Depends(api.caller(Right.TRACES_READ))

    @router.get("/conversations/{conversation_id}/turns", **operation(listing("turns", Turn), refusals=[404]))
    async def turns(
        request: Request, conversation_id: UUID, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = traces
    ) -> Response:
        """Runs of the agent in this conversation, the newest first."""
        page = await views.turns(caller.tenant_id, conversation_id, cursor=cursor, limit=limit)
        return shown_page(request, "turns", Turn, page)

    @router.get("/turns/{turn_id}", **operation(Trace, refusals=[404]))
    async def trace(turn_id: UUID, caller: ApiCaller = traces) -> Response:
        """Why a turn did what it did; without personal data, unless the caller may read conversations."""
        reveal = Right.CONVERSATIONS_READ in caller.scopes
        found = await views.trace(caller.tenant_id, turn_id, reveal=reveal)
        return answer({**found, "masked": not reveal})


def _events(router: APIRouter, api: Api, reads: Any, views: ConversationViews) -> None:
    listens = Depends(api.caller(Right.EVENTS_READ))

    @router.get("/events", **operation(listing("events", Event)))
    async def events(
        *,
        request: Request,
        after: Annotated[int, Query(ge=0, le=LAST_ID, description="The last event that was read")] = 0,
        kinds: Annotated[
            str, Query(max_length=2000, description="Separated by commas; `message.*` is understood")
        ] = "",
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = listens,
    ) -> Response:
        """What happened, oldest first, from after an event's id: nothing is missed, and nothing comes twice."""
        (last,) = place_in(cursor, int) or (after,)
        page = await views.events(caller.tenant_id, after=last, kinds=kinds.split(","), limit=limit)
        return shown_page(request, "events", Event, page)

    @router.get("/conversations/{conversation_id}/events", **operation(listing("events", Event), refusals=[404]))
    async def of_one(
        *,
        request: Request,
        conversation_id: UUID,
        after: Annotated[int, Query(ge=0, le=LAST_ID)] = 0,
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = reads,
    ) -> Response:
        """What happened to one conversation, oldest first."""
        (last,) = place_in(cursor, int) or (after,)
        page = await views.events(caller.tenant_id, after=last, conversation_id=conversation_id, limit=limit)
        return shown_page(request, "events", Event, page)


def aware(at: datetime | None) -> datetime | None:
    """A point in time; without a zone it is UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
