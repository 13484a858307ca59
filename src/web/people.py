"""Pages of the people of a business, and of its teams."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Reach, Right, Role
from flows.refusals import RefusedError
from flows.team_people import TeamPeople, Wish, person_version
from flows.teams import ASSIGNMENTS, Teams, team_version
from store import inbox
from web.access import Visitor, needs
from web.admin_frame import answer, elsewhere, link, uuids, version_in
from web.errors import ForgedRequestError
from web.floods import source_of
from web.pages import pages
from web.security import comes_from_here
from web.services import services

Reader = Annotated[Visitor, needs(Right.USERS_READ)]
Writer = Annotated[Visitor, needs(Right.USERS_WRITE)]


def people_router(people: TeamPeople, teams: Teams) -> APIRouter:
    """Who works here: everybody with the right may look, administrators act."""
    router = APIRouter(prefix="/people")

    @router.get("")
    async def show(request: Request, visitor: Reader) -> Response:
        return await _list(request, visitor)

    @router.post("")
    async def invite(request: Request, visitor: Writer) -> Response:
        form = await request.form()
        made = await people.invite(
            visitor.actor, email=str(form.get("email", "")), name=str(form.get("name", "")), wish=_wish(form)
        )
        return await _list(request, visitor, made=(made.email, link(request, made.token)))

    @router.post("/links/{link_id}/take-back")
    async def take_back(request: Request, visitor: Writer, link_id: UUID) -> Response:
        await people.take_back(visitor.actor, link_id)
        return await _list(request, visitor)

    @router.get("/{user_id}")
    async def show_one(request: Request, visitor: Reader, user_id: UUID) -> Response:
        return await _one(request, visitor, user_id)

    @router.post("/{user_id}")
    async def change(request: Request, visitor: Writer, user_id: UUID) -> Response:
        form = await request.form()
        await people.change(visitor.actor, user_id, _wish(form), version=version_in(form))
        return await _one(request, visitor, user_id, saved=True)

    @router.post("/{user_id}/password-link")
    async def password_link(request: Request, visitor: Writer, user_id: UUID) -> Response:
        made = await people.password_link(visitor.actor, user_id)
        return await _one(request, visitor, user_id, made=(made.email, link(request, made.token)))

    @router.post("/{user_id}/remove")
    async def remove(request: Request, visitor: Writer, user_id: UUID) -> Response:
        await people.remove(visitor.actor, user_id, version=version_in(await request.form()))
        return elsewhere("/people")

    async def _list(request: Request, visitor: Visitor, made: tuple[str, str] | None = None) -> Response:
        return answer(
            request,
            "people",
            people=await people.all(visitor.tenant_id),
            links=await people.links(visitor.tenant_id),
            teams=await teams.all(visitor.tenant_id),
            made=made,
            **await _words(request, visitor),
        )

    async def _one(
        request: Request,
        visitor: Visitor,
        user_id: UUID,
        *,
        made: tuple[str, str] | None = None,
        saved: bool = False,
    ) -> Response:
        person = await people.one(visitor.tenant_id, user_id)
        return answer(
            request,
            "person",
            person=person,
            version=person_version(person),
            teams=await teams.all(visitor.tenant_id),
            made=made,
            saved=saved,
            **await _words(request, visitor),
        )

    return router


def teams_router(teams: Teams) -> APIRouter:
    """The teams, their people, numbers and intents."""
    router = APIRouter(prefix="/teams")

    @router.get("")
    async def show(request: Request, visitor: Reader) -> Response:
        return await _list(request, visitor)

    @router.post("")
    async def create(request: Request, visitor: Writer) -> Response:
        form = await request.form()
        await teams.create(visitor.actor, name=str(form.get("name", "")), description=str(form.get("description", "")))
        return await _list(request, visitor)

    @router.post("/{team_id}")
    async def change(request: Request, visitor: Writer, team_id: UUID) -> Response:
        form = await request.form()
        await teams.change(
            visitor.actor,
            team_id,
            name=str(form.get("name", "")),
            description=str(form.get("description", "")),
            assignment=str(form.get("assignment", "")),
            people=uuids("people", form.getlist("people")),
            numbers=uuids("numbers", form.getlist("numbers")),
            intents=[str(one) for one in form.getlist("intents")],
            version=version_in(form),
        )
        return await _list(request, visitor, saved=team_id)

    @router.post("/{team_id}/remove")
    async def remove(request: Request, visitor: Writer, team_id: UUID) -> Response:
        await teams.remove(visitor.actor, team_id, version=version_in(await request.form()))
        return await _list(request, visitor)

    async def _list(request: Request, visitor: Visitor, saved: UUID | None = None) -> Response:
        return answer(
            request,
            "teams",
            teams=[(team, team_version(team)) for team in await teams.all(visitor.tenant_id)],
            choices=await teams.choices(visitor.tenant_id),
            assignments=ASSIGNMENTS,
            saved=saved,
            may_act=visitor.may(Right.USERS_WRITE),
        )

    return router


def join_router(people: TeamPeople) -> APIRouter:
    """The page behind a one-time link, for people who have not signed in. Nothing in it needs a cookie."""
    router = APIRouter(prefix="/join")

    @router.get("/{token}")
    async def show(request: Request, token: str) -> Response:
        found = await people.look_at(token)
        return pages(request).render(request, "admin/join.html", link=found, token=token, problem="", name=found.name)

    @router.post("/{token}")
    async def use(request: Request, token: str) -> Response:
        if not comes_from_here(request.headers):
            raise ForgedRequestError
        form = await request.form()
        name, password = str(form.get("name", "")), str(form.get("password", ""))
        try:
            _typed_twice(form, password)
            found = await people.use(token, name=name, password=password, address=source_of(request))
        except RefusedError as error:
            found = await people.look_at(token)
            problem = pages(request).said(request, error)
            return pages(request).render(
                request, "admin/join.html", status=422, link=found, token=token, problem=problem, name=name
            )
        return pages(request).render(request, "admin/joined.html", link=found)

    return router


def _typed_twice(form: Any, password: str) -> None:
    if "again" in form and str(form["again"]) != password:
        raise RefusedError("again", "The two passwords differ. Type the same one twice.")


def _wish(form: Any) -> Wish:
    return Wish(
        role=str(form.get("role", "")),
        reach=str(form.get("reach", "")),
        teams=uuids("teams", form.getlist("teams")),
        capacity=str(form.get("capacity", "")),
        skills=str(form.get("skills", "")),
    )


async def _words(request: Request, visitor: Visitor) -> dict[str, Any]:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        zone = ZoneInfo((await inbox.workspace(tx)).timezone)
    return {"zone": zone, "roles": list(Role), "reaches": list(Reach), "may_act": visitor.may(Right.USERS_WRITE)}
