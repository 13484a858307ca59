"""What the assistant understands, in the browser: intents with their examples, an import, the training check, a try."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.decisions import HandOffReason, ReplyMode
from domain.errors import AtendeError
from domain.roles import Right
from flows.intent_files import LARGEST_FILE, IntentFileError, format_of, read_intents
from flows.intents import Intents, OutdatedIntentError
from flows.tenant_declaration import LANGUAGES
from flows.understanding import LONGEST, Understanding
from store import functions, inbox
from web.access import CurrentVisitor, Visitor
from web.complaints import Complaint, complaints, status_of
from web.intent_forms import IntentForm, form_of, posted_form
from web.pages import pages
from web.services import services

FileKind = Literal["", "csv", "jsonl", "rasa"]


def intent_pages_router(intents: Intents, understanding: Understanding) -> APIRouter:
    """The pages under ``/intents``."""
    router = APIRouter(prefix="/intents")
    _import_and_checks(router, intents, understanding)

    @router.get("")
    async def show_all(request: Request, visitor: CurrentVisitor, saved: str = "") -> Response:
        visitor.need(Right.INTENTS_READ)
        found = await intents.all(visitor.tenant_id)
        threshold, zone = await _about(request, visitor)
        return pages(request).render(
            request,
            "intents/page.html",
            intents=found,
            threshold=threshold,
            zone=zone,
            saved=saved if saved in {one.declaration.name for one in found} else "",
            may_write=visitor.may(Right.INTENTS_WRITE),
            longest=LONGEST,
        )

    @router.get("/new")
    async def new(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.INTENTS_WRITE)
        return await _form(request, visitor, IntentForm())

    @router.post("/new")
    async def create(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.INTENTS_WRITE)
        form = posted_form(await _posted(request))
        try:
            await intents.create(visitor.tenant_id, form.declaration(), actor=str(visitor.actor))
        except AtendeError as error:
            return await _form(request, visitor, form, complaints=complaints(error), status=status_of(error))
        return RedirectResponse(f"/intents?saved={form.name.strip()}", status_code=303)

    @router.get("/{intent}")
    async def show(request: Request, visitor: CurrentVisitor, intent: str) -> Response:
        visitor.need(Right.INTENTS_READ)
        found = await intents.get(visitor.tenant_id, intent)
        return await _form(request, visitor, form_of(found.declaration), version=found.version, name=intent)

    @router.post("/{intent}")
    async def change(
        request: Request, visitor: CurrentVisitor, intent: str, version: Annotated[int, Form()] = 0
    ) -> Response:
        await intents.get(visitor.tenant_id, intent)  # another tenant's must look like none, whoever asks
        visitor.need(Right.INTENTS_WRITE)
        form = posted_form(await _posted(request), intent)
        try:
            body = form.declaration()
            await intents.replace(visitor.tenant_id, intent, body, version=version, actor=str(visitor.actor))
        except AtendeError as error:
            # Whoever saves again after reading that it changed means it.
            version = error.current if isinstance(error, OutdatedIntentError) else version
            wrong, status = complaints(error), status_of(error)
            form = replace(form, name=intent)
            return await _form(request, visitor, form, complaints=wrong, status=status, version=version, name=intent)
        return RedirectResponse(f"/intents?saved={intent}", status_code=303)

    @router.post("/{intent}/delete")
    async def delete(
        request: Request, visitor: CurrentVisitor, intent: str, version: Annotated[int, Form()] = 0
    ) -> Response:
        found = await intents.get(visitor.tenant_id, intent)
        visitor.need(Right.INTENTS_WRITE)
        try:
            await intents.delete(visitor.tenant_id, intent, version=version, actor=str(visitor.actor))
        except OutdatedIntentError as error:
            form = form_of(found.declaration)
            wrong = complaints(error)
            return await _form(request, visitor, form, complaints=wrong, status=409, version=found.version, name=intent)
        return RedirectResponse("/intents", status_code=303)

    return router


def _import_and_checks(router: APIRouter, intents: Intents, understanding: Understanding) -> None:
    """First: below, any word is the name of an intent."""

    @router.get("/check")
    async def check(request: Request, visitor: CurrentVisitor) -> Response:
        """The training check; it trains a few classifiers, so it is asked for by a click. Opened by its address,
        it is a page of its own."""
        visitor.need(Right.INTENTS_READ)
        part = "check" if request.headers.get("hx-request") == "true" else "checked"
        return pages(request).render(request, f"intents/{part}.html", check=await intents.check(visitor.tenant_id))

    @router.post("/try")
    async def try_out(request: Request, visitor: CurrentVisitor, text: Annotated[str, Form()] = "") -> Response:
        """What would be understood of a message."""
        visitor.need(Right.INTENTS_READ)
        try:
            found = await understanding.ask(visitor.tenant_id, text)
        except AtendeError as error:
            return pages(request).render(request, "intents/try.html", found=None, complaints=complaints(error))
        return pages(request).render(request, "intents/try.html", found=found, complaints=())

    @router.get("/import")
    async def show_import(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.INTENTS_WRITE)
        return _import_page(request)

    @router.post("/import")
    async def bring(
        request: Request,
        visitor: CurrentVisitor,
        form: Annotated[FileKind, Form()] = "",
        replace_examples: Annotated[str, Form()] = "",
        pasted: Annotated[str, Form(max_length=LARGEST_FILE)] = "",
    ) -> Response:
        visitor.need(Right.INTENTS_WRITE)
        uploaded = (await request.form()).get("file")
        has_file = isinstance(uploaded, UploadFile) and bool(uploaded.filename)
        entered = {"pasted": pasted, "form": form, "replace": bool(replace_examples)}
        try:
            if isinstance(uploaded, UploadFile) and has_file:
                name, data = uploaded.filename or "", await uploaded.read(LARGEST_FILE + 1)
            else:
                name, data = "text", pasted.encode()
            kind = form or (format_of(name) if has_file else _guessed(pasted))
            file = read_intents(name, data, kind)
            actor = str(visitor.actor)
            report = await intents.bring(visitor.tenant_id, file, replace=entered["replace"] is True, actor=actor)
        except AtendeError as error:
            by_line = isinstance(error, IntentFileError)
            wrong, status = complaints(error), status_of(error)
            return _import_page(request, status, complaints=wrong, by_line=by_line, entered=entered)
        return pages(request).render(request, "intents/imported.html", report=report, check=report.check)


def _guessed(text: str) -> Literal["csv", "jsonl", "rasa"]:
    """The format of a pasted text, by how it begins."""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith(("{", "[")):
        return "jsonl"
    return "rasa" if start.startswith(("version:", "nlu:")) else "csv"


def _import_page(request: Request, status: int = 200, **more: Any) -> Response:
    about = {"complaints": (), "by_line": False, "entered": {"pasted": "", "form": "", "replace": False}} | more
    return pages(request).render(request, "intents/import.html", status=status, **about)


async def _posted(request: Request) -> dict[str, Any]:
    return {key: value for key, value in (await request.form()).items() if isinstance(value, str)}


async def _about(request: Request, visitor: Visitor) -> tuple[float, ZoneInfo]:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", visitor.tenant_id)
        zone = ZoneInfo((await inbox.workspace(tx)).timezone)
    return float(settings.get("threshold", 0.8)), zone


async def _form(
    request: Request,
    visitor: Visitor,
    form: IntentForm,
    *,
    complaints: list[Complaint] | None = None,
    status: int = 200,
    version: int = 0,
    name: str = "",
) -> Response:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        known = await functions.every(tx)
        settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", visitor.tenant_id)
    spoken = [one for one in settings.get("languages", LANGUAGES) if one in LANGUAGES]
    used = [one for one in (*form.examples, *form.answer) if one not in spoken and form.examples.get(one)]
    first = settings.get("default_language", "pt")
    languages = list(dict.fromkeys([first, *spoken, *used]))
    return pages(request).render(
        request,
        "intents/form.html",
        status=status,
        form=form,
        name=name,
        version=version,
        functions=known,
        spoken=languages,
        default_language=first,
        threshold=float(settings.get("threshold", 0.8)),
        complaints=complaints or [],
        may_write=visitor.may(Right.INTENTS_WRITE),
        reasons=[reason.value for reason in HandOffReason],
        modes=[mode.value for mode in ReplyMode],
    )
