"""What requests and answers of the API look like: models, and what the OpenAPI document says of an operation.

An answer is made from the model that the document shows, so that the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from urllib.parse import quote

import orjson
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from starlette.requests import Request
from starlette.responses import Response

from flows.api_keys import ApiCaller
from flows.idempotency import Answered, IdempotentRequests
from flows.pages import MOST, Page, cursor_of, place_in
from web.api import Api, etag
from web.api_errors import InvalidBodyError


class Shown(BaseModel):
    """Part of an answer, read from the flow's own values. Later versions may add fields."""

    model_config = ConfigDict(from_attributes=True)
    example: ClassVar[dict[str, Any]] = {}


class Asked(BaseModel):
    """The body of a request. What is not known is refused: a misspelt field must not be ignored in silence."""

    model_config = ConfigDict(extra="forbid", strict=True)
    example: ClassVar[dict[str, Any]] = {}


Limit = Annotated[int, Query(ge=1, le=MOST, description="Rows wanted")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the part before")]
Words = Annotated[str | None, Query(min_length=1, max_length=200)]

Body = TypeVar("Body", bound=Asked)
Answer = TypeVar("Answer", bound=Shown)


class Fault(Shown):
    """One thing wrong with a request."""

    detail: str
    pointer: str | None = None
    """Of a body: a JSON pointer (RFC 6901)."""
    parameter: str | None = None
    line: int | None = None
    """Of a file."""


class Problem(Shown):
    """Why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What happened, and what to do next")
    hint: str | None = Field(None, description="What to do next, alone")
    instance: str | None = None
    errors: list[Fault] | None = None
    example: ClassVar[dict[str, Any]] = {
        "type": "urn:atende:problem:not-found",
        "title": "This does not exist",
        "status": 404,
        "detail": "There is no contact 7f3c0c0e-6f5e-4a7e-9d3c-2f1f4f0a9b21. Check the id, or list what exists first.",
        "hint": "Check the id, or list what exists first.",
        "instance": "/api/v1/contacts/7f3c0c0e-6f5e-4a7e-9d3c-2f1f4f0a9b21",
    }


async def body_of(api: Api, request: Request, model: type[Body]) -> Body:
    """The body as ``model``, whatever its declared type. Raises InvalidBodyError and TooLargeError."""
    data = await api.body(request)
    try:
        return model.model_validate_json(data or b"{}")
    except ValidationError as error:
        raise InvalidBodyError(faults_of(error)) from None


def faults_of(error: ValidationError) -> list[tuple[str, str]]:
    """(JSON pointer, what is wrong) of each fault of a body."""
    return [_fault(one) for one in error.errors(include_url=False, include_input=False)]


def _fault(one: Any) -> tuple[str, str]:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in one["loc"])
    what = str(one["msg"])
    return "".join(f"/{part}" for part in parts), f"{what[:1].lower()}{what[1:]}"


def shown(model: type[Shown], value: Any, status: int = 200, **headers: str) -> Response:
    """``value`` (a flow's object, a row or a mapping) as this model."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(read_as(model, value).model_dump_json(), status, named, media_type="application/json")


def read_as(model: type[Answer], value: Any) -> Answer:
    """``value`` as this model."""
    return model.model_validate(dict(value) if hasattr(value, "keys") else value)


def shown_page(
    request: Request, name: str, model: type[Shown], page: Page[Any], told: Callable[[Any], Any] = lambda one: one
) -> Response:
    """A part of a list under ``name``, with where the next part is: in the body, and as a link of the answer.

    ``told``: a row as ``model`` reads it.
    """
    listed = [read_as(model, told(one)).model_dump(mode="json") for one in page.items]
    address, links = next_links(request, page.next_cursor)
    body = listing(name, model).model_validate({name: listed, "next_cursor": page.next_cursor, "next": address})
    return Response(body.model_dump_json(), 200, links, media_type="application/json")


def next_links(request: Request, cursor: str | None) -> tuple[str | None, dict[str, str]]:
    """The address of the next part of a list, and the headers that name it; None and nothing after the last."""
    if cursor is None:
        return None, {}
    follows = request.url.include_query_params(cursor=cursor)
    address = f"{quote(follows.path)}?{follows.query}"
    return address, {"link": f'<{address}>; rel="next"'}


def paged(rows: Sequence[Any], cursor: str | None, limit: int, *, more: bool = False, key: str = "") -> Page[Any]:
    """A page of a list that is read whole, such as a hundred keys; or with ``key`` of rows that are a page already,
    with ``more`` to come after the last one's ``key``."""
    if key:
        return Page(list(rows), cursor_of([rows[-1][key]]) if rows and more else None)
    (start,) = place_in(cursor, int) or (0,)
    found = list(rows[start : start + limit])
    return Page(found, cursor_of([start + limit]) if len(rows) > start + limit else None)


_LISTINGS: dict[tuple[str, type[Shown]], type[Shown]] = {}


def listing(name: str, model: type[Shown]) -> type[Shown]:
    """The model of a part of a list."""
    known = _LISTINGS.get((name, model))
    if known is None:
        fields: dict[str, Any] = {
            name: (list[model], ...),  # type: ignore[valid-type]
            "next_cursor": (str | None, Field(description="Send it as `cursor` for the next part; null: no more.")),
            "next": (str | None, Field(description="The address of the next part.")),
        }
        known = create_model(f"{name.title().replace('_', '')}Of{model.__name__}", __base__=Shown, **fields)
        known.example = {name: [model.example], "next_cursor": None, "next": None}
        _LISTINGS[name, model] = known
    return known


class Once:
    """What the doors of the API that send or create share: a request is carried out once for its Idempotency-Key."""

    def __init__(self, api: Api, remembered: IdempotentRequests) -> None:
        self._api, self._remembered = api, remembered

    async def __call__(
        self, request: Request, caller: ApiCaller, act: Callable[[], Awaitable[Answered]], *, needed: bool = False
    ) -> Response:
        """Carry out ``act``; without a key each time, unless the key is ``needed``."""
        key = request.headers.get("idempotency-key")
        if key is None and not needed:
            return created(await act())
        body = await self._api.body(request)
        asked = [request.method, request.url.path, body.decode("utf-8", "replace")]
        return created(await self._remembered.once(caller.tenant_id, key or "", asked, act))


def created(found: Answered) -> Response:
    """The answer, marked where it is a repeated one."""
    headers = found.headers | ({"idempotent-replayed": "true"} if found.repeated else {})
    if found.status == 204:
        return Response(status_code=204, headers=headers)
    body = orjson.dumps(found.body | found.shown_once)
    return Response(body, found.status, headers, media_type="application/json")


def made(
    model: type[Shown],
    value: Any,
    *,
    status: int = 201,
    version: int | str | None = None,
    location: str = "",
    **once: Any,
) -> Answered:
    """The answer to a request that created something. ``once``: fields that are shown this time only."""
    headers = {"etag": etag(version)} if version is not None else {}
    headers |= {"location": location} if location else {}
    body = read_as(model, value).model_dump(mode="json")
    return Answered(body, status, headers, shown_once=once)


# What the document says ----------------------------------------------------------------------------------------------
_TITLES = {
    400: "The request is broken",
    401: "There is no valid key",
    403: "The key lacks the scope",
    404: "There is none of that id in this business",
    409: "Its state does not allow it, or it exists already",
    410: "It is past",
    412: "Somebody changed it since it was read",
    413: "It is too large",
    416: "The file has no such part",
    422: "It cannot be taken as it is; nothing was done",
    428: "The version is missing: send If-Match",
    429: "Too much at once: come again after Retry-After seconds",
    503: "Not now: come again after Retry-After seconds",
}
_ALWAYS = (401, 403, 413, 422, 429, 503)
_RETRY = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 0}}}
_ETAG = {"ETag": {"description": "The version; send it as If-Match", "schema": {"type": "string"}}}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-~]+$"},
    "example": "order-4711-shipped",
}
_VERSION = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": 'The ETag that was read, such as "3"; or * to overwrite whatever is there.',
    "schema": {"type": "string", "pattern": r'^("[0-9]{1,9}"|\*)$'},
    "example": '"1"',
}

