"""What the stand-ins of all gateways share: they keep every request, check its shape, and misbehave as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

from tests.gateways.shapes import problems

Handler = Callable[["Request"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came, its JSON decoded."""

    method: str
    path: str
    body: Any
    headers: Mapping[str, str]
    query: Mapping[str, str]
    match: Mapping[str, str]


@dataclass(slots=True)
class StandIn:
    """A gateway's server on this machine.

    ``violations``: what in our requests is not as the gateway publishes it. ``fate``, if set, answers instead of the
    gateway, for paths that contain ``fate_for``.
    """

    requests: list[Request] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    fate: Handler | None = None
    fate_for: str = "/"
    base_url: str = ""
    release: asyncio.Event = field(default_factory=asyncio.Event)

    def application(self) -> web.Application:
        """The routes; every one of them goes through ``answered``."""
        raise NotImplementedError

    def paths(self, part: str = "") -> list[str]:
        """Method and path of every request whose path contains ``part``, in order."""
        return [f"{one.method} {one.path}" for one in self.requests if part in one.path]

    def bodies(self, part: str) -> list[Any]:
        """The bodies of requests whose path contains ``part``, in order."""
        return [one.body for one in self.requests if part in one.path]

    def answers(self, status: int, body: Any = None, *, to: str = "/", headers: dict[str, str] | None = None) -> None:
        """Answer this from now on. ``body``: text as it is, anything else as JSON."""

        async def answer(request: Request) -> web.StreamResponse:
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(status=status, text=text, content_type="application/json", headers=headers)

        self.fate, self.fate_for = answer, to

    def answers_html(self, *, to: str = "/") -> None:
        """Answer as a reverse proxy in front of a sleeping gateway does: 200 and a page."""

        async def answer(request: Request) -> web.StreamResponse:
            return web.Response(text="<html><body>Welcome to nginx!</body></html>", content_type="text/html")

        self.fate, self.fate_for = answer, to

    def hangs(self, *, to: str = "/") -> None:
        """Take requests and never answer."""

        async def answer(request: Request) -> web.StreamResponse:
            await self.release.wait()
            return web.Response(status=503)

        self.fate, self.fate_for = answer, to

    def behaves(self) -> None:
        """Be a well-behaved gateway again."""
        self.fate = None

    async def answered(
        self, request: web.Request, handler: Handler, shape: Mapping[str, Any] | None
    ) -> web.StreamResponse:
        """Keep the request, check it, and answer it as the gateway or as the test wants."""
        text = await request.text()
        try:
            body = json.loads(text) if text else None
        except ValueError:
            body = None
            self.violations.append(f"{request.method} {request.path}: no JSON")
        query, match = dict(request.query), dict(request.match_info)
        seen = Request(request.method, request.path, body, dict(request.headers), query, match)
        self.requests.append(seen)
        found = ["a body that nobody reads"] if shape is None and text else list(problems(body, shape or {}))
        self.violations += [f"{request.method} {request.path}: {problem}" for problem in found]
        if self.fate is not None and self.fate_for in request.path:
            return await self.fate(seen)
        return await handler(seen)

    def route(
        self, application: web.Application, method: str, path: str, handler: Handler, shape: Mapping[str, Any] | None
    ) -> None:
        """Serve ``path``. ``shape``: the JSON Schema of its body; None where it takes none."""

        async def serve(request: web.Request) -> web.StreamResponse:
            return await self.answered(request, handler, shape)

        application.router.add_route(method, path, serve)


S = TypeVar("S", bound=StandIn)


@asynccontextmanager
async def serving(stand_in: S) -> AsyncIterator[S]:
    """The stand-in on a free port of this machine."""
    application = stand_in.application()

    async def unknown(request: web.Request) -> web.StreamResponse:
        stand_in.violations.append(f"{request.method} {request.path}: there is no such route")
        return web.json_response({"message": "Cannot find it"}, status=404)

    application.router.add_route("*", "/{path:.*}", unknown)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand_in.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield stand_in
    finally:
        stand_in.release.set()
        await runner.cleanup()
