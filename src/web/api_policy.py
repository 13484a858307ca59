"""``/api/v1/policy``: what may go out by itself, and the kill switch."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.decisions import ReplyMode
from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.autonomy import Autonomy
from flows.policy_rules import PolicyRules
from flows.policy_view import PolicyView
from flows.stopping import KillSwitch
from web.api import Api, etag, wanted_tag
from web.api_schema import AN_ID, Asked, Shown, body_of, operation, shown

Mode = Literal["auto", "suggest", "off"]


class Rule(Shown):
    """`mode` wherever every condition given holds; the rule with most conditions decides."""

    mode: Mode
    number: str | None
    intent: str | None
    hours: str | None
    tag: str | None
    origin: str = Field(description="Where it comes from, if it is no written rule")


class NumberSwitch(Shown):
    """A number, and since when its automatic messages are stopped."""

    id: UUID
    name: str
    stopped_at: datetime | None


class IntentRecord(Shown):
    """What an intent has earned: suggestions that operators sent unchanged."""

    intent: str
    state: str = Field(description="earning, promoted or vetoed")
    approved: int
    cases: int


class Policy(Shown):
    """What may go out by itself."""

    stopped_at: datetime | None = Field(description="The kill switch of the whole business")
    default: Mode
    rules: list[Rule]
    numbers: list[NumberSwitch]
    intents: list[IntentRecord]
    example: ClassVar[dict[str, Any]] = {
        "stopped_at": None,
        "default": "suggest",
        "rules": [
            {"mode": "auto", "number": None, "intent": "opening_hours", "hours": None, "tag": None, "origin": ""}
        ],
        "numbers": [{"id": AN_ID, "name": "Vendas", "stopped_at": None}],
        "intents": [{"intent": "exchange", "state": "earning", "approved": 41, "cases": 44}],
    }


class IntentMode(Asked):
    """How replies to an intent go out."""

    mode: Mode | None = Field(description="null: no rule of its own")
    example: ClassVar[dict[str, Any]] = {"mode": "auto"}


class Switch(Asked):
    """The kill switch."""

    stopped: bool
    number: UUID | None = Field(None, description="Only this session")
    example: ClassVar[dict[str, Any]] = {"stopped": True}


class Stopped(Shown):
    """What a stop led to."""

    stopped: bool
    taken_back: int = Field(description="Messages that were waiting; they are suggested instead")
    on_their_way: int = Field(description="Messages that had left already")
    example: ClassVar[dict[str, Any]] = {"stopped": True, "taken_back": 2, "on_their_way": 0}


class Veto(Asked):
    """An admin's word that an intent shall not reply by itself, whatever it has earned."""

    vetoed: bool
    example: ClassVar[dict[str, Any]] = {"vetoed": True}


def policy_api_router(api: Api, rules: PolicyRules, switch: KillSwitch, autonomy: Autonomy) -> APIRouter:
    """Read, put a rule per intent, stop and resume."""
    router = APIRouter(prefix="/api/v1/policy", tags=["policy"])
    reads, writes = Depends(api.caller(Right.POLICY_READ)), Depends(api.caller(Right.POLICY_WRITE))

    def told(view: PolicyView) -> Response:
        return shown(Policy, _policy(view), etag=etag(view.version))

    @router.get("", **operation(Policy, versioned=True))
    async def get(caller: ApiCaller = reads) -> Response:
        """The whole policy. The ETag is that of what is written in it: rules and vetoes, not switches and records."""
        return told(await rules.view(caller.tenant_id))

    @router.put("/intents/{intent}", **operation(Policy, IntentMode, refusals=[404], versioned=True, based_on="digest"))
    async def put(request: Request, intent: str, caller: ApiCaller = writes) -> Response:
        """How replies to one intent go out: by themselves, as suggestions, or not at all."""
        version, body = wanted_tag(request), await body_of(api, request, IntentMode)
        mode = ReplyMode(body.mode) if body.mode else None
        return told(await rules.for_intent(caller.tenant_id, intent, mode, actor=caller.actor, version=version))

    @router.put("/intents/{intent}/veto", **operation(Policy, Veto, refusals=[404], versioned=True, based_on="digest"))
    async def veto(request: Request, intent: str, caller: ApiCaller = writes) -> Response:
        """Forbid an intent what it earns, or allow it again (from nothing)."""
        version, body = wanted_tag(request), await body_of(api, request, Veto)
        change = autonomy.veto if body.vetoed else autonomy.lift_veto
        await change(caller.tenant_id, intent, actor=caller.actor, version=version)
        return told(await rules.view(caller.tenant_id))

    @router.put("/stop", **operation(Stopped, Switch, refusals=[404]))
    async def stop(request: Request, caller: ApiCaller = writes) -> Response:
        """The kill switch: stop everything automatic at once, or resume. What people write still goes out.

        It needs no version: it is for when there is no time to read one.
        """
        body = await body_of(api, request, Switch)
        if not body.stopped:
            await switch.resume(caller.tenant_id, body.number, actor=caller.actor)
            return shown(Stopped, {"stopped": False, "taken_back": 0, "on_their_way": 0})
        found = await switch.stop(caller.tenant_id, body.number, actor=caller.actor)
        return shown(Stopped, {"stopped": True, "taken_back": found.taken_back, "on_their_way": found.on_their_way})

    return router


def _policy(view: PolicyView) -> dict[str, Any]:
    return {
        "stopped_at": view.stopped_at,
        "default": view.default.value,
        "rules": [
            {**{name: getattr(rule, name) for name in ("number", "intent", "hours", "tag", "origin")}}
            | {"mode": rule.mode.value}
            for rule in view.rules
        ],
        "numbers": [{"id": one.id, "name": one.name, "stopped_at": one.stopped_at} for one in view.numbers],
        "intents": [
            {
                "intent": one.intent,
                "state": one.record.state,
                "approved": one.record.approved,
                "cases": one.record.cases,
            }
            for one in view.intents
        ],
    }
