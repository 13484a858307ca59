"""``/api/v1/targets``: within how long customers are to get a first answer, and how long they may wait for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.targets import FIGURES, LONGEST, PRIORITIES, ServiceTargets, Target, Targets
from web.api import Api, etag, wanted_tag
from web.api_errors import InvalidBodyError
from web.api_schema import AN_ID, Asked, Shown, body_of, operation, shown

Priority = Literal["urgent", "high", "normal", "low"]
Minutes = Annotated[int, Field(ge=1, le=LONGEST)] | None
_FIRST = "From a customer's message to the first answer, by whomever; null: no target"
_WAITING = "From a handoff until somebody claims the conversation; null: no target"
_EXAMPLE: dict[str, Any] = {
    "usual": {"first_answer_minutes": 15, "waiting_minutes": 30},
    "priorities": {"urgent": {"first_answer_minutes": 5, "waiting_minutes": None}},
    "teams": {AN_ID: {"first_answer_minutes": None, "waiting_minutes": 10}},
}


class ServiceTarget(Shown):
    """Both, in minutes."""

    first_answer_minutes: int | None = Field(description=_FIRST)
    waiting_minutes: int | None = Field(description=_WAITING)


class NewServiceTarget(Asked):
    """Both, in minutes."""

    first_answer_minutes: Minutes = Field(None, description=_FIRST)
    waiting_minutes: Minutes = Field(None, description=_WAITING)


class AllTargets(Shown):
    """What is set for a priority or a team counts instead of what is usual; of both, the stricter."""

    usual: ServiceTarget
    priorities: dict[Priority, ServiceTarget]
    teams: dict[UUID, ServiceTarget] = Field(description="By the team's id")
    example: ClassVar[dict[str, Any]] = _EXAMPLE


class NewTargets(Asked):
    """All of them: what is not there is no target."""

    usual: NewServiceTarget = Field(default_factory=NewServiceTarget)
    priorities: dict[Priority, NewServiceTarget] = Field(default_factory=dict)
    teams: Annotated[dict[UUID, NewServiceTarget], Field(max_length=1000, strict=False)] = Field(
        default_factory=dict, description="By the team's id"
    )
    # A team of the example would be nobody's.
    example: ClassVar[dict[str, Any]] = {**_EXAMPLE, "teams": {}}


def targets_router(api: Api, targets: ServiceTargets) -> APIRouter:
    """Read and put."""
    router = APIRouter(prefix="/api/v1/targets", tags=["settings"])
    reads, writes = Depends(api.caller(Right.SETTINGS_READ)), Depends(api.caller(Right.SETTINGS_WRITE))

    @router.get("", **operation(AllTargets, versioned=True))
    async def get(caller: ApiCaller = reads) -> Response:
        """The service targets: usual ones, and those of priorities and teams."""
        return _shown(await targets.show(caller.tenant_id))

    @router.put("", **operation(AllTargets, NewTargets, versioned=True, based_on="digest"))
    async def put(request: Request, caller: ApiCaller = writes) -> Response:
        """All of them anew."""
        version, body = wanted_tag(request), await body_of(api, request, NewTargets)
        places: dict[tuple[str, ...], Any] = {("usual",): body.usual}
        places |= {("priority", name): wanted for name, wanted in body.priorities.items()}
        places |= {("team", str(team)): wanted for team, wanted in body.teams.items()}
        known = await targets.teams(caller.tenant_id)
        strangers = [team for team in body.teams if team not in known]
        if strangers:
            hint = "there is no such team: GET /api/v1/teams lists those that exist"
            raise InvalidBodyError([(f"/teams/{team}", hint) for team in strangers])
        wishes = {
            ".".join((*place, figure)): _written(getattr(wanted, figure))
            for place, wanted in places.items()
            for figure in FIGURES
        }
        return _shown(await targets.change(caller.tenant_id, wishes, actor=caller.actor, version=version))

    return router


def _shown(found: Targets) -> Response:
    names = {number: name for name, number in PRIORITIES.items()}
    told = {
        "usual": _target(found.usual),
        "priorities": {names[number]: _target(one) for number, one in found.by_priority.items()},
        "teams": {team: _target(one) for team, one in found.by_team.items()},
    }
    return shown(AllTargets, told, etag=etag(found.version))


def _target(found: Target) -> dict[str, int | None]:
    return {"first_answer_minutes": _minutes(found.first_answer), "waiting_minutes": _minutes(found.waiting)}


def _minutes(found: timedelta | None) -> int | None:
    return int(found.total_seconds()) // 60 if found else None


def _written(minutes: int | None) -> str:
    return "" if minutes is None else str(minutes)
