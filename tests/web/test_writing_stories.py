"""What operators do while they write, each story in a real browser."""

# ruff: noqa: F811 - a story asks by name for the fixtures that its module imports
from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.inbox_world import Shop, World, check_accessible, open_conversation, picture, shared, shop, world  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def test_that_a_reply_can_be_taken_back_and_its_text_returns_to_the_field(world: World, shop: Shop) -> None:
    shop.message()
    page = world.page(shop)
    open_conversation(page, "Bruno Lima")
    page.locator("#reply").fill("Bom dia, Brno!")
    page.keyboard.press("Control+Enter")
    page.locator(".toast-line").get_by_role("button", name="Desfazer").click()
    expect(page.locator("#reply")).to_have_value("Bom dia, Brno!")
    expect(page.locator("#timeline .from-operator")).to_have_count(0)
    (sent,) = shop.fetch("SELECT state, error FROM outbox_message")
    assert (sent["state"], sent["error"]) == ("cancelled", "its writer took it back")


def test_that_a_reply_without_second_thoughts_stays(world: World, shop: Shop) -> None:
    shop.message()
    page = world.page(shop)
    open_conversation(page, "Bruno Lima")
    page.locator("#reply").fill("Bom dia!")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#timeline .from-operator")).to_contain_text("Bom dia!")
    expect(page.locator("#reply")).to_have_value("")
    expect(page.locator("#timeline .from-operator .writer")).to_contain_text("Ana")


def test_that_a_closing_is_undone_with_one_key(world: World, shop: Shop) -> None:
    conversation = shop.message()
    shop.hand_off(conversation)
    page = world.page(shop)
    open_conversation(page, "Bruno Lima")
    page.keyboard.press("c")
    expect(page.locator("#head")).to_contain_text("Você")
    page.keyboard.press("f")
    expect(page.locator('#head [data-status="closed"]')).to_be_visible()
    # What the socket tells may be drawn before the request is answered, which is what offers the way back.
    expect(page.get_by_role("button", name="Desfazer")).to_be_visible()
    page.keyboard.press("z")
    expect(page.locator('#head [data-status="human"]')).to_be_visible()
    expect(page.locator("#timeline")).to_contain_text("Ana desfez o encerramento")
    (row_,) = shop.fetch("SELECT status, assignee_id FROM conversation")
    assert tuple(row_) == ("human", shop.number.user_id)


def test_that_a_colleagues_reply_shows_up_in_the_open_thread_of_the_other(world: World, shop: Shop) -> None:
    shop.message()
    bia = shop.colleague("Bia")
    mine, theirs = world.page(shop), world.page(shop, "/inbox", bia)
    for page in (mine, theirs):
        open_conversation(page, "Bruno Lima")
    theirs.locator("#reply").fill("meu rascunho")
    mine.locator("#reply").fill("Já respondo!")
    mine.keyboard.press("Control+Enter")
    expect(theirs.locator("#timeline .from-operator")).to_contain_text("Já respondo!")
    expect(theirs.locator("#reply")).to_have_value("meu rascunho")


def test_that_a_canned_reply_is_chosen_by_slash_and_arrow_with_its_variables_filled_in(
    world: World, shop: Shop
) -> None:
    conversation = shop.message()
    shop.execute(
        "INSERT INTO canned_reply (tenant_id, shortcut, text) VALUES ($1, 'oi', 'Oi, {{contact.first_name}}!'),"
        " ($1, 'ola', 'Olá!')",
        shop.number.tenant_id,
    )
    page = world.page(shop, f"/inbox/{conversation}")
    page.keyboard.press("r")
    page.keyboard.type("/")
    expect(page.locator(".canned-line")).to_have_count(2)
    page.keyboard.type("o")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#reply")).to_have_value("Oi, Bruno!")
    expect(page.locator("#canned")).to_be_hidden()


def test_that_a_draft_survives_a_reload_and_belongs_to_its_conversation(world: World, shop: Shop) -> None:
    shop.message("oi", "Ana Souza")
    shop.message("oi", "Carla Dias")
    page = world.page(shop)
    open_conversation(page, "Ana Souza")
    page.locator("#reply").fill("ainda não enviado")
    open_conversation(page, "Carla Dias")
    expect(page.locator("#reply")).to_have_value("")
    open_conversation(page, "Ana Souza")
    page.reload()
    expect(page.locator("#reply")).to_have_value("ainda não enviado")


