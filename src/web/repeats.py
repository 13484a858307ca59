"""What a page asked for and never got an answer to, asked again: done once, told again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.datastructures import UploadFile
from starlette.requests import Request

from flows.idempotency import DONE, Answered, IdempotentRequests
from web.access import Visitor
from web.services import services

HEADER = "Idempotency-Key"
"""Carries the page's own key for this very request (static/connection.js)."""


async def once(request: Request, visitor: Visitor, act: Callable[[], Awaitable[object]]) -> None:
    """Do it, unless the same person's request of this key was carried out before. Without a key it is done.

    ``act`` must not wait for another process: see IdempotentRequests. Raises KeyReusedError, InvalidInputError, and
    what ``act`` raises; then nothing was done.
    """
    key = request.headers.get(HEADER, "").strip()
    if not key:
        await act()
        return

    async def acted() -> Answered:
        await act()
        return DONE

    form = await request.form()
    said = sorted((name, value) for name, value in form.multi_items() if not isinstance(value, UploadFile))
    # Each person's keys are in a space of their own.
    own = f"page/{visitor.user_id}/{key}"
    await IdempotentRequests(services(request).db).once(visitor.tenant_id, own, [request.url.path, said], acted)
