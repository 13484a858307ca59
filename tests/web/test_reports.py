"""The dashboard and supervision as people and programs meet them."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from flows.api_keys import ApiKeys
from flows.reports import FIGURES, Column, Counted, Figure, Reports
from store.database import Database
from tests.database import Number
from tests.web.demo import running_browser
from tests.web.site import PASSWORD, Site, running_site
from web.api import Api
from web.report_export import csv_lines
from web.reports import reports_api_router

PATIENCE = 60_000


async def _become(site: Site, number: Number, role: str) -> None:
    owner = await asyncpg.connect(site.owner_dsn)
    await owner.execute("SELECT gate.put_member($1, $2, $3)", number.tenant_id, number.user_id, role)
    await owner.close()


async def test_that_reports_are_for_who_may_read_them(site: Site, shop: Number, operator: httpx.AsyncClient) -> None:
    paths = ("/reports", "/reports/costs", "/reports/costs.csv", "/supervision", "/supervision/content")
    for path in paths:
        assert (await operator.get(path)).status_code == 403, path
    await _become(site, shop, "manager")
    for path in paths:
        assert (await operator.get(path)).status_code == 200, path
    assert (await operator.get("/reports/moon")).status_code == 404
    assert (await operator.get("/reports?from=2026-13-40")).status_code == 422


async def test_that_every_figure_has_its_definition_table_and_file(
    site: Site, shop: Number, operator: httpx.AsyncClient
) -> None:
    await _become(site, shop, "manager")
    await site.message(shop, contact="=HYPERLINK(1)")
    for name, figure in FIGURES.items():
        card = (await operator.get(f"/reports/{name}", headers={"Accept-Language": "en"})).text
        assert f'id="title-{name}"' in card
        for by in figure.groups():
            file = await operator.get(f"/reports/{name}.csv", params={"by": by})
            assert file.headers["content-type"] == "text/csv; charset=utf-8"
            rows = list(csv.reader(io.StringIO(file.text.removeprefix("\ufeff"))))
            assert rows[0][0] == by
            assert len({len(row) for row in rows}) == 1
    conversations = (await operator.get("/reports/conversations.csv")).text
    assert sum(int(row[1]) for row in list(csv.reader(io.StringIO(conversations)))[1:]) == 1


def test_that_no_cell_of_a_file_is_taken_for_a_formula() -> None:
    figure = Figure("x", "n", (Column("n"),), "team", ("bar", ("n",)), None)
    labels = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "plain", 'with "quotes", and\nlines']
    rows = [{"key": label, "label": label, "n": -3} for label in labels]
    counted = Counted(figure, None, "team", {}, {}, rows, ())  # type: ignore[arg-type]
    text = "".join(csv_lines(counted, "team"))
    read = [row[0] for row in csv.reader(io.StringIO(text))][1:]
    assert read == [*(f"'{label}" for label in labels[:6]), *labels[6:]]
    assert all(line.endswith(",-3\r\n") for line in list(csv_lines(counted, "team"))[1:])  # numbers stay numbers


async def test_that_programs_get_the_same_figures_with_a_key_that_may(db: Database, owner_dsn: str) -> None:
    keys = ApiKeys(db)
    async with running_site(db, owner_dsn, reports_api_router(Api(keys), Reports(db))) as site:
        number = await site.number()
        await site.message(number)
        may = await keys.create(number.tenant_id, "reports", ["reports:read"], actor="test")
        may_not = await keys.create(number.tenant_id, "others", ["sessions:read"], actor="test")
        async with httpx.AsyncClient(base_url=site.url) as client:
            for token, status in ((may.token, 200), (may_not.token, 403)):
                client.headers["authorization"] = f"Bearer {token}"
                assert (await client.get("/api/v1/reports")).status_code == status
                assert (await client.get("/api/v1/reports/conversations")).status_code == status
            client.headers["authorization"] = f"Bearer {may.token}"
            found = (await client.get("/api/v1/reports/conversations")).json()
            assert (found["total"]["opened"], len(found["rows"])) == (1, 30)
            assert found["definition"]
            assert (await client.get("/api/v1/reports/moon")).status_code == 404
            refused = await client.get("/api/v1/reports/conversations", params={"number": "x", "intent": "\0"})
            assert refused.status_code == 422


async def test_that_a_manager_assigns_from_supervision_and_people_go_away(
    site: Site, shop: Number, operator: httpx.AsyncClient
) -> None:
    await _become(site, shop, "manager")
    conversation = await site.message(shop)
    await site.hand_off(shop, conversation, "quer trocar")
    page = (await operator.get("/supervision")).text
    assert "Bruno Lima" in page
    answer = await operator.post(
        "/supervision/assign", data={"conversation_id": str(conversation), "to": str(shop.user_id)}
    )
    assert answer.status_code == 200
    async with site.db.transaction(shop.tenant_id) as tx:
        row = await tx.fetchrow("SELECT status, assignee_id FROM conversation WHERE id = $1", conversation)
        assert (row["status"], row["assignee_id"]) == ("human", shop.user_id)
        assert await tx.fetchval("SELECT seen_at IS NOT NULL FROM membership WHERE user_id = $1", shop.user_id)
    assert "voltei" not in (await operator.get("/presence")).text.lower()
    assert "voltei" in (await operator.post("/presence", data={"away": "true"})).text.lower()
    assert "data-waiting>1<" in (await operator.get("/supervision/content")).text  # it went back to the queue
    assert (await operator.post(f"/supervision/people/{shop.tenant_id}/away", data={"away": "true"})).status_code == 404
    assert (await operator.post(f"/supervision/people/{shop.user_id}/away", data={"away": "false"})).status_code == 200
    assert (
        await operator.post("/supervision/assign", data={"conversation_id": str(conversation), "to": "x"})
    ).status_code == 422


@pytest.fixture
async def page(site: Site, shop: Number) -> AsyncIterator[Page]:
    """A manager's browser, with nothing that it complained about."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium is installed")
    await _become(site, shop, "manager")
    async with running_browser(Path(chromium).as_posix()) as browser:
        page = await browser.new_page(locale="pt-BR", viewport={"width": 1280, "height": 900})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{site.url}/login")
        await page.locator("input[name=email]").first.fill("ana@shop.example")
        await page.locator("input[name=password]").first.fill(PASSWORD)
        await page.locator("input[name=password]").first.press("Enter")
        await page.wait_for_url("**/inbox*")
        yield page
        assert complaints == []


