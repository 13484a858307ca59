"""The websocket: each tenant's events, in order, none missed, none of anybody else's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from flows.api_keys import ApiKeys
from flows.live_subscribers import BACKLOG, Listening, Subscriber
from flows.presence import Presence
from tests.database import Number
from tests.web.site import Site

TIMEOUT = 60


def _socket(site: Site, client: httpx.AsyncClient | None = None, **headers: str) -> connect:
    if client is not None:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return connect(f"{site.url.replace('http', 'ws')}/ws", additional_headers=headers, proxy=None)


async def _key(site: Site, number: Number, *scopes: str) -> str:
    return (await ApiKeys(site.db).create(number.tenant_id, "erp", scopes or ("events:read",), actor="t")).token


async def _next(socket: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT))
    return event


async def _until(socket: ClientConnection, *types: str) -> dict[str, Any]:
    """The next message of one of these types; those before it are passed over."""
    while (message := await _next(socket))["type"] not in types:
        pass
    return message


async def _say(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def _subscribed(socket: ClientConnection, **more: Any) -> dict[str, Any]:
    """Subscribe and read up to ``ready``; returns it with the events that were replayed as ``events``."""
    await _say(socket, type="subscribe", **more)
    events: list[dict[str, Any]] = []
    while (message := await _next(socket))["type"] != "ready":
        events += message.get("events", [message] if "." in message["type"] else [])
    return {**message, "events": events}


async def _events(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    """The next so many events, however they are bundled."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        message = await _next(socket)
        found += message.get("events", [message] if "." in message["type"] else [])
    return found


async def _closed(socket: ClientConnection) -> int:
    try:
        while True:
            await _next(socket)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0


async def _owner(site: Site, statement: str, *arguments: Any) -> Any:
    connection = await asyncpg.connect(site.owner_dsn)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


