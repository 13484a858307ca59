"""``/api/v1/settings``: what a business sets of its assistant and its desk, as ``atende tenant set`` does."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.tenant_settings import TenantSettingsDesk
from web.api import Api, etag, wanted_tag
from web.api_errors import ScopeMissingError
from web.api_schema import Asked, Shown, body_of, operation, shown

_OF_POLICY: Final = frozenset({"reply_mode", "unmatched_mode"})
"""What may go out by itself: that is for who may write the policy."""
Value = Annotated[str, Field(max_length=4000)] | bool | int | float | None


class Setting(Shown):
    """One setting, its value as text."""

    key: str
    value: str
    origin: Literal["set", "files", "usual"] = Field(
        description="set here or on the command line; from the tenant's files; or what holds where nothing is set"
    )
    about: str


class Settings(Shown):
    """All of them."""

    settings: list[Setting]
    example: ClassVar[dict[str, Any]] = {
        "settings": [
            {
                "key": "debounce.seconds",
                "value": "3",
                "origin": "usual",
                "about": "wait after a message for the next one",
            }
        ]
    }


class SettingsChange(Asked):
    """What is not named stays; null takes back what was set. Values may be texts, as they are shown."""

    settings: Annotated[dict[Annotated[str, Field(max_length=60)], Value], Field(min_length=1, max_length=100)]
    example: ClassVar[dict[str, Any]] = {"settings": {"debounce.seconds": 4, "quiet_hours.daily": "21:00-08:00"}}


def settings_router(api: Api, desk: TenantSettingsDesk) -> APIRouter:
    """Read and change."""
    router = APIRouter(prefix="/api/v1/settings", tags=["settings"])
    reads, writes = Depends(api.caller(Right.SETTINGS_READ)), Depends(api.caller(Right.SETTINGS_WRITE))

    async def told(tenant_id: UUID) -> Response:
        # The version first: what is changed between the two readings makes it one that is passed.
        version = await desk.version(tenant_id)
        listed = [
            {"key": one.key, "value": one.value, "origin": one.origin, "about": one.about}
            for one in await desk.show(tenant_id)
        ]
        return shown(Settings, {"settings": listed}, etag=etag(version))

    @router.get("", **operation(Settings, versioned=True))
    async def get(caller: ApiCaller = reads) -> Response:
        """Every setting with what holds. Hours, canned replies, teams and the policy have addresses of their own."""
        return await told(caller.tenant_id)

    @router.patch("", **operation(Settings, SettingsChange, versioned=True, based_on="digest"))
    async def change(request: Request, caller: ApiCaller = writes) -> Response:
        """All that is named, or nothing. `reply_mode` and `unmatched_mode` need `policy:write` too."""
        version, body = wanted_tag(request), await body_of(api, request, SettingsChange)
        if _OF_POLICY & body.settings.keys() and Right.POLICY_WRITE not in caller.scopes:
            raise ScopeMissingError(Right.POLICY_WRITE)
        wishes = {key: _text(value) for key, value in body.settings.items()}
        await desk.change(caller.tenant_id, wishes, actor=caller.actor, version=version)
        return await told(caller.tenant_id)

    return router


def _text(value: str | bool | float | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
