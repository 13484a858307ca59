"""An operator in a browser, and a customer with a real client: the inbox over a paired number, from end to end.

The web application, a worker, the session host and PostgreSQL are the product's; only the server in the middle is not
WhatsApp's (tests/fakewa).
"""

from __future__ import annotations

import base64
import shutil

import asyncpg
import pytest
from playwright.async_api import expect

from flows.attachments import Attachments, Offers
from flows.media import MediaFiles
from store.database import Database
from store.media import MediaFolder
from tests.fakewa.harness import linux_only
from tests.sample_files import PAPER
from tests.test_whatsapp_end_to_end import ANSWER, ASK, CUSTOMER, PATIENCE, SHOP, PairedShop, paired
from tests.web.demo import running_browser
from tests.web.site import _CHEAP, PASSWORD, running_site
from web.media import media_router

__all__ = ["paired"]
pytestmark = [pytest.mark.neonize, pytest.mark.browser, linux_only, pytest.mark.timeout(400)]

EMAIL = "ana@paired.example"
MINIATURE = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(400)).decode()


async def test_that_an_operator_and_a_customer_on_whatsapp_read_each_other(
    paired: PairedShop, owner_dsn: str, db: Database
) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium is installed")
    await paired.pair()
    maria = await paired.world.customer(CUSTOMER, "Maria")
    await paired.is_answered(maria, await maria.send(SHOP, ASK))
    await _may_sign_in(paired, owner_dsn)
    store = MediaFolder(paired.world.folder / "data" / "media")
    files = media_router(store, Attachments(db, MediaFiles(db, store), Offers({})))
    async with running_site(db, owner_dsn, files) as site, running_browser(chromium) as browser:
        context = await browser.new_context(locale="pt-BR", base_url=site.url)
        await context.add_init_script("localStorage.setItem('atende undo-seconds', '0')")
        await context.request.post("/login", form={"email": EMAIL, "password": PASSWORD}, max_redirects=0)
        page = await context.new_page()
        await page.goto("/inbox?view=all")
        await page.locator("[data-row]", has_text="Maria").locator("[data-open]").click()
        thread = page.locator("#timeline")
        await expect(thread.locator(".from-bot .message-text")).to_have_text(ANSWER, timeout=30_000)

        await page.get_by_label("Escreva uma mensagem").fill("Oi, Maria! Aqui é a Ana.")
        await page.keyboard.press("Control+Enter")
        heard = await maria.expect("message", seconds=PATIENCE)
        assert heard["text"] == "Oi, Maria! Aqui é a Ana."
        await maria.read(heard)
        mine = thread.locator(".from-operator")
        await expect(mine.locator('[data-delivery="read"]')).to_be_visible(timeout=30_000)

        key = {"remoteJID": f"{SHOP}@s.whatsapp.net", "fromMe": False, "ID": heard["id"]}
        await maria.send_content(SHOP, {"reactionMessage": {"key": key, "text": "🙏"}})
        await expect(mine.locator(".reactions")).to_have_text("🙏", timeout=30_000)

        fields = await maria.upload(PAPER, "MediaDocument")
        looks = {"mimetype": "application/pdf", "fileName": "contrato.pdf", "pageCount": 2, "JPEGThumbnail": MINIATURE}
        await maria.send_content(SHOP, {"documentMessage": {**fields, **looks}})
        card = thread.locator(".file-card")
        await expect(card).to_contain_text("PDF · 2 páginas · 17 bytes", timeout=30_000)
        await expect(card.locator("img.file-preview")).to_have_count(1)
        preview = await page.request.get(await card.locator("img.file-preview").get_attribute("src") or "")
        assert await preview.body() == base64.b64decode(MINIATURE)
        await context.close()


async def _may_sign_in(paired: PairedShop, owner_dsn: str) -> None:
    owner = await asyncpg.connect(owner_dsn)
    try:
        user = await owner.fetchval("SELECT gate.put_user($1, 'Ana', $2, 'pt')", EMAIL, _CHEAP.hash(PASSWORD))
        await owner.execute("SELECT gate.put_member($1, $2, 'operator')", paired.shop.tenant_id, user)
    finally:
        await owner.close()