def test_that_single_keys_can_be_switched_off_while_combinations_stay(world: World, shop: Shop) -> None:
    conversation = shop.message()
    page = world.page(shop, f"/inbox/{conversation}")
    page.keyboard.press("?")
    sheet = page.locator("#help-sheet")
    expect(sheet).to_contain_text("Encerrar como resolvida")
    check_accessible(page)
    picture(page, "help")
    sheet.get_by_label("Teclas sozinhas são atalhos").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.keyboard.press("c")
    page.reload()
    page.keyboard.press("f")
    page.locator("#reply").fill("Olá")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#timeline .from-operator")).to_contain_text("Olá")
    assert [r["status"] for r in shop.fetch("SELECT status FROM conversation")] == ["human"]
    assert not shop.fetch("SELECT 1 FROM event WHERE kind = 'conversation.closed'")


def test_that_a_pasted_picture_and_a_dropped_file_are_attached(world: World, shop: Shop) -> None:
    conversation = shop.message()
    page = world.page(shop, f"/inbox/{conversation}")
    page.evaluate(
        """async () => {
          const data = new DataTransfer();
          const canvas = new OffscreenCanvas(20, 20);
          canvas.getContext("2d").fillRect(0, 0, 20, 20);
          data.items.add(new File([await canvas.convertToBlob()], "print.png", { type: "image/png" }));
          document.querySelector("#reply").dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.locator("[data-attached]")).to_contain_text("print.png")
    expect(page.locator("[data-attached-image]")).to_be_visible()
    page.get_by_role("button", name="Remover o arquivo").click()
    expect(page.locator("[data-attached]")).to_be_hidden()
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["a;b"], "lista.csv", { type: "text/csv" }));
          document.querySelector("#thread").dispatchEvent(
            new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.locator("[data-attached]")).to_contain_text("lista.csv")


def test_that_a_voice_note_is_recorded_and_heard_before_it_is_sent(world: World, shop: Shop) -> None:
    conversation = shop.message()
    page = world.page(shop, f"/inbox/{conversation}", permissions=["microphone"])
    page.get_by_role("button", name="Gravar um áudio").click()
    expect(page.locator("[data-recorded]")).to_have_text("0:01")
    page.get_by_role("button", name="Parar").click()
    expect(page.locator("[data-attached-audio]")).to_be_visible()
    expect(page.locator("[data-attached]")).to_contain_text(re.compile(r"voice-.*\.(ogg|webm|m4a)"))


def test_that_an_emoji_goes_where_the_caret_is(world: World, shop: Shop) -> None:
    conversation = shop.message()
    page = world.page(shop, f"/inbox/{conversation}")
    page.locator("#reply").fill("ab")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Alt+e")
    page.locator("#emoji-panel").get_by_role("option", name="👍").click()
    expect(page.locator("#reply")).to_have_value("a👍b")


def test_that_older_messages_come_in_upwards_without_a_jump(world: World, shop: Shop) -> None:
    conversation = shop.message("m-000")
    shop.execute(
        """INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, provider_id, author, text,
                                sent_at)
           SELECT tenant_id, conversation_id, channel_session_id, contact_id, 'p' || n, 'contact',
                  'm-' || lpad(n::text, 3, '0'), sent_at + n * interval '1 s'
             FROM message CROSS JOIN generate_series(1, 200) n"""
    )
    page = world.page(shop, f"/inbox/{conversation}")
    expect(page.locator("#timeline")).to_contain_text("m-200")
    thread = page.locator("#thread")
    assert thread.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight") < 5
    line = thread.get_by_text("m-150", exact=True)
    line.scroll_into_view_if_needed()
    before = line.bounding_box()
    page.get_by_role("button", name="Mostrar mensagens anteriores").evaluate("button => button.click()")
    expect(thread.get_by_text("m-100", exact=True)).to_be_attached()
    after = line.bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) < 3
    for n in range(6):
        thread.evaluate("box => { box.scrollTop = 0; }")
        if thread.get_by_text("m-000", exact=True).count() and n > 2:
            break
        page.wait_for_timeout(200)
    expect(thread.get_by_text("m-000", exact=True)).to_be_attached()


def test_that_the_thread_shows_reactions_edits_quotes_and_revoked_messages(world: World, shop: Shop) -> None:
    conversation = shop.message("primeira")
    shop.execute(
        """WITH m AS (SELECT * FROM message LIMIT 1), n AS (
             INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, provider_id, author, kind,
                                  text, quoted_provider_id, sent_at)
             SELECT tenant_id, conversation_id, channel_session_id, contact_id, v.id, 'contact', v.kind, v.text,
                    v.quoted, now()
               FROM m, (VALUES ('q1', 'text', 'segunda', (SELECT provider_id FROM m)),
                               ('r1', 'reaction', '👍', (SELECT provider_id FROM m)),
                               ('r2', 'reaction', '❤️', (SELECT provider_id FROM m)),
                               ('x1', 'text', 'apagada', NULL)) v(id, kind, text, quoted) RETURNING 1)
           INSERT INTO message_change (tenant_id, channel_session_id, contact_id, provider_id, kind, content, at)
           SELECT m.tenant_id, m.channel_session_id, m.contact_id, v.id, v.kind, v.content::jsonb, now()
             FROM m, (VALUES ('q1', 'edit', '{"text": "segunda, corrigida"}'), ('x1', 'revoke', '{}'))
                     v(id, kind, content)"""
    )
    page = world.page(shop, f"/inbox/{conversation}")
    thread = page.locator("#timeline")
    expect(thread.locator(".reactions")).to_have_text("❤️")
    expect(thread).to_contain_text("segunda, corrigida")
    expect(thread).to_contain_text("editada")
    expect(thread.locator(".quoted")).to_have_text("primeira")
    expect(thread).to_contain_text("Esta mensagem foi apagada")
    expect(thread.locator(".bubble-row")).to_have_count(3)


def test_that_a_function_is_run_by_hand_once_with_a_form_made_from_its_schema(world: World, shop: Shop) -> None:
    conversation = shop.message()
    shop.execute(
        """INSERT INTO business_function (tenant_id, name, kind, effect, source, declaration)
           VALUES ($1, 'cancel_order', 'python', 'write', 'test', $2)""",
        shop.number.tenant_id,
        {
            "description": "Cancels an order.",
            "parameters": {
                "type": "object",
                "properties": {"order": {"type": "integer"}},
                "required": ["order"],
            },
        },
    )
    page = world.page(shop, f"/inbox/{conversation}")
    page.get_by_role("button", name="cancel_order").click()
    dialog = page.locator("#by-hand")
    dialog.get_by_label("order").fill("1042")
    token = dict(shop_form(page))
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Executar").click()
    outcome = dialog.locator('[data-outcome="succeeded"]')
    expect(outcome).to_contain_text('"order": 1042')
    ran = re.search(r'"ran": \d+', outcome.inner_text())  # how often in all: other stories have run functions, too
    assert ran
    page.keyboard.press("Escape")
    expect(page.locator("#timeline")).to_contain_text("Ana executou a função cancel_order")
    # The same form once more, as after a lost answer: the outcome of the first time, and no second call.
    again = page.request.post(
        f"/inbox/{conversation}/functions/cancel_order",
        form={**token, "arg/order": "1042"},
        headers={"X-CSRF-Token": csrf(page), "HX-Request": "true"},
    )
    assert ran[0].replace('"', "&#34;") in again.text()
    assert len(shop.fetch("SELECT 1 FROM function_call")) == 1


def shop_form(page: Page) -> list[tuple[str, str]]:
    """The hidden fields of the form in the dialog."""
    found: list[tuple[str, str]] = page.locator("#by-hand form.sheet-body input[type=hidden]").evaluate_all(
        "fields => fields.map((field) => [field.name, field.value])"
    )
    return found


def csrf(page: Page) -> str:
    return (page.locator("body").get_attribute("hx-headers") or "").split('"')[3]
