"""All that an operator does in the inbox, done without a mouse: each control by Tab, each shortcut by its keys."""

# ruff: noqa: F811 - a story asks by name for the fixtures that its module imports
from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.web.inbox_world import Shop, World, shared, shop, world  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

_CONTROLS = """() => {
  const wanted = "a[href], button, input:not([type=hidden]), select, textarea, summary, audio, [tabindex='0']";
  const shown = (node) => node.checkVisibility({ visibilityProperty: true }) && !node.closest("[inert]");
  return [...document.querySelectorAll(wanted)]
    .filter((node) => !node.disabled && node.tabIndex >= 0 && shown(node) && !node.dataset.reached)
    .map((node) => node.outerHTML.slice(0, 160));
}"""
_REACHED = """() => {
  const node = document.activeElement;
  const again = node.dataset.reached;
  node.dataset.reached = "yes";
  const box = node.getBoundingClientRect();
  return { tag: node.tagName, again: Boolean(again), closed: node.tagName === "SUMMARY" && !node.parentElement.open,
           html: node.outerHTML.slice(0, 160), shows: getComputedStyle(node).outlineStyle !== "none"
             || getComputedStyle(node).boxShadow !== "none" || node.matches(".visually-hidden, input") };
}"""
_STATE = """() => {
  const { activeElement: at } = document;
  return JSON.stringify([
    at.id || at.dataset.act || at.dataset.open || at.outerHTML.slice(0, 90), location.href,
    document.querySelectorAll("details[open]").length, document.querySelectorAll("dialog[open]").length,
    document.querySelector(".workspace").className, document.querySelector("[data-composer]")?.className,
    document.querySelector("#canned")?.hidden, document.querySelector("#emoji-panel")?.hidden,
    document.querySelector("[data-recording]")?.hidden, document.querySelectorAll("[data-pick]:checked").length,
    document.querySelector("[data-conversation]")?.dataset.conversation, window.asked?.length,
    document.querySelectorAll("[data-suggestion]:not(.is-sent)").length,
  ]);
}"""
_WATCH = """() => {
  window.asked = [];
  document.body.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.requestConfig.verb !== "get") window.asked.push(detail.pathInfo.requestPath);
  });
  for (const input of document.querySelectorAll("[data-attach]")) {
    input.addEventListener("click", (event) => { event.preventDefault(); window.asked.push("choose a file"); });
  }
}"""


_CLOSE = """() => {
  for (const box of document.querySelectorAll("dialog[open]")) box.close();
  for (const box of document.querySelectorAll("details[open]")) box.open = false;
  for (const box of document.querySelectorAll("#canned, #emoji-panel")) box.hidden = true;
  const field = document.querySelector("#reply");
  field.value = "";
  field.dispatchEvent(new Event("input", { bubbles: true }));
}"""


def test_that_every_control_of_the_busy_inbox_is_reached_by_tab_and_its_menus_open_by_enter(
    world: World, shop: Shop
) -> None:
    conversation = _busy(shop)
    page = world.page(shop, f"/inbox/{conversation}")
    # What a screen reader hears it as is not what keeps it from being reached: events of others may not redraw it here.
    page.evaluate("document.addEventListener('atende:event', (e) => e.stopImmediatePropagation(), true)")
    unseen = []
    first = None
    for step in range(600):
        page.keyboard.press("Tab")
        found = page.evaluate(_REACHED)
        if found["tag"] == "BODY":
            continue
        if found["again"] and found["html"] == first and step > 30:
            break
        first = first or found["html"]
        if not found["shows"]:
            unseen.append(found["html"])
        if found["closed"]:
            page.keyboard.press("Enter")
    left = page.evaluate(_CONTROLS)
    assert left == []
    assert unseen == []


