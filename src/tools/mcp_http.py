"""HTTP for MCP servers: to public or allowed hosts only, judged where the connection is made, with a size limit.

Imported with the MCP library, never before it is needed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Collection, Mapping

import httpx2

from tools.public_web import PublicResolver, check_url

_CONNECT_SECONDS = 5.0
_OTHER_SECONDS = 300.0
"""A server may be silent that long on a stream it holds open; each call has its own, shorter limit."""


class AnswerTooLargeError(httpx2.ReadError):
    """The server's answer is larger than allowed; the rest of it was not read."""


def guarded_client(
    headers: Mapping[str, str], allowed_hosts: Collection[str], *, most_bytes: int
) -> httpx2.AsyncClient:
    """A client for one server. Redirects stay within its origin (the MCP library sees to that)."""
    return httpx2.AsyncClient(
        headers=dict(headers),
        transport=_Guarded(allowed_hosts, most_bytes),
        timeout=httpx2.Timeout(_OTHER_SECONDS, connect=_CONNECT_SECONDS),
        trust_env=False,
        follow_redirects=False,
    )


class _Guarded(httpx2.AsyncBaseTransport):
    """Resolves names itself and connects to the address that it judged; TLS is still checked against the name."""

    def __init__(self, allowed_hosts: Collection[str], most_bytes: int) -> None:
        self._allowed = frozenset(allowed_hosts)
        self._most_bytes = most_bytes
        self._resolver = PublicResolver(self._allowed)
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See httpx2. Raises InvalidInputError or PrivateAddressError before anything is sent."""
        check_url(str(request.url), self._allowed)
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            found = await self._resolver.resolve(host, port)
        except OSError as error:
            raise httpx2.ConnectError(f"{host} is not known", request=request) from error
        addresses = list(dict.fromkeys(str(one["host"]) for one in found))
        for place, address in enumerate(addresses):
            try:
                response = await self._inner.handle_async_request(_to(request, host, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if place == len(addresses) - 1:
                    raise
                continue
            if "text/event-stream" not in response.headers.get("content-type", ""):
                # Events have a limit of their own, each.
                response.stream = _Limited(response.stream, self._most_bytes)
            return response
        raise httpx2.ConnectError(f"{host} has no address", request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _to(request: httpx2.Request, host: str, address: str) -> httpx2.Request:
    named = {} if _is_ip(host) else {"sni_hostname": host}
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,  # the Host header still says the name
        stream=request.stream,
        extensions={**request.extensions, **named},
    )


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream | httpx2.AsyncByteStream, most: int) -> None:
        if not isinstance(inner, httpx2.AsyncByteStream):
            raise TypeError("an asynchronous client got a synchronous answer")
        self._inner = inner
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._left -= len(piece)
            if self._left < 0:
                raise AnswerTooLargeError("the answer is larger than allowed")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    return True


__all__ = ["AnswerTooLargeError", "guarded_client"]
