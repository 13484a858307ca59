"""The whole first run in a real browser, to the first answered message: each step accessible, on a phone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.web.demo import running_browser, running_product

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
PATIENCE = 60_000


async def test_that_a_business_begins_in_the_browser_and_answers_its_first_message() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium is installed")
    with running_product(until=r"https?://\S+/setup\?token=\S+") as link:
        async with running_browser(chromium) as browser:
            context = await browser.new_context(locale="pt-BR", viewport={"width": 390, "height": 844}, bypass_csp=True)
            page = await context.new_page()
            complaints: list[str] = []
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            await page.goto(link)
            await _looked_at(page, "setup")
            await page.get_by_label("Seu nome").fill("Ana Reis")
            await page.get_by_label("E-mail").fill("ana@padaria.example")
            await page.get_by_label("Senha").fill("pão quentinho")
            await page.get_by_label("Nome da empresa").fill("Padaria do Zé")
            await page.get_by_role("button", name="Criar e continuar").click()
            await page.get_by_role("link", name="Loja").click()
            await _looked_at(page, "trade")
            await page.get_by_label("Segunda a sexta").fill("8h às 18h")
            await page.get_by_label("Endereço").fill("Rua das Flores, 100")
            await page.get_by_role("button", name="Ensinar o assistente").click()
            await expect(page.get_by_text("Onde os clientes escrevem?")).to_be_visible(timeout=PATIENCE)
            await _looked_at(page, "number")
            await page.get_by_role("button", name="Primeiro um celular simulado").click()
            await _looked_at(page, "policy")
            await page.get_by_role("button", name="Continuar").click()
            await page.get_by_label("Uma mensagem de cliente").fill("onde é a padaria de vcs?")
            await page.get_by_role("button", name="Enviar").click()
            approve = page.get_by_role("button", name="Aprovar e enviar")
            await expect(approve).to_be_visible(timeout=PATIENCE)
            await expect(page.locator("#try-chat")).to_contain_text("Endereço e como chegar")
            await approve.click()
            await expect(page.get_by_text("A primeira mensagem foi respondida.")).to_be_visible(timeout=PATIENCE)
            await expect(page.locator(".is-answer")).to_contain_text("Rua das Flores, 100")
            await _looked_at(page, "try")
            await page.get_by_role("button", name="Pronto").click()
            await expect(page.locator("#list")).to_contain_text("Cliente", timeout=PATIENCE)
            assert complaints == []


async def _looked_at(page: Page, step: str) -> None:
    """Nothing serious in the way of anybody, nothing wider than the phone, and a picture for people to look at."""
    found = await Axe().run(page)
    serious = [one for one in found.response["violations"] if one["impact"] in {"serious", "critical"}]
    assert not serious, (step, [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious])
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{step} is too wide"
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"first-run-{step}.png", full_page=True)
