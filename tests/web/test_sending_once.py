"""A sending under a key happens once; what a model writes for operators stays within budget, fence and claims."""

from __future__ import annotations

import asyncio
from uuid import UUID

import httpx
import pytest

from domain.errors import InvalidInputError
from domain.suggestions import RejectReason, Wanted, checked_reason, checked_wish
from tests.database import Number
from tests.openai_server import ScriptedOpenAI
from tests.web.site import Site
from web import labels


@pytest.fixture(autouse=True)
def patient(operator: httpx.AsyncClient) -> None:
    """A busy machine is no failure."""
    operator.timeout = httpx.Timeout(90)


async def test_that_a_reply_repeated_under_its_key_is_the_same_one_even_at_the_same_moment(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    path = f"/inbox/{conversation}/reply"
    answers = await asyncio.gather(*(operator.post(path, data={"text": "Oi!", "key": "k1"}) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    await operator.post(path, data={"text": "Oi!", "key": "k2"})
    assert await _sent(site, shop, conversation) == ["Oi!", "Oi!"]
    other = await site.message(shop, contact="Carla Dias")
    assert (await operator.post(f"/inbox/{other}/reply", data={"text": "Oi!", "key": "k1"})).status_code == 422
    assert await _sent(site, shop, other) == []


async def test_that_a_refused_reply_leaves_its_key_to_be_used_again(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    path = f"/inbox/{conversation}/reply"
    assert (await operator.post(path, data={"text": " ", "key": "k"})).status_code == 422
    assert (await operator.post(path, data={"text": "Agora sim", "key": "k"})).status_code == 200
    assert await _sent(site, shop, conversation) == ["Agora sim"]


async def test_that_an_acceptance_repeated_under_its_key_is_no_conflict_and_another_one_is(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    path = f"/inbox/{conversation}/suggestions/{await site.suggestion(shop, conversation)}/approve"
    answers = [await operator.post(path, data={"key": key}) for key in ("k1", "k1", "k2")]
    assert [answer.status_code for answer in answers] == [200, 200, 409]
    assert await _sent(site, shop, conversation) == ["Em que posso ajudar?"]


async def test_that_another_suggestion_is_void_where_the_customer_wrote_while_the_model_did(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop, "Posso trocar?")
    suggestion = await site.suggestion(shop, conversation, "Pode trocar em até 30 dias.")
    async with ScriptedOpenAI([{"when": "<text>", "reply": "Pode sim."}]) as model:
        await _use(site, shop, model)
        model.may_answer.clear()
        path = f"/inbox/{conversation}/suggestions/{suggestion}/another"
        asking = asyncio.create_task(operator.post(path, data={"wanted": "shorter"}, timeout=60))
        while not model.requests:  # noqa: ASYNC110 - the scripted server keeps a list, no event
            await asyncio.sleep(0.02)
        await site.message(shop, "Deixa pra lá")
        model.may_answer.set()
        assert (await asking).status_code == 409
    async with site.db.transaction(shop.tenant_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM suggestion") == 1


async def test_that_help_stops_at_the_tenants_budget_and_counts_what_it_used(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop, "Posso trocar?")
    path = f"/inbox/{conversation}/help/translate"
    form = {"text": "Pode sim, claro.", "language": "en"}
    assert (await operator.post(path, data=form)).status_code == 409  # no model at all
    async with ScriptedOpenAI([{"when": "<text>", "reply": "Yes, of course."}]) as model:
        await _use(site, shop, model)
        answer = await operator.post(path, data=form, timeout=60)
        assert answer.json() == {"text": "Yes, of course.", "added": []}
        await _use(site, shop, model, budgets={"day": {"tokens": 151}})
        refused = await operator.post(path, data=form)
        assert refused.status_code == 409
        assert "orçamento" in refused.text
        assert len(model.requests) == 1


def test_that_every_reason_and_wish_has_words_and_others_need_some() -> None:
    assert set(labels.REJECT_REASONS) == set(RejectReason)
    assert set(labels.WANTED) == set(Wanted) - {Wanted.OTHER}
    with pytest.raises(InvalidInputError):
        checked_reason("tone")
    with pytest.raises(InvalidInputError):
        checked_reason("other", "  ")
    with pytest.raises(InvalidInputError):
        checked_wish("longer")
    with pytest.raises(InvalidInputError):
        checked_wish("other", "")


async def _sent(site: Site, shop: Number, conversation: UUID) -> list[str]:
    async with site.db.transaction(shop.tenant_id) as tx:
        rows = await tx.fetch(
            "SELECT text FROM message WHERE conversation_id = $1 AND author = 'operator' ORDER BY id", conversation
        )
    return [row["text"] for row in rows]


async def _use(site: Site, shop: Number, model: ScriptedOpenAI, **settings: object) -> None:
    async with site.db.transaction(shop.tenant_id) as tx:
        await tx.execute(
            "UPDATE tenant SET settings = settings || $1::jsonb, profile_version = profile_version + 1",
            {"model": {"name": "scripted", "base_url": model.base_url, "attempts": 1}, **settings},
        )
