"""The API for tenants' own programs: JSON below ``/api/v1``, a bearer token, errors as RFC 9457 problem details.

Who calls is told by the credential alone, an API key or a person's access token (``/api/v1/auth``); no path, header or
body names a tenant.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import InvalidInputError
from domain.roles import Right
from flows.access_tokens import looks_like_access_token
from flows.accounts import Accounts
from flows.api_keys import ApiCaller, ApiKeys
from store.reach import see_as
from web.api_errors import (
    BadKeyError,
    ScopeMissingError,
    TooManyBadKeysError,
    UnknownParameterError,
    VersionNeededError,
)
from web.floods import Floods, source_of
from web.rates import Rates, note
from web.security import Throttle

_AS_READ = 'Read it, and send its ETag as it is, such as: If-Match: "3".'
LARGEST_BODY = 8 * 1024 * 1024
"""Bytes."""
CALLS_PER_MINUTE = 1200
"""Of one key or person, unless the installation says otherwise; 0: as many as they like."""
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?"?(\d{1,9})"?')
_TAG = re.compile(r'(?:W/)?"?([!#-~]{1,64})"?')


class Api:
    """What all doors of the API share: who calls, reading bodies, and a bound on what strangers may cost."""

    def __init__(self, keys: ApiKeys, calls_per_minute: int = CALLS_PER_MINUTE) -> None:
        self._keys = keys
        self._rates = Rates(calls_per_minute) if calls_per_minute else None
        self._floods = Floods()
        self._strangers = Throttle(limit=60, seconds=60)

    def caller(self, scope: str) -> Caller:
        """A dependency: who calls, with a key that has ``scope`` or as a person whose role includes it."""
        return Caller(self, Right(scope))

    async def recognise(self, request: Request, right: Right) -> ApiCaller:
        """Who calls, and may. From here on the request sees what the caller sees.

        Raises BadKeyError, TooManyBadKeysError, TooManyCallsError and ScopeMissingError.
        """
        token = _BEARER.fullmatch(request.headers.get("authorization", ""))
        found = None
        if token:
            accounts: Accounts = request.app.state.accounts
            async with self._floods.lookup(request):
                if looks_like_access_token(token[1]):
                    found = await accounts.tokens.recognise(token[1])
                else:
                    found = await self._keys.recognise(token[1])
        if found is None:
            source = source_of(request)
            self._strangers.failed(source)
            if wait := self._strangers.seconds_to_wait(source):
                raise TooManyBadKeysError(wait)
            raise BadKeyError(given=token is not None)
        if self._rates is not None:
            note(request.state, self._rates.take(f"{'key' if found.user_id is None else 'user'} {found.key_id}"))
        if right not in found.scopes:
            raise ScopeMissingError(right)
        see_as(found.sight)
        return found

    async def body(self, request: Request, *, limit: int = LARGEST_BODY) -> bytes:
        """The whole body, up to ``limit`` bytes; it may be asked for again. Raises TooLargeError."""
        kept: bytes | None = getattr(request.state, "api_body", None)
        if kept is None:
            async with self._floods.body(request, limit) as body:
                kept = request.state.api_body = body
        return kept

    async def json(self, request: Request) -> Any:
        """The body as JSON, whatever its declared type. Raises InvalidInputError and TooLargeError."""
        try:
            return orjson.loads(await self.body(request))
        except orjson.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise InvalidInputError("body", f"is not valid JSON ({error.msg}, {where})") from None


class Caller:
    """A dependency: the caller, who has the right. What a route declares; docs/access.md is made of it."""

    def __init__(self, api: Api, right: Right) -> None:
        self._api = api
        self.right = right

    async def __call__(self, request: Request) -> ApiCaller:
        found = await self._api.recognise(request, self.right)
        check_parameters(request)
        return found


def check_parameters(request: Request) -> None:
    """A misspelt parameter must not be ignored in silence: a filter that does not filter answers too much.

    Raises UnknownParameterError.
    """
    if not request.url.query:
        return
    route = request.scope["route"]
    known = {one.alias for one in route.dependant.query_params}
    known |= {one["name"] for one in (route.openapi_extra or {}).get("parameters", ()) if one["in"] == "query"}
    if unknown := [name for name in dict.fromkeys(request.query_params) if name not in known]:
        raise UnknownParameterError(unknown, sorted(known))


def answer(value: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer; ``etag="3"`` and the like become headers."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(orjson.dumps(value, default=str), status, named, media_type="application/json")


def etag(version: int | str) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def wanted_version(request: Request) -> int | None:
    """The version that a change is based on, from If-Match; None for ``*``.

    Raises VersionNeededError and InvalidInputError.
    """
    tag = _if_match(request, _ETAG)
    return None if tag is None else int(tag)


def wanted_tag(request: Request) -> str | None:
    """The same of what has a digest for its version (flows.versions); None for ``*``.

    Raises VersionNeededError and InvalidInputError.
    """
    return _if_match(request, _TAG)


def _if_match(request: Request, form: re.Pattern[str]) -> str | None:
    given = request.headers.get("if-match")
    if given is None:
        raise VersionNeededError
    if given.strip() == "*":
        return None
    found = form.fullmatch(given.strip())
    if found is None:
        raise InvalidInputError("If-Match", "must be one ETag as it was read, or *", hint=_AS_READ)
    return found[1]
