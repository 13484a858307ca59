"""The Cloud API's one webhook for many numbers: each part reaches the numbers it is for, and nobody else's."""

from __future__ import annotations

import hashlib
import hmac
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from bench.deliveries import cloud_message

from tests.database import make_number
from tests.flows.shop import eventually
from tests.web.outage import Door, door_before
from tests.web.part import running_web

SHARED, OWN = "the secret of the platform's app", "the secret of a tenant's own app"
NUMBERS = {"ours": ("111000", SHARED), "theirs": ("222000", SHARED), "apart": ("333000", OWN)}


def body_for(*parts: tuple[str, str], account: str = "900") -> bytes:
    """A delivery with one message for each (phone number id, message id)."""
    changes = [
        {
            "field": "messages",
            "value": {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "5511880002222", "phone_number_id": phone_id},
                "contacts": [{"profile": {"name": "Ana"}, "wa_id": "5511990001111"}],
                "messages": [cloud_message(provider_id, "5511990001111", "oi")],
            },
        }
        for phone_id, provider_id in parts
    ]
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": account, "changes": changes}]}).encode()


def signature(body: bytes, secret: str) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


@dataclass
class App:
    """Three tenants' numbers: two of the platform's app, one of an app of its own."""

    client: httpx.AsyncClient
    owner: asyncpg.Connection
    door: Door
    ids: dict[str, UUID]

    async def deliver(self, body: bytes, secret: str = SHARED) -> httpx.Response:
        return await self.client.post("/webhooks/cloud_api", content=body, headers=signature(body, secret))

    async def stored(self) -> list[tuple[str, str]]:
        """(tenant, message id) of all messages."""
        rows = await self.owner.fetch(
            "SELECT t.slug, m.provider_id FROM message m JOIN tenant t ON t.id = m.tenant_id ORDER BY m.id"
        )
        return [(row["slug"], row["provider_id"].removeprefix("wamid.")) for row in rows]

    async def quarantined(self) -> list[Any]:
        return list(
            await self.owner.fetch(
                "SELECT t.slug, q.name, q.body, q.is_whole FROM quarantined_event q JOIN tenant t ON t.id = q.tenant_id"
            )
        )


@pytest.fixture
async def app(owner_dsn: str, tmp_path: Path) -> AsyncIterator[App]:
    owner = await asyncpg.connect(owner_dsn)
    ids = {}
    for slug, (phone_id, secret) in NUMBERS.items():
        number = await make_number(owner_dsn, slug, provider="cloud_api")
        config = {"phone_number_id": phone_id, "waba_id": "900", "app_secret": secret, "verify_token": f"token {slug}"}
        await owner.execute(
            "UPDATE channel_session SET config = $2 WHERE id = $1", number.session_id, json.dumps(config)
        )
        ids[slug] = number.session_id
    with tempfile.TemporaryDirectory(prefix="atende-app-") as folder:
        async with door_before(owner_dsn, Path(folder)) as (door, dsn), running_web(dsn, tmp_path) as client:
            yield App(client, owner, door, ids)
    await owner.close()


async def test_that_each_part_of_a_delivery_reaches_the_number_it_is_for(app: App) -> None:
    answer = await app.deliver(body_for(("222000", "a"), ("111000", "b"), ("222000", "c")))
    assert (answer.status_code, answer.json()) == (200, {"stored": ["stored"] * 3})
    assert sorted(await app.stored()) == [("ours", "b"), ("theirs", "a"), ("theirs", "c")]
    again = await app.deliver(body_for(("222000", "a"), ("111000", "b"), ("222000", "c")))
    assert again.json() == {"stored": ["duplicate"] * 3}


async def test_that_an_app_s_secret_opens_only_its_own_numbers(app: App) -> None:
    body = body_for(("111000", "forged by a tenant"), ("333000", "mine"))
    answer = await app.deliver(body, OWN)
    assert answer.json() == {"stored": ["kept", "stored"]}
    assert await app.stored() == [("apart", "mine")]
    (kept,) = await app.quarantined()
    assert (kept["slug"], kept["name"], kept["is_whole"]) == ("apart", "for an unknown number: 111000", True)
    for secret in ("", "another"):
        refused = await app.deliver(body, secret)
        assert refused.status_code == 401
    cut = await app.client.post("/webhooks/cloud_api", content=body[:-1], headers=signature(body, OWN))
    assert cut.status_code == 401
    assert await app.stored() == [("apart", "mine")]


async def test_that_a_message_for_an_unknown_number_of_a_shared_app_is_noted_and_shown_to_nobody(app: App) -> None:
    answer = await app.deliver(body_for(("999000", "secret words"), ("111000", "b")))
    assert answer.json() == {"stored": ["kept", "stored"]}
    (kept,) = await app.quarantined()
    assert kept["name"] == "for an unknown number: 999000"
    assert b"secret words" not in kept["body"]
    assert b"5511990001111" not in kept["body"]


async def test_that_a_number_added_a_moment_ago_gets_its_messages(app: App) -> None:
    await app.deliver(body_for(("111000", "first")))
    await app.owner.execute(
        "UPDATE channel_session SET config = config || $2 WHERE id = $1",
        app.ids["apart"],
        '{"app_secret": "quite new"}',
    )
    body = body_for(("333000", "second"))
    assert (await app.deliver(body, "quite new")).status_code == 200
    assert ("apart", "second") in await app.stored()


async def test_that_an_app_s_deliveries_are_journalled_while_the_database_is_away(app: App) -> None:
    await app.deliver(body_for(("111000", "before")))
    await app.door.shut()
    body = body_for(("222000", "away"), ("999000", "nobody's"))
    answer = await app.deliver(body)
    assert (answer.status_code, answer.json()) == (200, {"stored": ["journalled", "journalled"]})
    assert (await app.deliver(body, "another")).status_code == 401
    await app.door.open()

    async def stored() -> bool:
        return ("theirs", "away") in await app.stored() and len(await app.quarantined()) == 1

    await eventually(stored, within=60, what="the journal to be stored")
    assert {name for name, _ in await app.stored()} == {"ours", "theirs"}


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("", "token ours", 200),
        ("", "token apart", 200),
        ("", "token", 401),
        ("", "", 401),
        ("/{ours}", "token ours", 200),
        ("/{ours}", "token theirs", 401),
    ],
)
async def test_that_meta_s_challenge_is_answered_to_who_knows_the_token(
    app: App, path: str, token: str, status: int
) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
    url = "/webhooks/cloud_api" + path.format(ours=app.ids["ours"])
    answer = await app.client.get(url, params=query)
    assert answer.status_code == status
    assert (answer.text == "1158201444") == (status == 200)
