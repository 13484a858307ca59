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


class PublicResolver(AbstractResolver):
    """Resolves names to their public addresses only; raises PrivateAddressError where there is none."""

    def __init__(self, allowed_hosts: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed_hosts)
        self._inner = ThreadedResolver()

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
    allowed_hosts: Collection[str] = (), *, timeout_seconds: float = 15.0, reuse_connections: bool = True
) -> aiohttp.ClientSession:
    """An HTTP client that reaches public hosts only. Pass each URL through ``check_url`` too: IP addresses in URLs are
    not resolved. Call with ``allow_redirects=False``.

    ``reuse_connections`` off: each request gets a connection of its own. On a kept one the library repeats by itself a
    PUT or DELETE whose answer was lost, which may then act twice.
    """
    connector = aiohttp.TCPConnector(
        resolver=PublicResolver(allowed_hosts), limit=100, limit_per_host=10, force_close=not reuse_connections
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, connect=5.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def _is_allowed(host: str, port: int, allowed_hosts: Collection[str]) -> bool:
    named = f"[{host}]" if ":" in host else host
    return host in allowed_hosts or named in allowed_hosts or f"{named}:{port}" in allowed_hosts


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
