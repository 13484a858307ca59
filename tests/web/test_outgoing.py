"""What people and programs see of messages on their way out: states, reasons, and the two buttons."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from domain.sending_pace import Waits
from flows.api_keys import ApiKeys
from store.database import Database
from tests.app.serving import atende
from tests.database import SECRET, Number, make_number
from tests.web.part import running_web
from tests.web.site import Site
from web.thread_labels import DELIVERY, WAITS


async def test_that_the_thread_says_in_each_language_why_a_message_waits_and_until_when(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    await operator.post(f"/inbox/{conversation}/reply", data={"text": "Já enviei!"})
    await operator.post(f"/inbox/{conversation}/reply", data={"text": "E mais isto."})
    until = datetime.now(UTC) + timedelta(minutes=5)
    async with site.db.transaction(shop.tenant_id) as tx:
        await tx.execute(
            "UPDATE outbox_message SET waits_for = 'rate', waits_until = $1, not_before = $1 WHERE message_id = ("
            "SELECT min(message_id) FROM outbox_message)",
            until,
        )
    words = {
        "pt": ("Em espera: este número", "até "),
        "es": ("En espera: este número", "hasta "),
        "en": ("Waits: this number", "until "),
    }
    for language, (why, till) in words.items():
        await operator.post("/language", data={"language": language})
        page = (await operator.get(f"/inbox/{conversation}/live")).text
        assert re.findall(r'data-waits="(\w+)"', page) == ["rate", "order"]
        assert why in page
        assert f'datetime="{until.isoformat()}"' in page
        assert till in page


async def test_that_every_state_has_a_tick_with_a_name_and_every_reason_its_words(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    assert set(WAITS) == set(Waits)
    conversation = await site.message(shop)
    await operator.post(f"/inbox/{conversation}/reply", data={"text": "Já enviei!"})
    await operator.post("/language", data={"language": "en"})
    steps = [("queued", None), ("sending", None), *(("sent", ack) for ack in ("server", "device", "read", "played"))]
    shown = []
    for state, ack in [*steps, ("unknown", None), ("failed", None)]:
        async with site.db.transaction(shop.tenant_id) as tx:
            await tx.execute("UPDATE outbox_message SET state = $1, ack = $2", state, ack)
        page = (await operator.get(f"/inbox/{conversation}/live")).text
        tick = re.search(r'data-delivery="(\w+)".*?<span class="visually-hidden">([^<]+)</span>', page)
        assert tick is not None
        assert tick[2] == DELIVERY[tick[1]][0]
        shown.append(tick[1])
    assert shown == ["queued", "sending", "sent", "device", "read", "played", "unknown", "failed"]


async def test_that_both_buttons_settle_and_a_second_operator_is_told(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    for outcome, other, state in (("arrived", "send_again", "sent"), ("send_again", "arrived", "queued")):
        await operator.post(f"/inbox/{conversation}/reply", data={"text": outcome})
        async with site.db.transaction(shop.tenant_id) as tx:
            outbox = await tx.fetchval(
                "UPDATE outbox_message SET state = 'unknown' WHERE message_id = ("
                "SELECT max(message_id) FROM outbox_message) RETURNING id"
            )
        address = f"/inbox/{conversation}/outbox/{outbox}"
        for _ in range(2):
            assert (await operator.post(address, data={"outcome": outcome})).status_code == 200
        assert (await operator.post(address, data={"outcome": other})).status_code == 409
        async with site.db.transaction(shop.tenant_id) as tx:
            assert await tx.fetchval("SELECT state FROM outbox_message WHERE id = $1", outbox) == state


@pytest.fixture
async def waiting(owner_dsn: str, db: Database) -> tuple[Number, Number, str]:
    """Two tenants; the first has a message of unknown outcome and one that waits behind nothing but the clock."""
    ours, theirs = await make_number(owner_dsn, "ours"), await make_number(owner_dsn, "theirs")
    async with db.transaction(ours.tenant_id) as tx:
        contact = await tx.fetchval(
            "INSERT INTO contact (tenant_id, name) VALUES ($1, 'Maria') RETURNING id", ours.tenant_id
        )
        conversation = await tx.fetchval(
            "INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address) "
            "VALUES ($1, $2, $3, 'simulator:maria') RETURNING id",
            ours.tenant_id,
            ours.session_id,
            contact,
        )
        for text, state in (("um", "unknown"), ("dois", "queued")):
            message = await tx.fetchval(
                "INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text, "
                "sent_at) VALUES ($1, $2, $3, $4, 'bot', $5, now()) RETURNING id",
                ours.tenant_id,
                conversation,
                ours.session_id,
                contact,
                text,
            )
            await tx.execute(
                "INSERT INTO outbox_message (tenant_id, conversation_id, channel_session_id, message_id, origin, "
                "state, waits_for, waits_until, not_before) "
                "VALUES ($1, $2, $3, $4, 'bot', $5, $6, $7, coalesce($7, now()))",
                ours.tenant_id,
                conversation,
                ours.session_id,
                message,
                state,
                "quiet_hours" if state == "queued" else None,
                datetime.now(UTC) + timedelta(hours=1) if state == "queued" else None,
            )
    return ours, theirs, str(conversation)


async def test_that_programs_list_what_waits_and_settle_what_is_unknown(
    owner_dsn: str, db: Database, tmp_path: Path, waiting: tuple[Number, Number, str]
) -> None:
    ours, theirs, conversation = waiting
    keys = ApiKeys(db)
    scopes = ["outgoing:read", "outgoing:write"]
    tokens = [(await keys.create(number.tenant_id, "crm", scopes, actor="x")).token for number in (ours, theirs)]
    reader = (await keys.create(ours.tenant_id, "reader", scopes[:1], actor="x")).token
    async with running_web(owner_dsn, tmp_path) as web:

        async def call(token: str, method: str, path: str, **more: object) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}"}
            return await web.request(method, f"/api/v1/outgoing{path}", headers=headers, **more)  # type: ignore[arg-type]

        listed = (await call(tokens[0], "GET", "")).json()["outgoing"]
        assert [(row["text"], row["state"], row["waits_for"]) for row in listed] == [
            ("um", "unknown", None),
            ("dois", "queued", "quiet_hours"),
        ]
        assert listed[1]["waits_until"]
        assert (await call(tokens[1], "GET", "")).json()["outgoing"] == []
        only = (await call(tokens[0], "GET", f"?state=queued&conversation={conversation}&limit=1")).json()["outgoing"]
        assert [row["text"] for row in only] == ["dois"]
        for query in ("?state=lost", "?limit=0", "?number=1"):
            assert (await call(tokens[0], "GET", query)).status_code == 422
        settle = f"/{listed[0]['id']}/settle"
        assert (await call(tokens[1], "POST", settle, json={"outcome": "arrived"})).status_code == 404
        assert (await call(reader, "POST", settle, json={"outcome": "arrived"})).status_code == 403
        for body in ({"outcome": "perhaps"}, [], {"outcome": []}):
            assert (await call(tokens[0], "POST", settle, json=body)).status_code == 422
        for _ in range(2):
            assert (await call(tokens[0], "POST", settle, json={"outcome": "arrived"})).status_code == 204
        assert (await call(tokens[0], "POST", settle, json={"outcome": "send_again"})).status_code == 409


async def test_that_the_command_line_shows_reasons_settles_and_sets_a_numbers_pace(
    owner_dsn: str, waiting: tuple[Number, Number, str]
) -> None:
    ours, _, _ = waiting
    settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode()}
    listed = atende("outgoing", "list", "--tenant", "ours", **settings).stdout
    assert re.search(r"queued +quiet_hours until 20\d\d-", listed)
    (unknown,) = re.findall(r"^(\S+)  unknown", listed, re.MULTILINE)
    assert (
        "It will be sent again."
        in atende("outgoing", "settle", unknown, "send_again", "--tenant", "ours", **settings).stdout
    )
    pace = ("session", "pace", str(ours.session_id), "--tenant", "ours")
    assert "Messages: no limit." in atende(*pace, **settings).stdout
    set_ = atende(*pace, "--set", "messages_per_minute=12", "--set", "new_contacts_per_day=40", **settings).stdout
    assert "Messages: 12 a minute, up to 20 at once." in set_
    assert "New contacts: 10 in 24 hours, 30 to 60 seconds apart; 0 in the last 24 hours." in set_
    wrong = atende(*pace, "--set", "burst=many", **settings)
    assert wrong.returncode == 2
    assert "burst: must be a whole number" in wrong.stderr
