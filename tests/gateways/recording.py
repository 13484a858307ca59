"""A stand-in made of a gateway's published operations: paths, parameters and forms are checked beside JSON."""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aiohttp import web
from aiohttp.typedefs import Handler

from .published import Operation, Operations, schema_of
from .shapes import problems
from .stand_in import Request, StandIn


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form."""

    data: bytes
    mime_type: str
    file_name: str


@dataclass(frozen=True, slots=True)
class Asked(Request):
    """One request with its published name; ``match`` are the variable parts of its path, ``body`` a form's fields."""

    name: str = ""
    files: Mapping[str, Upload] = field(default_factory=dict)
    transport: asyncio.Transport | None = None


class PublishedStandIn(StandIn):
    """Subclasses publish their ``operations`` and answer them."""

    operations: ClassVar[Mapping[str, Operation]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self._found = Operations(self.operations)

    @abstractmethod
    def refused(self, asked: Asked) -> web.Response | None:
        """An answer to somebody without the right key; None to go on."""

    @abstractmethod
    async def answer(self, asked: Asked) -> web.StreamResponse:
        """What the gateway answers."""

    def static(self, path: str) -> web.Response | None:
        """A file outside the published API; None where there is none."""
        return None

    def application(self) -> web.Application:
        """Everything is answered before a route is looked for."""

        @web.middleware
        async def everything(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._serve(request)

        return web.Application(middlewares=[everything], client_max_size=64 * 1024 * 1024)

    def names(self) -> list[str]:
        """The published names of what was asked, in order."""
        return [asked.name for asked in self.asked]

    def last(self, part: str = "") -> Asked:
        """The last request whose name contains ``part``."""
        return next(asked for asked in reversed(self.asked) if part in asked.name)

    def breaks_off(self) -> None:
        """Take requests and break the connection off."""

        async def answer(request: Request) -> web.StreamResponse:
            assert isinstance(request, Asked)
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self.fate, self.fate_for = answer, "/"

    def answers_late(self, seconds: float) -> None:
        """Do as asked, but answer late."""

        async def answer(request: Request) -> web.StreamResponse:
            assert isinstance(request, Asked)
            answered = await self._regular(request)
            await asyncio.sleep(seconds)
            return answered

        self.fate, self.fate_for = answer, "/"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path, headers, query = request.path, dict(request.headers), dict(request.query)
        if request.method == "GET" and (file := self.static(path)) is not None:
            self.asked.append(Asked("GET", path, None, headers, query, {}, f"GET {path}"))
            return file
        found = self._found.find(request.method, request.rel_url.raw_path)
        if found is None:
            self.violations.append(f"{request.method} {path}: there is no such route")
            return web.Response(status=404, text=f"Cannot {request.method} {path}")
        name, operation, steps = found
        body, files = await self._body(request, operation)
        self.violations += [f"{name}: {problem}" for problem in _problems(operation, query, body, files)]
        asked = Asked(request.method, path, body, headers, query, steps, name, files, request.transport)
        self.asked.append(asked)
        self.requests.append(asked)
        if self.fate is not None and self.fate_for in path:
            return await self.fate(asked)
        return await self._regular(asked)

    async def _regular(self, asked: Asked) -> web.StreamResponse:
        return self.refused(asked) or await self.answer(asked)

    async def _body(self, request: web.Request, operation: Operation) -> tuple[Any, dict[str, Upload]]:
        if not request.can_read_body:
            return None, {}
        wished = "application/json" if operation.form is None else "multipart/form-data"
        if request.content_type != wished:
            self.violations.append(f"{request.method} {request.path}: the body is {request.content_type}")
            return None, {}
        if operation.form is None:
            return json.loads(await request.read()), {}
        parts = (await request.post()).items()
        files = {n: Upload(v.file.read(), v.content_type, v.filename) for n, v in parts if isinstance(v, web.FileField)}
        return {name: str(value) for name, value in parts if name not in files}, files


def _problems(operation: Operation, query: Mapping[str, str], body: Any, files: Mapping[str, Upload]) -> list[str]:
    found = [f"the parameter {name} is not published" for name in query if name not in operation.query]
    found += [f"the parameter {name} is missing" for name in operation.required_query if name not in query]
    found += [f"the file {name} is not published" for name in files if name not in operation.files]
    for name, kind in operation.query.items():
        stated = query.get(name)
        if stated is not None and kind is int and not stated.isdigit():
            found.append(f"the parameter {name} is no number")
        if stated is not None and kind is bool and stated not in ("true", "false"):
            found.append(f"the parameter {name} is neither true nor false")
    shape = operation.body if operation.form is None else operation.form
    if shape is None:
        return found + (["a body that nobody reads"] if body is not None else [])
    return found + list(problems(body, schema_of(shape)))
