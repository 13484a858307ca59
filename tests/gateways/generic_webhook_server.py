"""A stand-in for a service that speaks docs/generic-webhook.md; every request is checked by the published schema."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.gateways.stand_in import Handler, Request, StandIn

DOCS = Path(__file__).parents[2] / "docs"
KEY, TENANT, SESSION, SECRET = "the service's key", "loja-aurora", "vendas", "the webhook's secret"
_SCHEMA = json.loads((DOCS / "generic-webhook.schema.json").read_text())
_ANNOTATIONS = {"$schema", "title", "description", "$defs", "$ref"}


def shape(name: str) -> dict[str, Any]:
    """A definition of the published schema, with all it refers to written out."""
    written: dict[str, Any] = _written_out(_SCHEMA["$defs"][name])
    return written


def _written_out(part: Any) -> Any:
    if isinstance(part, list):
        return [_written_out(item) for item in part]
    if not isinstance(part, dict):
        return part
    target = _SCHEMA["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else {}
    kept = {name: value for name, value in part.items() if name not in _ANNOTATIONS}
    out: dict[str, Any] = {**(_written_out(target) if target else {})}
    for name, value in kept.items():
        # Names of properties are no words of the schema: a property may be called "title".
        out[name] = {n: _written_out(v) for n, v in value.items()} if name == "properties" else _written_out(value)
    return out


@dataclass(slots=True)
class GenericService(StandIn):
    """``sent`` are the messages it took, by key; ``lacks`` are paths that it has not (404)."""

    sent: dict[str, Any] = field(default_factory=dict)
    webhook: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=lambda: {"status": "connected", "account": "5511990000000"})
    people: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    lacks: set[str] = field(default_factory=set)
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    def application(self) -> web.Application:
        application = web.Application(client_max_size=200 * 1024 * 1024)
        root = "/api/sessions/{session}"
        routes: list[tuple[str, str, Handler, Mapping[str, Any] | None]] = [
            ("POST", "/messages", self._send, shape("outbound")),
            ("GET", "/messages", self._list, None),
            ("PUT", "", self._set_up, shape("set_up")),
            ("GET", "", self._state, None),
            ("DELETE", "", self._done, None),
            ("POST", "/read", self._done, shape("read")),
            ("POST", "/typing", self._done, shape("typing")),
            ("GET", "/contacts/{digits}", self._contact, None),
            ("GET", "/media/{id}", self._file, None),
            *(("POST", f"/{wish}", self._done, shape("nothing")) for wish in ("start", "stop", "restart", "logout")),
        ]
        for method, path, handler, body in routes:
            self.route(application, method, f"{root}{path}", self._guarded(method, path, handler), body)
        return application

    def _guarded(self, method: str, path: str, handler: Handler) -> Handler:
        async def handle(request: Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {KEY}":
                return web.json_response({"error": {"code": "unauthorised"}}, status=401)
            if request.headers.get("X-Tenant-Id") != TENANT or request.match["session"] != SESSION:
                self.violations.append(f"{method} {request.path}: not this tenant's session")
            if f"{method} {path}" in self.lacks:
                return web.json_response({}, status=404)
            return await handler(request)

        return handle

    async def _send(self, request: Request) -> web.StreamResponse:
        if request.headers.get("Idempotency-Key") != request.body["key"]:
            self.violations.append("Idempotency-Key differs from the key in the body")
        name = f"3EB0{next(self._ids):04d}"
        self.sent[name] = request.body
        return web.json_response({"id": name}, status=201)

    async def _list(self, request: Request) -> web.StreamResponse:
        """In pages of two."""
        start = int(request.query.get("cursor", "0"))
        following = str(start + 2) if start + 2 < len(self.messages) else None
        return web.json_response({"messages": self.messages[start : start + 2], "next": following})

    async def _set_up(self, request: Request) -> web.StreamResponse:
        self.webhook = request.body["webhook"]
        return web.json_response({})

    async def _state(self, request: Request) -> web.StreamResponse:
        return web.json_response(self.state)

    async def _done(self, request: Request) -> web.StreamResponse:
        return web.Response(status=204)

    async def _contact(self, request: Request) -> web.StreamResponse:
        found = self.people.get(request.match["digits"])
        return web.json_response({"exists": True, "chat": found} if found else {"exists": False})

    async def _file(self, request: Request) -> web.StreamResponse:
        if request.match["id"] not in self.files:
            return web.json_response({}, status=404)
        return web.Response(body=self.files[request.match["id"]], content_type="image/jpeg")
