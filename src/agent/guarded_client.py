"""The HTTP client of language models: where a tenant chose the address, it connects to public or allowed hosts only.

What was judged when the address was saved may name another host a moment later, so each request and each connection
is judged again, as those of business functions are (tools.public_web). Redirects are not followed, and no proxy of the
environment is used.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Any

from domain.errors import AtendeError
from tools.public_web import check_url, public_client

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver


def http_client(
    allowed_hosts: Collection[str] | None,
    names: AbstractResolver | None = None,
    transport: Any = None,
) -> Any:
    """For the ``openai`` client. ``allowed_hosts``: those of our own network that may be reached; None: any host, of an
    address that the installation chose. ``names``: who is asked for hosts' addresses; None: the system. ``transport``:
    instead of the network."""
    # On first use, as all of the client library.
    import httpx  # noqa: PLC0415
    from openai import DefaultAioHttpClient  # noqa: PLC0415

    if transport is not None:
        return httpx.AsyncClient(transport=transport)
    if allowed_hosts is None:
        return DefaultAioHttpClient()
    # Asked of a client, since the library's module of it differs by version.
    inner: Any = DefaultAioHttpClient(trust_env=False)._transport
    inner.client = partial(public_client, allowed_hosts, names=names, most_to_a_host=0)
    transport = _Guarded(inner, allowed_hosts)
    return DefaultAioHttpClient(transport=transport, follow_redirects=False, trust_env=False)


class _Guarded:
    """What the client library sends its requests with."""

    def __init__(self, inner: Any, allowed_hosts: Collection[str]) -> None:
        self._inner = inner
        self._allowed_hosts = allowed_hosts

    async def handle_async_request(self, request: Any) -> Any:
        """The answer. Raises AtendeError where the request must not be made."""
        check_url(str(request.url), self._allowed_hosts)  # an address that is a number is never resolved
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()


def refusal(error: BaseException) -> AtendeError | None:
    """Why nothing was asked, if the guard is what ended a request; ``error``: the client library's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AtendeError):
            return cause
        cause = cause.__cause__
    return None
