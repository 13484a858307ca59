"""What operators do in the inbox beside answering: each act calls its flow and answers with the conversation."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.conversation import ClosingReason
from domain.errors import AtendeError, InvalidInputError, NotFoundError
from domain.roles import Right
from flows.canned import CannedReplies, render, values_of
from flows.desk_acts import DeskActs
from store import inbox, thread
from web.access import CurrentVisitor, Visitor, needs
from web.desk import answer
from web.pages import pages
from web.repeats import once
from web.services import services

_MORNING = time(9)
_AT_ONCE = 200
Words = Annotated[str, Form(max_length=400)]
Seen = Annotated[str | None, Form(max_length=60)]


class Destination(BaseModel):
    """Where a conversation goes: ``user:ID``, ``team:ID`` or ``queue`` (everybody's)."""

    to: str
    note: str = ""
    seen: str | None = None


class Snoozing(BaseModel):
    """``until`` is one of the offers, or a time of the tenant's own zone as a browser's field gives it."""

    until: str


class NewTask(BaseModel):
    """``due`` as a browser's field gives it, in the tenant's own zone; empty: some day."""

    title: str
    due: str = ""
    mine: bool = False


class Bulk(BaseModel):
    """One act on several conversations. ``value``: a destination, a label or a reason."""

    ids: str
    act: Literal["assign", "label", "unlabel", "close", "priority", "read", "unread"]
    value: str = ""


def desk_acts_router(acts: DeskActs) -> APIRouter:  # noqa: PLR0915 - one route after the other
    """``POST /inbox/{conversation}/…`` for all acts, and ``POST /inbox/bulk`` for several conversations."""
    router = APIRouter(prefix="/inbox")

    @router.post("/bulk")
    async def several(request: Request, visitor: CurrentVisitor, form: Annotated[Bulk, Form()]) -> Response:
        """Do it to each; what could not be done is told, the rest is done."""
        visitor.need(Right.CONVERSATIONS_WRITE)
        ids = [UUID(one) for one in form.ids.split(",") if one][:_AT_ONCE]
        refused: list[tuple[UUID, AtendeError]] = []
        for conversation_id in ids:
            try:
                await _one_of_several(request, visitor, conversation_id, form)
            except AtendeError as error:
                refused.append((conversation_id, error))
        response = pages(request).render(request, "inbox/bulk_done.html", done=len(ids) - len(refused), refused=refused)
        response.headers["HX-Trigger"] = json.dumps({"atende:bulk-done": {}, "atende:changed": {"ids": form.ids}})
        return response

    async def _one_of_several(request: Request, visitor: Visitor, conversation_id: UUID, form: Bulk) -> None:
        match form.act:
            case "assign":
                await _move(visitor, conversation_id, Destination(to=form.value))
            case "label":
                await acts.label(visitor.actor, conversation_id, add=[form.value])
            case "unlabel":
                await acts.label(visitor.actor, conversation_id, remove=[form.value])
            case "close":
                await services(request).desk.close(visitor.actor, conversation_id, form.value or ClosingReason.RESOLVED)
            case "priority":
                await acts.prioritise(visitor.actor, conversation_id, form.value)
            case "unread":
                await acts.mark_unread(visitor.actor, conversation_id)
            case "read":
                await services(request).desk.mark_read(visitor.actor, conversation_id)

    async def _move(visitor: Visitor, conversation_id: UUID, wanted: Destination) -> None:
        kind, _, value = wanted.to.partition(":")
        more: dict[str, Any] = {
            "seen": wanted.seen,
            "note": wanted.note,
            "supervises": visitor.may(Right.SUPERVISION),
        }
        if kind == "user":
            await acts.assign(visitor.actor, conversation_id, _id(value), **more)
        elif kind in {"team", "queue"}:
            await acts.transfer(visitor.actor, conversation_id, _id(value) if kind == "team" else None, **more)
        else:
            raise InvalidInputError("to", "neither a person nor a queue", hint="Choose one from the list.")

    @router.get("/{conversation_id}/canned", dependencies=[needs(Right.CONVERSATIONS_READ)])
    async def canned(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
        """The canned replies as this person would send them here: shortcut, text, what is missing for it."""
        replies = await CannedReplies(services(request).db).of(visitor.actor)
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            values = await values_of(tx, conversation_id, visitor.user_id)
        found = {reply.shortcut: render(reply, values) for reply in reversed(replies)}  # the own one before everybody's
        return JSONResponse(
            [
                {"shortcut": name, "text": rendered.text, "missing": rendered.missing}
                for name, rendered in sorted(found.items())
            ]
        )

    @router.post("/{conversation_id}/move")
    async def move(
        request: Request, visitor: CurrentVisitor, conversation_id: UUID, form: Annotated[Destination, Form()]
    ) -> Response:
        """Give the conversation to a person, or pass it to a queue."""
        visitor.need(Right.CONVERSATIONS_WRITE)
        await once(request, visitor, lambda: _move(visitor, conversation_id, form))
        return await answer_or_gone(request, visitor, conversation_id)

    @router.post("/{conversation_id}/closing/undo")
    async def undo_closing(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
        visitor.need(Right.CONVERSATIONS_WRITE)
        await acts.undo_closing(visitor.actor, conversation_id)
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/reopen")
    async def reopen(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
        visitor.need(Right.CONVERSATIONS_WRITE)
        await acts.reopen(visitor.actor, conversation_id)
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/outbox/{outbox_id}/withdraw")
    async def withdraw(request: Request, visitor: CurrentVisitor, conversation_id: UUID, outbox_id: UUID) -> Response:
        """Take a message back that is still held; its text goes back to the composer."""
        visitor.need(Right.MESSAGES_WRITE)
        taken_back = await acts.withdraw(visitor.actor, conversation_id, outbox_id)
        response = await answer(request, visitor, conversation_id)
        told = {"conversation": str(conversation_id), "outbox": str(outbox_id), "text": taken_back.text}
        response.headers["HX-Trigger"] = json.dumps({"atende:withdrawn": told})
        return response

    @router.post("/{conversation_id}/snooze")
    async def snooze(
        request: Request, visitor: CurrentVisitor, conversation_id: UUID, form: Annotated[Snoozing, Form()]
    ) -> Response:
        visitor.need(Right.CONVERSATIONS_WRITE)
        zone = await _zone(request, visitor)
        await acts.snooze(visitor.actor, conversation_id, snoozed_until(form.until, datetime.now(zone)))
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/unsnooze")
    async def unsnooze(request: Request, visitor: CurrentVisitor, conversation_id: UUID) -> Response:
        visitor.need(Right.CONVERSATIONS_WRITE)
        await acts.unsnooze(visitor.actor, conversation_id)
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/labels")
    async def label(
        request: Request, visitor: CurrentVisitor, conversation_id: UUID, add: Words = "", remove: Words = ""
    ) -> Response:
        """Labels separated by commas."""
        visitor.need(Right.CONVERSATIONS_WRITE)
        await acts.label(visitor.actor, conversation_id, add=add.split(","), remove=remove.split(","))
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/priority")
    async def prioritise(
        request: Request, visitor: CurrentVisitor, conversation_id: UUID, priority: Annotated[str, Form()]
    ) -> Response:
        visitor.need(Right.CONVERSATIONS_WRITE)
        await acts.prioritise(visitor.actor, conversation_id, priority)
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/notes")
    async def note(
        request: Request, visitor: CurrentVisitor, conversation_id: UUID, text: Annotated[str, Form()] = ""
    ) -> Response:
        """A note for colleagues."""
        visitor.need(Right.CONVERSATIONS_WRITE)
        await once(request, visitor, lambda: acts.note(visitor.actor, conversation_id, text))
        response = await answer(request, visitor, conversation_id)
        response.headers["HX-Trigger"] = json.dumps({"atende:noted": {"conversation": str(conversation_id)}})
        return response

    @router.post("/{conversation_id}/unread")
    async def unread(visitor: CurrentVisitor, conversation_id: UUID) -> Response:
        """Unread again. The page leaves the conversation: one that is open is read."""
        visitor.need(Right.CONVERSATIONS_WRITE)
        await acts.mark_unread(visitor.actor, conversation_id)
        return Response(status_code=204, headers={"HX-Trigger": "atende:left-unread"})

    @router.post("/{conversation_id}/contact/name")
    async def rename(request: Request, visitor: CurrentVisitor, conversation_id: UUID, name: Words = "") -> Response:
        contact = await _contact(request, visitor, conversation_id)
        await acts.rename(visitor.actor, contact, name, conversation_id=conversation_id)
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/contact/fields")
    async def set_field(
        request: Request,
        visitor: CurrentVisitor,
        conversation_id: UUID,
        name: Words = "",
        value: Annotated[str, Form(max_length=2_000)] = "",
    ) -> Response:
        """One field of the contact; an empty value takes it away."""
        contact = await _contact(request, visitor, conversation_id)
        if not name.strip():
            raise InvalidInputError("name", "it is empty", hint="Say what the field is called.")
        await acts.set_fields(visitor.actor, contact, {name: value}, conversation_id=conversation_id)
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/contact/lead")
    async def set_lead(
        request: Request, visitor: CurrentVisitor, conversation_id: UUID, status: Words = ""
    ) -> Response:
        contact = await _contact(request, visitor, conversation_id)
        await acts.set_lead(visitor.actor, contact, status or None, conversation_id=conversation_id)
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/contact/opt-out")
    async def opt_out(
        request: Request, visitor: CurrentVisitor, conversation_id: UUID, wants: Annotated[bool, Form()] = False
    ) -> Response:
        """``wants``: whether the contact wants messages on the business's initiative."""
        contact = await _contact(request, visitor, conversation_id)
        await acts.set_opt_out(visitor.actor, contact, opted_out=not wants, conversation_id=conversation_id)
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/tasks")
    async def add_task(
        request: Request, visitor: CurrentVisitor, conversation_id: UUID, form: Annotated[NewTask, Form()]
    ) -> Response:
        contact = await _contact(request, visitor, conversation_id)
        due = local_time(form.due, await _zone(request, visitor)) if form.due else None
        more: dict[str, Any] = {"conversation_id": conversation_id}
        more["assignee_id"] = visitor.user_id if form.mine else None
        await once(request, visitor, lambda: acts.add_task(visitor.actor, contact, form.title, due, **more))
        return await answer(request, visitor, conversation_id)

    @router.post("/{conversation_id}/tasks/{task_id}")
    async def settle_task(
        request: Request,
        visitor: CurrentVisitor,
        conversation_id: UUID,
        task_id: UUID,
        done: Annotated[bool, Form()] = False,
    ) -> Response:
        await _contact(request, visitor, conversation_id)
        await acts.settle_task(visitor.actor, task_id, done=done)
        return await answer(request, visitor, conversation_id)

    return router


async def answer_or_gone(request: Request, visitor: Visitor, conversation_id: UUID) -> Response:
    """The conversation as it is now, or that the visitor does not see it any more."""
    try:
        return await answer(request, visitor, conversation_id)
    except NotFoundError:
        return Response(status_code=204, headers={"HX-Redirect": "/inbox"})


def snoozed_until(wanted: str, now: datetime) -> datetime | None:
    """What an offer means; ``now`` in the tenant's own zone. None: until the contact writes."""
    zone = now.tzinfo
    morning = datetime.combine(now.date(), _MORNING, zone)
    match wanted:
        case "answer":
            return None
        case "hour":
            return now + timedelta(hours=1)
        case "afternoon":
            return now + timedelta(hours=4)
        case "tomorrow":
            return morning + timedelta(days=1)
        case "week":
            return morning + timedelta(days=7 - now.weekday())
        case _:
            return local_time(wanted, zone)


def local_time(given: str, zone: Any) -> datetime:
    """A time as a browser's field gives it (2026-05-31T14:00, or a day: its morning)."""
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise InvalidInputError("time", "no time", hint="Choose a day and a time.") from None
    if len(given) == len("2026-05-31"):
        at = datetime.combine(at.date(), _MORNING)
    return at if at.tzinfo else at.replace(tzinfo=zone)


async def _contact(request: Request, visitor: Visitor, conversation_id: UUID) -> UUID:
    """Whom the conversation is with, for somebody who may change contacts."""
    visitor.need(Right.CONTACTS_WRITE)
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        return (await thread.head(tx, conversation_id)).contact_id


async def _zone(request: Request, visitor: Visitor) -> ZoneInfo:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        return ZoneInfo((await inbox.workspace(tx)).timezone)


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise InvalidInputError("to", "neither a person nor a queue", hint="Choose one from the list.") from None
