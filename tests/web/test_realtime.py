"""The websocket: each tenant's events, in order, none missed, none of anybody else's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.database import Number
from tests.web.site import Site
from web.realtime import BACKLOG, LiveEvent, Subscriber


def _socket(site: Site, client: httpx.AsyncClient, after: int | None = None, origin: str | None = None) -> connect:
    query = "" if after is None else f"?after={after}"
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return connect(
        f"{site.url.replace('http', 'ws')}/ws{query}",
        origin=origin,  # type: ignore[arg-type]
        additional_headers={"Cookie": cookies},
        proxy=None,
    )


async def _next(socket: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 30))
    return event


async def test_that_a_browser_learns_of_its_tenants_events_and_of_no_others(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    other = await site.number("other")
    async with _socket(site, operator) as socket:
        assert (await _next(socket))["kind"] == "ready"
        await site.message(other, "segredo")
        conversation = await site.message(shop)
        event = await _next(socket)
        assert (event["kind"], event["conversation_id"]) == ("message.received", str(conversation))


async def test_that_a_reconnecting_browser_gets_exactly_what_it_missed(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    async with _socket(site, operator) as socket:
        await _next(socket)
        await site.message(shop, "first")
        seen = (await _next(socket))["id"]
    other = await site.number("other")
    for n in range(20):
        await site.message(shop, f"missed {n}")
        await site.message(other, f"not yours {n}")
    async with _socket(site, operator, after=seen) as socket:
        events = [await _next(socket)]
        while len([event for event in events if event["kind"] == "message.received"]) < 20:
            events.append(await _next(socket))
        await site.message(shop, "live again")
        while (last := await _next(socket))["kind"] != "message.received":
            pass
    ids = [event["id"] for event in events if event["kind"] == "message.received"]
    assert ids == sorted(set(ids))
    assert ids[0] > seen
    assert last["id"] > ids[-1]


@pytest.mark.parametrize("origin", ["https://evil.example", None])
async def test_that_a_socket_needs_a_sign_in_and_our_own_page(
    site: Site, operator: httpx.AsyncClient, origin: str | None
) -> None:
    if origin is None:
        operator.cookies.clear()
    async with _socket(site, operator, origin=origin) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await _next(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_that_a_browser_that_reads_too_slowly_is_cut_off_instead_of_buffered(shop: Number) -> None:
    slow = Subscriber(shop.tenant_id, start=0)
    taken = [slow.offer(LiveEvent(n, "message.received", None)) for n in range(BACKLOG + 1)]
    assert taken == [True] * BACKLOG + [False]
    received = [slow.queue.get_nowait() for _ in range(BACKLOG + 1)]
    assert received[-1] is None
