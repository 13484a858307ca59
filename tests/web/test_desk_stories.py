"""What operators do with the inbox's list and its conversations, each story in a real browser, some with two people."""

# ruff: noqa: F811 - a story asks by name for the fixtures that its module imports
from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.web.inbox_world import Shop, World, check_accessible, open_conversation, picture, shared, shop, world  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def test_that_an_empty_inbox_says_so_and_is_accessible(world: World, shop: Shop) -> None:
    page = world.page(shop)
    expect(page.locator("[data-empty]")).to_contain_text("Nenhuma conversa ainda")
    check_accessible(page)
    picture(page, "empty")


def test_that_a_message_appears_at_the_top_of_the_list_while_one_looks(world: World, shop: Shop) -> None:
    shop.message("primeira", "Ana Souza")
    page = world.page(shop)
    shop.message("segunda", "Carla Dias")
    expect(page.locator("[data-row]").first).to_contain_text("Carla Dias")
    shop.message("de novo", "Ana Souza")
    expect(page.locator("[data-row]").first).to_contain_text("de novo")
    expect(page.locator("[data-row]")).to_have_count(2)


def test_that_a_claimed_conversation_moves_from_nobodys_queue_to_mine(world: World, shop: Shop) -> None:
    shop.hand_off(shop.message())
    page = world.page(shop, "/inbox?view=unassigned")
    expect(page.locator('[data-view="unassigned"] .count')).to_have_text("1")
    open_conversation(page, "Bruno Lima")
    page.keyboard.press("c")
    expect(page.locator("[data-row]")).to_have_count(0)
    expect(page.locator('[data-view="mine"] .count')).to_have_text("1")
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.locator('[data-view="mine"]')).to_have_attribute("aria-current", "page")


def test_that_search_finds_words_of_messages_and_filters_narrow(world: World, shop: Shop) -> None:
    shop.message("quero trocar o tênis azul", "Ana Souza")
    shop.message("bom dia", "Carla Dias")
    shop.execute("UPDATE conversation SET labels = '[\"vip\"]' WHERE address LIKE '%Carla%'")
    page = world.page(shop)
    page.keyboard.press("/")
    page.keyboard.type("tenis")
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.locator("[data-row] mark")).to_have_text("tênis")
    page.locator("#list-search").fill("")
    expect(page.locator("[data-row]")).to_have_count(2)
    page.get_by_label("Filtros").click()
    page.get_by_role("combobox", name="Marcador").select_option("vip")
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page).to_have_url(re.compile("label=vip"))
    page.reload()
    expect(page.locator("[data-row]")).to_contain_text("Carla Dias")
    page.get_by_text("Mostrar todas").click()
    expect(page.locator("[data-row]")).to_have_count(2)


def test_that_a_conversation_is_closed_with_a_reason_and_reopened(world: World, shop: Shop) -> None:
    shop.message()
    page = world.page(shop)
    open_conversation(page, "Bruno Lima")
    page.keyboard.press("Shift+F")
    page.get_by_role("button", name="Spam").click()
    expect(page.locator("#timeline")).to_contain_text("Ana encerrou a conversa: Spam")
    expect(page.locator("[data-row]")).to_have_count(0)
    page.locator('[data-view="closed"]').click()
    expect(page.locator("[data-row]")).to_contain_text("Spam")
    page.keyboard.press("c")
    expect(page.locator("#timeline")).to_contain_text("Ana reabriu a conversa")


def test_that_a_conversation_is_passed_to_a_colleague_with_a_note_only_colleagues_read(
    world: World, shop: Shop
) -> None:
    shop.message()
    bia = shop.colleague("Bia")
    page, theirs = world.page(shop), world.page(shop, "/inbox?view=mine", bia)
    expect(theirs.locator("[data-row]")).to_have_count(0)
    open_conversation(page, "Bruno Lima")
    page.keyboard.press("m")
    page.get_by_role("combobox", name="Para quem").select_option(label="Bia")
    page.get_by_label("Nota para quem recebe").fill("Cliente antigo")
    page.locator(".move-form").get_by_role("button", name="Transferir").click()
    expect(page.locator("#timeline")).to_contain_text("Ana passou a conversa para Bia")
    expect(page.locator("[data-menu][open]")).to_have_count(0)
    expect(theirs.locator("[data-row]")).to_have_count(1)
    open_conversation(theirs, "Bruno Lima")
    expect(theirs.locator(".note")).to_contain_text("Cliente antigo")
    assert not shop.fetch("SELECT 1 FROM outbox_message")


