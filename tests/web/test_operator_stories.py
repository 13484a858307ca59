"""What an operator's day also holds: lost answers, files that wait, identities, scores, calls for attention, help."""

# ruff: noqa: F811 - a story asks by name for the fixtures that its module imports
from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.openai_server import ScriptedOpenAI
from tests.web.inbox_world import Shop, World, check_accessible, open_conversation, picture, shared, shop, world  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def test_that_a_note_and_a_task_whose_answers_were_lost_are_there_once(world: World, shop: Shop) -> None:
    conversation = shop.message()
    page = world.page(shop, f"/inbox/{conversation}")
    page.route("**/notes", _swallow, times=1)
    page.keyboard.press("n")
    page.keyboard.type("cliente antiga")
    page.keyboard.press("Control+Enter")  # the page sends it again by itself
    expect(page.locator("#timeline .note")).to_have_count(1)
    expect(page.locator("#unsent article")).to_have_count(0)
    page.route("**/tasks", _swallow, times=1)
    page.locator('[data-act="task"]').fill("Ligar amanhã")
    with page.expect_event("requestfailed"):
        page.locator('[data-act="task"]').press("Enter")
    expect(page.locator("#connection")).to_be_visible()
    expect(page.get_by_role("button", name="Adicionar a tarefa")).to_be_enabled()
    expect(page.locator('[data-act="task"]')).to_have_value("Ligar amanhã")
    page.locator('[data-act="task"]').press("Enter")  # the person, who saw nothing of it, presses once more
    expect(page.locator(".tasks li")).to_have_count(1)
    page.locator('[data-act="task"]').fill("Ligar amanhã")
    page.locator('[data-act="task"]').press("Enter")  # meant: another one
    expect(page.locator(".tasks li")).to_have_count(2)
    assert len(shop.fetch("SELECT 1 FROM conversation_note")) == 1
    assert len(shop.fetch("SELECT 1 FROM task")) == 2


def test_that_a_file_in_the_field_and_one_on_its_way_outlive_a_reload_and_are_nobody_elses(
    world: World, shop: Shop
) -> None:
    first, second = shop.message("oi", "Ana Souza"), shop.message("oi", "Carla Dias")
    bia = shop.colleague("Bia")
    page = world.page(shop, f"/inbox/{first}")
    _drop(page, "tabela.csv", "a;b")
    expect(page.locator("[data-attached]")).to_contain_text("tabela.csv")
    page.reload()
    expect(page.locator("[data-attached]")).to_contain_text("tabela.csv")
    page.context.route("**/attachments", lambda route: route.abort())
    page.locator("#reply").fill("Segue.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#unsent article")).to_contain_text("tabela.csv")
    expect(page.locator("[data-attached]")).to_be_hidden()
    open_conversation(page, "Carla Dias")
    _drop(page, "recibo.csv", "1;2")
    expect(page.locator("[data-attached]")).to_contain_text("recibo.csv")
    # A note is for colleagues: the file does not go with it.
    page.get_by_role("button", name="Nota para colegas").click()
    page.locator("#reply").fill("só para nós")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#timeline .note")).to_contain_text("só para nós")
    expect(page.locator("[data-attached]")).to_contain_text("recibo.csv")
    page.context.unroute("**/attachments")
    page.goto(f"/inbox/{first}")
    expect(page.locator("#timeline .from-operator")).to_contain_text("Segue.")
    expect(page.locator("#timeline .from-operator .file")).to_be_attached()
    (sent,) = shop.fetch("SELECT text, content FROM message WHERE author = 'operator'")
    assert sent["text"] == "Segue."
    page.goto(f"/inbox/{second}")
    expect(page.locator("[data-attached]")).to_contain_text("recibo.csv")
    # The next person at this computer: signed out, signed in.
    page.locator("summary.person").click()
    page.get_by_role("button", name="Sair").click()
    page.wait_for_url("**/login*")
    page.wait_for_function("async () => !(await indexedDB.databases()).length")
    page.context.request.post("/login", form={"email": bia, "password": "correct horse"}, max_redirects=0)
    page.goto(f"/inbox/{second}")
    expect(page.locator("body[data-connected]")).to_be_visible()
    expect(page.locator("[data-attached]")).to_be_hidden()


