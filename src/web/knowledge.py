"""The documents that answers cite, in the browser: added, indexed, looked into, searched as the assistant does."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.errors import AtendeError, InvalidInputError
from domain.roles import Right
from domain.told import Told
from flows.knowledge import Added
from flows.knowledge_desk import LONGEST_TEXT, KnowledgeDesk
from flows.knowledge_files import MAX_BYTES, SUFFIXES
from store import inbox
from web.access import CurrentVisitor, Visitor
from web.complaints import complaints, status_of
from web.pages import pages
from web.services import services

_MOST_FILES = 20
_LONGEST_QUESTION = 1_000


def knowledge_router(desk: KnowledgeDesk) -> APIRouter:
    """The pages under ``/knowledge``."""
    router = APIRouter(prefix="/knowledge")

    @router.get("")
    async def show(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.KNOWLEDGE_READ)
        return await _page(request, visitor, desk)

    @router.get("/list")
    async def show_list(request: Request, visitor: CurrentVisitor) -> Response:
        """The part that changes while documents are indexed."""
        visitor.need(Right.KNOWLEDGE_READ)
        return await _page(request, visitor, desk, template="knowledge/list.html")

    @router.post("/text")
    async def add_text(
        request: Request,
        visitor: CurrentVisitor,
        title: Annotated[str, Form()] = "",
        text: Annotated[str, Form()] = "",
        language: Annotated[str, Form()] = "",
    ) -> Response:
        visitor.need(Right.KNOWLEDGE_WRITE)
        try:
            added = await desk.add_text(visitor.tenant_id, title, text, language)
        except AtendeError as error:
            entered = {"title": title, "text": text, "language": language}
            wrong, status = complaints(error), status_of(error)
            return await _page(request, visitor, desk, status=status, complaints=wrong, entered=entered)
        return await _page(request, visitor, desk, added=[added])

    @router.post("/files")
    async def add_files(request: Request, visitor: CurrentVisitor, language: Annotated[str, Form()] = "") -> Response:
        """Several at once: one that cannot be read stops no other."""
        visitor.need(Right.KNOWLEDGE_WRITE)
        added: list[Added] = []
        wrong: list[Any] = []
        files = [one for one in (await request.form()).getlist("file") if isinstance(one, UploadFile) and one.filename]
        for file in files[:_MOST_FILES]:
            try:
                data = await file.read(MAX_BYTES + 1)
                added.append(await desk.add_file(visitor.tenant_id, file.filename or "", data, language))
            except AtendeError as error:
                wrong += complaints(error)
        status = 422 if not added else 200
        return await _page(request, visitor, desk, status=status, complaints=wrong, added=added, no_file=not files)

    @router.get("/document")
    async def show_document(request: Request, visitor: CurrentVisitor, ref: str = "") -> Response:
        visitor.need(Right.KNOWLEDGE_READ)
        document, pieces = await desk.pieces(visitor.tenant_id, ref)
        may_write = visitor.may(Right.KNOWLEDGE_WRITE)
        return pages(request).render(
            request, "knowledge/document.html", document=document, pieces=pieces, may_write=may_write, complaints=[]
        )

    @router.post("/remove")
    async def remove(request: Request, visitor: CurrentVisitor, ref: Annotated[str, Form()] = "") -> Response:
        await desk.pieces(visitor.tenant_id, ref)  # another tenant's must look like none, whoever asks
        visitor.need(Right.KNOWLEDGE_WRITE)
        try:
            await desk.remove(visitor.tenant_id, ref)
        except AtendeError as error:
            return await _page(request, visitor, desk, status=status_of(error), complaints=complaints(error))
        return RedirectResponse("/knowledge", status_code=303)

    @router.post("/search")
    async def search(request: Request, visitor: CurrentVisitor, question: Annotated[str, Form()] = "") -> Response:
        visitor.need(Right.KNOWLEDGE_READ)
        try:
            found = await desk.search(visitor.tenant_id, _asked(question), limit=5)
        except AtendeError as error:
            return pages(request).render(request, "knowledge/found.html", found=None, complaints=complaints(error))
        return pages(request).render(request, "knowledge/found.html", found=found, complaints=[])

    return router


def _asked(question: str) -> str:
    if not question.strip() or len(question) > _LONGEST_QUESTION:
        raise InvalidInputError(
            "question", Told("characters", "must have 1 to {most} characters", most=_LONGEST_QUESTION)
        )
    return question


async def _page(
    request: Request, visitor: Visitor, desk: KnowledgeDesk, *, template: str = "knowledge/page.html", **more: Any
) -> Response:
    status = more.pop("status", 200)
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        zone = ZoneInfo((await inbox.workspace(tx)).timezone)
    context = {
        "complaints": [],
        "added": [],
        "no_file": False,
        "entered": {"title": "", "text": "", "language": ""},
        **more,
    }
    return pages(request).render(
        request,
        template,
        status=status,
        documents=await desk.all(visitor.tenant_id),
        zone=zone,
        may_write=visitor.may(Right.KNOWLEDGE_WRITE),
        endings=SUFFIXES,
        longest=LONGEST_TEXT,
        **context,
    )