def test_that_every_shortcut_of_the_help_sheet_does_something_and_none_when_single_keys_are_off(
    world: World, shop: Shop
) -> None:
    conversation = _busy(shop)
    page = world.page(shop, f"/inbox/{conversation}", permissions=["microphone"])
    listed: list[dict[str, Any]] = page.evaluate("atende.keys.list()")
    assert {entry["group"] for entry in listed} == {"list", "conversation", "write", "everywhere"}
    assert all(entry["description"] for entry in listed)
    keys = [entry["keys"] for entry in listed]
    last = [key for key in ("a", "u", "b", "f") if key in keys]  # after these the conversation is another
    assert len(last) == 4
    silent = []
    for key in [*(key for key in keys if key not in {*last, *_NEEDS}), *last]:
        if not _does_something(page, conversation, key):
            silent.append(key)
    assert silent == []
    # What needs something to be there first: a text to be sent, a closing to be undone.
    page.goto(f"/inbox/{conversation}")
    expect(page.locator("body[data-connected]")).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.type("Bom dia!")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".toast-line")).to_be_visible()
    page.locator("#thread").focus()
    page.keyboard.press("z")
    expect(page.locator("#reply")).to_have_value("Bom dia!")
    singles = [entry["keys"] for entry in listed if entry["single"]]
    assert len(singles) > 20
    page.evaluate("atende.keys.single = false")
    _fresh(page, conversation)
    before = page.evaluate(_STATE)
    for key in singles:
        for part in key.split(" "):
            page.keyboard.press(part)
    assert page.evaluate(_STATE) == before


_FROM = {"Ctrl+/": "#reply", "g t": "[data-open]"}
_LEADS_AWAY = {"u"}
_NEEDS = {"z", "Ctrl+Enter"}


def _does_something(page: Page, conversation: UUID, keys: str) -> bool:
    """Press it where nothing is open, and the messages have the keyboard."""
    if not _is_as_it_was(page, conversation):
        _fresh(page, conversation)
    page.evaluate(_CLOSE)
    page.locator(_FROM.get(keys, "#thread")).first.focus()
    before = page.evaluate(_STATE)
    for key in keys.split(" "):
        page.keyboard.press(key.replace("Ctrl", "Control"))
    try:
        if keys in _LEADS_AWAY:
            page.wait_for_url(lambda url: not url.endswith(str(conversation)))
            return True
        page.wait_for_function(f"(before) => ({_STATE})() !== before", arg=before, timeout=15_000)
    except PlaywrightTimeoutError:
        return False
    except PlaywrightError:  # it leads to another page
        return True
    return True


def _is_as_it_was(page: Page, conversation: UUID) -> bool:
    try:
        where: str = page.evaluate("() => window.asked?.length === 0 && location.pathname + location.search")
    except PlaywrightError:  # on its way to another page
        return False
    return where == f"/inbox/{conversation}"


def _fresh(page: Page, conversation: UUID) -> None:
    page.goto(f"/inbox/{conversation}")
    expect(page.locator("body[data-connected]")).to_be_visible()
    page.evaluate(_WATCH)
    page.locator("#thread").focus()


def _busy(shop: Shop) -> UUID:
    """A claimed conversation between two others, with all that may be acted on: a suggestion, an approval, a file, a
    task, a label, a function, an unsent message; and a canned reply and a filter to choose."""
    shop.message("oi", "Ana Souza")
    conversation = shop.message("quero trocar")
    shop.message("oi", "Carla Dias")
    world = shop.world
    world.do(world.desk.claim(shop.actor(), conversation))
    world.do(world.acts.label(shop.actor(), conversation, add=["troca"]))
    world.do(world.acts.note(shop.actor(), conversation, "cliente antiga"))
    (row,) = shop.fetch("SELECT contact_id FROM conversation WHERE id = $1", conversation)
    world.do(world.acts.add_task(shop.actor(), row["contact_id"], "Ligar", None, conversation_id=conversation))
    world.do(world.acts.set_fields(shop.actor(), row["contact_id"], {"Cidade": "Recife"}))
    shop.suggestion(conversation, "Pode trocar em 30 dias.")
    shop.execute(
        """WITH t AS (INSERT INTO turn (tenant_id, conversation_id, status, decision, upto_message_id, answered_before)
                      SELECT tenant_id, conversation_id, 'decided', '{"kind": "suggest"}', id, 0 FROM message
                       WHERE conversation_id = $1 RETURNING *)
           INSERT INTO approval (tenant_id, conversation_id, turn_id, function, arguments, upto_message_id, expires_at)
           SELECT tenant_id, conversation_id, id, 'exchange_order', '{"order": "1"}', upto_message_id,
                  now() + interval '1 day' FROM t""",
        conversation,
    )
    shop.execute(
        """INSERT INTO business_function (tenant_id, name, kind, effect, source, declaration)
           VALUES ($1, 'order_status', 'python', 'read', 'test', '{}')""",
        shop.number.tenant_id,
    )
    shop.execute("INSERT INTO canned_reply (tenant_id, shortcut, text) VALUES ($1, 'oi', 'Oi!')", shop.number.tenant_id)
    return conversation
