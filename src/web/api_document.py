"""``/api/v1/openapi.json``: the API as a machine reads it. Only what lies below ``/api/v1`` is in it."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response

from web.api import answer
from web.api_schema import PACKED, problems

_PREFIX = "/api/v1"
_FRAMEWORKS_OWN = frozenset({"HTTPValidationError", "ValidationError"})
"""What FastAPI would answer to wrong parameters; ours are problems."""
_ABOUT = (
    "Errors are problem details (RFC 9457). Lists come in parts: `limit` rows (50, up to 200), `next` leads on. "
    "A request with an `Idempotency-Key` is carried out once, however often it is sent."
)
_BEARER = {"type": "http", "scheme": "bearer", "description": "An API key: atende api-key create"}


def document_router() -> APIRouter:
    """The document needs no key: it says nothing of any business."""
    router = APIRouter()

    @router.get(f"{_PREFIX}/openapi.json", include_in_schema=False)
    async def document(request: Request) -> Response:
        return answer(_document(request.app))

    return router


def _document(app: Any) -> dict[str, Any]:
    kept: dict[str, Any] | None = getattr(app.state, "api_document", None)
    if kept is None:
        kept = get_openapi(title="Atende", version="1", routes=app.routes)
        kept["paths"] = {path: item for path, item in kept["paths"].items() if path.startswith(_PREFIX)}
        kept.setdefault("components", {})["securitySchemes"] = {"key": _BEARER}
        kept["security"] = [{"key": []}]
        kept["info"]["description"] = _ABOUT
        for path, item in kept["paths"].items():
            for operation in item.values():
                _complete(path, operation)
        named = {tag for item in kept["paths"].values() for one in item.values() for tag in one.get("tags", ())}
        kept["tags"] = [{"name": tag} for tag in sorted(named)]
        schemas: dict[str, Any] = {}
        kept["paths"] = _lifted(kept["paths"], schemas)
        named_so_far = kept["components"].get("schemas", {})
        found = {name: one for name, one in (named_so_far | schemas).items() if name not in _FRAMEWORKS_OWN}
        kept["components"]["schemas"] = dict(sorted(found.items()))
        app.state.api_document = kept
    return kept


def _complete(path: str, operation: dict[str, Any]) -> None:
    """What every operation has in common, where a route did not say it itself."""
    operation.setdefault("tags", [path.split("/")[3]])
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    parsed = path.startswith(f"{_PREFIX}/auth/")  # by FastAPI: what is not even JSON never gets to the route
    for status, told in problems(*((404,) if "{" in path else ()), *((400,) if parsed else ())).items():
        answers.setdefault(status, told)
    for told in answers.values():
        for content in told.get("content", {}).values():
            content["schema"] = content.get("schema") or {"type": "object"}


def _unpacked(example: Any) -> Any:
    is_packed = isinstance(example, str) and example.startswith(PACKED)
    return orjson.loads(example.removeprefix(PACKED)) if is_packed else example


def _lifted(value: Any, schemas: dict[str, Any]) -> Any:
    """The same with each model's schema once, under its name, and a reference wherever it is meant."""
    if isinstance(value, list):
        return [_lifted(one, schemas) for one in value]
    if not isinstance(value, dict):
        return value
    parts = {name: one for name, one in value.items() if name not in {"$defs", "schema"}}
    found = {name: _unpacked(one) if name == "example" else _lifted(one, schemas) for name, one in parts.items()}
    for name, part in value.get("$defs", {}).items():
        schemas.setdefault(name, _lifted(part, schemas))
    if isinstance(whole := value.get("schema"), dict):
        lifted = _lifted(whole, schemas)
        if whole.get("type") == "object" and whole.get("title"):
            schemas.setdefault(whole["title"], lifted)
            lifted = {"$ref": f"#/components/schemas/{whole['title']}"}
        found["schema"] = lifted
    return found