def test_that_a_function_for_proven_customers_asks_for_the_identity_and_attempts_are_few(
    world: World, shop: Shop
) -> None:
    conversation = shop.message()
    shop.execute(
        """INSERT INTO business_function (tenant_id, name, kind, effect, source, declaration)
           VALUES ($1, 'open_balance', 'python', 'read', 'test', $2),
                  ($1, 'verify_code', 'python', 'read', 'test', $3)""",
        shop.number.tenant_id,
        {"description": "Balance.", "parameters": {"type": "object", "properties": {}}, "identity": "required"},
        {"parameters": {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}},
    )
    page = world.page(shop, f"/inbox/{conversation}")
    dialog = page.locator("#by-hand")
    page.get_by_role("button", name="open_balance").click()
    expect(dialog.locator('[data-identity="none"]')).to_contain_text("ninguém configurou")
    page.keyboard.press("Escape")
    settings = '{"identity": {"verify": "verify_code", "attempts": 2}}'
    shop.execute(f"UPDATE tenant SET settings = settings || '{settings}'::jsonb")
    page.get_by_role("button", name="open_balance").click()
    _say_code(page, "0000")
    expect(dialog.locator("[data-identity-failed]")).to_be_visible()
    _say_code(page, "0000")  # the same once more: no further attempt
    expect(dialog.locator("[data-identity-failed]")).to_be_visible()
    refused = _post(page, f"/inbox/{conversation}/functions/open_balance", after="1", number="1000")
    assert refused == 409
    _say_code(page, "4711")
    dialog.get_by_role("button", name="Executar").click()
    expect(dialog.locator('[data-outcome="succeeded"]')).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#timeline")).to_contain_text("Ana executou a função verify_code")
    shop.execute("UPDATE identity_check SET verified_until = NULL")
    # The deciding function itself is behind the same check, and the same attempts.
    page.get_by_role("button", name="verify_code").click()
    for code in ("1", "2"):
        _say_code(page, code)
    expect(dialog.locator('[data-identity="blocked"]')).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="open_balance").click()
    expect(dialog.locator('[data-identity="blocked"]')).to_contain_text("se esgotaram")
    check_accessible(page)
    world.complaints.clear()  # the browser's own line about the 409


def test_that_a_score_stands_in_list_head_details_and_thread(world: World, shop: Shop) -> None:
    shop.execute('UPDATE tenant SET settings = settings || \'{"satisfaction": {"ask": true}}\'::jsonb')
    conversation = shop.message("obrigado!")
    world.do(world.desk.close(shop.actor(), conversation))
    shop.execute(
        "INSERT INTO satisfaction_answer (tenant_id, conversation_id) VALUES ($1, $2)",
        shop.number.tenant_id,
        conversation,
    )
    page = world.page(shop, f"/inbox/{conversation}?view=closed")
    expect(page.locator("#details .satisfaction")).to_contain_text("ainda sem resposta")
    expect(page.locator("[data-score]")).to_have_count(0)
    shop.message("nota 4, obrigado")  # while somebody looks
    expect(page.locator("#details .satisfaction")).to_contain_text("Bom")
    expect(page.locator("#details .satisfaction")).to_contain_text("nota 4, obrigado")
    expect(page.locator('[data-row] [data-score="4"]')).to_be_visible()
    expect(page.locator('#head [data-score="4"]')).to_be_visible()
    expect(page.locator('#timeline .from-contact [data-score="4"]')).to_be_visible()
    check_accessible(page)
    picture(page, "score")


