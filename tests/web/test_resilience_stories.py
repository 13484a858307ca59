"""What an operator's page survives: lost answers, lost networks, restarts, ended sign-ins, second tabs, floods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest
from playwright.async_api import Browser, Page, Request, Route, expect

from domain.personal_data import Placeholders
from flows import knowledge
from store.database import Database
from tests.openai_server import ScriptedOpenAI
from tests.web.operators import World, is_accessible, world
from tests.web.site import PASSWORD, Site, running_site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
async def desk(site: Site, browser: Browser) -> AsyncIterator[World]:
    async with world(site, browser) as made:
        yield made


async def test_that_a_reply_whose_answer_was_lost_is_sent_once(desk: World) -> None:
    conversation = await desk.site.message(desk.number, "Oi!")
    page = await desk.open(await desk.browse(), conversation)
    lost: list[str] = []

    async def swallow(route: Route) -> None:
        lost.append(route.request.post_data or "")
        await route.fetch()  # the server takes it …
        await route.abort()  # … and its answer never arrives

    await page.route("**/reply", swallow, times=1)
    await _write(page, "Bom dia!")
    await expect(page.locator("#timeline .from-operator")).to_have_count(1)
    await expect(page.locator("#unsent article")).to_have_count(0)
    assert len(lost) == 1
    assert await desk.sent(conversation) == ["Bom dia!"]


async def test_that_what_is_written_without_a_network_says_so_and_leaves_in_order_once_it_is_back(desk: World) -> None:
    conversation = await desk.site.message(desk.number, "Oi!")
    await desk.suggestion(conversation, "Olá! Em que posso ajudar?")
    context = await desk.browse()
    page = await desk.open(context, conversation)
    await context.set_offline(True)
    await expect(page.locator("#connection")).to_contain_text("Sem conexão")
    await page.locator("#thread").focus()
    await page.keyboard.press("a")
    await _write(page, "Segue a tabela.")
    await _write(page, "Mais alguma coisa?")
    waiting = page.locator("#unsent article")
    await expect(waiting).to_have_count(3)
    await expect(waiting.first).to_contain_text("Ainda não enviada")
    await is_accessible(page, "offline")
    await context.set_offline(False)
    await expect(waiting).to_have_count(0)
    await expect(page.locator("#timeline .from-operator")).to_have_count(3)
    await expect(page.locator("#connection")).to_be_hidden()
    assert await desk.sent(conversation) == ["Olá! Em que posso ajudar?", "Segue a tabela.", "Mais alguma coisa?"]


async def test_that_a_reloaded_page_sends_what_it_had_not_sent_and_keeps_the_draft(desk: World) -> None:
    conversation = await desk.site.message(desk.number, "Oi!")
    page = await desk.open(await desk.browse(), conversation)
    await page.route("**/reply", lambda route: route.abort())
    await _write(page, "Primeira resposta")
    await expect(page.locator("#unsent article")).to_contain_text("Ainda não enviada")
    await page.get_by_label("Escreva uma mensagem").fill("meia fra")
    await page.unroute("**/reply")
    await page.reload()
    await expect(page.locator("#timeline .from-operator")).to_contain_text("Primeira resposta")
    await expect(page.get_by_label("Escreva uma mensagem")).to_have_value("meia fra")
    assert await desk.sent(conversation) == ["Primeira resposta"]


async def test_that_the_page_outlives_a_restart_of_the_server(db: Database, owner_dsn: str, browser: Browser) -> None:
    async with running_site(db, owner_dsn) as first:
        port = urlsplit(first.url).port or 0
        desk = World(first, await first.number(), browser)
        conversation = await first.message(desk.number, "Oi!")
        expect.set_options(timeout=60_000)
        page = await desk.open(await desk.browse(), conversation)
        await page.get_by_label("Escreva uma mensagem").fill("Escrito antes,")
    await expect(page.locator("#connection")).to_contain_text("Sem conexão")
    await page.get_by_label("Escreva uma mensagem").press("End")
    await page.keyboard.type(" enviado depois.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#unsent article")).to_contain_text("Ainda não enviada")
    async with running_site(db, owner_dsn, port=port) as second:
        await second.message(desk.number, "Ainda está aí?")
        await expect(page.locator("#timeline .from-contact")).to_have_count(2)
        await expect(page.locator("#timeline .from-operator")).to_contain_text("Escrito antes, enviado depois.")
        await expect(page.locator("#unsent article")).to_have_count(0)
        assert await desk.sent(conversation) == ["Escrito antes, enviado depois."]
        await desk.close()
    assert desk.complaints == []


async def test_that_an_ended_sign_in_loses_nothing_and_the_page_goes_on_after_a_new_one(desk: World) -> None:
    conversation = await desk.site.message(desk.number, "Oi!")
    context = await desk.browse()
    page = await desk.open(context, conversation)
    await _sign_everybody_out(desk)
    await _write(page, "Já te respondo.")
    door = page.get_by_role("dialog", name="Sua sessão terminou")
    await expect(door).to_be_visible()
    await is_accessible(page, "signed-out")
    async with context.expect_page() as opened:
        await door.get_by_role("link", name="Entrar em uma nova aba").click()
    tab = await opened.value
    await tab.get_by_label("E-mail").fill("ana@shop.example")
    await tab.get_by_label("Senha", exact=True).fill(PASSWORD)
    await tab.get_by_label("Senha", exact=True).press("Enter")
    await expect(tab.get_by_role("heading", name="Você entrou")).to_be_visible()
    await expect(door).to_be_hidden()
    await expect(page.locator("#timeline .from-operator")).to_contain_text("Já te respondo.")
    await page.get_by_role("button", name="Encerrar conversa").first.click()  # with the new sign-in's token
    await expect(page.locator("#timeline")).to_contain_text("encerrou a conversa")
    assert await desk.sent(conversation) == ["Já te respondo."]


async def test_that_somebody_else_who_signs_in_does_not_get_the_page(desk: World) -> None:
    conversation = await desk.site.message(desk.number, "Oi!")
    colleague = await desk.colleague()
    context = await desk.browse()
    page = await desk.open(context, conversation)
    await page.get_by_label("Escreva uma mensagem").fill("meu rascunho")
    await _sign_everybody_out(desk)
    await _write(page, "enviado por Ana")
    await expect(page.get_by_role("dialog", name="Sua sessão terminou")).to_be_visible()
    await desk.sign_in(context, colleague)
    await expect(page.locator(".person-name")).to_have_text("Rui")
    await expect(page.get_by_label("Escreva uma mensagem")).to_have_value("")
    await expect(page.locator("#unsent article")).to_have_count(0)
    assert await desk.sent(conversation) == []


async def test_that_a_second_tab_shares_the_draft_and_both_see_what_is_sent_once(desk: World) -> None:
    conversation = await desk.site.message(desk.number, "Oi!")
    context = await desk.browse()
    one, other = await desk.open(context, conversation), await desk.open(context, conversation)
    await one.get_by_label("Escreva uma mensagem").fill("escrito na primeira aba")
    await expect(other.get_by_label("Escreva uma mensagem")).to_have_value("escrito na primeira aba")
    await other.get_by_label("Escreva uma mensagem").press("Control+Enter")
    await expect(one.locator("#timeline .from-operator")).to_have_count(1)
    await expect(one.get_by_label("Escreva uma mensagem")).to_have_value("")
    assert await desk.sent(conversation) == ["escrito na primeira aba"]


async def test_that_a_flood_of_messages_leaves_typing_focus_and_place_alone(desk: World) -> None:
    for n in range(40):
        conversation = await desk.site.message(desk.number, f"antes {n}")
    page = await desk.open(await desk.browse(), conversation)
    field = page.get_by_label("Escreva uma mensagem")
    await field.focus()
    await page.locator("#thread").evaluate("(box) => { box.scrollTop = 40; }")
    asked: list[str] = []
    page.on("request", lambda request: _note(request, asked))
    began = asyncio.get_running_loop().time()
    flood = asyncio.create_task(_flood(desk, 100))
    typed = "".join(f"palavra{n} " for n in range(12))
    await page.keyboard.type(typed, delay=60)
    await flood
    await expect(page.locator("#timeline .bubble-row").last).to_contain_text("enchente 99")
    seconds = asyncio.get_running_loop().time() - began
    assert await field.input_value() == typed
    await expect(field).to_be_focused()
    assert await page.locator("#thread").evaluate("(box) => box.scrollTop") == 40
    for fragment in ("/live", "/inbox/rows"):
        count = sum(fragment in path for path in asked)
        assert 1 <= count <= 2 * seconds + 4, (fragment, count, seconds)
    assert len(asked) < 100


async def test_that_a_refused_reply_comes_back_to_the_message_field_with_the_reason(desk: World) -> None:
    conversation = await desk.site.message(desk.number, "Oi!")
    page = await desk.open(await desk.browse(), conversation)
    await _write(page, "x" * 65_537)
    await expect(page.locator("#notices")).to_contain_text("Não é possível aceitar isto")
    await expect(page.get_by_label("Escreva uma mensagem")).to_have_value("x" * 65_537)
    await expect(page.locator("#unsent article")).to_have_count(0)
    desk.complaints.clear()  # the browser's own line about the answer's status


async def test_that_a_reply_is_put_into_other_words_and_back_and_a_failing_model_changes_nothing(desk: World) -> None:
    conversation = await desk.site.message(desk.number, "Meu CPF é 529.982.247-25, cadê meu pedido?")
    mark = Placeholders(str(conversation)).hide("529.982.247-25")
    script = [
        {"when": "<instruction>", "reply": f"Olá! O pedido do CPF {mark} sai amanhã. O frete é R$ 5,00."},
        {"when": "translate me", "status": 500},
    ]
    async with ScriptedOpenAI(script) as model:
        await desk.use_model(model.base_url, mask_model_prompts=True)
        page = await desk.open(await desk.browse(), conversation)
        field = page.get_by_label("Escreva uma mensagem")
        own = "o pedido do CPF 529.982.247-25 sai amanhã"
        await field.fill(own)
        await page.get_by_text("Reescrever").click()
        await page.get_by_role("button", name="Mais simpática").click()
        await expect(field).to_have_value("Olá! O pedido do CPF 529.982.247-25 sai amanhã. O frete é R$ 5,00.")
        await expect(page.locator("[data-added]")).to_contain_text("R$ 5,00")
        assert "529.982" not in str(model.requests)
        await page.locator("[data-undo-help]").click()
        await expect(field).to_have_value(own)
        await field.fill("translate me")
        await page.get_by_text("Traduzir", exact=True).last.click()
        await page.get_by_role("button", name="Em espanhol").click()
        await expect(page.locator("#notices")).to_contain_text("O modelo de linguagem não respondeu")
        await expect(field).to_have_value("translate me")


async def test_that_knowledge_and_earlier_conversations_are_at_hand_without_a_language_model(desk: World) -> None:
    document = "# Trocas\n\nTrocamos em até 30 dias com a etiqueta.\n"
    await knowledge.add_file(desk.site.db, desk.number.tenant_id, "trocas.md", document.encode())
    conversation = await desk.site.message(desk.number, "Isto foi da outra vez")
    page = await desk.open(await desk.browse(), conversation)
    await page.get_by_role("button", name="Encerrar conversa").first.click()
    await expect(page.locator("#timeline")).to_contain_text("encerrou a conversa")
    await desk.site.message(desk.number, "Oi de novo")
    await expect(page.get_by_text("Reescrever")).to_have_count(0)
    await page.get_by_role("button", name="Conhecimento").click()
    await page.get_by_label("O que você procura?").fill("trocar em quantos dias?")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Inserir").first.click()
    await expect(page.get_by_label("Escreva uma mensagem")).to_have_value("Trocamos em até 30 dias com a etiqueta.")
    await page.locator("[data-undo-help]").click()
    await expect(page.get_by_label("Escreva uma mensagem")).to_have_value("")
    await page.get_by_role("button", name="Anteriores").click()
    await page.locator(".help-earlier summary").click()
    await expect(page.locator(".help-messages")).to_contain_text("Isto foi da outra vez")
    await is_accessible(page, "earlier")


async def _write(page: Page, text: str) -> None:
    field = page.get_by_label("Escreva uma mensagem")
    if len(text) > 10_000:
        await field.evaluate("(field, text) => { field.removeAttribute('maxlength'); field.value = text; }", text)
    else:
        await field.fill(text)
    await field.press("Control+Enter")


async def _flood(desk: World, messages: int) -> UUID:
    """Fifty a second, as far as the machine gets."""
    for n in range(messages):
        found = await desk.site.message(desk.number, f"enchente {n}")
        await asyncio.sleep(0.01)
    return found


def _note(request: Request, asked: list[str]) -> None:
    if request.resource_type in {"xhr", "fetch"} and request.method == "GET":
        asked.append(urlsplit(request.url).path)


async def _sign_everybody_out(desk: World) -> None:
    owner = await asyncpg.connect(desk.site.owner_dsn)
    try:
        await owner.execute("DELETE FROM login_session")
    finally:
        await owner.close()
