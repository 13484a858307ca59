"""What happens in a tenant reaches its own systems: signed, in order, until somebody takes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from domain.errors import ConflictError, InvalidInputError, NotFoundError
from flows.outgoing_webhooks import EndpointWish, OutgoingWebhooks
from flows.webhook_posting import RETRIES, WebhookPosting
from store.wakeup import Wakeup
from tests.database import make_number
from tests.flows.door import Door
from tests.flows.receiver import Receiver, open_receiver
from tools.public_web import PrivateAddressError, public_client

OWN = ("127.0.0.1",)
"""Stands for the network of the tenant's own systems."""


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as opened:
        yield opened


@pytest.fixture
async def hooks(door: Door) -> AsyncIterator[OutgoingWebhooks]:
    wakeup = Wakeup(door.db)
    yield OutgoingWebhooks(door.db, wakeup, OWN)
    await wakeup.close()


@pytest.fixture
async def post(door: Door) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Run all that is due, until nothing is."""
    async with public_client(OWN) as http:
        posting = WebhookPosting(door.db, http, OWN)

        async def run() -> None:
            while await posting.run_due():
                await posting.wait_idle()

        yield run


Post = Callable[[], Awaitable[None]]


async def later(door: Door, by: timedelta) -> None:
    """Time passes for what waits."""
    async with door.db.transaction(door.session.tenant_id) as tx:
        await tx.execute(
            "UPDATE webhook_delivery SET next_attempt_at = next_attempt_at - $1::interval, "
            "claimed_until = claimed_until - $1::interval, created_at = created_at - $1::interval",
            by,
        )
        await tx.execute("UPDATE webhook_endpoint SET failing_since = failing_since - $1::interval", by)


async def states(door: Door) -> list[tuple[str, int]]:
    return [(row["state"], row["attempts"]) for row in await door.fetch("SELECT * FROM webhook_delivery ORDER BY id")]


async def test_that_a_message_reaches_the_endpoint_signed_and_whole(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post
) -> None:
    endpoint = await hooks.add(door.session.tenant_id, receiver.url, ["message.*"])
    await door.take(door.message(text="cadê meu pedido? 🙏", push_name="Ana"))
    await post()
    ((headers, raw),) = receiver.got
    body: Any = Webhook(endpoint.secret).verify(raw, headers)
    assert body["type"] == "message.received"
    assert body["data"]["message"]["text"] == "cadê meu pedido? 🙏"
    assert body["data"]["conversation"]["contact"]["addresses"] == ["phone:5531900000001"]
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(raw + b" ", headers)
    assert await states(door) == [("delivered", 1)]


async def test_that_an_endpoint_gets_what_it_asked_for_from_then_on_and_only_of_its_tenant(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post, owner_dsn: str
) -> None:
    stranger = await make_number(owner_dsn, "stranger")
    await door.take(door.message(text="before"))
    await hooks.add(door.session.tenant_id, receiver.url, ["conversation.*", "message.received"])
    await hooks.add(stranger.tenant_id, receiver.url, ["*"])
    await door.take(door.message(text="after"))
    await post()
    assert [event["data"]["message"]["text"] for event in receiver.events] == ["after"]


async def test_that_a_failed_delivery_comes_again_under_the_same_id_until_it_is_taken(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post
) -> None:
    receiver.answer = lambda _: 503 if len(receiver.got) < 3 else 204
    await hooks.add(door.session.tenant_id, receiver.url, ["message.*"])
    await door.take(door.message())
    await post()
    assert await states(door) == [("pending", 1)]
    await post()
    assert len(receiver.got) == 1, "it must wait before it tries again"
    for wait in RETRIES[:2]:
        await later(door, wait * 1.2)
        await post()
    assert await states(door) == [("delivered", 3)]
    assert len(set(receiver.ids)) == 1
    assert len({body for _, body in receiver.got}) == 1


async def test_that_a_receiver_which_asks_for_patience_is_left_alone_for_so_long(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post
) -> None:
    receiver.answer, receiver.headers = lambda _: 429, {"Retry-After": "600"}
    await hooks.add(door.session.tenant_id, receiver.url, ["message.*"])
    await door.take(door.message())
    await post()
    (row,) = await door.fetch("SELECT next_attempt_at - now() AS wait FROM webhook_delivery")
    assert timedelta(seconds=590) < row["wait"] < timedelta(seconds=610)


async def test_that_after_a_day_of_failures_the_endpoint_is_disabled_with_a_notice_and_nothing_is_lost(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post
) -> None:
    receiver.answer = lambda _: 500
    endpoint = await hooks.add(door.session.tenant_id, receiver.url, ["message.received"])
    await door.take(door.message(text="first"))
    await post()
    for wait in RETRIES:
        await later(door, wait * 1.2)
        await post()
    assert await states(door) == [("failed", len(RETRIES) + 1)]
    ((row),) = await hooks.all(door.session.tenant_id)
    assert (row["state"], row["disabled_reason"]) == ("disabled", "failing")
    (event,) = await door.fetch("SELECT payload FROM event WHERE kind = 'webhook.disabled'")
    changes = {"state": ["active", "failing"]}
    assert event["payload"] == {"endpoint_id": str(endpoint.id), "reason": "failing", "changes": changes}
    await door.take(door.message(text="second"))
    before = len(receiver.got)
    await post()
    assert len(receiver.got) == before
    receiver.answer = lambda _: 200
    await hooks.enable(door.session.tenant_id, endpoint.id)
    await post()
    assert [one["data"]["message"]["text"] for one in receiver.events[before:]] == ["second"]
    (failed,) = await door.fetch("SELECT id FROM webhook_delivery WHERE state = 'failed'")
    await hooks.replay(door.session.tenant_id, failed["id"])
    await post()
    assert receiver.events[-1]["data"]["message"]["text"] == "first"
    assert receiver.ids[-1] == receiver.ids[0]


async def test_that_410_disables_at_once(door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post) -> None:
    receiver.answer = lambda _: 410
    await hooks.add(door.session.tenant_id, receiver.url, ["message.received"])
    await door.take(door.message())
    await post()
    (row,) = await hooks.all(door.session.tenant_id)
    assert (row["state"], row["disabled_reason"]) == ("disabled", "gone")
    assert await states(door) == [("failed", 1)]


async def test_that_a_rotated_secret_signs_beside_the_old_one_for_a_day(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post
) -> None:
    tenant = door.session.tenant_id
    endpoint = await hooks.add(tenant, receiver.url, ["message.received"])
    new = await hooks.rotate(tenant, endpoint.id)
    await door.take(door.message())
    await post()
    headers, raw = receiver.got[-1]
    for secret in (endpoint.secret, new):
        Webhook(secret).verify(raw, headers)
    await hooks.rotate(tenant, endpoint.id, now=datetime.now(UTC) - timedelta(days=2))
    await door.take(door.message())
    await post()
    headers, raw = receiver.got[-1]
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(raw, headers)


async def test_that_the_events_of_a_conversation_arrive_in_order_and_numbered(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post
) -> None:
    receiver.delay = 0.01
    await hooks.add(door.session.tenant_id, receiver.url, ["message.received"])
    for n in range(12):
        await door.take(door.message(text=str(n)))
    await post()
    assert [one["data"]["message"]["text"] for one in receiver.events] == [str(n) for n in range(12)]
    numbers = [one["sequence"] for one in receiver.events]
    assert numbers == sorted(set(numbers))


async def test_that_an_attempt_that_died_is_made_again(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post
) -> None:
    await hooks.add(door.session.tenant_id, receiver.url, ["message.received"])
    await door.take(door.message())
    async with public_client(OWN) as http:
        dying = WebhookPosting(door.db, http, OWN)
        receiver.delay = 2
        await dying.run_due()
        for _ in range(100):
            if receiver.got:
                break
            await later(door, timedelta(0))
        for task in list(dying._running.values()):
            task.cancel()
    receiver.delay = 0
    await post()
    assert len(receiver.got) == 1, "its claim still holds"
    await later(door, timedelta(minutes=1))
    await post()
    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1


async def test_that_redirects_are_not_followed_and_private_addresses_not_reached(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post
) -> None:
    receiver.answer, receiver.headers = lambda _: 302, {"Location": "http://169.254.169.254/"}
    await hooks.add(door.session.tenant_id, receiver.url, ["message.received"])
    await door.take(door.message())
    await post()
    (row,) = await door.fetch("SELECT last_status, last_error FROM webhook_delivery")
    assert row["last_status"] == 302
    assert "Redirects are not followed" in row["last_error"]
    strict = OutgoingWebhooks(door.db, Wakeup(door.db))
    with pytest.raises(PrivateAddressError):
        await strict.add(door.session.tenant_id, "https://10.0.0.1/hook", ["*"])


@pytest.mark.parametrize("kinds", [[], ["mesage.received"], ["message."], ["*.received"], ["message.*", "no.such"]])
async def test_that_events_nobody_sends_cannot_be_asked_for(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, kinds: list[str]
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await hooks.add(door.session.tenant_id, receiver.url, kinds)
    assert caught.value.hint


async def test_that_another_tenants_endpoint_looks_like_none_to_every_action(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post, owner_dsn: str
) -> None:
    stranger = (await make_number(owner_dsn, "stranger")).tenant_id
    endpoint = await hooks.add(door.session.tenant_id, receiver.url, ["*"])
    await door.take(door.message())
    await post()
    (delivery,) = await door.fetch("SELECT id FROM webhook_delivery ORDER BY id LIMIT 1")
    for action in (
        hooks.rotate(stranger, endpoint.id),
        hooks.change(stranger, endpoint.id, EndpointWish(url=receiver.url, kinds=["*"])),
        hooks.disable(stranger, endpoint.id),
        hooks.enable(stranger, endpoint.id),
        hooks.test(stranger, endpoint.id),
        hooks.log(stranger, endpoint.id),
        hooks.replay(stranger, delivery["id"]),
        hooks.remove(stranger, endpoint.id),
    ):
        with pytest.raises(NotFoundError):
            await action


async def test_that_a_test_event_reaches_any_endpoint_but_a_disabled_one(
    door: Door, hooks: OutgoingWebhooks, receiver: Receiver, post: Post
) -> None:
    tenant = door.session.tenant_id
    endpoint = await hooks.add(tenant, receiver.url, ["session.status"])
    await hooks.test(tenant, endpoint.id)
    await hooks.test(tenant, endpoint.id)
    await post()
    assert [one["type"] for one in receiver.events] == ["webhook.test"] * 2
    await hooks.disable(tenant, endpoint.id)
    with pytest.raises(ConflictError):
        await hooks.test(tenant, endpoint.id)