def test_that_a_corrected_message_shows_what_was_changed_word_by_word(world: World, shop: Shop) -> None:
    conversation = shop.message("quero o tênis azul tamanho 41")
    shop.execute(
        """INSERT INTO message_change (tenant_id, channel_session_id, contact_id, provider_id, kind, content, at)
           SELECT tenant_id, channel_session_id, contact_id, provider_id, 'edit',
                  '{"text": "quero o tênis preto tamanho 42"}', now() FROM message"""
    )
    page = world.page(shop, f"/inbox/{conversation}")
    page.locator("#timeline").get_by_text("editada").click()
    diff = page.locator("#timeline [data-diff]")
    assert diff.locator("del").all_text_contents() == ["azul", "41"]
    assert diff.locator("ins").all_text_contents() == ["preto", "42"]


@pytest.mark.parametrize("allowed", ["granted", "denied", "off"])
def test_that_a_customer_who_needs_a_person_is_heard_and_told_as_far_as_the_operator_lets(
    world: World, shop: Shop, allowed: str
) -> None:
    conversation = shop.message("oi", "Ana Souza")
    waiting = shop.message("oi", "Carla Dias")
    page = world.page(shop, f"/inbox/{conversation}", permissions=["notifications"] if allowed == "granted" else [])
    page.evaluate(_LISTEN)
    if allowed != "off":
        page.keyboard.press("?")
        page.get_by_label("Um som quando um cliente precisa de você").check()
        switch = page.get_by_label("Notificações na área de trabalho")
        switch.click()
        if allowed == "granted":
            expect(switch).to_be_checked()
        else:
            expect(page.locator("#notices")).to_contain_text("não permite notificações")
            expect(switch).not_to_be_checked()
        page.keyboard.press("Escape")
    tones = page.evaluate("window.heard.tones")
    page.evaluate("window.heard.away = true")
    shop.hand_off(waiting)
    expect(page.locator("[data-row]", has_text="Carla Dias")).to_contain_text(re.compile("Aguardando|s|min"))
    expect(page.locator('[data-view="waiting"] .count')).to_have_text("1")
    told = page.evaluate("window.heard.told")
    assert told == (["Um cliente precisa de você"] if allowed == "granted" else [])
    assert (page.evaluate("window.heard.tones") > tones) == (allowed != "off")
    if allowed == "granted":
        page.evaluate("window.heard.last.dispatchEvent(new Event('click'))")
        expect(page.locator("#head .head-name")).to_have_text("Carla Dias")


def test_that_a_voice_note_is_recorded_sent_and_can_be_played_in_the_thread(world: World, shop: Shop) -> None:
    conversation = shop.message()
    page = world.page(shop, f"/inbox/{conversation}", permissions=["microphone"])
    page.keyboard.press("Alt+r")
    expect(page.locator("[data-recorded]")).to_have_text("0:01")
    page.keyboard.press("Enter")  # the keyboard is on Stop
    expect(page.locator("[data-attached-audio]")).to_be_visible()
    page.locator("#reply").press("Control+Enter")
    expect(page.locator("#timeline .from-operator .file")).to_be_attached()
    (sent,) = shop.fetch("SELECT kind, content FROM message WHERE author = 'operator'")
    assert sent["kind"] == "voice"
    assert sent["content"]["carries"]["mime_type"] == "audio/ogg"  # whatever the browser records: what WhatsApp plays
    seconds = page.evaluate(
        """async (address) => {
          const file = await (await fetch(address)).arrayBuffer();
          return (await new AudioContext().decodeAudioData(file)).duration;
        }""",
        page.locator("#timeline audio").get_attribute("src"),
    )
    assert 0.9 < seconds < 30


