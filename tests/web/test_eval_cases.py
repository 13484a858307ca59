"""Cases from work, in the browser: proposed with one click by anybody, reviewed by administrators."""

from __future__ import annotations

import re
from html import unescape
from uuid import UUID

import asyncpg
import httpx
import pytest

from domain.decisions import Reason, Reply, Suggest
from tests.database import Number
from tests.web.site import Site
from tests.web.test_why import decided
from web.i18n import LANGUAGES


@pytest.fixture
async def proposed(site: Site, operator: httpx.AsyncClient, shop: Number) -> UUID:
    """A case that the operator proposed of a reply that went out by itself."""
    conversation = await site.message(shop, "cadê meu pedido? <b>sou a Carla</b>", contact="Carla Nunes")
    turn = await decided(site, shop, conversation, Reply("Chega amanhã, Carla, dia 25/12.", (Reason("x", "y"),)))
    pane = (await operator.get(f"/inbox/{conversation}", headers={"HX-Target": "pane"})).text
    path = f"/inbox/{conversation}/turns/{turn}/case"
    assert pane.count(f'hx-post="{path}"') == 2, "at the message and beside the last decision"
    answer = await operator.post(path, data={"note": "A Carla Nunes queria outra coisa"})
    assert answer.status_code == 200
    async with site.db.transaction(shop.tenant_id) as tx:
        found: UUID = await tx.fetchval("SELECT id FROM eval_case")
    assert f"/evals/cases/{found}" in answer.text
    return found


async def test_that_each_message_with_the_assistants_hand_in_it_offers_one_click_and_so_does_a_rejection(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop, "tem cupom?", contact="Carla Nunes")
    turn = await decided(site, shop, conversation, Reply("Tem sim: AURORA10.", (Reason("x", "y"),)))
    path = f"/inbox/{conversation}/turns/{turn}/case"
    await site.message(shop, "e outro?", contact="Carla Nunes")
    later = await decided(site, shop, conversation, Suggest("Não tem outro, Carla.", (Reason("x", "y"),)))
    pane = (await operator.get(f"/inbox/{conversation}", headers={"HX-Target": "pane"})).text
    bubbles = pane.split('id="cards"')[0]
    assert bubbles.count(f'hx-post="{path}"') == 1
    rejected = f'hx-post="/inbox/{conversation}/turns/{later}/case"'
    assert rejected not in pane.split('id="explanation"')[0]
    async with site.db.transaction(shop.tenant_id) as tx:
        suggestion = await tx.fetchval("SELECT id FROM suggestion WHERE turn_id = $1", later)
    said = {"reason": "wrong_fact", "note": "a Carla Nunes tem outro"}
    assert (await operator.post(f"/inbox/{conversation}/suggestions/{suggestion}/reject", data=said)).is_success
    pane = (await operator.get(f"/inbox/{conversation}", headers={"HX-Target": "pane"})).text
    assert rejected in pane.split('id="explanation"')[0]
    answer = await operator.post(f"/inbox/{conversation}/turns/{later}/case")
    page = unescape((await operator.get(re.findall(r"/evals/cases/[\w-]+", answer.text)[0])).text)
    assert "e outro?</h1>" in page, "called by what the customer said"
    assert "Rejeitada porque: A informação está errada" in page
    assert "tem outro</q>" in page
    assert "Carla" not in page


async def administers(site: Site, shop: Number) -> None:
    owner = await asyncpg.connect(site.owner_dsn)
    try:
        await owner.execute("SELECT gate.put_member($1, $2, 'admin')", shop.tenant_id, shop.user_id)
    finally:
        await owner.close()


@pytest.mark.parametrize("language", sorted(LANGUAGES))
async def test_that_operators_see_the_queue_and_the_case_and_change_nothing(
    site: Site, operator: httpx.AsyncClient, proposed: UUID, language: str
) -> None:
    operator.cookies.set("atende_language", language)
    queue, page = (await operator.get("/evals/cases")).text, (await operator.get(f"/evals/cases/{proposed}")).text
    assert str(proposed) in queue
    for text in (queue, page):
        assert "Carla" not in text
        assert "<b>sou" not in text
    assert "25/12" in unescape(page)
    assert "hx-post" not in page.split('id="case"')[1].split("<form")[0]
    refused = await operator.post(f"/evals/cases/{proposed}/decision", data={"verdict": "drop", "reason": "não"})
    assert refused.status_code == 403


async def test_that_an_administrator_changes_a_case_and_decides_about_it(
    site: Site, operator: httpx.AsyncClient, shop: Number, proposed: UUID
) -> None:
    await administers(site, shop)
    address = f"/evals/cases/{proposed}"
    answer = await operator.post(f"{address}/decision", data={"verdict": "accept"})
    assert "has not been played yet" in answer.text
    answer = await operator.post(f"{address}/decision", data={"verdict": "force"})
    assert "a reason is needed" in answer.text

    wanted = {"title": "Pergunta o número", "decision": "reply,suggest", "contains": "número do pedido\n", "lacks": ""}
    answer = await operator.post(address, data=wanted)
    assert "Pergunta o número" in answer.text
    async with site.db.transaction(shop.tenant_id) as tx:
        row = await tx.fetchrow("SELECT * FROM eval_case")
    assert row["content"]["case"]["expect"] == {"decision": ["reply", "suggest"], "contains": ["número do pedido"]}
    assert row["revision"] == 2

    said = row["content"]["case"]["say"][0]
    answer = await operator.post(f"{address}/hide", data={"text": "cadê", "instead": "onde está"})
    assert unescape(answer.text).count(said.replace("cadê", "onde está")) >= 1

    answer = await operator.post(f"{address}/decision", data={"verdict": "force", "reason": "conferido"})
    assert "conferido" in answer.text
    assert str(proposed) in (await operator.get("/evals/cases?state=accepted")).text
    assert str(proposed) not in (await operator.get("/evals/cases")).text
    answer = await operator.post(f"{address}/decision", data={"verdict": "reopen"})
    assert 'data-reproduction="waiting"' in answer.text
    answer = await operator.post(f"{address}/decision", data={"verdict": "drop", "reason": "é duplicado"})
    assert str(proposed) in (await operator.get("/evals/cases?state=dropped")).text
