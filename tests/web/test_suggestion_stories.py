"""What operators live through with suggestions, in a real browser: accepted, edited, rejected, rewritten, withdrawn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from domain.decisions import Span
from tests.openai_server import ScriptedOpenAI
from tests.web.operators import PATIENCE, World, is_accessible, world
from tests.web.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
async def shop_floor(site: Site, browser: Browser) -> AsyncIterator[World]:
    async with world(site, browser) as made:
        yield made


async def test_that_a_suggestion_is_there_with_its_grounds_when_the_conversation_opens_and_one_key_sends_it(
    shop_floor: World,
) -> None:
    conversation = await shop_floor.site.message(shop_floor.number, "Posso trocar o tênis?")
    await shop_floor.suggestion(conversation, "Pode sim, em até 30 dias!")
    page = await shop_floor.open(await shop_floor.browse(), conversation)
    card = page.locator("[data-suggestion]")
    await expect(card).to_contain_text("bem segura · 93 %")
    await expect(card).to_contain_text("Trocas e devoluções · 91 %")
    await card.get_by_text("Motivos").click()
    await expect(card.locator(".reasons")).to_contain_text("Encontrado na base de conhecimento")
    await is_accessible(page, "suggestion")
    await page.locator("#thread").focus()
    await page.keyboard.press("a")
    await expect(page.locator("#timeline .from-operator")).to_contain_text("Pode sim, em até 30 dias!")
    await expect(card).to_have_count(0)
    assert await shop_floor.sent(conversation) == ["Pode sim, em até 30 dias!"]


async def test_that_an_edited_suggestion_is_sent_as_edited_and_shows_later_what_it_was(shop_floor: World) -> None:
    conversation = await shop_floor.site.message(shop_floor.number, "Posso trocar?")
    await shop_floor.suggestion(conversation, "Pode trocar em 30 dias.")
    page = await shop_floor.open(await shop_floor.browse(), conversation)
    await page.locator("#thread").focus()
    await page.keyboard.press("e")
    editor = page.get_by_label("Editar a resposta sugerida")
    await expect(editor).to_be_focused()
    await editor.fill("Pode trocar em 30 dias, Bruno.")
    await editor.press("Control+Enter")
    reply = page.locator("#timeline .from-operator")
    await expect(reply).to_contain_text("em 30 dias, Bruno.")
    await reply.get_by_text("Por que esta resposta?").click()
    why = page.locator("#why[open]")
    await expect(why.locator("[data-diff]")).to_have_text("Pode trocar em 30 dias, Bruno.")
    await expect(why.locator("[data-diff] del")).to_have_count(0)
    await expect(why.locator("[data-diff] ins")).to_have_text(", Bruno")


async def test_that_a_rejection_keeps_why_in_a_code_or_in_words(shop_floor: World) -> None:
    site = shop_floor.site
    first = await site.message(shop_floor.number, "Oi!", "Bruno Lima")
    second = await site.message(shop_floor.number, "Oi!", "Carla Dias")
    context = await shop_floor.browse()
    for conversation in (first, second):
        await shop_floor.suggestion(conversation, "Olá! Em que posso ajudar você neste lindo dia?")
    page = await shop_floor.open(context, first)
    await page.locator("#thread").focus()
    await page.keyboard.press("x")
    await page.get_by_role("button", name="É longa demais").click()
    await expect(page.locator("[data-suggestion]")).to_have_count(0)
    page = await shop_floor.open(context, second)
    await page.get_by_text("Rejeitar").first.click()
    await page.get_by_label("Outro motivo", exact=True).fill("Ela pediu só o preço")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-suggestion]")).to_have_count(0)
    read = "SELECT reject_reason, reject_note FROM suggestion WHERE conversation_id = $1"
    assert tuple(await shop_floor.one(read, first)) == ("too_long", "")
    assert tuple(await shop_floor.one(read, second)) == ("other", "Ela pediu só o preço")


async def test_that_another_suggestion_is_written_at_a_wish_checked_and_never_sent_by_itself(shop_floor: World) -> None:
    conversation = await shop_floor.site.message(shop_floor.number, "Posso trocar?")
    former = await shop_floor.suggestion(conversation, "Pode trocar em até 30 dias, com a etiqueta e a nota fiscal.")
    script = [{"when": "<text>", "reply": "Troca em até 30 dias. Já cancelei seu pedido 555."}]
    async with ScriptedOpenAI(script) as model:
        await shop_floor.use_model(model.base_url)
        page = await shop_floor.open(await shop_floor.browse(), conversation)
        await page.locator("#thread").focus()
        await page.keyboard.press("o")
        await page.get_by_role("button", name="Mais curta").click()
        card = page.locator("[data-suggestion]")
        await expect(card.locator(".draft")).to_contain_text("Troca em até 30 dias.")
        await expect(card.locator("mark.unsupported")).to_contain_text("cancelei seu pedido")
        await expect(card).to_contain_text("Mais curta")
        asked = model.requests[-1]["messages"][-1]["content"]
    assert "com a etiqueta e a nota fiscal" in asked
    assert "Posso trocar?" in asked
    rows = await shop_floor.one(
        "SELECT (SELECT status FROM suggestion WHERE id = $1) AS former, s.status, s.replaces_id, s.instruction, "
        "s.intent FROM suggestion s WHERE s.replaces_id = $1",
        former,
    )
    assert tuple(rows) == ("superseded", "pending", former, "shorter", None)
    assert await shop_floor.sent(conversation) == []


async def test_that_a_suggestion_is_withdrawn_when_the_customer_writes_again_and_edited_words_are_kept(
    shop_floor: World,
) -> None:
    conversation = await shop_floor.site.message(shop_floor.number, "Posso trocar?")
    await shop_floor.suggestion(conversation, "Pode sim!")
    page = await shop_floor.open(await shop_floor.browse(), conversation)
    await page.get_by_role("button", name="Editar").click()
    await page.get_by_label("Editar a resposta sugerida").fill("Pode sim, Bruno! Traga a")
    await shop_floor.site.message(shop_floor.number, "Deixa, já resolvi")
    await expect(page.locator("[data-withdrawn]")).to_contain_text("O cliente escreveu de novo")
    await expect(page.locator("[data-withdrawn]")).to_contain_text(
        "O que você tinha escrito está no campo de mensagem."
    )
    await expect(page.get_by_label("Escreva uma mensagem")).to_have_value("Pode sim, Bruno! Traga a")
    await expect(page.locator("[data-suggestion]")).to_have_count(0)
    await is_accessible(page, "withdrawn")


async def test_that_of_two_operators_the_second_learns_who_answered_first(shop_floor: World) -> None:
    conversation = await shop_floor.site.message(shop_floor.number, "Posso trocar?")
    await shop_floor.suggestion(conversation, "Pode sim!")
    mine = await shop_floor.open(await shop_floor.browse(), conversation)
    theirs = await shop_floor.open(await shop_floor.browse(await shop_floor.colleague()), conversation)
    await theirs.get_by_role("button", name="Editar").click()
    await theirs.get_by_label("Editar a resposta sugerida").fill("Claro que pode!")
    await _accept(mine)
    notice = theirs.locator("[data-withdrawn]")
    await expect(notice).to_contain_text("Ana aceitou esta sugestão primeiro.")
    await expect(theirs.get_by_label("Escreva uma mensagem")).to_have_value("Claro que pode!")
    await is_accessible(theirs, "collision")
    assert await shop_floor.sent(conversation) == ["Pode sim!"]
    await expect(mine.locator("[data-withdrawn]")).to_have_count(0)


async def test_that_two_who_accept_at_the_same_moment_send_once(shop_floor: World) -> None:
    conversation = await shop_floor.site.message(shop_floor.number, "Posso trocar?")
    await shop_floor.suggestion(conversation, "Pode sim!")
    pages = [
        await shop_floor.open(await shop_floor.browse(email), conversation)
        for email in ("ana@shop.example", await shop_floor.colleague())
    ]
    for page in pages:
        # Neither hears of the other in time.
        await page.evaluate("document.addEventListener('atende:event', (e) => e.stopImmediatePropagation(), true)")
        await page.locator("#thread").focus()
    for page in pages:
        await page.keyboard.press("a")
    for page in pages:
        await expect(page.locator("#timeline .from-operator")).to_have_count(1, timeout=PATIENCE)
    assert await shop_floor.sent(conversation) == ["Pode sim!"]


async def test_that_an_approval_shows_exactly_what_would_be_done(shop_floor: World) -> None:
    conversation = await shop_floor.site.message(shop_floor.number, "Quero trocar o pedido 10294")
    await shop_floor.suggestion(conversation, "Um instante.")
    await shop_floor.one(
        "INSERT INTO approval (tenant_id, conversation_id, turn_id, function, arguments, upto_message_id, expires_at) "
        "SELECT tenant_id, conversation_id, id, 'exchange_order', $2, upto_message_id, now() + interval '1 day' "
        "FROM turn WHERE conversation_id = $1 RETURNING id",
        conversation,
        {"order_number": "10294", "reason": "zíper <com> defeito", "items": [{"sku": "A-1", "quantity": 2}]},
    )
    page = await shop_floor.open(await shop_floor.browse(), conversation)
    card = page.locator(".is-approval")
    await expect(card).to_contain_text("exchange_order")
    await expect(card.locator(".pill-purple")).to_have_text("exchange")
    await expect(card.locator(".parameters")).to_contain_text("zíper <com> defeito")
    await expect(card.locator(".parameters")).to_contain_text('[{"quantity": 2, "sku": "A-1"}]')
    await is_accessible(page, "approval")
    await card.get_by_role("button", name="Recusar").click()
    await expect(card).to_have_count(0)
    assert tuple(await shop_floor.one("SELECT status FROM approval")) == ("rejected",)


async def test_that_a_suggestion_of_another_program_says_so_and_marks_what_nothing_supports(shop_floor: World) -> None:
    conversation = await shop_floor.site.message(shop_floor.number, "Tem 42?")
    await shop_floor.proposal(conversation, "Temos no 42!", "ERP da loja")
    page = await shop_floor.open(await shop_floor.browse(), conversation)
    card = page.locator("[data-suggestion]")
    await expect(card.locator("[data-origin]")).to_have_text("de ERP da loja")
    await expect(card).to_contain_text("razoavelmente segura · 60 %")
    await shop_floor.site.suggestion(shop_floor.number, conversation, "Já reservei.", [Span(0, 11, "action")])
    await expect(card.locator("mark")).to_have_text("Já reservei")
    await expect(page.locator("[data-withdrawn]")).to_contain_text("Há uma sugestão mais nova.")


async def test_that_a_handoff_is_readable_for_everybody(shop_floor: World) -> None:
    conversation = await shop_floor.site.message(shop_floor.number, "Quero uma pessoa")
    await shop_floor.site.hand_off(shop_floor.number, conversation, "Quer trocar o tênis.")
    page = await shop_floor.open(await shop_floor.browse(), conversation)
    await expect(page.locator(".handoff")).to_contain_text("Quer trocar o tênis.")
    await is_accessible(page, "handoff")


async def test_that_two_who_look_at_one_conversation_see_each_other_and_who_is_writing(shop_floor: World) -> None:
    conversation = await shop_floor.site.message(shop_floor.number, "Oi!")
    mine = await shop_floor.open(await shop_floor.browse(), conversation)
    theirs = await shop_floor.open(await shop_floor.browse(await shop_floor.colleague()), conversation)
    await expect(mine.locator("#looking")).to_have_text("Rui também está vendo esta conversa.")
    await expect(theirs.locator("#looking")).to_have_text("Ana também está vendo esta conversa.")
    await theirs.get_by_label("Escreva uma mensagem").press_sequentially("Oi, Bruno")
    await expect(mine.locator("#looking")).to_have_text("Rui está escrevendo uma resposta aqui.")
    await theirs.close()
    await expect(mine.locator("#looking")).to_be_hidden()


async def _accept(page: Page) -> None:
    await page.locator("#thread").focus()
    await page.keyboard.press("a")
    await expect(page.locator("[data-suggestion]")).to_have_count(0)