def test_that_a_pdf_opens_in_a_tab_is_saved_under_its_name_and_a_picture_opens_in_the_page(
    world: World, shop: Shop
) -> None:
    conversation = shop.message()
    page = world.page(shop, f"/inbox/{conversation}")
    for name, data in (("contrato.pdf", "%PDF-1.4\\n%%EOF"), ("foto.png", None)):
        _drop(page, name, data)
        expect(page.locator("[data-attached]")).to_contain_text(name)
        page.keyboard.press("Control+Enter")
        expect(page.locator("[data-attached]")).to_be_hidden()
    expect(page.locator("[data-row] .row-preview")).to_have_text("foto.png")  # with the sign of a photo, not its code
    # A PDF is read in a tab of its own, by the browser's own reader; or saved, under its name.
    with page.expect_popup() as opened:
        page.locator(".file-open").click()
    assert opened.value.evaluate("[document.contentType, window.opener]") == ["application/pdf", None]
    opened.value.close()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Baixar").first.click()
    assert saved.value.suggested_filename == "contrato.pdf"
    assert saved.value.path().read_bytes().startswith(b"%PDF-")
    page.locator("a[data-view] img").click()
    expect(page.locator("#viewer[open] [data-viewed]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()


def test_that_a_model_sums_up_and_translates_what_was_said_and_what_will_be(world: World, shop: Shop) -> None:
    conversation = shop.message("Where is my order?")
    script = [
        {"when": "translate|english|inglês|<text>", "reply": "Onde está meu pedido?"},
        {"when": ".", "reply": "O cliente pergunta pelo pedido."},
    ]
    model = ScriptedOpenAI(script)
    world.do(model.__aenter__())
    try:
        settings = {"model": {"name": "scripted", "base_url": model.base_url, "attempts": 1}}
        shop.execute("UPDATE tenant SET settings = settings || $1, profile_version = profile_version + 1", settings)
        page = world.page(shop, f"/inbox/{conversation}")
        page.locator("[data-translate]").click()
        expect(page.locator("#timeline [data-translation]")).to_have_text("Onde está meu pedido?")
        shop.message("Hello?")  # a refresh does not take the translation away
        expect(page.locator("#timeline .from-contact")).to_have_count(2)
        expect(page.locator("#timeline [data-translation]")).to_have_text("Onde está meu pedido?")
        page.locator("#reply").fill("Where is it?")
        page.locator('[data-act="help.translate"]').click()
        page.locator('[data-translate-to="pt"]').click()
        expect(page.locator("#reply")).to_have_value("Onde está meu pedido?")
        page.locator("[data-undo-help]").click()
        expect(page.locator("#reply")).to_have_value("Where is it?")
        page.get_by_role("button", name="Resumo").click()
        expect(page.locator('[data-help="summary"] [data-help-text]')).to_contain_text("pedido")
        check_accessible(page)
        picture(page, "summary")
    finally:
        world.do(model.__aexit__(None, None, None))


_LISTEN = """() => {
  const heard = (window.heard = { tones: 0, told: [], away: false, last: null });
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) { heard.tones += 1; return start.apply(this, when); };
  const Real = window.Notification;
  window.Notification = class extends Real {
    constructor(title, options) { super(title, options); heard.told.push(title); heard.last = this; }
  };
  Object.defineProperty(document, "visibilityState", { get: () => (heard.away ? "hidden" : "visible") });
}"""


def _swallow(route: Route) -> None:
    """The server takes it; its answer never arrives."""
    route.fetch()
    route.abort()


def _drop(page: Page, name: str, data: str | None) -> None:
    """Drop a file on the thread; without ``data`` a picture."""
    page.evaluate(
        """async ([name, text]) => {
          const data = new DataTransfer();
          const canvas = new OffscreenCanvas(20, 20);
          canvas.getContext("2d").fillRect(0, 0, 20, 20);
          const type = name.endsWith("pdf") ? "application/pdf" : text === null ? "image/png" : "text/csv";
          data.items.add(new File([text ?? (await canvas.convertToBlob())], name, { type }));
          document.querySelector("#thread").dispatchEvent(
            new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        [name, data],
    )


def _say_code(page: Page, code: str) -> None:
    dialog = page.locator("#by-hand")
    dialog.get_by_label("code").fill(code)
    with page.expect_response("**/identity"):
        dialog.get_by_role("button", name="Verificar a identidade").click()


def _post(page: Page, path: str, **form: str) -> int:
    token = (page.locator("body").get_attribute("hx-headers") or "").split('"')[3]
    return page.request.post(path, form=form, headers={"X-CSRF-Token": token, "HX-Request": "true"}).status