_DIGEST = {
    **_VERSION,
    "description": "The ETag that was read; or * to overwrite whatever is there.",
    "schema": {"type": "string", "pattern": r'^("[0-9a-f]{16}"|\*)$'},
    "example": "*",
}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON schema, its parts under ``$defs``: the document lifts them out of this copy."""
    found: dict[str, Any] = orjson.loads(_schema(model))
    return found


@cache
def _schema(model: type[BaseModel]) -> bytes:
    # Most models stand in several operations, and each schema takes pydantic 2 ms: half of the time of a start.
    mode: Literal["serialization", "validation"] = "serialization" if issubclass(model, Shown) else "validation"
    return orjson.dumps(model.model_json_schema(mode=mode, ref_template="#/components/schemas/{model}"))


PACKED = "json:"


def packed(example: Any) -> str:
    """An example as text, which FastAPI leaves as it is: it takes every null out of a document."""
    return PACKED + orjson.dumps(example).decode()


def problems(*statuses: int) -> dict[str, Any]:
    """The refusals of an operation: those that every one knows, and ``statuses``."""
    told = {"application/problem+json": {"schema": schema_of(Problem), "example": packed(Problem.example)}}
    return {
        str(status): {
            "description": _TITLES[status],
            "content": told,
            **({"headers": _RETRY} if status in {429, 503} else {}),
        }
        for status in sorted({*_ALWAYS, *statuses})
    }


def operation(
    gives: type[Shown] | None = None,
    asks: type[Asked] | None = None,
    *,
    status: int = 200,
    about: str = "Done",
    refusals: Iterable[int] = (),
    versioned: bool = False,
    based_on: Literal["", "counter", "digest"] = "",
    key: Literal["", "honoured", "needed"] = "",
    also: Mapping[int, type[Shown]] | None = None,
) -> dict[str, Any]:
    """Keyword arguments of a route: its status, and what the document says of it.

    ``versioned``: the answer has an ETag. ``based_on``: If-Match is needed, with what kind of version.
    ``key``: of Idempotency-Key.
    """
    parameters: list[dict[str, Any]] = []
    codes = set(refusals)
    if based_on:
        parameters.append(dict(_VERSION if based_on == "counter" else _DIGEST))
        codes |= {412, 428}
    if key:
        parameters.append({**_KEY, "required": key == "needed"})
        codes.add(409)
    answers: dict[str, Any] = {str(status): _answer(gives, about, versioned)}
    for other, model in (also or {}).items():
        answers[str(other)] = _answer(model, about, versioned)
    extra: dict[str, Any] = {"responses": answers | problems(*codes)}
    if parameters:
        extra["parameters"] = parameters
    if asks is not None:
        content = {"application/json": {"schema": schema_of(asks), "example": packed(asks.example)}}
        extra["requestBody"] = {"required": bool(schema_of(asks).get("required")), "content": content}
    # FastAPI would describe its own refusals of parameters otherwise.
    return {"status_code": status, "responses": {422: {"description": _TITLES[422]}}, "openapi_extra": extra}


def _answer(model: type[Shown] | None, about: str, versioned: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"description": about}
    if model is not None:
        told["content"] = {"application/json": {"schema": schema_of(model), "example": packed(model.example)}}
    if versioned:
        told["headers"] = _ETAG
    return told


AN_ID = "7f3c0c0e-6f5e-4a7e-9d3c-2f1f4f0a9b21"
A_TIME = "2026-03-02T12:00:00Z"
