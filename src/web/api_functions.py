"""``/api/v1/functions``: what the agent can do in the tenant's own systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import ChangedMeanwhileError, ConflictError
from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.function_versions import function_version
from flows.functions_desk import FunctionDesk, FunctionWish, Person, needed_secrets
from flows.functions_trying import Trying
from flows.versions import NONE_YET
from store.functions import FunctionNameTakenError, FunctionRow
from web.api import Api, etag, wanted_tag
from web.api_errors import VersionNeededError
from web.api_schema import Asked, Cursor, Limit, Shown, body_of, listing, operation, paged, shown, shown_page

Text = Annotated[str, Field(min_length=1, max_length=2000)]


class Function(Shown):
    """A business function as a model sees it, and how it may act."""

    name: str
    description: str
    kind: str = Field(description="http, python or mcp")
    effect: Literal["read", "write"]
    source: str = Field(description="Where it comes from: declared, openapi:…, folder:…")
    parameters: dict[str, Any] = Field(description="JSON Schema of what a model fills in")
    calls: str = Field(description="Of kind http: what is called")
    enabled: bool
    trusted: bool = Field(description="It acts without a person's approval")
    trusted_for: list[str] = Field(description="Only for these intents; empty: for all")
    needs_identity: bool
    missing_secrets: list[str] = Field(description="Store them with: atende functions set-secret")
    example: ClassVar[dict[str, Any]] = {
        "name": "order_status",
        "description": "Find where an order is.",
        "kind": "http",
        "effect": "read",
        "source": "declared",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
        "calls": "GET https://erp.example.com/orders/{number}",
        "enabled": True,
        "trusted": False,
        "trusted_for": [],
        "needs_identity": False,
        "missing_secrets": ["erp.example.com"],
    }


class Credential(Asked):
    """How a stored secret goes into the request."""

    kind: Literal["header", "query", "cookie", "bearer", "basic"]
    secret: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str, Field(max_length=200)] = ""


class FunctionDeclaration(Asked):
    """A request that the agent may make, as in a file of functions/ (docs/functions.md)."""

    description: Text
    effect: Literal["read", "write"]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    url: Annotated[str, Field(pattern=r"^https?://", max_length=2000)]
    parameters: dict[str, Any] = Field(
        default_factory=lambda: {"type": "object", "properties": {}},
        description="JSON Schema of an object; `x-atende-in` of a property says where it goes",
    )
    credentials: Annotated[list[Credential], Field(max_length=10)] = Field(default_factory=list)
    sign_with: Annotated[str, Field(max_length=200)] = ""
    idempotent: bool = False
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    errors: dict[str, str] = Field(default_factory=dict)
    result: Annotated[str, Field(max_length=200)] = Field("", description="JSON pointer to what of the answer counts")
    example: ClassVar[dict[str, Any]] = {
        "description": "Find where an order is.",
        "effect": "read",
        "method": "GET",
        "url": "https://erp.example.com/orders/{number}",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
        "credentials": [{"kind": "bearer", "secret": "erp.example.com"}],
    }


class FunctionChange(Asked):
    """What is not named stays."""

    enabled: bool | None = None
    trusted: bool | None = Field(None, description="Of one that writes: act without a person's approval")
    trusted_for: Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=100)] = Field(
        default_factory=list, description="With trusted: only for these intents"
    )
    needs_identity: bool | None = None
    example: ClassVar[dict[str, Any]] = {"enabled": False}


class Trial(Asked):
    """Arguments to try a function with, and for whom."""

    arguments: dict[str, Any] = Field(default_factory=dict)
    phone: Annotated[str, Field(pattern=r"^\+?[0-9]{8,15}$")] | None = None
    example: ClassVar[dict[str, Any]] = {"arguments": {"number": "4711"}, "phone": "+5511990001111"}


class TrialResult(Shown):
    """What came of it."""

    outcome: str = Field(description="succeeded, business_error, failed or unknown")
    error_code: str | None
    result: Any
    duration_ms: float
    example: ClassVar[dict[str, Any]] = {
        "outcome": "succeeded",
        "error_code": None,
        "result": {"status": "shipped"},
        "duration_ms": 84.2,
    }


_PUT = operation(
    Function,
    FunctionDeclaration,
    refusals=[409],
    also={201: Function},
    versioned=True,
    based_on="digest",
)
for _parameter in _PUT["openapi_extra"]["parameters"]:
    _parameter["required"] = False  # a new function has no version yet


def functions_router(api: Api, desk: FunctionDesk, trying: Trying) -> APIRouter:
    """List, read, declare, switch, trust, remove, try."""
    router = APIRouter(prefix="/api/v1/functions", tags=["functions"])
    reads, writes = Depends(api.caller(Right.FUNCTIONS_READ)), Depends(api.caller(Right.FUNCTIONS_WRITE))

    async def told(caller: ApiCaller, name: str, status: int = 200) -> Response:
        row = await desk.one(caller.tenant_id, name)
        _, secrets, _ = await desk.all(caller.tenant_id)
        return shown(Function, function_json(row, secrets), status, etag=etag(function_version(row)))

    @router.get("", **operation(listing("functions", Function)))
    async def list_all(
        request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """The functions, by name."""
        rows, secrets, _ = await desk.all(caller.tenant_id)
        page = paged(rows, cursor, limit)
        return shown_page(request, "functions", Function, page, lambda row: function_json(row, secrets))

    @router.get("/{name}", **operation(Function, refusals=[404], versioned=True))
    async def get(name: str, caller: ApiCaller = reads) -> Response:
        """One function."""
        return await told(caller, name)

    @router.put("/{name}", **_PUT)
    async def put(request: Request, name: str, caller: ApiCaller = writes) -> Response:
        """Declare a function over HTTP: 201 for a new one. Another declaration for one that was declared needs
        If-Match."""
        is_based = "if-match" in request.headers
        version, body = wanted_tag(request) if is_based else NONE_YET, await body_of(api, request, FunctionDeclaration)
        declared = body.model_dump(exclude_unset=True)
        try:
            change = await desk.declare(caller.tenant_id, name, declared, version=version, actor=caller.actor)
        except FunctionNameTakenError as error:
            raise ConflictError(str(error), hint=error.hint) from error
        except ChangedMeanwhileError as error:
            if not is_based:
                raise VersionNeededError from error
            raise
        return await told(caller, name, 201 if change == "added" else 200)

    @router.patch("/{name}", **operation(Function, FunctionChange, refusals=[404], versioned=True, based_on="digest"))
    async def change(request: Request, name: str, caller: ApiCaller = writes) -> Response:
        """Switch it off or on; trust it; let it run only for contacts who have proven who they are."""
        version, body = wanted_tag(request), await body_of(api, request, FunctionChange)
        await desk.change(
            caller.tenant_id, name, FunctionWish(**body.model_dump()), version=version, actor=caller.actor
        )
        return await told(caller, name)

    @router.delete("/{name}", **operation(status=204, refusals=[404], based_on="digest"))
    async def remove(request: Request, name: str, caller: ApiCaller = writes) -> Response:
        """Forget a function; what it did stays recorded."""
        await desk.remove(caller.tenant_id, name, version=wanted_tag(request), actor=caller.actor)
        return Response(status_code=204)

    @router.post("/{name}/try", **operation(TrialResult, Trial, refusals=[404]))
    async def try_out(request: Request, name: str, caller: ApiCaller = writes) -> Response:
        """Call a function that only reads once, outside any conversation, and see what comes back."""
        body = await body_of(api, request, Trial)
        person = Person((f"phone:{body.phone.lstrip('+')}",) if body.phone else ())
        return shown(TrialResult, await trying.read(caller.tenant_id, name, body.arguments, person))

    return router


def function_json(row: FunctionRow, secrets: list[str]) -> dict[str, Any]:
    """A function as programs see it. It holds no secret."""
    declared: Mapping[str, Any] = row.declaration
    return {
        "name": row.name,
        "description": str(declared.get("description", "")),
        "kind": row.kind,
        "effect": row.effect,
        "source": row.shown_source,
        "parameters": declared.get("parameters") or {},
        "calls": str(row.details.get("calls", "")),
        "enabled": row.enabled,
        "trusted": row.trusted,
        "trusted_for": list(row.trusted_for),
        "needs_identity": declared.get("identity") == "required",
        "missing_secrets": [name for name in needed_secrets(row) if name not in secrets],
    }
