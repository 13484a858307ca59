"""Pages and JSON are compressed on their way; files of messages are not.

They are compressed already, mostly; and a part of a file (Range) has a place and a length in the bytes as they are.
"""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

_PAGES = "/media/"
_API = "/media"


class Compression(GZipMiddleware):
    """Leaves the addresses of files alone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith(_PAGES) or (path.startswith("/api/") and path.endswith(_API)):
            await self.app(scope, receive, send)
            return
        await super().__call__(scope, receive, send)
