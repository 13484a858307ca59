"""Pages of what a business sets: opening hours, canned replies, budgets, service targets, API keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import NotFoundError
from domain.roles import Right
from flows.api_keys import SCOPES, ApiKeys
from flows.canned import VARIABLES, CannedReplies, checked, render, sample_values
from flows.opening_hours import BRAZILIAN_STATES, COUNTRIES, HoursForm, OpeningHours
from flows.refusals import RefusedError, line
from flows.spending_view import BudgetsDesk
from flows.targets import FIGURES, PRIORITIES, ServiceTargets
from flows.teams import Teams
from store import inbox
from web.access import Visitor, needs
from web.admin_frame import answer, version_in
from web.admin_labels import SCOPE_GROUPS, WEEKDAYS
from web.i18n import BABEL_LOCALES
from web.pages import pages
from web.services import services

Reader = Annotated[Visitor, needs(Right.SETTINGS_READ)]
Writer = Annotated[Visitor, needs(Right.SETTINGS_WRITE)]
Worker = Annotated[Visitor, needs(Right.CONVERSATIONS_READ)]
KeyMaker = Annotated[Visitor, needs(Right.API_KEYS_WRITE)]
_DAYS = ("", "30", "90", "365")


def hours_router(hours: OpeningHours) -> APIRouter:
    """Opening hours, holidays, the message outside them."""
    router = APIRouter(prefix="/settings/hours")

    @router.get("")
    async def show(request: Request, visitor: Reader) -> Response:
        return await _answer(request, visitor)

    @router.post("")
    async def change(request: Request, visitor: Writer) -> Response:
        form = await request.form()
        wanted = HoursForm(
            timezone=str(form.get("timezone", "")),
            weekly={day: str(form.get(day, "")) for day in WEEKDAYS},
            dates=str(form.get("dates", "")),
            country=str(form.get("country", "")),
            state=str(form.get("state", "")),
            optional=str(form.get("optional", "none")),
            messages={name[8:]: str(value) for name, value in form.items() if name.startswith("message_")},
        )
        version, actor = str(form.get("version", "")), str(visitor.actor)
        await hours.change(visitor.tenant_id, wanted, version=version, actor=actor)
        return await _answer(request, visitor, saved=True)

    async def _answer(request: Request, visitor: Visitor, *, saved: bool = False) -> Response:
        view = await hours.show(visitor.tenant_id)
        return answer(
            request,
            "hours",
            view=view,
            zone=ZoneInfo(view.timezone),
            zones=sorted(zone for zone in available_timezones() if "/" in zone),
            countries=_countries(pages(request).language(request)),
            states=BRAZILIAN_STATES,
            saved=saved,
            may_act=visitor.may(Right.SETTINGS_WRITE),
        )

    return router


def replies_router(replies: CannedReplies) -> APIRouter:
    """Canned replies: everybody keeps own ones, who may change settings keeps the shared ones."""
    router = APIRouter(prefix="/settings/replies")

    @router.get("")
    async def show(request: Request, visitor: Worker) -> Response:
        return await _answer(request, visitor)

    @router.post("")
    async def create(
        request: Request,
        visitor: Worker,
        shortcut: Annotated[str, Form()] = "",
        text: Annotated[str, Form()] = "",
        shared: Annotated[str, Form()] = "",
    ) -> Response:
        await replies.create(visitor.actor, shortcut, text, shared=bool(shared), shares=_shares(visitor))
        return await _answer(request, visitor)

    @router.post("/preview")
    async def preview(request: Request, visitor: Worker, text: Annotated[str, Form()] = "") -> Response:
        """How a text reads with plausible values; a mistake in it is said in its place."""
        problem, shown = "", ""
        try:
            _, wanted = checked("preview", text)
            shown = render(wanted, sample_values(visitor.tenant_name, visitor.name)).text
        except RefusedError as error:
            problem = pages(request).said(request, error)
        return pages(request).render(request, "admin/replies/preview.html", shown=shown, problem=problem)

    @router.post("/{reply_id}")
    async def change(
        request: Request, visitor: Worker, reply_id: UUID, version: Annotated[int, Form()] = 0
    ) -> Response:
        form = await request.form()
        shortcut, text = str(form.get("shortcut", "")), str(form.get("text", ""))
        await replies.change(visitor.actor, reply_id, shortcut, text, version=version, shares=_shares(visitor))
        return await _answer(request, visitor)

    @router.post("/{reply_id}/remove")
    async def remove(
        request: Request, visitor: Worker, reply_id: UUID, version: Annotated[int, Form()] = 0
    ) -> Response:
        await replies.remove(visitor.actor, reply_id, version=version, shares=_shares(visitor))
        return await _answer(request, visitor)

    async def _answer(request: Request, visitor: Visitor) -> Response:
        found = await replies.of(visitor.actor)
        values = sample_values(visitor.tenant_name, visitor.name)
        return answer(
            request,
            "replies",
            shared=[(one, render(one, values).text) for one in found if one.is_shared],
            own=[(one, render(one, values).text) for one in found if not one.is_shared],
            variables=VARIABLES,
            shares=_shares(visitor),
        )

    return router


def budgets_router(budgets: BudgetsDesk, targets: ServiceTargets, teams: Teams) -> APIRouter:
    """What language models may cost, and within how long customers get an answer."""
    router = APIRouter(prefix="/settings")

    @router.get("/budgets")
    async def show_budgets(request: Request, visitor: Reader) -> Response:
        return await _budgets(request, visitor)

    @router.post("/budgets")
    async def change_budgets(request: Request, visitor: Writer) -> Response:
        form = await request.form()
        spans = ("day", "month", "conversation")
        wishes = {span: (str(form.get(f"{span}_money", "")), str(form.get(f"{span}_tokens", ""))) for span in spans}
        await budgets.change(visitor.tenant_id, wishes, actor=str(visitor.actor), version=version_in(form))
        return await _budgets(request, visitor, saved=True)

    @router.get("/targets")
    async def show_targets(request: Request, visitor: Reader) -> Response:
        return await _targets(request, visitor)

    @router.post("/targets")
    async def change_targets(request: Request, visitor: Writer) -> Response:
        form = await request.form()
        wishes = {name: str(value) for name, value in form.items() if name.rpartition(".")[2] in FIGURES}
        await targets.change(visitor.tenant_id, wishes, actor=str(visitor.actor), version=version_in(form))
        return await _targets(request, visitor, saved=True)

    async def _budgets(request: Request, visitor: Visitor, *, saved: bool = False) -> Response:
        view = await budgets.show(visitor.tenant_id)
        return answer(request, "budgets", view=view, saved=saved, may_act=visitor.may(Right.SETTINGS_WRITE))

    async def _targets(request: Request, visitor: Visitor, *, saved: bool = False) -> Response:
        found = await targets.show(visitor.tenant_id)
        return answer(
            request,
            "targets",
            targets=found,
            teams=await teams.all(visitor.tenant_id),
            priorities=PRIORITIES,
            figures=FIGURES,
            saved=saved,
            may_act=visitor.may(Right.SETTINGS_WRITE),
        )

    return router


def keys_router(keys: ApiKeys) -> APIRouter:
    """Keys for the business's own programs."""
    router = APIRouter(prefix="/settings/keys")

    @router.get("")
    async def show(request: Request, visitor: KeyMaker) -> Response:
        return await _answer(request, visitor)

    @router.post("")
    async def create(
        request: Request,
        visitor: KeyMaker,
        name: Annotated[str, Form()] = "",
        days: Annotated[str, Form()] = "",
    ) -> Response:
        form = await request.form()
        scopes = [str(scope) for scope in form.getlist("scopes")]
        name = line("name", name, 80)
        if not scopes or not set(scopes) <= set(SCOPES):
            raise RefusedError("scopes", "Choose at least one thing that the key may do.")
        if days not in _DAYS:
            raise RefusedError("days", "Choose how long the key is valid.")
        made = await keys.create(
            visitor.tenant_id, name, scopes, days=int(days) if days else None, actor=str(visitor.actor)
        )
        return await _answer(request, visitor, made=(name, made.token))

    @router.post("/{key_id}/revoke")
    async def revoke(request: Request, visitor: KeyMaker, key_id: UUID) -> Response:
        if all(row["id"] != key_id for row in await keys.all(visitor.tenant_id)):
            raise NotFoundError("API key", key_id)
        await keys.revoke(visitor.tenant_id, str(key_id), actor=str(visitor.actor))
        return await _answer(request, visitor)

    async def _answer(request: Request, visitor: Visitor, made: tuple[str, str] | None = None) -> Response:
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            zone = ZoneInfo((await inbox.workspace(tx)).timezone)
        return answer(
            request,
            "keys",
            keys=[(row, _state(row)) for row in await keys.all(visitor.tenant_id)],
            groups=_grouped(),
            made=made,
            days=_DAYS,
            zone=zone,
        )

    return router


def _countries(language: str) -> list[tuple[str, str]]:
    """Codes with their names in the reader's language, by name; Brazil first."""
    names = Locale.parse(BABEL_LOCALES[language]).territories
    found = [(code, names.get(code, code)) for code in COUNTRIES]
    return sorted(found, key=lambda pair: (pair[0] != "BR", pair[1]))


def _shares(visitor: Visitor) -> bool:
    return visitor.may(Right.SETTINGS_WRITE)


def _state(row: Any) -> str:
    if row["revoked_at"]:
        return "revoked"
    return "expired" if row["expires_at"] and row["expires_at"] < datetime.now(UTC) else "in_use"


def _grouped() -> list[tuple[str, list[str]]]:
    """Scopes by what they are about, in the order of SCOPE_GROUPS; new ones at the end."""
    found: dict[str, list[str]] = {name: [] for name in SCOPE_GROUPS}
    for scope in SCOPES:
        found.setdefault(scope.partition(":")[0], []).append(scope)
    return [(name, scopes) for name, scopes in found.items() if scopes]
