"""``/api/v1/intents``: what the agent understands, declared by programs. Changes count at once, in every process."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from flows.api_keys import ApiCaller
from flows.intent_declared import as_json
from flows.intent_files import read_intents
from flows.intents import ImportReport, Intents, StoredIntent
from flows.understanding import Understanding
from web.api import Api, answer, etag, wanted_version
from web.api_schema import A_TIME, Asked, Cursor, Limit, Shown, body_of, listing, operation, paged, shown, shown_page

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


class Utterance(Asked):
    """What a customer might write."""

    text: Annotated[str, Field(min_length=1, max_length=1000)]
    example: ClassVar[dict[str, Any]] = {"text": "que horas abre?"}


class Likely(Shown):
    """An intent with its chance."""

    intent: str
    chance: float


class UnderstoodText(Shown):
    """How a text would be understood."""

    outcome: Literal["sure", "unsure", "outside", "nothing_to_read", "no_examples"] = Field(
        description="sure: served without a language model; unsure: below the threshold; outside: unlike all examples"
    )
    ranked: list[Likely] = Field(description="The likeliest first")
    threshold: float
    out_of_scope: float
    example: ClassVar[dict[str, Any]] = {
        "outcome": "sure",
        "ranked": [{"intent": "opening_hours", "chance": 0.97}],
        "threshold": 0.8,
        "out_of_scope": 0.02,
    }


class Intent(Shown):
    """What a customer may want, with the sentences that show it. docs/api.md tells of each field."""

    name: str
    description: str
    examples: dict[str, list[str]] = Field(description="Sentences by language")
    function: str | None
    answer: dict[str, str]
    replies: dict[str, dict[str, str]]
    action: str
    threshold: float | None
    reply_mode: Literal["auto", "suggest", "off"] | None
    restricted: bool
    version: int
    source: str
    updated_at: datetime
    model_config = ConfigDict(from_attributes=True, extra="allow")
    example: ClassVar[dict[str, Any]] = {
        "name": "opening_hours",
        "description": "Quer saber quando a loja abre",
        "examples": {"pt": ["que horas abre?"]},
        "function": None,
        "answer": {"pt": "Das 9h às 18h."},
        "replies": {},
        "action": "serve",
        "threshold": 0.85,
        "reply_mode": "auto",
        "restricted": False,
        "version": 1,
        "source": "api",
        "updated_at": A_TIME,
    }


class NewIntent(Asked):
    """A declaration, whole: what was read may be sent back as it is."""

    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    examples: dict[str, list[str]] | list[Any] = Field(description="By language, or a list: then it is detected")
    function: str | None = None
    answer: dict[str, str] | str | None = None
    replies: dict[str, dict[str, str]] | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    reply_mode: Literal["auto", "suggest", "off"] | None = None
    restricted: bool | None = None
    model_config = ConfigDict(extra="allow")
    example: ClassVar[dict[str, Any]] = {
        "name": "opening_hours",
        "examples": ["que horas abre?", "when do you open?"],
        "answer": "Das 9h às 18h.",
    }


class Check(Shown):
    """Intents that can hardly be told apart, and weak examples."""

    intents: int
    examples: int
    accuracy: float | None
    confusable: list[dict[str, Any]]
    weak: list[dict[str, Any]]
    model_config = ConfigDict(extra="allow")
    example: ClassVar[dict[str, Any]] = {
        "intents": 12,
        "examples": 140,
        "accuracy": 0.93,
        "confusable": [],
        "weak": [],
    }


class Imported(Shown):
    """What an import did."""

    created: list[str]
    changed: list[str]
    unchanged: list[str]
    examples_added: int
    notices: list[str]
    warnings: list[str]
    check: Check | None
    example: ClassVar[dict[str, Any]] = {
        "created": ["opening_hours"],
        "changed": [],
        "unchanged": [],
        "examples_added": 10,
        "notices": [],
        "warnings": [],
        "check": None,
    }


_GET = operation(Intent, versioned=True, refusals=[404])
_GET["openapi_extra"]["responses"]["304"] = {"description": "It is what If-None-Match names"}
_IMPORT = operation(Imported)
_IMPORT["openapi_extra"]["requestBody"] = {
    "required": True,
    "content": {
        kind: {"schema": {"type": "string"}, "example": example}
        for kind, example in (
            ("text/csv", "text,intent\nque horas abre?,opening_hours\n"),
            ("application/jsonl", '{"text": "que horas abre?", "intent": "opening_hours"}\n'),
        )
    },
}


def intents_router(api: Api, intents: Intents, understanding: Understanding) -> APIRouter:
    """List, read, create, replace, delete, import, check and try."""
    router = APIRouter(prefix="/api/v1", tags=["intents"])
    reads, writes = Depends(api.caller("intents:read")), Depends(api.caller("intents:write"))

    @router.get("/intents", **operation(listing("intents", Intent)))
    async def list_all(
        request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """The intents, by name."""
        page = paged(await intents.all(caller.tenant_id), cursor, limit)
        return shown_page(request, "intents", Intent, page, _shown)

    @router.post("/intent-check", **operation(UnderstoodText, Utterance))
    async def try_out(request: Request, caller: ApiCaller = reads) -> Response:
        """How a text would be understood now; nothing is kept of it."""
        body = await body_of(api, request, Utterance)
        found = await understanding.ask(caller.tenant_id, body.text)
        ranked = [{"intent": name, "chance": chance} for name, chance in found.ranked]
        return shown(
            UnderstoodText,
            {
                "outcome": found.outcome,
                "ranked": ranked,
                "threshold": found.threshold,
                "out_of_scope": found.out_of_scope,
            },
        )

    @router.get("/intent-check", **operation(Check))
    async def check(caller: ApiCaller = reads) -> Response:
        """How well the intents can be told apart, with the sentences that show it."""
        return answer((await intents.check(caller.tenant_id)).to_json())

    @router.get("/intents/{name}", **_GET)
    async def get(request: Request, name: str, caller: ApiCaller = reads) -> Response:
        """One intent, with its ETag; 304 where If-None-Match names it."""
        found = await intents.get(caller.tenant_id, name)
        if request.headers.get("if-none-match") == etag(found.version):
            return Response(status_code=304, headers={"etag": etag(found.version)})
        return answer(_shown(found), etag=etag(found.version))

    @router.post("/intents", **operation(Intent, NewIntent, status=201, versioned=True, refusals=[409]))
    async def create(request: Request, caller: ApiCaller = writes) -> Response:
        """A new intent. Its name is its key: the same request again is told that it exists."""
        made = await intents.create(caller.tenant_id, _declared(await api.json(request)), actor=caller.actor)
        place = f"/api/v1/intents/{made.declaration.name}"
        return answer(_shown(made), 201, etag=etag(made.version), location=place)

    @router.post("/intents/import", **_IMPORT)
    async def bring(
        request: Request,
        format: Form | None = None,  # noqa: A002 - the query's name
        replace: bool = False,
        caller: ApiCaller = writes,
    ) -> Response:
        """Intents of a file: the whole of it, or nothing."""
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        form = format or _TYPES.get(declared) or "jsonl"
        file = read_intents("body", await api.body(request), form)
        return answer(_report(await intents.bring(caller.tenant_id, file, replace=replace, actor=caller.actor)))

    @router.put(
        "/intents/{name}", **operation(Intent, NewIntent, versioned=True, based_on="counter", refusals=[404, 409])
    )
    async def replace(request: Request, name: str, caller: ApiCaller = writes) -> Response:
        """Another declaration, whole."""
        version, body = wanted_version(request), _declared(await api.json(request))
        made = await intents.replace(caller.tenant_id, name, body, version=version, actor=caller.actor)
        return answer(_shown(made), etag=etag(made.version))

    @router.delete("/intents/{name}", **operation(status=204, refusals=[404, 409, 412]))
    async def delete(request: Request, name: str, caller: ApiCaller = writes) -> Response:
        """Forget an intent. If-Match is honoured."""
        version = wanted_version(request) if "if-match" in request.headers else None
        await intents.delete(caller.tenant_id, name, version=version, actor=caller.actor)
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