def test_that_of_two_who_claim_the_second_learns_that_somebody_was_faster(world: World, shop: Shop) -> None:
    shop.message()
    bia = shop.colleague("Bia")
    mine, theirs = world.page(shop), world.page(shop, "/inbox", bia)
    open_conversation(mine, "Bruno Lima")
    open_conversation(theirs, "Bruno Lima")
    theirs.context.set_offline(True)  # her page does not learn of it
    mine.keyboard.press("c")
    expect(mine.locator("#head")).to_contain_text("Você")
    seen = theirs.locator('[data-act="claim"]').get_attribute("hx-vals")
    assert seen == '{"seen": "bot/"}'
    theirs.context.set_offline(False)
    token = theirs.locator("body").get_attribute("hx-headers") or ""
    answer = theirs.request.post(
        f"/inbox/{shop.fetch('SELECT id FROM conversation')[0]['id']}/claim",
        form={"seen": "bot/"},
        headers={"X-CSRF-Token": token.split('"')[3], "HX-Request": "true"},
    )
    assert answer.status == 409
    expect(theirs.locator("#head")).to_contain_text("Ana")
    assert [r["assignee_id"] for r in shop.fetch("SELECT assignee_id FROM conversation")] == [shop.number.user_id]


def test_that_a_snoozed_conversation_leaves_the_queue_and_returns_when_the_customer_writes(
    world: World, shop: Shop
) -> None:
    shop.message()
    page = world.page(shop)
    open_conversation(page, "Bruno Lima")
    page.keyboard.press("s")
    page.get_by_role("button", name="Até o cliente escrever").click()
    expect(page.locator("[data-row]")).to_have_count(0)
    expect(page.locator('[data-view="snoozed"] .count')).to_have_text("1")
    shop.message("voltei")
    expect(page.locator("[data-row]")).to_contain_text("voltei")
    expect(page.locator("#timeline")).to_contain_text("A conversa voltou para a fila")


