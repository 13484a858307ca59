"""What a newcomer does with the demo, in a real browser: an automatic reply, an approved suggestion, a claimed handoff.

Screenshots are left in ``screenshots/`` for people to look at.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.web.demo import running_browser, running_demo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
PATIENCE = 60_000
"""Milliseconds: the debounce of the example tenant, the turn, and a busy machine."""


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium is installed")
    return found


@pytest.fixture(scope="module")
def demo_url(chromium: str) -> Iterator[str]:
    """The address of a running demo, for all stories of this module."""
    with running_demo() as url:
        yield url


@pytest.fixture
async def page(chromium: str, demo_url: str) -> AsyncIterator[Page]:
    """A browser in which an operator of the demo is signed in, with nothing that the browser complained about."""
    async with running_browser(chromium) as browser:
        page = await _signed_in(browser, demo_url)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        assert complaints == []


async def test_that_a_customer_gets_an_automatic_reply_and_the_operator_sees_both(page: Page) -> None:
    await _write(page, "Ana Souza", "que horas vocês abrem?")
    await expect(page.locator(".phone-bubble.is-theirs")).not_to_have_count(0, timeout=PATIENCE)
    await expect(page.locator("#head")).to_contain_text("Ana Souza", timeout=PATIENCE)
    await expect(page.locator("#timeline .from-contact")).to_contain_text("que horas vocês abrem?")
    await expect(page.locator('#timeline .from-bot [data-delivery="sent"]').first).to_be_visible(timeout=PATIENCE)
    await expect(page.locator("#details [data-turn]")).to_contain_text("Respondeu sozinho")
    await _picture(page, "auto-reply")
    await page.locator("#timeline .from-bot").get_by_text("Por que esta resposta?").first.click()
    await expect(page.locator("#why[open]")).to_contain_text("que horas vocês abrem?")
    await _picture(page, "why")
    await page.keyboard.press("Escape")
    await expect(page.locator("#why")).to_be_hidden()


async def test_that_an_approved_suggestion_reaches_the_customer(page: Page) -> None:
    await _write(page, "Bruno Lima", "tem tabela de medidas?")
    card = page.locator("[data-suggestion]")
    await expect(card).to_be_visible(timeout=PATIENCE)
    await expect(page.locator(".phone-bubble.is-theirs")).to_have_count(0)
    await _picture(page, "suggestion")
    await card.get_by_role("button", name="Editar").click()
    editor = card.get_by_role("textbox")
    await editor.fill("Temos sim, Bruno! Segue a tabela.")
    await editor.press("Control+Enter")
    await expect(page.locator(".phone-bubble.is-theirs")).to_contain_text("Temos sim, Bruno!", timeout=PATIENCE)
    await expect(card).to_have_count(0)
    await expect(page.locator("#timeline .from-operator")).to_contain_text("Temos sim, Bruno!")


async def test_that_a_handoff_is_claimed_and_answered_by_a_person(page: Page) -> None:
    await _write(page, "Carla Méndez", "quero falar com uma pessoa")
    claim = page.get_by_role("button", name="Assumir conversa")
    await expect(claim).to_be_visible(timeout=PATIENCE)
    await _picture(page, "handoff")
    await claim.click()
    await expect(page.locator("#timeline")).to_contain_text("assumiu a conversa")
    await expect(claim).to_have_count(0)
    composer = page.get_by_label("Escreva uma mensagem")
    await composer.fill("Oi, Carla! Pode falar comigo.")
    await composer.press("Control+Enter")
    await expect(page.locator(".phone-bubble.is-theirs").last).to_contain_text("Pode falar comigo.", timeout=PATIENCE)
    await expect(composer).to_have_value("")
    await _picture(page, "claimed")


async def _signed_in(browser: Browser, url: str) -> Page:
    context = await browser.new_context(locale="pt-BR", viewport={"width": 1680, "height": 950})
    page = await context.new_page()
    await page.goto(f"{url}/demo")
    await page.locator(".demo-login", has_text="Atendente").first.click()
    await expect(page.locator("body[data-connected]")).to_be_visible(timeout=PATIENCE)
    return page


async def _write(page: Page, customer: str, text: str) -> None:
    """As the customer, on the simulated phone."""
    await page.get_by_role("radio", name=customer).click()
    field = page.get_by_label("Mensagem como cliente")
    await field.fill(text)
    await field.press("Enter")
    await expect(page.locator(".phone-bubble.is-mine").last).to_contain_text(text, timeout=PATIENCE)


async def _picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"demo-{name}.png")
