"""Webhooks out in the browser: administrators set them up, look at what was delivered, and send it again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from flows.outgoing_webhooks import OutgoingWebhooks
from flows.webhook_posting import WebhookPosting
from tests.database import Number
from tests.flows.receiver import Receiver, open_receiver
from tests.web.site import Site
from tools.public_web import public_client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as opened:
        yield opened


@pytest.fixture
async def admin(site: Site, shop: Number, operator: httpx.AsyncClient) -> httpx.AsyncClient:
    """The operator's browser, promoted."""
    owner = await asyncpg.connect(site.owner_dsn)
    try:
        await owner.execute("SELECT gate.put_member($1, $2, 'admin')", shop.tenant_id, shop.user_id)
    finally:
        await owner.close()
    return operator


async def post_all(site: Site) -> None:
    async with public_client({"127.0.0.1"}) as http:
        posting = WebhookPosting(site.db, http, {"127.0.0.1"})
        await asyncio.sleep(0.05)
        while await posting.run_due():
            await posting.wait_idle()


async def added(admin: httpx.AsyncClient, receiver: Receiver) -> str:
    """The new endpoint's path."""
    answer = await admin.post("/integrations", data={"url": receiver.url, "kinds": "message.*, session.status"})
    assert answer.status_code == 200
    assert "whsec_" in answer.text
    found = re.search(r'href="(/integrations/[0-9a-f-]{36})"', answer.text)
    assert found
    return found[1]


async def test_that_an_endpoint_is_added_tested_looked_at_and_a_delivery_sent_again(
    site: Site, admin: httpx.AsyncClient, receiver: Receiver
) -> None:
    path = await added(admin, receiver)
    assert (await admin.post(f"{path}/test")).status_code == 200
    await post_all(site)
    page = await admin.get(path)
    assert "webhook.test" in page.text
    assert len(receiver.got) == 1
    replay = re.search(rf'hx-post="({path}/deliveries/\d+/replay)"', page.text)
    assert replay
    assert (await admin.post(replay[1])).status_code == 200
    await post_all(site)
    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1


async def test_that_an_unfit_address_is_explained_and_what_was_typed_stays(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/integrations", data={"url": "https://10.0.0.8/x", "kinds": "message.*"})
    assert "10.0.0.8 has no public address" in answer.text
    assert 'value="https://10.0.0.8/x"' in answer.text


async def test_that_disabling_enabling_rotating_and_removing_work(admin: httpx.AsyncClient, receiver: Receiver) -> None:
    path = await added(admin, receiver)
    first = re.findall(r"whsec_[\w+/=]+", (await admin.get(path)).text)[-1]
    rotated = re.findall(r"whsec_[\w+/=]+", (await admin.post(f"{path}/rotate")).text)[0]
    assert rotated != first
    assert f"{path}/enable" in (await admin.post(f"{path}/disable")).text
    assert f"{path}/disable" in (await admin.post(f"{path}/enable")).text
    assert (await admin.post(f"{path}/explode")).status_code == 404
    assert (await admin.post(f"{path}/remove")).headers["HX-Redirect"] == "/integrations"
    assert (await admin.get(path)).status_code == 404


async def test_that_only_administrators_come_here(
    site: Site, shop: Number, operator: httpx.AsyncClient, receiver: Receiver
) -> None:
    hooks = OutgoingWebhooks(site.db, site.wakeup, {"127.0.0.1"})
    path = f"/integrations/{(await hooks.add(shop.tenant_id, receiver.url, ['*'])).id}"
    for method, tried in (
        ("GET", "/integrations"),
        ("POST", "/integrations"),
        ("GET", path),
        ("POST", f"{path}/remove"),
    ):
        assert (await operator.request(method, tried)).status_code == 403
    assert len(await hooks.all(shop.tenant_id)) == 1
    assert "/integrations" not in (await operator.get("/inbox")).text