def test_that_labels_priority_and_lead_are_set_by_keyboard_alone(world: World, shop: Shop) -> None:
    shop.message()
    page = world.page(shop)
    page.keyboard.press("j")
    expect(page.locator("[data-conversation]")).to_be_visible()
    page.keyboard.press("l")
    page.keyboard.type("troca")
    page.keyboard.press("Enter")
    expect(page.locator("[data-row] .pill-label")).to_have_text("troca")
    expect(page.get_by_label("Adicionar marcador").first).to_be_focused()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("p")
    expect(page.locator("#priority")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("[data-row] .row-priority")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Shift+L")
    with page.expect_response("**/contact/lead"):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#lead")).to_have_value("qualified")
    (contact,) = shop.fetch("SELECT lead_status FROM contact")
    assert contact["lead_status"] == "qualified"
    page.locator(".tags button", has_text="troca").click()
    expect(page.locator("[data-row] .pill-label")).to_have_count(0)


def test_that_the_contact_is_renamed_and_gets_fields_tags_and_a_task(world: World, shop: Shop) -> None:
    shop.message()
    page = world.page(shop)
    open_conversation(page, "Bruno Lima")
    details = page.locator("#details")
    details.get_by_label("Mudar o nome").click()
    details.get_by_label("Nome do cliente").fill("Bruno da Silva")
    page.keyboard.press("Enter")
    expect(page.locator("#head .head-name")).to_have_text("Bruno da Silva")
    expect(page.locator("[data-row]")).to_contain_text("Bruno da Silva")
    details.get_by_label("Nome do campo").fill("Cidade")
    details.get_by_label("Valor do campo").fill("Recife")
    page.keyboard.press("Enter")
    expect(details).to_contain_text("Recife")
    details.get_by_label("O que há para fazer").fill("Ligar")
    details.get_by_label("Até quando").fill("2099-05-04T10:00")
    details.get_by_role("button", name="Adicionar a tarefa").click()
    expect(details.locator(".tasks")).to_contain_text("Ligar")
    details.locator(".tasks").get_by_role("checkbox").check()
    expect(details.locator(".tasks .is-done")).to_contain_text("Ligar")


def test_that_several_conversations_are_labelled_and_closed_at_once(world: World, shop: Shop) -> None:
    for name in ("Ana Souza", "Carla Dias", "Davi Reis"):
        shop.message("oi", name)
    page = world.page(shop)
    for name in ("Ana Souza", "Davi Reis"):
        page.get_by_role("checkbox", name=f"Selecionar {name}").check()
    expect(page.locator("[data-picked]")).to_have_text("2")
    bulk = page.locator("#bulk")
    bulk.get_by_label("O que fazer").select_option("label")
    bulk.get_by_role("combobox", name="Marcador").fill("campanha")
    bulk.get_by_role("button", name="Aplicar").click()
    expect(page.locator("[data-row] .pill-label")).to_have_count(2)
    expect(bulk).to_be_hidden()
    picture(page, "bulk")
    page.get_by_role("checkbox", name="Selecionar Carla Dias").check()
    bulk.get_by_label("O que fazer").select_option("close")
    bulk.get_by_role("button", name="Aplicar").click()
    expect(page.locator("[data-row]")).to_have_count(2)
    expect(page.locator("#notices")).to_contain_text("1 conversa alterada")


def test_that_a_waiting_customer_turns_red_once_the_target_is_missed(world: World, shop: Shop) -> None:
    conversation = shop.message()
    shop.hand_off(conversation)
    shop.execute('UPDATE tenant SET settings = settings || \'{"targets": {"usual": {"waiting_minutes": 10}}}\'::jsonb')
    page = world.page(shop, "/inbox?view=waiting")
    expect(page.locator(".wait-ok")).to_be_visible()
    shop.execute("UPDATE conversation SET waiting_since = now() - interval '11 min'")
    page.reload()
    expect(page.locator(".wait-late")).to_contain_text("11 min")


def test_that_a_long_list_is_scrolled_to_its_end_and_back_with_few_lines_on_the_page(world: World, shop: Shop) -> None:
    shop.message("oi", "Zero")
    shop.execute(
        """WITH p AS (INSERT INTO contact (tenant_id, name) SELECT $1, 'Cliente ' || lpad(n::text, 4, '0')
                        FROM generate_series(1, 400) n RETURNING id, name)
           INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address, last_message_at, last_preview)
           SELECT $1, $2, id, 'simulator:' || name,
                  now() - interval '1 day' + right(name, 4)::int * interval '1 s', name
             FROM p""",
        shop.number.tenant_id,
        shop.number.session_id,
    )
    page = world.page(shop)
    expect(page.locator("[data-row]").first).to_contain_text("Zero")
    page.evaluate(
        """async () => {
          const box = document.querySelector("[data-scroller]");
          const seen = new Set();
          for (let n = 0; n < 2000 && !seen.has("Cliente 0001"); n += 1) {
            for (const name of box.querySelectorAll(".row-name")) seen.add(name.textContent);
            box.scrollTop = box.scrollHeight;
            await new Promise((done) => setTimeout(done, 25));
          }
          window.seen = seen.size;
        }"""
    )
    assert page.evaluate("window.seen") == 401
    assert page.locator("[data-row]").count() <= 300
    page.evaluate(
        """async () => {
          const box = document.querySelector("[data-scroller]");
          for (let n = 0; n < 2000; n += 1) {
            box.scrollTop = Math.max(0, box.scrollTop - 1500);
            await new Promise((done) => setTimeout(done, 25));
            if (box.scrollTop === 0 && box.querySelector(".row-name")?.textContent === "Zero") break;
          }
        }"""
    )
    expect(page.locator("[data-row]").first).to_contain_text("Zero")
    assert page.locator("[data-row]").count() <= 300


def test_that_the_busy_inbox_is_accessible_light_and_dark_and_on_a_phone(world: World, shop: Shop) -> None:
    conversation = shop.message("quero falar com uma pessoa", "Carla Méndez")
    shop.hand_off(conversation)
    shop.message("cadê meu pedido?", "Ana Souza")
    shop.suggestion(shop.message("tem tamanho 42?", "Davi Reis"), "Temos sim!")
    shop.world.do(world.desk.claim(shop.actor(), conversation))
    shop.world.do(world.acts.note(shop.actor(), conversation, "cliente antiga"))
    shop.world.do(world.acts.label(shop.actor(), conversation, add=["vip", "troca"]))
    shop.world.do(world.acts.prioritise(shop.actor(), conversation, "urgent"))
    for name, context in (
        ("light", {}),
        ("phone", {"viewport": {"width": 390, "height": 800}, "has_touch": True}),
    ):
        page = world.page(shop, f"/inbox/{conversation}", **context)
        expect(page.locator(".note")).to_be_visible()
        page.emulate_media(color_scheme="dark")
        picture(page, f"busy-{name}-dark")
        check_accessible(page)
        picture(page, f"busy-{name}")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_that_nothing_moves_while_the_first_page_loads(world: World, shop: Shop) -> None:
    conversation = shop.message()
    page = world.page(shop)
    page.add_init_script(
        """window.moved = 0;
           new PerformanceObserver((list) => { for (const one of list.getEntries()) window.moved += one.value; })
             .observe({ type: "layout-shift", buffered: true });"""
    )
    page.goto(f"/inbox/{conversation}")
    expect(page.locator("body[data-connected]")).to_be_visible()
    page.wait_for_timeout(300)
    assert page.evaluate("window.moved") < 0.02
