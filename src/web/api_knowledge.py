"""``/api/v1/knowledge``: documents that answers may cite, and what a search finds in them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import InvalidInputError
from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.knowledge_desk import KnowledgeDesk
from flows.knowledge_files import MAX_BYTES
from web.api import Api
from web.api_schema import A_TIME, Cursor, Limit, Shown, listing, operation, paged, shown, shown_page

Ref = Annotated[str, Path(min_length=1, max_length=200, description="Its name, which ends as its file does: faq.md")]
Language = Annotated[Literal["pt", "es", "en"] | None, Query(description="Otherwise the text tells")]


class Document(Shown):
    """A document, and how far it can be found."""

    ref: str
    title: str
    language: str
    source: str = Field(description="added, or folder: it belongs to the tenant's files and cannot be changed here")
    state: Literal["indexed", "waiting", "failed"] = Field(
        description="waiting: its words are found already, their meaning within seconds; failed: tried again"
    )
    chunks: int = Field(description="Its pieces")
    waiting: int = Field(description="Pieces whose meaning is not found yet")
    error: str
    updated_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "ref": "trocas.md",
        "title": "Trocas e devoluções",
        "language": "pt",
        "source": "added",
        "state": "indexed",
        "chunks": 12,
        "waiting": 0,
        "error": "",
        "updated_at": A_TIME,
    }


class Passage(Shown):
    """A piece of a document that a search found."""

    ref: str
    title: str
    text: str
    score: float = Field(description="The chance that it answers")
    language: str
    page: int | None
    example: ClassVar[dict[str, Any]] = {
        "ref": "trocas.md#3",
        "title": "Trocas e devoluções · Prazo",
        "text": "Você tem 30 dias para trocar.",
        "score": 0.83,
        "language": "pt",
        "page": None,
    }


class Found(Shown):
    """What a search found, best first; below the threshold nothing is answered with it."""

    passages: list[Passage]
    threshold: float
    language: str
    example: ClassVar[dict[str, Any]] = {"passages": [Passage.example], "threshold": 0.5, "language": "pt"}


_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary", "minLength": 1}, "example": "# Trocas\n\n30 dias."}
            for kind in ("text/markdown", "text/plain", "application/octet-stream")
        },
    }
}


def knowledge_router(api: Api, desk: KnowledgeDesk) -> APIRouter:
    """List, put, read, remove, search."""
    router = APIRouter(prefix="/api/v1/knowledge", tags=["knowledge"])
    reads, writes = Depends(api.caller(Right.KNOWLEDGE_READ)), Depends(api.caller(Right.KNOWLEDGE_WRITE))

    @router.get("/documents", **operation(listing("documents", Document)))
    async def list_all(
        request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """The documents, by name."""
        page = paged(await desk.all(caller.tenant_id), cursor, limit)
        return shown_page(request, "documents", Document, page, document_json)

    @router.get("/documents/{ref:path}", **operation(Document, refusals=[404]))
    async def get(ref: Ref, caller: ApiCaller = reads) -> Response:
        """One document's state."""
        return shown(Document, document_json(await desk.one(caller.tenant_id, ref)))

    put_operation = operation(Document, refusals=[409], also={201: Document})
    put_operation["openapi_extra"] |= _FILE

    @router.put("/documents/{ref:path}", **put_operation)
    async def put(request: Request, ref: Ref, language: Language = None, caller: ApiCaller = writes) -> Response:
        """Put a document: the file as the body (MD, TXT, HTML, PDF, DOCX, CSV, TSV). Only what changed is indexed."""
        data = await api.body(request, limit=MAX_BYTES)
        if not data:
            raise InvalidInputError("body", "is empty", hint="Send the file itself.")
        new = await desk.put(caller.tenant_id, ref, data, language)
        return shown(Document, document_json(await desk.one(caller.tenant_id, ref)), 201 if new else 200)

    @router.delete("/documents/{ref:path}", **operation(status=204, refusals=[404, 409]))
    async def remove(ref: Ref, caller: ApiCaller = writes) -> Response:
        """Forget a document that was added."""
        await desk.remove(caller.tenant_id, ref)
        return Response(status_code=204)

    @router.get("/search", **operation(Found))
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=1000, description="As a customer would ask it")],
        limit: Annotated[int, Query(ge=1, le=16)] = 5,
        caller: ApiCaller = reads,
    ) -> Response:
        """What would be found for a question."""
        return shown(Found, await desk.search(caller.tenant_id, q, limit))

    return router


def document_json(row: Any) -> dict[str, Any]:
    """A document's row as programs see it."""
    values = dict(row)
    error = values.get("error") or ""
    state = "failed" if error else "waiting" if values["waiting"] else "indexed"
    return {**values, "error": error, "state": state}
