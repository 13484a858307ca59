"""A business's own system over HTTP, on the loopback: it acts, keeps what it got, and fails as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class Got:
    """One request as it arrived."""

    method: str
    target: str
    """Path and query, still encoded."""
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Service:
    """``mishaps`` are used up one per request: a status code, or hang, reset, huge, garbage, html, moved:URL."""

    host: str = ""
    got: list[Got] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    """Idempotency keys of what was done; a key that is known is not done again."""
    mishaps: list[int | str] = field(default_factory=list)
    answer: Any = field(default_factory=lambda: {"ok": True})
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Got(request.method, request.raw_path, headers, body))
        mishap = self.mishaps.pop(0) if self.mishaps else 200
        if isinstance(mishap, int) and mishap >= 400:
            return web.json_response({"message": f"status {mishap}"}, status=mishap)
        key = headers.get("idempotency-key", "")
        if key and key not in self.acts:
            self.acts.append(key)
        match mishap:
            case "hang":
                await self.gone.wait()
            case "reset":
                assert request.transport is not None
                request.transport.abort()
            case "huge":
                return await _endless(request)
            case "garbage":
                return web.Response(text='{"half": ', content_type="application/json")
            case "html":
                return web.Response(text="<h1>Sign in</h1>", content_type="text/html")
            case str(moved):
                return web.Response(status=302, headers={"Location": moved.removeprefix("moved:")})
        answer = self.answer(self.got[-1]) if callable(self.answer) else self.answer
        return web.json_response(answer)


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        for _ in range(64):
            await response.write(b'"' + b"x" * 65_536)
    except ConnectionError:
        pass
    return response


@asynccontextmanager
async def open_service() -> AsyncIterator[Service]:
    """The service on a free port."""
    service = Service()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", service.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.host = f"127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    try:
        yield service
    finally:
        service.gone.set()
        await runner.cleanup()
