"""A gateway's HTTP API on this machine: records and checks every request, answers as the gateway does or misbehaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from .published import Operation, Operations, complaints

Misbehaviour = Callable[[web.Request, "Asked"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form."""

    data: bytes
    mime_type: str
    file_name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came. ``steps`` are the variable parts of its path."""

    name: str
    steps: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None
    files: Mapping[str, Upload] = field(default_factory=dict)


class StandIn:
    """Subclasses publish their ``operations`` and answer them in methods found by ``answer_of``."""

    operations: Mapping[str, Operation] = {}

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.wrong: list[str] = []
        """What we sent against the published shape: every test that uses a stand-in ends with nothing here."""
        self.base_url = ""
        self._found = Operations(self.operations)
        self._misbehaviour: tuple[str, Misbehaviour] | None = None

    # Misbehaving

    def fail(self, status: int, body: Any = None, *, on: str = "", headers: dict[str, str] | None = None) -> None:
        """Answer requests whose published name contains ``on`` with this; ``body`` as JSON unless it is text."""
        text = body if isinstance(body, str) else json.dumps(body)

        async def failing(_: web.Request, __: Asked) -> web.StreamResponse:
            return web.Response(status=status, text=text, headers=headers)

        self._misbehaviour = (on, failing)

    lie = fail
    """A failure with 2xx."""

    def hang(self, *, on: str = "") -> None:
        """Take requests and never answer."""

        async def hanging(_: web.Request, __: Asked) -> web.StreamResponse:
            await asyncio.sleep(30)
            raise AssertionError("somebody waited too long")

        self._misbehaviour = (on, hanging)

    def reset(self, *, on: str = "") -> None:
        """Take requests and break the connection off."""

        async def breaking(request: web.Request, _: Asked) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self._misbehaviour = (on, breaking)

    def be_late(self, seconds: float, *, on: str = "") -> None:
        """Do as asked, but answer late."""

        async def late(_: web.Request, asked: Asked) -> web.StreamResponse:
            answer = await self._regular(asked)
            await asyncio.sleep(seconds)
            return answer

        self._misbehaviour = (on, late)

    def behave(self) -> None:
        """End the misbehaviour."""
        self._misbehaviour = None

    # Serving

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serve on a free port of the loopback interface."""
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = await self._read(request)
        if isinstance(asked, web.Response):
            return asked
        self.requests.append(asked)
        if self._misbehaviour is not None and self._misbehaviour[0] in asked.name:
            return await self._misbehaviour[1](request, asked)
        return await self._regular(asked)

    async def _regular(self, asked: Asked) -> web.StreamResponse:
        return self.refused(asked) or await self.answer(asked)

    def refused(self, asked: Asked) -> web.Response | None:
        """An answer to somebody without the right key; None to go on."""
        raise NotImplementedError

    async def answer(self, asked: Asked) -> web.StreamResponse:
        """What the gateway answers."""
        raise NotImplementedError

    def static(self, path: str) -> web.Response | None:
        """A file outside the published API; None where there is none."""
        return None

    async def _read(self, request: web.Request) -> Asked | web.Response:
        if request.method == "GET" and (file := self.static(request.path)) is not None:
            self.requests.append(Asked(f"GET {request.path}", {}, {}, dict(request.headers)))
            return file
        found = self._found.find(request.method, request.rel_url.raw_path)
        if found is None:
            self.wrong.append(f"{request.method} {request.path} is not published")
            return web.Response(status=404, text=f"Cannot {request.method} {request.path}")
        name, operation, steps = found
        query = dict(request.query)
        body, files = await self._body(request, name, operation)
        self.wrong += [f"{name}: {said}" for said in self._complaints(operation, query, body)]
        return Asked(name, steps, query, dict(request.headers), body, files)

    async def _body(self, request: web.Request, name: str, operation: Operation) -> tuple[Any, dict[str, Upload]]:
        if operation.form is not None:
            return await self._form(request, name, operation)
        raw = await request.read()
        if not raw:
            return None, {}
        if request.content_type != "application/json":
            self.wrong.append(f"{name}: the body is {request.content_type}")
        try:
            return json.loads(raw), {}
        except ValueError:
            self.wrong.append(f"{name}: the body is no JSON")
            return None, {}

    async def _form(self, request: web.Request, name: str, operation: Operation) -> tuple[Any, dict[str, Upload]]:
        fields: dict[str, str] = {}
        files: dict[str, Upload] = {}
        if request.content_type != "multipart/form-data":
            self.wrong.append(f"{name}: the body is {request.content_type}")
            return fields, files
        for part, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                files[part] = Upload(value.file.read(), value.content_type, value.filename)
                if part not in operation.files:
                    self.wrong.append(f"{name}: the file {part} is not published")
            else:
                fields[part] = str(value)
        return fields, files

    @staticmethod
    def _complaints(operation: Operation, query: Mapping[str, str], body: Any) -> list[str]:
        found = [f"the parameter {name} is not published" for name in query if name not in operation.query]
        found += [f"the parameter {name} is missing" for name in operation.required_query if name not in query]
        for name, kind in operation.query.items():
            stated = query.get(name)
            if stated is not None and kind is int and not stated.isdigit():
                found.append(f"the parameter {name} is no number")
            if stated is not None and kind is bool and stated not in ("true", "false"):
                found.append(f"the parameter {name} is neither true nor false")
        if operation.form is not None:
            return found + complaints(body, dict(operation.form), "form")
        if operation.body is None:
            return found + (["there is a body"] if body is not None else [])
        return found + complaints(body, operation.body)

    def names(self) -> list[str]:
        """The published names of what was asked, in order."""
        return [asked.name for asked in self.requests]

    def last(self, part: str = "") -> Asked:
        """The last request whose name contains ``part``."""
        return next(asked for asked in reversed(self.requests) if part in asked.name)
