"""Doors for messages into the web process: the WAHA webhook, and the simulator's.

Whoever reaches the simulator's door can write as any contact of a simulated number, so it is open only where the demo
is. A webhook is believed by its signature alone.
"""

from __future__ import annotations

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse

from channels.simulator import parse_door_message
from channels.whatsapp import waha
from domain.errors import InvalidInputError, NotFoundError
from flows.inbound import Inbound, SessionInfo
from flows.simulator import SimulatedPhones
from web.errors import ForgedRequestError
from web.security import comes_from_here

LONGEST_BODY = 4 * 1024 * 1024
"""Bytes. Longer ones are refused before they are read whole; the longest message is far below."""


def waha_door(inbound: Inbound) -> APIRouter:
    """``POST /webhooks/waha/{channel session}``: 2xx only once all events of the body are durable."""
    router = APIRouter(prefix="/webhooks/waha/{session_id}")

    @router.post("")
    async def take(request: Request, session_id: UUID) -> JSONResponse:
        session = await inbound.session(session_id)
        if session.provider != "waha":
            raise NotFoundError("WAHA number", session_id)
        raw = await _body(request)
        if not waha.verify(str(session.config.get("hmac_key") or ""), raw, request.headers):
            return JSONResponse({"detail": "The signature is missing or wrong: compare hmac_key with WAHA's."}, 401)
        outcomes = [await inbound.receive(session, event) for event in waha.parse(_decoded(raw))]
        return JSONResponse({"outcomes": outcomes})

    return router


def simulator_door(inbound: Inbound, phones: SimulatedPhones) -> APIRouter:
    """The routes over these flows."""
    router = APIRouter(prefix="/simulator/{session_id}")

    async def simulated(session_id: UUID) -> SessionInfo:
        session = await inbound.session(session_id)
        if session.provider != "simulator":
            raise NotFoundError("simulated number", session_id)
        return session

    @router.post("/messages")
    async def write(request: Request, session_id: UUID) -> JSONResponse:
        """A customer's message: ``{contact, id, text, kind?, name?}``. 202 once it is durable."""
        if not comes_from_here(request.headers):  # another site in the same browser
            raise ForgedRequestError
        session = await simulated(session_id)
        body = parse_door_message(_decoded(await _body(request)))
        return JSONResponse({"outcome": await inbound.receive(session, body)}, 202)

    @router.get("/received")
    async def received(
        session_id: UUID,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 500,
    ) -> JSONResponse:
        """What the phones of this number got, in order: ``[{seq, contact, text, at}]``, ``seq`` beyond ``after``."""
        session = await simulated(session_id)
        rows = await phones.received(session.id, after=after, limit=limit)
        return JSONResponse([{**row, "at": row["at"].isoformat()} for row in rows])

    return router


async def _body(request: Request) -> bytes:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LONGEST_BODY:
            raise InvalidInputError("body", f"is longer than {LONGEST_BODY} bytes", hint="Send less.")
    return bytes(raw)


def _decoded(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:  # invalid UTF-8 included
        raise InvalidInputError("body", "is not JSON in UTF-8", hint="Send a JSON object.") from error