@pytest.mark.browser
@pytest.mark.timeout(300)
async def test_that_the_dashboard_draws_every_chart_and_both_pages_are_accessible(
    site: Site, shop: Number, page: Page
) -> None:
    conversation = await site.message(shop)
    await site.hand_off(shop, conversation, "quer trocar")
    await page.goto(f"{site.url}/reports")
    await expect(page.locator(".report .report-definition")).to_have_count(len(FIGURES), timeout=PATIENCE)
    drawn = page.locator("canvas[data-chart]")
    await expect(page.locator("canvas[data-drawn]")).to_have_count(await drawn.count(), timeout=PATIENCE)
    assert await drawn.count() >= 6
    await _accessible(page)
    await page.goto(f"{site.url}/supervision")
    await expect(page.locator("[data-conversation-id]")).to_have_count(1)
    await _accessible(page)
    other = await site.message(shop, contact="Carla")
    await site.hand_off(shop, other, "quer pagar")  # it comes by itself
    await expect(page.locator("[data-conversation-id]")).to_have_count(2, timeout=PATIENCE)
    row = page.locator(f'[data-conversation-id="{other}"]')
    await row.locator("select").select_option(str(shop.user_id))
    await row.get_by_role("button", name="Atribuir").click()
    await expect(row).to_contain_text("Ana", timeout=PATIENCE)


async def _accessible(page: Page) -> None:
    found: Any = await Axe().run(page)
    serious = [one for one in found.response["violations"] if one["impact"] in {"serious", "critical"}]
    assert serious == [], [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in serious]
