"""Files of messages: shown and downloaded by the people of their tenant, and attached by operators.

A customer's file is whatever a stranger sent. It is never taken for a page: its type is what its bytes are, browsers
may not guess another, and whatever it is gets a sandbox without scripts, origin or network.
"""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from domain.errors import InvalidInputError, NotFoundError, TooLargeError
from domain.media import UNKNOWN, disposition
from flows.attachments import MOST_BYTES, Attachments
from store.media import MediaStore
from web.access import CurrentVisitor
from web.desk import answer
from web.services import services

_FORM_BYTES = 256 * 1024
SANDBOX = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"


def media_router(store: MediaStore, attachments: Attachments) -> APIRouter:
    """``GET /media/{file}`` and ``POST /inbox/{conversation}/attachments``."""
    router = APIRouter()

    @router.get("/media/{file_id}")
    async def show(request: Request, visitor: CurrentVisitor, file_id: UUID, download: bool = False) -> Response:
        """A stored file. ``download``: to be saved, whatever it is."""
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            row = await tx.fetchrow(
                "SELECT sha256, mime_type, file_name FROM media_file WHERE id = $1 AND state = 'stored'", file_id
            )
        path = store.path(visitor.tenant_id, row["sha256"]) if row is not None else None
        if row is None or path is None:
            raise NotFoundError("file", file_id)
        mime = row["mime_type"]
        how = "attachment" if download else disposition(mime)
        name = row["file_name"] or f"{file_id}{_EXTENSIONS.get(mime, '')}"
        return FileResponse(
            path,
            media_type=mime if how == "inline" else UNKNOWN,
            headers={
                "Content-Disposition": f"{how}; filename*=UTF-8''{quote(name, safe='')}",
                "Content-Security-Policy": SANDBOX,
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "private, max-age=3600",
            },
        )

    @router.post("/inbox/{conversation_id}/attachments")
    async def attach(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
        """Send a file (field ``file``), with the field ``text`` as its caption."""
        declared = request.headers.get("content-length", "")
        if not declared.isdecimal() or int(declared) > MOST_BYTES + _FORM_BYTES:
            raise TooLargeError(MOST_BYTES)
        async with request.form(max_files=1, max_fields=10, max_part_size=_FORM_BYTES) as form:
            file, text = form.get("file"), form.get("text") or ""
            if not isinstance(file, UploadFile) or not file.filename or not isinstance(text, str):
                raise InvalidInputError("file", "none was chosen", hint="Choose a file, then send it.")
            attachment = await attachments.take(
                visitor.tenant_id,
                conversation_id,
                data=await file.read(),
                file_name=file.filename,
                claimed=file.content_type or "",
            )
        await services(request).desk.reply(visitor.actor, conversation_id, text, attachment=attachment)
        response = await answer(request, visitor, conversation_id)
        response.headers["HX-Trigger"] = "atende:sent"
        return response

    return router


_EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "video/mp4": ".mp4",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
}
"""For files whose sender named none."""
