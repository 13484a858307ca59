"""Files of messages: shown and downloaded by the people of their tenant, and attached by operators.

A customer's file is whatever a stranger sent. It is never taken for a page: its type is what its bytes are, browsers
may not guess another, and whatever it is gets a sandbox without scripts, origin or network.
"""

from __future__ import annotations

import base64
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from domain.errors import AtendeError, InvalidInputError, NotFoundError, TooLargeError
from domain.media import UNKNOWN, disposition
from domain.roles import Right
from flows.attachments import MOST_BYTES, Attachments
from flows.desk_undo import held_for
from store.media import MediaStore
from web.access import CurrentVisitor, needs
from web.desk import sent
from web.services import services

_FORM_BYTES = 256 * 1024
SANDBOX = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"


def media_router(store: MediaStore, attachments: Attachments) -> APIRouter:
    """Files, miniatures and contacts' pictures to look at, and ``POST /inbox/{conversation}/attachments``."""
    router = APIRouter()

    @router.get("/media/{file_id}", dependencies=[needs(Right.CONVERSATIONS_READ)])
    async def show(request: Request, visitor: CurrentVisitor, file_id: UUID, download: bool = False) -> Response:
        """A stored file. ``download``: to be saved, whatever it is."""
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            row = await tx.fetchrow(
                "SELECT sha256, mime_type, file_name FROM media_file WHERE id = $1 AND state = 'stored'", file_id
            )
        if row is None:
            raise NotFoundError("file", file_id)
        mime = row["mime_type"]
        how = "attachment" if download else disposition(mime)
        name = row["file_name"] or f"{file_id}{EXTENSIONS.get(mime, '')}"
        headers = {
            "Content-Disposition": f"{how}; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": SANDBOX,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, max-age=3600",
        }
        shown_as = mime if how == "inline" else UNKNOWN
        if (path := store.path(visitor.tenant_id, row["sha256"])) is not None:
            return FileResponse(path, media_type=shown_as, headers=headers)
        data = await store.get(visitor.tenant_id, row["sha256"])
        return Response(data, media_type=shown_as, headers=headers)

    @router.get("/media/{file_id}/preview", dependencies=[needs(Right.CONVERSATIONS_READ)])
    async def show_preview(request: Request, visitor: CurrentVisitor, file_id: UUID) -> Response:
        """The miniature that came with a document or a film, which may still be on its way."""
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            encoded = await tx.fetchval("SELECT preview FROM media_file WHERE id = $1", file_id)
        if not encoded:
            raise NotFoundError("preview of", file_id)
        headers = {
            "Content-Security-Policy": SANDBOX,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, max-age=86400",
        }
        return Response(base64.b64decode(encoded), media_type="image/jpeg", headers=headers)

    @router.get("/contacts/{contact_id}/picture", dependencies=[needs(Right.CONTACTS_READ)])
    async def show_contact(request: Request, visitor: CurrentVisitor, contact_id: UUID) -> Response:
        """A contact's profile picture. Its address changes with it."""
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            row = await tx.fetchrow(
                "SELECT sha256, mime_type FROM contact_profile WHERE contact_id = $1 AND sha256 IS NOT NULL", contact_id
            )
        if row is None:
            raise NotFoundError("picture of", contact_id)
        headers = {
            "Content-Security-Policy": SANDBOX,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, max-age=86400",
        }
        data = await store.get(visitor.tenant_id, row["sha256"])
        return Response(data, media_type=row["mime_type"], headers=headers)

    @router.post("/inbox/{conversation_id}/attachments", dependencies=[needs(Right.MESSAGES_WRITE)])
    async def attach(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
        """Send a file (field ``file``), with the field ``text`` as its caption."""
        declared = request.headers.get("content-length", "")
        if not declared.isdecimal() or int(declared) > MOST_BYTES + _FORM_BYTES:
            raise TooLargeError(MOST_BYTES)
        async with request.form(max_files=1, max_fields=10, max_part_size=_FORM_BYTES) as form:
            file, text, key = form.get("file"), form.get("text") or "", form.get("key") or ""
            if not isinstance(file, UploadFile) or not file.filename or not isinstance(text, str):
                raise InvalidInputError("file", "none was chosen", hint="Choose a file, then send it.")
            attachment = await attachments.take(
                visitor.tenant_id,
                conversation_id,
                data=await file.read(),
                file_name=file.filename,
                claimed=file.content_type or "",
            )
            undo = seconds_of(form.get("undo"))
        try:
            message_id = await services(request).desk.reply(
                visitor.actor, conversation_id, text, attachment=attachment, key=str(key), hold=held_for(undo)
            )
        except AtendeError:
            await attachments.forget(visitor.tenant_id, attachment)
            raise
        return await sent(request, visitor, conversation_id, message_id, undo)

    return router


def seconds_of(given: object) -> float:
    """A form's field as whole seconds; 0 for anything else."""
    return float(given) if isinstance(given, str) and given.isdecimal() and len(given) < 3 else 0.0


EXTENSIONS = {
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
