"""What helps operators while they answer, as routes: fragments to read, and texts to put into the message field."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.errors import NotFoundError
from domain.roles import Right
from flows.writing_desk import WritingDesk
from store import earlier, inbox, thread
from web.access import CurrentVisitor
from web.desk import answer
from web.pages import pages
from web.services import services


class Wish(BaseModel):
    """How another suggestion, or the operator's own ``text``, shall be: see domain.suggestions.Wanted."""

    wanted: str = Field(max_length=40)
    words: str = Field("", max_length=500)
    text: str = Field("", max_length=65_536)


class ToTranslate(BaseModel):
    """An operator's own text, and the language that it is to be in."""

    text: str = Field(max_length=65_536)
    language: str = Field(max_length=5)


class Stretch(BaseModel):
    """The first and the last message of an earlier conversation."""

    first: int = 0
    last: int = 2**62


def writing_help_router(writing: WritingDesk) -> APIRouter:
    """The routes over it."""
    router = APIRouter(prefix="/inbox/{conversation_id}")

    @router.post("/suggestions/{suggestion_id}/another")
    async def ask_for_another(
        request: Request,
        visitor: CurrentVisitor,
        conversation_id: UUID,
        suggestion_id: UUID,
        form: Annotated[Wish, Form()],
    ) -> Response:
        """Another suggestion in place of this one; nothing is sent."""
        visitor.need(Right.CONVERSATIONS_WRITE)
        await (await writing.another()).ask(visitor.actor, conversation_id, suggestion_id, form.wanted, form.words)
        return await answer(request, visitor, conversation_id)

    @router.post("/help/rewrite")
    async def rewrite(visitor: CurrentVisitor, conversation_id: UUID, form: Annotated[Wish, Form()]) -> Response:
        """{text, added}: the operator's text as wished, and what of it the former one did not say."""
        visitor.need(Right.CONVERSATIONS_WRITE)
        help_ = await writing.help()
        found = await help_.rewrite(visitor.tenant_id, conversation_id, form.text, form.wanted, form.words)
        return JSONResponse({"text": found.text, "added": found.added})

    @router.post("/help/translate")
    async def translate(
        visitor: CurrentVisitor, conversation_id: UUID, form: Annotated[ToTranslate, Form()]
    ) -> Response:
        """{text}: the operator's own text in another language."""
        visitor.need(Right.CONVERSATIONS_WRITE)
        text = await (await writing.help()).translate(visitor.tenant_id, conversation_id, form.text, form.language)
        return JSONResponse({"text": text, "added": []})

    @router.post("/help/messages/{message_id}/translation")
    async def translate_message(
        request: Request, visitor: CurrentVisitor, conversation_id: UUID, message_id: int
    ) -> Response:
        """{text}: a message of the conversation in the reader's language."""
        visitor.need(Right.CONVERSATIONS_READ)
        language = pages(request).language(request)
        text = await (await writing.help()).translate_message(visitor.tenant_id, conversation_id, message_id, language)
        return JSONResponse({"text": text})

    @router.post("/help/summary")
    async def summary(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
        """What was said so far, in the reader's language."""
        visitor.need(Right.CONVERSATIONS_READ)
        language = pages(request).language(request)
        text = await (await writing.help()).summary(visitor.tenant_id, conversation_id, language)
        return pages(request).render(request, "inbox/help_summary.html", text=text)

    @router.get("/help/knowledge")
    async def knowledge(
        request: Request,
        visitor: CurrentVisitor,
        conversation_id: UUID,
        query: Annotated[str, Query(max_length=500)] = "",
    ) -> Response:
        """Passages that answer ``query``, to be inserted."""
        visitor.need(Right.KNOWLEDGE_READ)
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            await thread.head(tx, conversation_id)  # another tenant's must look like none
        found = None
        if query.strip():
            found = await (await writing.help()).search(visitor.tenant_id, query, pages(request).language(request))
        return pages(request).render(
            request, "inbox/help_knowledge.html", query=query, passages=found, conversation_id=conversation_id
        )

    @router.get("/help/earlier")
    async def earlier_conversations(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
        """The contact's earlier conversations, on any number."""
        visitor.need(Right.CONVERSATIONS_READ)
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            head = await thread.head(tx, conversation_id)
            zone = ZoneInfo((await inbox.workspace(tx)).timezone)
            found = await earlier.conversations(tx, conversation_id)
        return pages(request).render(request, "inbox/help_earlier.html", head=head, found=found, zone=zone)

    @router.get("/help/earlier/{other_id}")
    async def earlier_messages(
        request: Request,
        visitor: CurrentVisitor,
        conversation_id: UUID,
        other_id: UUID,
        stretch: Annotated[Stretch, Query()],
    ) -> Response:
        """The messages of one of them."""
        visitor.need(Right.CONVERSATIONS_READ)
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            zone = ZoneInfo((await inbox.workspace(tx)).timezone)
            found = await earlier.messages(tx, conversation_id, other_id, stretch.first, stretch.last)
        if not found:
            raise NotFoundError("conversation", other_id)
        return pages(request).render(request, "inbox/help_messages.html", messages=found, zone=zone)

    return router
