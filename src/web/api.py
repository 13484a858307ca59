"""The API for tenants' own programs: JSON below ``/api/v1``, a key as bearer token, errors as RFC 9457 problem details.

Who calls is told by the key alone; no path, header or body names a tenant.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import InvalidInputError
from flows.api_keys import ApiCaller, ApiKeys
from web.errors import BadKeyError, ScopeMissingError, TooManyBadKeysError, VersionNeededError
from web.floods import Floods, source_of
from web.security import Throttle

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes."""
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?"?(\d{1,9})"?')


class Api:
    """What all doors of the API share: who calls, reading bodies, and a bound on what strangers may cost."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self._floods = Floods()
        self._strangers = Throttle(limit=60, seconds=60)

    def caller(self, scope: str) -> Callable[[Request], Awaitable[ApiCaller]]:
        """A dependency: who calls, with a key that has ``scope``.

        Raises BadKeyError, TooManyBadKeysError and ScopeMissingError.
        """

        async def recognised(request: Request) -> ApiCaller:
            token = _BEARER.fullmatch(request.headers.get("authorization", ""))
            found = None
            if token:
                async with self._floods.lookup(request):
                    found = await self._keys.recognise(token[1])
            if found is None:
                source = source_of(request)
                self._strangers.failed(source)
                if wait := self._strangers.seconds_to_wait(source):
                    raise TooManyBadKeysError(wait)
                raise BadKeyError(given=token is not None)
            if scope not in found.scopes:
                raise ScopeMissingError(scope)
            return found

        return recognised

    async def body(self, request: Request) -> bytes:
        """The whole body. Raises TooLargeError."""
        async with self._floods.body(request, LARGEST_BODY) as body:
            return body

    async def json(self, request: Request) -> Any:
        """The body as JSON, whatever its declared type. Raises InvalidInputError and TooLargeError."""
        try:
            return orjson.loads(await self.body(request))
        except orjson.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise InvalidInputError("body", f"is not valid JSON ({error.msg}, {where})") from None


def answer(value: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer; ``etag="3"`` and the like become headers."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(orjson.dumps(value, default=str), status, named, media_type="application/json")


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def wanted_version(request: Request) -> int | None:
    """The version that a change is based on, from If-Match; None for ``*``.

    Raises VersionNeededError and InvalidInputError.
    """
    given = request.headers.get("if-match")
    if given is None:
        raise VersionNeededError
    if given.strip() == "*":
        return None
    found = _ETAG.fullmatch(given.strip())
    if found is None:
        raise InvalidInputError("If-Match", "must be one ETag as it was read, or *")
    return int(found[1])
