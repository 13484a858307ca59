"""Sends declared requests: to public or allowed hosts only, within their time, repeated only where that is safe."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from domain.errors import AtendeError, InvalidInputError
from tools.declaration import (
    BusinessError,
    BusinessFunction,
    CallFailedError,
    Effect,
    NoEffectError,
    ToolContext,
)
from tools.http_answer import TRANSIENT, Answer, result_of
from tools.http_declaration import HttpDetails
from tools.http_request import Request, build_request
from tools.public_web import PrivateAddressError, check_url, public_client
from tools.schema import conform, parameters_of, seen_by_models

log = logging.getLogger(__name__)

_ATTEMPTS = 3
_FIRST_PAUSE = 0.2
_CONNECT_SECONDS = 5.0
_MOST_REDIRECTS = 3
_OUTER_SECONDS = 2.0
"""How much later than the request's own limit the caller's falls, so that this module says what happened."""
_SPEAKS_FOR_US = frozenset({"authorization", "cookie", "webhook-id", "webhook-timestamp", "webhook-signature"})


class HostNotAllowedError(NoEffectError):
    """The function's address stands in a private network that the tenant may not reach."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} has no public address, so it was not called.",
            hint=f"If it is a system of your own: atende functions allow-host {host} --tenant SLUG",
        )
        self.host = host


class NotReachedError(NoEffectError):
    """No connection could be made, so nothing was sent."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"{host} cannot be reached ({why}).", hint="Check the address, and that the system runs.")
        self.host = host


class HttpClients:
    """The connections of one process. Tenants share them only where the same hosts are allowed to them."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[frozenset[str], bool], aiohttp.ClientSession] = {}

    def session(self, allowed_hosts: frozenset[str], *, for_writes: bool) -> aiohttp.ClientSession:
        """The client for these allowed hosts. A write gets a connection of its own: see ``public_client``."""
        key = (allowed_hosts, for_writes)
        if key not in self._sessions:
            self._sessions[key] = public_client(allowed_hosts, reuse_connections=not for_writes)
        return self._sessions[key]

    async def aclose(self) -> None:
        """Close all connections."""
        while self._sessions:
            await self._sessions.popitem()[1].close()


@dataclass(frozen=True, slots=True)
class Access:
    """What a tenant's requests may use: its secrets by name, and the private hosts it may reach."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed_hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HttpDeclaration:
    """A function over HTTP as declared: ``schema`` is that of its arguments, with Atende's own notes in it."""

    name: str
    description: str
    effect: Effect
    schema: Mapping[str, Any]
    details: HttpDetails


def http_function(declared: HttpDeclaration, clients: HttpClients, access: Access) -> BusinessFunction:
    """The declared function, ready to be called with these connections."""
    caller = _Caller(declared, clients, access)
    return BusinessFunction(
        name=declared.name,
        description=declared.description,
        effect=declared.effect,
        parameters=parameters_of(declared.schema),
        call=caller.call,
        timeout_seconds=declared.details.timeout_seconds + _OUTER_SECONDS,
        idempotent=declared.details.idempotent,
        kind="http",
        schema=seen_by_models(declared.schema),
    )


