"""The door of a demo's simulated phones. No cookie counts here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.errors import InvalidInputError, TooLargeError
from flows.inbound import Inbound
from flows.simulator import SimulatedPhones, read_door_message

SIMULATOR_LIMIT = 1024 * 1024
_LAST_POSITION = 2**63 - 1


def simulator_router(inbound: Inbound, phones: SimulatedPhones) -> APIRouter:
    """The simulated phones' door, for demos and development only: it asks for no credential."""
    router = APIRouter(prefix="/simulator/{session_id}")

    @router.post("/messages")
    async def write(request: Request, session_id: UUID) -> Response:
        session = await inbound.session(session_id)
        event = read_door_message(session, _json(await _body(request, SIMULATOR_LIMIT)))
        return JSONResponse({"outcome": await inbound.receive(session, event)}, 202)

    @router.get("/received")
    async def received(session_id: UUID, after: int = 0) -> Response:
        rows = await phones.received(session_id, after=min(max(after, 0), _LAST_POSITION))
        return JSONResponse(
            [
                {"seq": row["seq"], "contact": row["contact"], "text": row["text"], "at": row["at"].isoformat()}
                for row in rows
            ]
        )

    return router


async def _body(request: Request, limit: int) -> bytes:
    """The whole body, or TooLargeError as soon as it is known to be more than ``limit`` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLargeError(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLargeError(limit)
    return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        problem = f"is not JSON in UTF-8 ({error})"
        raise InvalidInputError("body", problem, hint="Send an object with contact, id and text.") from None
