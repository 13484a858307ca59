"""Prompt bundles in the browser: drafted, compared, published on evidence, tried on a share, taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.errors import AtendeError, InvalidInputError, NotFoundError
from domain.roles import Right
from domain.told import Told
from flows.bundle_editing import LONGEST_PROMPT, BundleEditing, FunctionWords, Wording
from store import inbox
from web.access import CurrentVisitor, Visitor
from web.complaints import complaints, status_of
from web.pages import pages
from web.services import services


def prompts_router(editing: BundleEditing) -> APIRouter:
    """The pages under ``/prompts``."""
    router = APIRouter(prefix="/prompts")
    _drafting(router, editing)

    @router.get("")
    async def show_all(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.PROMPTS_READ)
        return await _list(request, visitor, editing)

    @router.post("/roll-back")
    async def roll_back(request: Request, visitor: CurrentVisitor, reason: Annotated[str, Form()] = "") -> Response:
        visitor.need(Right.PROMPTS_WRITE)
        try:
            await editing.desk.roll_back(visitor.tenant_id, actor=str(visitor.actor), reason=reason[:500])
        except AtendeError as error:
            # There being nothing to go back to is no page that does not exist.
            is_first = isinstance(error, NotFoundError)
            said = Told("no_earlier_bundle", "{said}", said=error) if is_first else str(error)
            told = InvalidInputError("bundle", said)
            return await _list(request, visitor, editing, status=409, complaints=complaints(told))
        return RedirectResponse("/prompts", status_code=303)

    @router.get("/{bundle}")
    async def show(request: Request, visitor: CurrentVisitor, bundle: str) -> Response:
        await editing.desk.content(visitor.tenant_id, bundle)
        visitor.need(Right.PROMPTS_READ)
        return await _one(request, visitor, editing, bundle)

    @router.post("/{bundle}/publish")
    async def publish(  # noqa: PLR0917 - its fields
        request: Request,
        visitor: CurrentVisitor,
        bundle: str,
        run: Annotated[str, Form()] = "",
        reason: Annotated[str, Form(max_length=500)] = "",
        anyway: Annotated[str, Form()] = "",
    ) -> Response:
        await editing.desk.content(visitor.tenant_id, bundle)  # another tenant's must look like none, whoever asks
        visitor.need(Right.PROMPTS_WRITE)
        try:
            await editing.publish(
                visitor.tenant_id, bundle, run=run, reason=reason, anyway=bool(anyway), actor=str(visitor.actor)
            )
        except AtendeError as error:
            wrong, status = complaints(error), status_of(error)
            return await _one(request, visitor, editing, bundle, status=status, complaints=wrong, reason=reason)
        return RedirectResponse("/prompts", status_code=303)

    @router.post("/{bundle}/canary")
    async def canary(
        request: Request,
        visitor: CurrentVisitor,
        bundle: str,
        share: Annotated[str, Form()] = "0",
        reason: Annotated[str, Form(max_length=500)] = "",
    ) -> Response:
        """``share``: per cent of the contacts; 0 ends it."""
        await editing.desk.content(visitor.tenant_id, bundle)
        visitor.need(Right.PROMPTS_WRITE)
        try:
            part = _percent(share)
            await editing.desk.canary(visitor.tenant_id, bundle, part, actor=str(visitor.actor), reason=reason)
        except AtendeError as error:
            wrong, status = complaints(error), status_of(error)
            return await _one(request, visitor, editing, bundle, status=status, complaints=wrong, share=share)
        return RedirectResponse("/prompts", status_code=303)

    return router


def _drafting(router: APIRouter, editing: BundleEditing) -> None:
    """First: below, any word is the hash of a bundle."""

    @router.get("/new")
    async def new(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.PROMPTS_WRITE)
        return _form(request, await editing.wording(visitor.tenant_id))

    @router.post("/new")
    async def draft(request: Request, visitor: CurrentVisitor) -> Response:
        visitor.need(Right.PROMPTS_WRITE)
        posted = {key: str(value) for key, value in (await request.form()).items()}
        wanted = _typed(posted, await editing.wording(visitor.tenant_id))
        description = posted.get("description", "").strip()[:300]
        try:
            if posted.get("act") == "preview":
                preview = diff_lines(await editing.preview(visitor.tenant_id, wanted))
                return _form(request, wanted, preview=preview, description=description)
            name, _ = await editing.draft(visitor.tenant_id, wanted, description=description, actor=str(visitor.actor))
        except AtendeError as error:
            wrong, status = complaints(error), status_of(error)
            return _form(request, wanted, status=status, complaints=wrong, description=description)
        return RedirectResponse(f"/prompts/{name}", status_code=303)


def _typed(posted: Mapping[str, str], known: Wording) -> Wording:
    """The form's fields; what it does not hold stays as it is in force."""
    return replace(
        known,
        prompts={name: posted.get(f"prompt/{name}", text) for name, text in known.prompts.items()},
        persona=posted.get("persona", ""),
        thresholds={name: posted.get(name, text) for name, text in known.thresholds.items()},
        functions={
            name: FunctionWords(
                posted.get(f"function/{name}", words.description),
                {key: posted.get(f"function/{name}/{key}", text) for key, text in words.parameters.items()},
            )
            for name, words in known.functions.items()
        },
    )


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a difference. ``kind``: head (``part`` and ``text`` name the thing, ``state``: new, gone or ""), ins,
    del or same."""

    kind: str
    text: str
    part: str = ""
    state: str = ""


def diff_lines(lines: Sequence[str]) -> list[DiffLine]:
    """What flows.bundle_difference tells, for reading."""
    found = []
    for line in lines:
        if line.startswith("  "):
            found.append(DiffLine({"+": "ins", "-": "del"}.get(line[2:3], "same"), line[2:]))
        else:
            named, _, state = line.partition(":")
            part, _, name = named.partition(" ")
            found.append(DiffLine("head", name, part, state.strip()))
    return found


def _percent(share: str) -> float:
    try:
        found = float(share.replace(",", "."))
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100:
        raise InvalidInputError("share", Told("percent", "must be from 0 to 100"))
    return found / 100


def _form(request: Request, wording: Wording, *, status: int = 200, **more: Any) -> Response:
    context = {"complaints": [], "description": "", "preview": None, **more}
    return pages(request).render(
        request, "prompts/new.html", status=status, wording=wording, longest=LONGEST_PROMPT, **context
    )


async def _list(request: Request, visitor: Visitor, editing: BundleEditing, **more: Any) -> Response:
    status = more.pop("status", 200)
    return pages(request).render(
        request,
        "prompts/page.html",
        status=status,
        bundles=await editing.desk.listed(visitor.tenant_id),
        releases=await editing.desk.releases(visitor.tenant_id),
        in_force=await editing.desk.in_force(visitor.tenant_id),
        zone=await _zone(request, visitor),
        may_write=visitor.may(Right.PROMPTS_WRITE),
        **{"complaints": [], **more},
    )


async def _one(request: Request, visitor: Visitor, editing: BundleEditing, bundle: str, **more: Any) -> Response:
    status = more.pop("status", 200)
    row, _ = await editing.desk.content(visitor.tenant_id, bundle)
    return pages(request).render(
        request,
        "prompts/bundle.html",
        status=status,
        bundle=row,
        in_force=await editing.desk.in_force(visitor.tenant_id),
        differences=diff_lines(await editing.desk.diff(visitor.tenant_id, row["hash"])),
        runs=await editing.passed_runs(visitor.tenant_id, row["hash"]),
        zone=await _zone(request, visitor),
        may_write=visitor.may(Right.PROMPTS_WRITE),
        **{"complaints": [], "reason": "", "share": "10", **more},
    )


async def _zone(request: Request, visitor: Visitor) -> ZoneInfo:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        return ZoneInfo((await inbox.workspace(tx)).timezone)