async def test_that_a_page_learns_of_its_tenants_events_and_of_no_others(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    other = await site.number("other")
    async with _socket(site, operator) as socket:
        await _subscribed(socket, content="none", kinds=["message.received"])
        await site.message(other, "segredo")
        conversation = await site.message(shop)
        (event,) = await _events(socket, 1)
        assert set(event) == {"id", "type", "conversation_id"}
        assert (event["type"], event["conversation_id"]) == ("message.received", str(conversation))


async def test_that_who_reconnects_gets_exactly_what_was_missed_then_what_comes(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    async with _socket(site, operator) as socket:
        await _subscribed(socket, content="none")
        await site.message(shop, "first")
        seen = (await _events(socket, 1))[0]["id"]
    other = await site.number("other")
    for n in range(20):
        await site.message(shop, f"missed {n}")
        await site.message(other, f"not yours {n}")
    async with site.db.transaction(shop.tenant_id) as tx:
        missed = [row["id"] for row in await tx.fetch("SELECT id FROM event WHERE id > $1 ORDER BY id", seen)]

    async def speak() -> None:
        for n in range(20):
            await site.message(shop, f"meanwhile {n}")

    async with asyncio.TaskGroup() as group, _socket(site, operator) as socket:
        group.create_task(speak())
        events = (await _subscribed(socket, after=seen, content="none"))["events"]
        while len([event for event in events if event["type"] == "message.received"]) < 40:
            events += await _events(socket, 1)
    ids = [event["id"] for event in events]
    async with site.db.transaction(shop.tenant_id) as tx:
        there = await tx.fetch("SELECT id FROM event WHERE id > $1 AND id <= $2 ORDER BY id", seen, ids[-1])
    assert ids[: len(missed)] == missed
    assert ids == [row["id"] for row in there]


async def test_that_a_program_gets_the_content_that_webhooks_carry(site: Site, shop: Number) -> None:
    token = await _key(site, shop)
    async with _socket(site, Authorization=f"Bearer {token}") as socket:
        await _subscribed(socket, subscription="all")
        conversation = await site.message(shop, "cadê meu pedido?")
        suggestion = await site.suggestion(shop, conversation, "Já olho.")
        received, created = await _until(socket, "message.received"), await _until(socket, "suggestion.created")
    assert received["subscription"] == "all"
    assert received["sequence"] == received["id"] < created["id"]
    assert received["data"]["message"]["text"] == "cadê meu pedido?"
    assert received["data"]["conversation"]["id"] == received["conversation_id"] == str(conversation)
    assert received["data"]["conversation"]["contact"]["name"] == "Bruno Lima"
    assert created["data"]["suggestion"] | {"id": str(suggestion), "text": "Já olho."} == created["data"]["suggestion"]
    async with _socket(site) as socket:  # the first message instead of a header; and all of it anew
        await _say(socket, type="authenticate", token=token)
        replayed = (await _subscribed(socket, after=0))["events"]
    assert [event for event in replayed if event["id"] in {received["id"], created["id"]}] == [
        {**received},
        {**created},
    ]


async def test_that_a_subscription_may_be_narrowed_to_a_number_a_conversation_or_kinds(
    site: Site, shop: Number
) -> None:
    async with site.db.transaction(shop.tenant_id) as tx:
        second = await tx.fetchval(
            "INSERT INTO channel_session (tenant_id, provider, name) VALUES ($1, 'simulator', 'B') RETURNING id",
            shop.tenant_id,
        )
    support = Number(shop.tenant_id, second, shop.user_id)
    bruno, carla = await site.message(shop, contact="Bruno"), await site.message(shop, contact="Carla")
    async with _socket(site, Authorization=f"Bearer {await _key(site, shop)}") as socket:
        await _subscribed(socket, subscription="number", session_id=str(second), kinds=["message.*"])
        await _subscribed(socket, subscription="carla", conversation_id=str(carla), kinds=["message.*"])
        await _subscribed(socket, subscription="offers", kinds=["suggestion.*"])
        await _say(socket, type="subscribe", subscription="gone")
        await _until(socket, "ready")
        await _say(socket, type="unsubscribe", subscription="gone")
        assert (await _until(socket, "unsubscribed"))["subscription"] == "gone"
        await site.message(shop, "a", contact="Bruno")
        await site.message(support, "b", contact="Dora")
        await site.message(shop, "c", contact="Carla")
        await site.suggestion(shop, bruno)
        found = [(event["subscription"], event["type"]) for event in await _events(socket, 3)]
    assert found == [
        ("number", "message.received"),
        ("carla", "message.received"),
        ("offers", "suggestion.created"),
    ]


async def test_that_what_cannot_be_done_is_answered_by_name_and_the_socket_goes_on(site: Site, shop: Number) -> None:
    other = await site.number("other")
    theirs = await site.message(other, "segredo")
    wrong: Sequence[tuple[dict[str, Any], str]] = (
        ({"type": "subscribe", "subscription": "x", "conversation_id": str(theirs)}, "not_found"),
        ({"type": "subscribe", "subscription": "x", "session_id": str(other.session_id)}, "not_found"),
        ({"type": "subscribe", "subscription": "x", "conversation_id": "1 OR 1=1"}, "not_found"),
        ({"type": "subscribe", "subscription": "x", "kinds": ["nothing.*"]}, "invalid"),
        ({"type": "subscribe", "subscription": "x", "after": -1}, "invalid"),
        ({"type": "subscribe", "subscription": "x", "after": "1"}, "invalid"),
        ({"type": "subscribe", "subscription": "x", "content": "some"}, "invalid"),
        ({"type": "unsubscribe", "subscription": "x"}, "not_found"),
        ({"type": "presence", "conversation_id": str(theirs)}, "not_allowed"),
        ({"type": "dance"}, "invalid"),
    )
    async with _socket(site, Authorization=f"Bearer {await _key(site, shop)}") as socket:
        for message, code in wrong:
            await _say(socket, **message)
            answer = await _next(socket)
            assert (answer["type"], answer["code"]) == ("error", code), message
            assert "segredo" not in json.dumps(answer)
            if "subscription" in message:
                assert answer["subscription"] == "x"
        for text in ("{", "[]", '"x"', "null", "{}"):
            await socket.send(text)
            assert (await _next(socket))["code"] == "invalid"
        for n in range(50):
            await _subscribed(socket, subscription=f"s{n}")
            await asyncio.sleep(0.05)
        await _say(socket, type="subscribe", subscription="one more")
        assert (await _next(socket))["code"] == "invalid"  # a name has no spaces
        await _say(socket, type="subscribe", subscription="one-more")
        assert (await _next(socket))["code"] == "too_many"
        await _say(socket, type="ping")
        assert (await _next(socket)) == {"type": "pong"}


async def test_that_a_key_without_the_scope_hears_nothing(site: Site, shop: Number) -> None:
    async with _socket(site, Authorization=f"Bearer {await _key(site, shop, 'intents:read')}") as socket:
        await _say(socket, type="subscribe")
        assert (await _next(socket))["code"] == "not_allowed"
        await _subscribed(socket, content="none")
        await site.message(shop)
        async with site.db.transaction(shop.tenant_id) as tx:
            await tx.execute("INSERT INTO event (tenant_id, kind) VALUES ($1, 'intent.changed')", shop.tenant_id)
        assert [event["type"] for event in await _events(socket, 1)] == ["intent.changed"]


async def test_that_a_socket_needs_a_sign_in_and_our_own_page(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    async with _socket(site, operator, Origin="https://evil.example") as socket:
        assert await _closed(socket) == 4401
    for headers in ({"Authorization": "Bearer atende_" + "x" * 43}, {"Authorization": "Bearer "}):
        async with _socket(site, **headers) as socket:
            assert await _closed(socket) == 4401
    for first in ('{"type": "subscribe"}', '{"type": "authenticate", "token": "x"}', '{"type": "authenticate"}', "x"):
        async with _socket(site) as socket:
            await socket.send(first)
            assert await _closed(socket) == 4401
    async with _socket(site, Cookie="atende=of-somebody-else") as socket:
        assert await _closed(socket) == 4401


async def test_that_access_ends_at_once_with_the_key_or_the_membership(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    keys = ApiKeys(site.db)
    async with (
        _socket(site, operator) as page,
        _socket(site, Authorization=f"Bearer {await _key(site, shop)}") as program,
    ):
        await _subscribed(page, content="none")
        await _subscribed(program)
        await keys.revoke(shop.tenant_id, "erp", actor="t")
        assert await asyncio.wait_for(_closed(program), TIMEOUT) == 4401
        await site.message(shop)
        await _until(page, "events")
        await _owner(site, "DELETE FROM membership WHERE user_id = $1", shop.user_id)
        await _owner(site, "SELECT pg_notify('atende_access', '')")
        assert await asyncio.wait_for(_closed(page), TIMEOUT) == 4401


async def test_that_who_sees_only_own_conversations_hears_of_no_others_and_of_changes_at_once(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    bruno, carla = await site.message(shop, contact="Bruno"), await site.message(shop, contact="Carla")
    await _owner(site, "UPDATE membership SET reach = 'own' WHERE user_id = $1", shop.user_id)
    await _owner(site, "UPDATE conversation SET assignee_id = $2 WHERE id = $1", bruno, shop.user_id)
    async with _socket(site, operator) as socket:
        await _say(socket, type="subscribe", subscription="x", conversation_id=str(carla))
        assert (await _next(socket))["code"] == "not_found"
        await _say(socket, type="presence", conversation_id=str(carla))
        assert (await _next(socket))["code"] == "not_found"
        replayed = (await _subscribed(socket, subscription="all", after=0, kinds=["message.*"]))["events"]
        assert {event["conversation_id"] for event in replayed} == {str(bruno)}
        await site.message(shop, "dela", contact="Carla")
        await site.message(shop, "dele", contact="Bruno")
        event = (await _events(socket, 1))[0]
        assert (event["conversation_id"], event["data"]["message"]["text"]) == (str(bruno), "dele")
        await _owner(site, "UPDATE conversation SET assignee_id = $2 WHERE id = $1", carla, shop.user_id)
        await _owner(site, "UPDATE conversation SET assignee_id = NULL WHERE id = $1", bruno)
        await site.message(shop, "não mais dele", contact="Bruno")
        await site.message(shop, "agora dela", contact="Carla")
        gone, come = await _events(socket, 2)
        assert (gone["type"], gone["conversation_id"], gone.get("data")) == ("conversation.hidden", str(bruno), None)
        assert (come["conversation_id"], come["data"]["message"]["text"]) == (str(carla), "agora dela")


async def _people(presence: Presence, number: Number, conversation: UUID, *names: str) -> list[str]:
    """Who has it open, as soon as that is ``names``."""
    async with asyncio.timeout(TIMEOUT):
        while (found := [one.name for one in presence.people(number.tenant_id, conversation)]) != list(names):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


async def test_that_colleagues_see_who_has_a_conversation_open_and_types(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    async with _socket(site, operator) as ana:
        await _say(ana, type="presence", conversation_id=str(conversation))
        alone = await _until(ana, "presence")
        bia = uuid4()
        other = Presence(site.db)  # another process, with nothing in common but the database
        async with other.running():
            other.put("socket", shop.tenant_id, bia, "Bia", conversation, typing=True)
            both = await _until(ana, "presence")
            heard = await _people(other, shop, conversation, "Ana", "Bia")
            other.put("socket", shop.tenant_id, bia, "Bia", None, typing=False)
            left = await _until(ana, "presence")
    assert [person["name"] for person in alone["people"]] == ["Ana"]
    assert [(person["name"], person["typing"]) for person in both["people"]] == [("Ana", False), ("Bia", True)]
    assert [person["name"] for person in left["people"]] == ["Ana"]
    assert heard == ["Ana", "Bia"]
    await _people(site.app.state.presence, shop, conversation)  # nobody, once the socket is gone


async def test_that_who_reads_too_slowly_is_cut_off_instead_of_buffered(site: Site, shop: Number) -> None:
    async with _socket(site, Authorization=f"Bearer {await _key(site, shop)}") as socket:
        await _subscribed(socket)
        (subscriber,) = site.app.state.feed.of(shop.tenant_id)
        for _ in range(BACKLOG + 1):  # while nobody has had time to read any of it
            subscriber.put('{"type": "x.y"}')
        assert await _closed(socket) == 4408


def test_that_what_waits_for_one_socket_is_bounded_in_events_and_bytes() -> None:
    who = Listening(UUID(int=1), None, frozenset(), None)
    many, large = Subscriber(who), Subscriber(who)
    for _ in range(BACKLOG):
        many.put("x")
    assert not many.cut.is_set()
    many.put("x")
    assert many.cut.is_set()
    for _ in range(100):
        large.put("x" * 100_000)
    assert large.cut.is_set()
