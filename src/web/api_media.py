"""``GET /api/v1/conversations/{id}/messages/{id}/media``: the file of a message, whole or a part of it.

What a stranger sent is never to be opened as a page: it is for saving, its type is what its bytes are, and whatever it
is gets a sandbox.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

import anyio
from fastapi import APIRouter, Depends
from fastapi import Path as InPath
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from domain.errors import NotFoundError
from domain.media import UNKNOWN, clean_name
from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.message_files import KeptFile, MessageFiles
from store.media import MediaStore
from web.api import Api
from web.api_errors import RangeError
from web.api_schema import operation
from web.media import EXTENSIONS, SANDBOX

_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_CHUNK: Final = 64 * 1024
_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,100}")
MessageId = Annotated[int, InPath(ge=0, le=2**63 - 1)]

_BYTES: dict[str, Any] = {"*/*": {"schema": {"type": "string", "format": "binary"}, "example": "%PDF-1.7 …"}}
_HEADERS = {
    "ETag": {"description": "Names the content", "schema": {"type": "string"}},
    "Accept-Ranges": {"schema": {"type": "string", "const": "bytes"}},
    "Content-Disposition": {"description": "attachment, with its name", "schema": {"type": "string"}},
}
_GET = operation(refusals=[404, 409, 410, 416], about="The whole file")
_GET["openapi_extra"]["responses"]["200"] |= {"content": _BYTES, "headers": _HEADERS}
_GET["openapi_extra"]["responses"]["206"] = {
    "description": "The part that Range names",
    "content": _BYTES,
    "headers": {**_HEADERS, "Content-Range": {"schema": {"type": "string"}}},
}
_GET["openapi_extra"]["responses"]["304"] = {"description": "It is what If-None-Match names"}
_GET["openapi_extra"]["parameters"] = [
    {
        "name": "Range",
        "in": "header",
        "description": "One part, such as bytes=0-1023; several are answered with the whole file.",
        "schema": {"type": "string", "pattern": r"^bytes=[0-9]{1,9}-[0-9]{0,9}$"},
        "example": "bytes=0-1023",
    }
]


def media_api_router(api: Api, files: MessageFiles, store: MediaStore) -> APIRouter:
    """Download."""
    router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])
    reads = Depends(api.caller(Right.CONVERSATIONS_READ))

    @router.get("/{conversation_id}/messages/{message_id}/media", response_class=Response, **_GET)
    async def media(
        request: Request, conversation_id: UUID, message_id: MessageId, caller: ApiCaller = reads
    ) -> Response:
        """The file of a message: its bytes. 409 while it is being fetched, 410 where it was not kept."""
        file = await files.of(caller.tenant_id, conversation_id, message_id)
        tag = f'"{file.sha256}"'
        headers = {
            "ETag": tag,
            "Accept-Ranges": "bytes",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(_name(file), safe='')}",
            "Content-Security-Policy": SANDBOX,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, max-age=3600",
        }
        if _names(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers={"ETag": tag, "Cache-Control": headers["Cache-Control"]})
        path = store.path(file.tenant_id, file.sha256)
        data = b"" if path is not None else await store.get(file.tenant_id, file.sha256)
        size = len(data) if path is None else (await anyio.Path(path).stat()).st_size
        start, end, status = _wanted(request, tag, size)
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        headers["Content-Length"] = str(end - start)
        shown = file.mime_type if _TYPE.fullmatch(file.mime_type) else UNKNOWN
        if path is None:
            return Response(data[start:end], status, headers, media_type=shown)
        return StreamingResponse(_read(path, start, end), status, headers, media_type=shown)

    return router


def _wanted(request: Request, tag: str, size: int) -> tuple[int, int, int]:
    """First byte, the one after the last, and the status. Raises RangeError."""
    found = _RANGE.fullmatch(request.headers.get("range", "").strip())
    condition = request.headers.get("if-range")
    if found is None or not any(found.groups()) or (condition is not None and condition.strip() != tag):
        return 0, size, 200  # without a range, with several, or with one that says nothing
    first, last = found.groups()
    if not first:  # so many at the end
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
    if start >= size or (first and last and int(last) < int(first)) or start == end:
        raise RangeError(size)
    return start, end, 206


def _names(condition: str, tag: str) -> bool:
    """Whether If-None-Match names the content that is here."""
    return condition.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in condition.split(",")]


async def _read(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        await file.seek(start)
        while start < end:
            chunk = await file.read(min(_CHUNK, end - start))
            if not chunk:
                raise NotFoundError("file", path.name)
            start += len(chunk)
            yield chunk


def _name(file: KeptFile) -> str:
    return clean_name(file.file_name) or f"{file.id}{EXTENSIONS.get(file.mime_type, '')}"
