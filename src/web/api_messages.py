"""``/api/v1/sessions/{number}/…``: messages and files out, numbers looked up, typing shown, chats marked as read."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import InvalidInputError
from domain.messages import Address
from flows.api_keys import ApiCaller
from flows.attachments import MOST_BYTES
from flows.channel_requests import ChannelRequests
from flows.program_messages import ProgramMessages
from web.api import Api, answer
from web.api_sessions_models import OPERATIONS


def messages_router(api: Api, messages: ProgramMessages, requests: ChannelRequests) -> APIRouter:
    """Send, keep files, look up, typing, read."""
    router = APIRouter(prefix="/api/v1/sessions/{session_id}", tags=["messages"])
    writes = Depends(api.caller("messages:write"))

    @router.post("/messages", **OPERATIONS["send"])
    async def send(request: Request, session_id: UUID, caller: ApiCaller = writes) -> Response:
        """202 once it is queued; the same request under the same Idempotency-Key gets the same answer."""
        key = request.headers.get("idempotency-key", "")
        accepted = await messages.send(caller, session_id, await api.json(request), key=key)
        return answer(accepted.answer, 202, **({"idempotent_replayed": "true"} if accepted.repeated else {}))

    @router.post("/files", **OPERATIONS["file"])
    async def keep(request: Request, session_id: UUID, name: str = "", caller: ApiCaller = writes) -> Response:
        """The file itself as the body; its id is then the ``file`` of a message."""
        data = await api.body(request, limit=MOST_BYTES)
        claimed = request.headers.get("content-type", "")
        file = await messages.keep_file(caller, session_id, data=data, name=name, claimed=claimed)
        shown = {
            "mime_type": file.mime_type,
            "name": file.file_name,
            "size": file.size_bytes,
            "sends_as": file.sends_as,
        }
        return answer({"id": str(file.id), **shown}, 201)

    @router.get("/numbers/{phone}", **OPERATIONS["look_up"])
    async def look_up(session_id: UUID, phone: str, caller: ApiCaller = writes) -> Response:
        """Whether a phone number is on WhatsApp, and as whom."""
        found = await requests.check_number(caller.tenant_id, session_id, phone)
        address = str(found.address) if found.address else None
        return answer({"phone": found.phone, "on_whatsapp": address is not None, "address": address})

    @router.post("/chats/{address}/typing", **OPERATIONS["typing"])
    async def typing(request: Request, session_id: UUID, address: str, caller: ApiCaller = writes) -> Response:
        """Show "typing…" (``{"typing": false}``: no more)."""
        body = await api.json(request)
        shown = body.get("typing") if isinstance(body, dict) else None
        if not isinstance(shown, bool):
            raise InvalidInputError("typing", "must be true or false")
        await requests.show_typing(caller.tenant_id, session_id, _address(address), typing=shown)
        return Response(status_code=204)

    @router.post("/chats/{address}/read", **OPERATIONS["read"])
    async def read(session_id: UUID, address: str, caller: ApiCaller = writes) -> Response:
        """Give what the customer wrote its blue ticks."""
        await requests.mark_read(caller.tenant_id, session_id, _address(address))
        return Response(status_code=204)

    return router


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError:
        raise InvalidInputError(
            "address", f"{text!r} is none", hint="Such as lid:123 or phone:5511990001111."
        ) from None
