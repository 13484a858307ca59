"""The administrators' pages in a real browser: readable for everybody on every screen, and live.

Screenshots are left in ``screenshots/`` for people to look at.
"""

from __future__ import annotations

import os
import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from domain.decisions import Reason, Reply, Source
from flows.administration import Administration
from flows.desk import Actor
from flows.stopping import KillSwitch
from flows.team_people import Wish
from tests.database import Number
from tests.web.administrators import promoted
from tests.web.site import PASSWORD, Site
from tests.web.test_evals import made_run, published
from tests.web.test_why import decided
from web.menu import GROUPS, PLATFORM
from web.settings_fields import PAGES as SETTINGS_PAGES

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
PATIENCE = 60_000
LONG = bool(os.environ.get("ATENDE_LONG"))
"""Each page on each screen; else so many drawn ones on one of them each."""
_DRAWN = 15
pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800 if LONG else 400)]
SCREENS = {"light": (1360, 900), "dark": (1360, 900), "phone": (390, 844)}


def every_page(shop: Number) -> tuple[str, ...]:
    """All pages of the menu, and those that they lead to."""
    listed = [
        page.href for _, _, pages in (*GROUPS, PLATFORM) for page in pages if page.href not in {"/start", "/settings"}
    ]
    return (
        *listed,
        *(f"/settings/{page.slug}" for page in SETTINGS_PAGES),
        *(f"/start/{step}" for step in ("trade?name=shop", "number", "policy", "try")),
        f"/people/{shop.user_id}",
        f"/numbers/{shop.session_id}",
        "/numbers/new?provider=waha",
        "/intents/check",
        "/intents/new",
        "/intents/import",
        "/functions/new",
        "/prompts/new",
        "/account",
        "/tasks?whose=team",
        "/nothing/here",
    )


async def test_that_the_pages_are_readable_on_every_screen(site: Site, shop: Number, browser: Browser) -> None:
    pages = (*every_page(shop), *await busy_shop(site, shop))
    SCREENSHOTS.mkdir(exist_ok=True)
    faults: list[str] = []
    seed = int(os.environ.get("ATENDE_SEED", "23"))
    drawn = random.Random(seed).sample(pages, k=_DRAWN)
    for place, (screen, (width, height)) in enumerate(SCREENS.items()):
        page = await _signed_in(browser, site, width, height, "dark" if screen == "dark" else "light")
        for path in pages if LONG else drawn[place :: len(SCREENS)]:
            await page.goto(f"{site.url}{path}")
            for fold in await page.locator("#content details").all():
                await fold.evaluate("fold => { fold.open = !fold.matches('.menu') }")
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                faults.append(f"{screen} {path} is wider than the screen")
            name = re.sub(r"[^a-z]+", "-", path).strip("-") or "home"
            await page.screenshot(
                path=SCREENSHOTS / f"admin-{screen}-{'person' if path.endswith(str(shop.user_id)) else name}.png"
            )
            found = await Axe().run(page, options={"resultTypes": ["violations"]})
            faults += [
                f"{screen} {path} {one['id']} {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary'][:300]}"
                for one in found.response["violations"]
                if one["impact"] in {"serious", "critical"}
            ]
        await page.context.close()
    assert not faults, "\n".join([f"ATENDE_SEED={seed}", *faults])


async def test_that_somebody_is_invited_joins_and_the_bell_rings_without_a_reload(
    site: Site, shop: Number, browser: Browser
) -> None:
    await promoted(site, shop)
    page = await _signed_in(browser, site, 1360, 900, "light")
    await page.goto(f"{site.url}/people")
    form = page.locator("form", has_text="Convidar alguém")
    await form.get_by_label("Nome").fill("Bia Reis")
    await form.get_by_label("E-mail").fill("ana@shop.example")
    await form.get_by_role("button", name="Criar o link").click()
    await expect(page.locator("#notices")).to_contain_text("já trabalha aqui", timeout=PATIENCE)
    await expect(form.get_by_label("Nome")).to_have_value("Bia Reis")  # nothing that was typed is lost
    await form.get_by_label("E-mail").fill("bia@shop.example")
    await form.get_by_role("button", name="Criar o link").click()
    link = await page.get_by_label("O link", exact=True).input_value(timeout=PATIENCE)
    guest = await (await browser.new_context(locale="pt-BR")).new_page()
    await guest.goto(link)
    await guest.get_by_label("Senha").fill("uma frase longa e minha")
    await guest.get_by_label("A mesma de novo").fill("uma frase longa e minha")
    await guest.get_by_role("button", name="Entrar").click()
    await expect(guest.locator("h1")).to_contain_text("Boas-vindas", timeout=PATIENCE)
    await expect(page.get_by_label("O link", exact=True)).to_be_visible()  # shown once, so no refresh takes it away
    await page.goto(f"{site.url}/people")
    await expect(page.locator("#content table")).to_contain_text("bia@shop.example", timeout=PATIENCE)
    await expect(page.locator("#bell")).to_contain_text("Nenhuma notificação", timeout=PATIENCE)
    await site.message(shop, "quanto custa?")
    await expect(page.locator("#bell")).to_contain_text("1 notificação não lida", timeout=PATIENCE)


