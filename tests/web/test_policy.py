"""The page of what may go out by itself: everybody sees it, administrators act, and each change is told."""

from __future__ import annotations

from html import unescape
from uuid import uuid4

import asyncpg
import httpx
import pytest

from domain.autonomy import AutonomyTerms
from store import autonomy, events
from tests.database import Number
from tests.web.site import Site
from web.i18n import LANGUAGES


@pytest.fixture
async def admin(site: Site, shop: Number, operator: httpx.AsyncClient) -> httpx.AsyncClient:
    """The operator's browser, promoted."""
    owner = await asyncpg.connect(site.owner_dsn)
    try:
        await owner.execute("SELECT gate.put_member($1, $2, 'admin')", shop.tenant_id, shop.user_id)
    finally:
        await owner.close()
    return operator


@pytest.fixture
async def with_a_record(site: Site, shop: Number) -> str:
    """An intent that replies by itself, and how it came to that."""
    async with site.db.transaction(shop.tenant_id) as tx:
        await tx.execute(
            "INSERT INTO intent (tenant_id, name, declaration) VALUES ($1, 'order_status', $2)",
            shop.tenant_id,
            {
                "name": "order_status",
                "description": "Onde está o pedido",
                "reply_mode": "suggest",
                "answer": {"pt": "x"},
            },
        )
        await tx.execute(
            "UPDATE tenant SET settings = settings || $1",
            {"autonomy": {}, "policy": [{"mode": "suggest", "hours": "closed", "tag": "<b>vip</b>"}]},
        )
        await autonomy.locked(tx, shop.tenant_id, "order_status")
        await tx.execute("UPDATE intent_autonomy SET state = 'promoted', approved = 190, other = 3")
        payload = {"intent": "order_status", "approved": 190, "cases": 193}
        await events.append(tx, shop.tenant_id, "autonomy.promoted", payload=payload, actor="autonomy")
    return "order_status"


@pytest.mark.parametrize("language", sorted(LANGUAGES))
async def test_that_the_page_shows_switches_rules_records_and_changes(
    operator: httpx.AsyncClient, with_a_record: str, language: str
) -> None:
    operator.cookies.set("atende_language", language)
    page = (await operator.get("/policy")).text
    shown = unescape(page)
    assert "Onde está o pedido" in shown
    assert "190 " in shown
    assert f"{AutonomyTerms().bar * 100:.1f}" in shown
    assert "<b>vip</b>" not in page
    assert "hx-post" not in page.split('id="policy"')[1]


async def test_that_an_administrator_stops_and_resumes_everything_or_one_number(
    site: Site, admin: httpx.AsyncClient, shop: Number
) -> None:
    async def stopped() -> tuple[bool, bool]:
        async with site.db.transaction(shop.tenant_id) as tx:
            row = await tx.fetchrow("SELECT t.stopped_at, n.stopped_at FROM tenant t, channel_session n")
        return row[0] is not None, row[1] is not None

    assert "Tudo o que é automático está parado" in (await admin.post("/policy/stop")).text
    assert await stopped() == (True, False)
    await admin.post(f"/policy/numbers/{shop.session_id}/stop")
    assert await stopped() == (True, True)
    page = (await admin.post("/policy/resume")).text
    assert "Retomar este número" in page
    assert await stopped() == (False, True)
    page = (await admin.post(f"/policy/numbers/{shop.session_id}/resume")).text
    assert await stopped() == (False, False)
    assert page.count("Mensagens automáticas paradas") == page.count("Mensagens automáticas retomadas") == 2
    assert "Ana · " in page


async def test_that_an_administrator_vetoes_what_an_intent_has_earned_and_lifts_it(
    admin: httpx.AsyncClient, with_a_record: str
) -> None:
    page = (await admin.post(f"/policy/intents/{with_a_record}/veto")).text
    assert "Vetado: order_status" in page
    assert f"/policy/intents/{with_a_record}/allow" in page
    page = (await admin.post(f"/policy/intents/{with_a_record}/allow")).text
    assert "Sugere e é contado" in page
    assert (await admin.post("/policy/intents/none/veto")).status_code == 404


async def test_that_operators_and_other_tenants_change_nothing(
    site: Site, operator: httpx.AsyncClient, with_a_record: str, shop: Number
) -> None:
    other = await site.number("other")
    for path in ("stop", "resume", f"numbers/{shop.session_id}/stop", f"intents/{with_a_record}/veto"):
        assert (await operator.post(f"/policy/{path}")).status_code == 403
    for number in (other.session_id, uuid4()):
        assert (await operator.post(f"/policy/numbers/{number}/stop")).status_code == 404
    async with site.db.transaction(shop.tenant_id) as tx:
        assert await tx.fetch("SELECT 1 FROM event WHERE kind LIKE 'policy.%'") == []


async def test_that_operators_tag_a_contact_and_see_what_to_do_about_a_handoff(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    page = (await operator.post(f"/inbox/{conversation}/tags", data={"tags": " VIP, Atacado ,vip,,<i>x</i>"})).text
    assert 'value="vip, atacado, &lt;i&gt;x&lt;/i&gt;"' in page
    refused = await operator.post(f"/inbox/{conversation}/tags", data={"tags": "x" * 41})
    assert refused.status_code == 422
    await site.hand_off(shop, conversation, "Quer trocar um vestido.")
    async with site.db.transaction(shop.tenant_id) as tx:
        await tx.execute(
            "UPDATE handoff SET next_step = 'Peça o número.', collected = $1, announced = false", {"reason": "size"}
        )
    page = (await operator.get(f"/inbox/{conversation}/live")).text
    for part in ("Quer trocar um vestido.", "Peça o número.", "<dd>size</dd>", "O cliente ainda não foi avisado."):
        assert part in page
