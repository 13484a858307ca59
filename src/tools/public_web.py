"""Requests to addresses that tenants choose: only to public hosts, so that nobody reaches into our own network.

The address is judged where the connection is made, not before: a name that resolves differently a moment later
changes nothing. Redirects are not followed, and no proxy of the environment is used.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from domain.errors import AtendeError, InvalidInputError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LONGEST_URL = 2_000


class PrivateAddressError(AtendeError):
    """A host that stands in a private network, or that no public address is known of."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} has no public address.",
            hint="Use a public address, or let the installation's administrator add the host to ATENDE_PRIVATE_HOSTS.",
        )
        self.host = host


def is_public(address: str) -> bool:
    """Whether an IP address belongs to a host on the public internet."""
    try:
        found = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def check_url(url: str, allowed_hosts: Collection[str] = ()) -> str:
    """The URL, if a request may go there as far as its text tells; raise InvalidInputError or PrivateAddressError.

    ``allowed_hosts``: hosts of our own network that may be reached, also without TLS: ``name``, or ``name:port`` for
    that port alone.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise InvalidInputError("url", f"is no address ({error})", hint="Such as https://example.com/hook.") from None
    if not host or parts.scheme not in {"http", "https"} or len(url) > _LONGEST_URL or not url.isprintable():
        raise InvalidInputError("url", "is no web address", hint="Such as https://example.com/hook.")
    if parts.username is not None or parts.password is not None:
        raise InvalidInputError("url", "must not hold a user or a password", hint="Check our signature instead.")
    if _is_allowed(host, port or (443 if parts.scheme == "https" else 80), allowed_hosts):
        return url
    if parts.scheme != "https":
        raise InvalidInputError("url", "must begin with https://", hint="What we send there is personal data.")
    if _is_ip(host) and not is_public(host):
        raise PrivateAddressError(host)
    return url


async def check_public(url: str, allowed_hosts: Collection[str] = ()) -> None:
    """Look a URL's name up: raise PrivateAddressError where it has no public address now.

    For addresses that another client calls; ``public_client`` judges each connection besides.
    """
    parts = urlsplit(url)
    host, port = (parts.hostname or "").rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)
    if _is_ip(host):
        return
    resolver = PublicResolver(allowed_hosts)
    try:
        await resolver.resolve(host, port)
    except OSError as error:
        raise PrivateAddressError(host) from error


class PublicResolver(AbstractResolver):
    """Resolves names to their public addresses only; raises PrivateAddressError where there is none.

    ``names`` is who is asked; None: the system.
    """

    def __init__(self, allowed_hosts: Collection[str] = (), names: AbstractResolver | None = None) -> None:
        self._allowed = frozenset(allowed_hosts)
        self._inner = names or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See aiohttp's AbstractResolver."""
        found = await self._inner.resolve(host, port, family)
        if _is_allowed(host.rstrip("."), port, self._allowed):
            return found
        public = [one for one in found if is_public(one["host"])]
        if not public:
            raise PrivateAddressError(host)
        return public

    async def close(self) -> None:
        """Nothing to close."""


def public_client(
    allowed_hosts: Collection[str] = (),
    *,
    timeout_seconds: float = 15.0,
    reuse_connections: bool = True,
    names: AbstractResolver | None = None,
    most_to_a_host: int = 10,
) -> aiohttp.ClientSession:
    """An HTTP client that reaches public hosts only. Pass each URL through ``check_url`` too: IP addresses in URLs are
    not resolved. Call with ``allow_redirects=False``.

    A request is sent once: the library would by itself repeat a PUT or DELETE whose answer was lost, which may act
    twice. ``reuse_connections`` off: each request gets a connection of its own, so that none is lost on a kept one that
    the other side closes at that moment. ``most_to_a_host``: connections at once; 0: no limit of its own.
    """
    connector = aiohttp.TCPConnector(
        resolver=PublicResolver(allowed_hosts, names),
        limit=100,
        limit_per_host=most_to_a_host,
        force_close=not reuse_connections,
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, connect=5.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        middlewares=(_sent_once,),
    )


class AnswerLostError(aiohttp.ClientError):
    """The connection broke after it was made: the request may have arrived."""


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await send(request)
    except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise AnswerLostError(type(error).__name__) from error


def _is_allowed(host: str, port: int, allowed_hosts: Collection[str]) -> bool:
    named = f"[{host}]" if ":" in host else host
    return host in allowed_hosts or named in allowed_hosts or f"{named}:{port}" in allowed_hosts


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
