"""Pages of a business's settings, a tab each; what stands on them is told by ``web.settings_fields``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from domain.errors import NotFoundError
from domain.roles import Right, rights_of
from flows.settings_known import shipped_words
from flows.team_people import TeamPeople
from flows.tenant_declaration import LANGUAGES
from flows.tenant_settings import SettingsRefusedError, ShownSetting, TenantSettingsDesk, shown_version
from web.access import Visitor, needs
from web.admin_frame import answer
from web.complaints import complaints
from web.settings_fields import PAGES
from web.settings_form import Field, SettingsPage

Reader = Annotated[Visitor, needs(Right.SETTINGS_READ)]
Writer = Annotated[Visitor, needs(Right.SETTINGS_WRITE)]


def business_settings_router(desk: TenantSettingsDesk, people: TeamPeople) -> APIRouter:
    """To be wired after the pages below ``/settings`` that have routers of their own."""
    router = APIRouter(prefix="/settings")

    @router.get("")
    async def first(visitor: Reader) -> Response:
        del visitor
        return RedirectResponse(f"/settings/{PAGES[0].slug}", status_code=303)

    @router.get("/{page}")
    async def show(request: Request, visitor: Reader, page: str) -> Response:
        return await _answer(request, visitor, _page(page))

    @router.post("/{page}")
    async def change(request: Request, visitor: Writer, page: str) -> Response:
        found, form = _page(page), await request.form()
        typed = {field.key: str(form.get(field.key, "")) for field in found.fields}
        for field in found.fields:
            if field.kind == "switch":
                typed[field.key] = "yes" if form.get(field.key) else "no"
        version = str(form.get("version", ""))
        try:
            if form.get("forget") in {field.key for field in found.fields if field.kind == "secret"}:
                await desk.change(visitor.tenant_id, {str(form["forget"]): ""}, actor=str(visitor.actor))
            else:
                await desk.save(visitor.tenant_id, typed, version=version, actor=str(visitor.actor))
        except SettingsRefusedError as error:
            return await _answer(request, visitor, found, typed=typed, wrong=error, status=422)
        return await _answer(request, visitor, found, saved=True)

    async def _answering(visitor: Visitor) -> list[Any]:
        return [one for one in await people.all(visitor.tenant_id) if Right.MESSAGES_WRITE in rights_of(one["role"])]

    async def _answer(
        request: Request,
        visitor: Visitor,
        page: SettingsPage,
        *,
        status: int = 200,
        typed: dict[str, str] | None = None,
        wrong: SettingsRefusedError | None = None,
        saved: bool = False,
    ) -> Response:
        shown = {one.key: one for one in await desk.show(visitor.tenant_id)}
        mine = [shown[field.key] for field in page.fields]
        spoken = [one.strip() for one in shown["languages"].value.split(",")]
        found = answer(
            request,
            "settings",
            pages=PAGES,
            page=page,
            fields=[
                (section, [_field(field, shown[field.key], typed) for field in section.fields if _asked(field, spoken)])
                for section in page.sections
            ],
            first_language=next((one for one in LANGUAGES if one in spoken), ""),
            version=shown_version(mine),
            people=await _answering(visitor) if page.slug == "assignment" else [],
            sees_people=visitor.may(Right.USERS_READ),
            complaints=[(field_name(page, one.place), one) for one in complaints(wrong)] if wrong else [],
            saved=saved,
            may_act=visitor.may(Right.SETTINGS_WRITE),
        )
        found.status_code = status
        return found

    return router


def _page(slug: str) -> SettingsPage:
    found = next((page for page in PAGES if page.slug == slug), None)
    if found is None:
        raise NotFoundError("page of settings", slug)
    return found


def _asked(field: Field, spoken: list[str]) -> bool:
    return not field.language or field.language in spoken


def field_name(page: SettingsPage, key: str) -> str:
    """What the page calls a setting; "" where it is none of the page's."""
    return next((field.name for field in page.fields if field.key == key), "")


def _field(field: Field, shown: ShownSetting, typed: dict[str, str] | None) -> dict[str, Any]:
    """A field as the template draws it. A switch is on or off, whether somebody set it or not."""
    value = typed[field.key] if typed is not None and field.kind != "secret" else shown.typed
    if field.kind == "switch" and not value:
        value = shown.value
    return {
        "field": field,
        "value": value,
        "shown": shown,
        "id": field.key.replace(".", "-"),
        "words": shipped_words(field.key),
    }