@dataclass(frozen=True, slots=True)
class _Caller:
    declared: HttpDeclaration
    clients: HttpClients
    access: Access

    async def call(self, context: ToolContext, **arguments: Any) -> Any:
        """Make the request. Raises BusinessError, NoEffectError (certainly nothing was done) or CallFailedError."""
        declared, details = self.declared, self.declared.details
        is_write = declared.effect == "write"
        try:
            given = conform(declared.schema, arguments)
            request = build_request(details, given, context, self.access.secrets, is_write=is_write)
        except InvalidInputError as error:
            raise BusinessError("invalid_argument", parameter=error.field, problem=error.problem) from None
        sent = _Sent()
        try:
            async with asyncio.timeout(details.timeout_seconds):
                answer = await self._persistently(request, sent)
        except TimeoutError:
            if not sent.maybe:
                raise NotReachedError(_host(request.url), "no connection in time") from None
            raise CallFailedError("timeout", f"No answer within {details.timeout_seconds:g} s.") from None
        if answer.status == 409 and sent.before and is_write:
            # The system still works on an attempt of ours whose answer was lost.
            raise CallFailedError("still_in_progress", "An earlier attempt of this call is still in progress.")
        return result_of(details, declared.effect, answer, request.secret_texts)

    async def _persistently(self, request: Request, sent: _Sent) -> Answer:
        """Send it, again after a failure where that is safe: what reads, or what recognises its idempotency key."""
        repeatable = self.declared.effect == "read" or self.declared.details.idempotent
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS or not repeatable
            try:
                answer = await self._once(request, sent)
                if last or answer.status not in TRANSIENT:
                    return answer
            except (NotReachedError, CallFailedError) as error:
                if last:
                    raise
                log.info("function %s: %s Trying again.", self.declared.name, error)
            sent.before = sent.before or sent.maybe
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
            pause *= 2
        raise AssertionError("the last attempt always ends the loop")

    async def _once(self, request: Request, sent: _Sent) -> Answer:
        url, headers = request.url, dict(request.headers)
        for _ in range(_MOST_REDIRECTS + 1):
            answer, location = await self._exchange(request, url, headers, sent)
            if self.declared.effect == "write" or request.method not in {"GET", "HEAD"} or not location:
                return answer
            moved = urljoin(url, location)
            if _origin(moved) != _origin(url):
                hidden = {name.lower() for c in self.declared.details.credentials if (name := c.name)} | _SPEAKS_FOR_US
                headers = {name: value for name, value in headers.items() if name.lower() not in hidden}
            url = moved
        raise CallFailedError("too_many_redirects", "The other side keeps redirecting.")

    async def _exchange(
        self, request: Request, url: str, headers: Mapping[str, str], sent: _Sent
    ) -> tuple[Answer, str]:
        host, limit = _host(url), self.declared.details.timeout_seconds
        session = self.clients.session(self.access.allowed_hosts, for_writes=self.declared.effect == "write")
        # What these errors say may hold the whole address, and with it a secret: only their kind is passed on.
        try:
            check_url(url, self.access.allowed_hosts)
            async with session.request(
                request.method,
                URL(url, encoded=True),
                headers=headers,
                data=request.body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=min(_CONNECT_SECONDS, limit / 2)),
            ) as answered:
                sent.maybe = True
                body = await _limited(answered, self.declared.details.most_bytes)
                location = answered.headers.get("Location", "") if 300 <= answered.status < 400 else ""
                return Answer(answered.status, answered.headers.get("Content-Type", ""), body), location
        except PrivateAddressError:
            raise HostNotAllowedError(host) from None
        except InvalidInputError as error:
            raise NotReachedError(host, f"its address {error.problem}") from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            if isinstance(_root(error), PrivateAddressError):
                raise HostNotAllowedError(host) from None
            raise NotReachedError(host, type(error).__name__) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            sent.maybe = True
            raise CallFailedError("connection_lost", f"{host} broke off ({type(error).__name__}).") from None
        except asyncio.CancelledError:
            sent.maybe = True  # connecting has a shorter limit of its own
            raise


@dataclass(slots=True)
class _Sent:
    """How far the attempts of a call got."""

    maybe: bool = False
    """The request may have arrived."""
    before: bool = False
    """An earlier attempt may have arrived."""


async def _limited(answered: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The body, or None if it is larger than ``most`` bytes; then the rest is not read."""
    kept = bytearray()
    async for piece in answered.content.iter_chunked(16_384):
        kept += piece
        if len(kept) > most:
            answered.close()
            return None
    return bytes(kept)


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2]


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _root(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None and not isinstance(error, AtendeError):
        error = cause
    return error
