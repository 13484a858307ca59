"""Business functions by hand: a form from the function's schema, a confirmation for those that write, the outcome."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import InvalidInputError
from domain.roles import Right
from flows.function_forms import arguments_schema
from flows.hand_calls import HandCall, HandCalls
from store import functions
from store.functions import FunctionRow
from web.access import CurrentVisitor, Visitor
from web.pages import pages
from web.schema_form import FormError, Posted, arguments_of, fields_of
from web.services import services


def hand_calls_router(calls: HandCalls) -> APIRouter:
    """``GET`` and ``POST /inbox/{conversation}/functions/{name}``, and before it ``POST …/identity``."""
    router = APIRouter(prefix="/inbox/{conversation_id}/functions/{name}")

    @router.get("")
    async def show(request: Request, visitor: CurrentVisitor, conversation_id: UUID, name: str) -> Response:
        """The form; before it, where the function is for proven contacts only, that of the identity check."""
        visitor.need(Right.MESSAGES_WRITE)
        return await shown(request, visitor, conversation_id, name)

    async def shown(
        request: Request, visitor: Visitor, conversation_id: UUID, name: str, *, failed: bool = False
    ) -> Response:
        call = await calls.prepare(visitor.actor, conversation_id, name)
        asked = call
        if call.identity is not None and call.identity.may_try and call.identity.verify is not None:
            asked = await calls.prepare(visitor.actor, conversation_id, call.identity.verify.name)
        return _form(request, conversation_id, call, asked, failed=failed)

    @router.post("")
    async def run(request: Request, visitor: CurrentVisitor, conversation_id: UUID, name: str) -> Response:
        """Run it, or show the form with what is wrong in it."""
        visitor.need(Right.MESSAGES_WRITE)
        form = await request.form()
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            call = _numbered(form, await functions.one(tx, name))
        try:
            arguments = arguments_of(arguments_schema(call.function), cast(Posted, form))
        except FormError as error:
            return _form(request, conversation_id, call, call, wrong=error)
        result = await calls.run(visitor.actor, conversation_id, name, arguments, after=call.after, number=call.number)
        return pages(request).render(request, "inbox/by_hand_done.html", call=call, result=result)

    @router.post("/identity")
    async def verify(request: Request, visitor: CurrentVisitor, conversation_id: UUID, name: str) -> Response:
        """Check what the contact says; then the form of the function itself, or the same again."""
        visitor.need(Right.MESSAGES_WRITE)
        form = await request.form()
        call = await calls.prepare(visitor.actor, conversation_id, name)
        if call.identity is None or call.identity.verify is None or call.identity.blocked:
            return await shown(request, visitor, conversation_id, name)
        asked = _numbered(form, call.identity.verify)
        try:
            said = arguments_of(arguments_schema(asked.function), cast(Posted, form))
        except FormError as error:
            return _form(request, conversation_id, call, asked, wrong=error)
        need = await calls.verify(visitor.actor, conversation_id, name, said, after=asked.after, number=asked.number)
        if need is None and name == asked.function.name:
            return pages(request).render(request, "inbox/by_hand_proven.html", call=call)
        return await shown(request, visitor, conversation_id, name, failed=need is not None)

    return router


def _numbered(form: FormData, function: FunctionRow) -> HandCall:
    """The call that a form names."""
    after, number = str(form.get("after", "")), str(form.get("number", ""))
    if not (after.isdecimal() and number.isdecimal() and len(after) < 19 and len(number) < 9):
        raise InvalidInputError("number", "no number of a call", hint="Open the form again.")
    return HandCall(function, int(after), int(number))


def _form(
    request: Request,
    conversation_id: UUID,
    call: HandCall,
    asked: HandCall,
    *,
    wrong: FormError | None = None,
    failed: bool = False,
) -> Response:
    """The form of ``call``, or of ``asked``, which must be answered before it."""
    return pages(request).render(
        request,
        "inbox/by_hand.html",
        conversation_id=conversation_id,
        call=call,
        asked=asked,
        failed=failed,
        fields=wrong.fields if wrong else fields_of(arguments_schema(asked.function)),
        problems=wrong.problems if wrong else (),
    )
