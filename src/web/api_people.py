"""``/api/v1/users`` and ``/api/v1/teams``: who works for the business, in which queues."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import NotFoundError
from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.idempotency import Answered
from flows.team_people import TeamPeople, Wish, person_version
from flows.teams import Teams, team_version
from flows.versions import check_version
from web.api import Api, etag, wanted_tag
from web.api_conversation_acts import actor_of
from web.api_schema import (
    A_TIME,
    AN_ID,
    Asked,
    Cursor,
    Limit,
    Once,
    Shown,
    body_of,
    listing,
    made,
    operation,
    paged,
    shown,
    shown_page,
)

Role = Literal["admin", "manager", "operator", "prompt_engineer"]
Reach = Literal["all", "team", "own"]
Skill = Annotated[str, Field(min_length=1, max_length=40)]


class TeamName(Shown):
    """A team by name."""

    id: UUID
    name: str


class User(Shown):
    """Somebody who works for the business."""

    user_id: UUID
    name: str
    email: str
    role: Role
    reach: Reach = Field(description="Which conversations the person sees")
    teams: list[TeamName]
    capacity: int = Field(description="Conversations at once that assignment by turns gives; 0: no limit")
    skills: list[str]
    away_at: datetime | None
    seen_at: datetime | None
    open: int = Field(description="Conversations the person holds")
    example: ClassVar[dict[str, Any]] = {
        "user_id": AN_ID,
        "name": "Ana",
        "email": "ana@shop.example",
        "role": "operator",
        "reach": "team",
        "teams": [{"id": AN_ID, "name": "Vendas"}],
        "capacity": 5,
        "skills": ["inglês"],
        "away_at": None,
        "seen_at": A_TIME,
        "open": 3,
    }


class Invitation(Shown):
    """A link that lets somebody join: pass it on. The token is shown this once."""

    id: UUID
    email: str
    token: str | None = None
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "email": "ana@shop.example",
        "token": "…",
    }


class NewUser(Asked):
    """Somebody to be invited."""

    email: Annotated[str, Field(min_length=3, max_length=254)]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    role: Role = "operator"
    reach: Reach = "all"
    teams: Annotated[list[UUID], Field(max_length=50)] = Field(default_factory=list)
    example: ClassVar[dict[str, Any]] = {"email": "ana@shop.example", "name": "Ana", "role": "operator"}


class UserChange(Asked):
    """What is not named stays."""

    role: Role | None = None
    reach: Reach | None = None
    teams: Annotated[list[UUID], Field(max_length=50)] | None = None
    capacity: Annotated[int, Field(ge=0, le=1000)] | None = None
    skills: Annotated[list[Skill], Field(max_length=30)] | None = None
    example: ClassVar[dict[str, Any]] = {"role": "manager", "reach": "all"}


class Team(Shown):
    """People who share a queue."""

    id: UUID
    name: str
    description: str
    assignment: str = Field(description="by_hand, or round_robin: conversations are given by turns")
    people: list[TeamName] = Field(description="Ids are those of users")
    numbers: list[TeamName] = Field(description="Sessions whose conversations begin in its queue")
    intents: list[str] = Field(description="Intents that are handed off to it")
    waiting: int
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "name": "Vendas",
        "description": "",
        "assignment": "by_hand",
        "people": [{"id": AN_ID, "name": "Ana"}],
        "numbers": [{"id": AN_ID, "name": "Loja"}],
        "intents": ["buy"],
        "waiting": 2,
    }


class NewTeam(Asked):
    """A team without anybody in it."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    description: Annotated[str, Field(max_length=200)] = ""
    example: ClassVar[dict[str, Any]] = {"name": "Vendas"}


class TeamChange(Asked):
    """What is not named stays. A number belongs to one team at most, and so does an intent."""

    name: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    description: Annotated[str, Field(max_length=200)] | None = None
    assignment: Literal["by_hand", "round_robin"] | None = None
    people: Annotated[list[UUID], Field(max_length=500)] | None = None
    numbers: Annotated[list[UUID], Field(max_length=200)] | None = None
    intents: Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=200)] | None = None
    example: ClassVar[dict[str, Any]] = {"people": [AN_ID], "assignment": "round_robin"}