async def _signed_in(browser: Browser, site: Site, width: int, height: int, scheme: str) -> Page:
    context = await browser.new_context(
        locale="pt-BR",
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = await context.new_page()
    await page.goto(f"{site.url}/login")
    await page.locator("#email").fill("ana@shop.example")
    await page.locator("#password").fill(PASSWORD)
    await page.locator("#password").press("Enter")
    await expect(page.locator("#bell")).to_be_visible(timeout=PATIENCE)
    return page


async def busy_shop(site: Site, shop: Number) -> tuple[str, ...]:
    """Something to see on every page; returns the addresses of what has a page of its own."""
    await promoted(site, shop, runs_platform=True)
    flows, ana = (
        Administration.of(site.db, site.wakeup, b"a secret for tests only"),
        Actor(shop.tenant_id, shop.user_id, "Ana"),
    )
    for name, text in (
        ("Bia Reis", "Oi! quanto custa o vestido azul? ref: natal"),
        ("Caio", "oi"),
        ("Davi Souza", "bom dia"),
    ):
        asked = await site.message(shop, text, contact=name)
    sources = (Source("function", "find_order"), Source("knowledge", "faq#2", "Prazos de entrega", 0.71))
    turn = await decided(site, shop, asked, Reply("Chega amanhã.", WHY, sources))
    await flows.people.invite(ana, email="rui@shop.example", name="Rui Alves", wish=Wish(role="manager"))
    team = await flows.teams.create(ana, name="Vendas", description="Antes da compra")
    await flows.teams.change(
        ana,
        team,
        name="Vendas",
        description="Antes da compra",
        assignment="round_robin",
        people=[shop.user_id],
        numbers=[shop.session_id],
        intents=[],
    )
    await flows.replies.create(
        ana,
        "oi",
        "Olá {{contact.first_name}}, aqui é {{operator.name}} da {{business.name}}.",
        shared=True,
        shares=True,
    )
    await flows.replies.create(ana, "pix", "Nossa chave Pix é loja@example.com.", shared=False, shares=True)
    await flows.targets.change(shop.tenant_id, {"usual.first_answer_minutes": "15"}, actor=str(ana))
    await flows.keys.create(shop.tenant_id, "ERP", ["contacts:read", "messages:write"], actor=str(ana))
    await KillSwitch(site.db, site.wakeup).stop(shop.tenant_id, shop.session_id, actor=str(ana))
    async with site.db.transaction(shop.tenant_id) as tx:
        conversation, contact = await tx.fetchrow("SELECT id, contact_id FROM conversation ORDER BY id LIMIT 1")
        for day in range(20):
            await tx.execute(
                "INSERT INTO model_spending (tenant_id, span, key, tokens, cost_micros) "
                "VALUES ($1, 'day', to_char(now() - make_interval(days => $2), 'YYYY-MM-DD'), $3, $4)",
                shop.tenant_id,
                day,
                2000 + 37 * day * day,
                12_000 + day,
            )
    for title, due in (("Ligar sobre a troca", timedelta(hours=-2)), ("Mandar o catálogo", timedelta(days=1))):
        await flows.tasks.create(
            ana,
            contact_id=contact,
            conversation_id=conversation,
            title=title,
            assignee_id=shop.user_id,
            due=(datetime.now(UTC) + due).isoformat(),
        )
    return f"/traces/{turn}", f"/evals/{await published(site, shop, made_run())}"


WHY = (
    Reason("classified", "probability 0.897 among intents, 0.912 in scope"),
    Reason("intent", "order_status with confidence 0.89"),
    Reason("function", "find_order: succeeded"),
    Reason("unsupported_claims", "date: amanhã"),
    Reason("reply_mode", "suggest: suggest for intent order_status (the intent's own)"),
)
"""As turns have them."""
