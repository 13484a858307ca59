"""``/api/v1/intents``: what the agent understands, declared by programs. Changes count at once, in every process."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from flows.api_keys import ApiCaller
from flows.intent_declared import as_json
from flows.intent_files import read_intents
from flows.intents import ImportReport, Intents, OutdatedIntentError, StoredIntent
from web.api import Api, answer, etag, wanted_version
from web.errors import VersionPassedError

Form = Literal["csv", "jsonl", "rasa"]
_TYPES: dict[str, Form] = {
    "text/csv": "csv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/json": "jsonl",
    "application/yaml": "rasa",
    "application/x-yaml": "rasa",
    "text/yaml": "rasa",
}
_ABOUT = ("version", "source", "updated_at")
"""What an answer says of an intent besides its declaration."""


def intents_router(api: Api, intents: Intents) -> APIRouter:
    """List, read, create, replace, delete, import and check."""
    router = APIRouter(prefix="/api/v1")
    reads, writes = Depends(api.caller("intents:read")), Depends(api.caller("intents:write"))

    @router.get("/intents")
    async def list_all(caller: ApiCaller = reads) -> Response:
        return answer({"intents": [_shown(one) for one in await intents.all(caller.tenant_id)]})

    @router.get("/intent-check")
    async def check(caller: ApiCaller = reads) -> Response:
        return answer((await intents.check(caller.tenant_id)).to_json())

    @router.get("/intents/{name}")
    async def get(request: Request, name: str, caller: ApiCaller = reads) -> Response:
        found = await intents.get(caller.tenant_id, name)
        if request.headers.get("if-none-match") == etag(found.version):
            return Response(status_code=304, headers={"etag": etag(found.version)})
        return answer(_shown(found), etag=etag(found.version))

    @router.post("/intents")
    async def create(request: Request, caller: ApiCaller = writes) -> Response:
        made = await intents.create(caller.tenant_id, _declared(await api.json(request)), actor=caller.actor)
        place = f"/api/v1/intents/{made.declaration.name}"
        return answer(_shown(made), 201, etag=etag(made.version), location=place)

    @router.post("/intents/import")
    async def bring(
        request: Request,
        format: Form | None = None,  # noqa: A002 - the query's name
        replace: bool = False,
        caller: ApiCaller = writes,
    ) -> Response:
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        form = format or _TYPES.get(declared) or "jsonl"
        file = read_intents("body", await api.body(request), form)
        return answer(_report(await intents.bring(caller.tenant_id, file, replace=replace, actor=caller.actor)))

    @router.put("/intents/{name}")
    async def replace(request: Request, name: str, caller: ApiCaller = writes) -> Response:
        version, body = wanted_version(request), _declared(await api.json(request))
        try:
            made = await intents.replace(caller.tenant_id, name, body, version=version, actor=caller.actor)
        except OutdatedIntentError as error:
            raise VersionPassedError(error.sentence()) from error
        return answer(_shown(made), etag=etag(made.version))

    @router.delete("/intents/{name}")
    async def delete(request: Request, name: str, caller: ApiCaller = writes) -> Response:
        version = wanted_version(request) if "if-match" in request.headers else None
        try:
            await intents.delete(caller.tenant_id, name, version=version, actor=caller.actor)
        except OutdatedIntentError as error:
            raise VersionPassedError(error.sentence()) from error
        return Response(status_code=204)

    return router


def _declared(body: Any) -> Any:
    """The declaration in a body: what was read may be sent back as it is."""
    return {key: value for key, value in body.items() if key not in _ABOUT} if isinstance(body, dict) else body


def _shown(one: StoredIntent) -> dict[str, Any]:
    about = {"version": one.version, "source": one.source, "updated_at": one.updated_at.isoformat()}
    return as_json(one.declaration) | about


def _report(report: ImportReport) -> dict[str, Any]:
    return {
        "created": report.created,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "examples_added": report.examples_added,
        "notices": report.notices,
        "warnings": report.check.lines()[1:] if report.check else [],
        "check": report.check.to_json() if report.check else None,
    }
