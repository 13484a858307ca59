"""Endless scrolling in a browser: a slice of what bench/desk.py --scroll does over 50,000 conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from tests.web.list_scroll import drag, fill, forget, in_order, walk, watch
from tests.web.operators import World, world
from tests.web.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CONVERSATIONS = 800


@pytest.fixture
async def desk(site: Site, browser: Browser) -> AsyncIterator[World]:
    async with world(site, browser) as made:
        yield made


async def test_that_scrolling_down_and_up_shows_every_line_once_in_place_and_holds_only_some(desk: World) -> None:
    await fill(desk.site.owner_dsn, desk.number, CONVERSATIONS)
    wanted = await in_order(desk.site.owner_dsn, desk.number)
    page = await (await desk.browse()).new_page()
    await page.goto("/inbox?view=all")
    await expect(page.locator("body[data-connected]")).to_be_visible()
    await page.locator("[data-open]").first.focus()  # somebody who scrolls away from a line that has the keyboard
    await watch(page)
    down = await walk(page, pixels=500, upto=CONVERSATIONS)
    assert (down.seen, down.broken) == (wanted, [])
    assert down.most <= 320
    assert down.jump <= 1
    middle = await drag(page, 0.4)
    assert middle == wanted[wanted.index(middle[0]) :][: len(middle)]
    assert 200 < wanted.index(middle[0]) < 440
    await forget(page)
    up = await walk(page, pixels=-500, upto=CONVERSATIONS)
    assert sorted(up.seen, key=wanted.index) == wanted[: len(up.seen)]
    assert len(up.seen) > wanted.index(middle[0]) - 10
    assert up.broken == []
    assert up.jump <= 1
    await desk.site.message(desk.number, "Oi!", "Agora mesmo")  # at the top again, where what is new comes in
    await expect(page.locator("[data-row]").first).to_contain_text("Agora mesmo")