def users_router(api: Api, once: Once, people: TeamPeople) -> APIRouter:
    """List, read, invite, change, remove."""
    router = APIRouter(prefix="/api/v1/users", tags=["users"])
    reads, writes = Depends(api.caller(Right.USERS_READ)), Depends(api.caller(Right.USERS_WRITE))

    @router.get("", **operation(listing("users", User)))
    async def list_all(
        request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """Everybody, by name."""
        return shown_page(request, "users", User, paged(await people.all(caller.tenant_id), cursor, limit))

    @router.post("", **operation(Invitation, NewUser, status=201, key="honoured"))
    async def invite(request: Request, caller: ApiCaller = writes) -> Response:
        """Invite somebody: the answer has a one-time link to pass on, shown this once."""
        body = await body_of(api, request, NewUser)

        async def act() -> Answered:
            wish = Wish(role=body.role, reach=body.reach, teams=tuple(body.teams))
            link = await people.invite(actor_of(caller), email=body.email, name=body.name, wish=wish)
            return made(Invitation, {"id": link.id, "email": link.email}, token=link.token)

        return await once(request, caller, act)

    async def told(caller: ApiCaller, user_id: UUID) -> Response:
        found = await people.one(caller.tenant_id, user_id)
        return shown(User, found, etag=etag(person_version(found)))

    @router.get("/{user_id}", **operation(User, refusals=[404], versioned=True))
    async def get(user_id: UUID, caller: ApiCaller = reads) -> Response:
        """One of them. The ETag is that of what can be changed."""
        return await told(caller, user_id)

    @router.patch("/{user_id}", **operation(User, UserChange, refusals=[404], versioned=True, based_on="digest"))
    async def change(request: Request, user_id: UUID, caller: ApiCaller = writes) -> Response:
        """Another role, reach, other teams, capacity or skills. The last administrator stays one."""
        version, body = wanted_tag(request), await body_of(api, request, UserChange)
        before = await people.one(caller.tenant_id, user_id)
        teams = [UUID(str(team["id"])) for team in before["teams"]] if body.teams is None else body.teams
        wish = Wish(
            role=body.role or before["role"],
            reach=body.reach or before["reach"],
            teams=tuple(teams),
            capacity=str(before["capacity"] if body.capacity is None else body.capacity),
            skills=", ".join(before["skills"] if body.skills is None else body.skills),
        )
        # What was not named is as it is now, whichever version the caller means to overwrite.
        is_now = person_version(before)
        check_version(before["name"], version, is_now)
        await people.change(actor_of(caller), user_id, wish, version=is_now)
        return await told(caller, user_id)

    @router.delete("/{user_id}", **operation(status=204, refusals=[404], based_on="digest"))
    async def remove(request: Request, user_id: UUID, caller: ApiCaller = writes) -> Response:
        """Out of this business, at once; the login stays, and open conversations wait for somebody else."""
        await people.remove(actor_of(caller), user_id, version=wanted_tag(request))
        return Response(status_code=204)

    return router


def teams_router(api: Api, once: Once, teams: Teams) -> APIRouter:
    """List, read, create, change, remove."""
    router = APIRouter(prefix="/api/v1/teams", tags=["teams"])
    reads, writes = Depends(api.caller(Right.USERS_READ)), Depends(api.caller(Right.USERS_WRITE))

    async def one(caller: ApiCaller, team_id: UUID) -> Any:
        found = next((row for row in await teams.all(caller.tenant_id) if row["id"] == team_id), None)
        if found is None:
            raise NotFoundError("team", team_id)
        return found

    @router.get("", **operation(listing("teams", Team)))
    async def list_all(
        request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """Every team."""
        return shown_page(request, "teams", Team, paged(await teams.all(caller.tenant_id), cursor, limit))

    @router.post("", **operation(Team, NewTeam, status=201, key="honoured", versioned=True))
    async def create(request: Request, caller: ApiCaller = writes) -> Response:
        """A new team without anybody in it."""
        body = await body_of(api, request, NewTeam)

        async def act() -> Answered:
            new = await teams.create(actor_of(caller), name=body.name, description=body.description)
            found, place = await one(caller, new), f"/api/v1/teams/{new}"
            return made(Team, found, version=team_version(found), location=place)

        return await once(request, caller, act)

    async def told(caller: ApiCaller, team_id: UUID) -> Response:
        found = await one(caller, team_id)
        return shown(Team, found, etag=etag(team_version(found)))

    @router.get("/{team_id}", **operation(Team, refusals=[404], versioned=True))
    async def get(team_id: UUID, caller: ApiCaller = reads) -> Response:
        """One team. The ETag is that of what can be changed."""
        return await told(caller, team_id)

    @router.patch("/{team_id}", **operation(Team, TeamChange, refusals=[404], versioned=True, based_on="digest"))
    async def change(request: Request, team_id: UUID, caller: ApiCaller = writes) -> Response:
        """Another name, other people, numbers or intents. Conversations that exist stay where they are."""
        version, body = wanted_tag(request), await body_of(api, request, TeamChange)
        before = await one(caller, team_id)
        given = body.model_dump(exclude_none=True)
        wanted = {
            "name": before["name"],
            "description": before["description"],
            "assignment": before["assignment"],
            "people": [UUID(str(person["id"])) for person in before["people"]],
            "numbers": [UUID(str(number["id"])) for number in before["numbers"]],
            "intents": list(before["intents"]),
        }
        is_now = team_version(before)
        check_version(before["name"], version, is_now)
        await teams.change(actor_of(caller), team_id, **{**wanted, **given}, version=is_now)
        return await told(caller, team_id)

    @router.delete("/{team_id}", **operation(status=204, refusals=[404], based_on="digest"))
    async def remove(request: Request, team_id: UUID, caller: ApiCaller = writes) -> Response:
        """The team is no more; its conversations and numbers belong to nobody's team."""
        await teams.remove(actor_of(caller), team_id, version=wanted_tag(request))
        return Response(status_code=204)

    return router
