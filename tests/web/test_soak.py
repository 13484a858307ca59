"""A working day in one tab leaves nothing behind: a slice of it here, the whole of it in bench/desk.py --soak."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.web.operators import World, world
from tests.web.page_memory import PER_EVENT, held, tools_of, work
from tests.web.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SEED = 7
EVENTS = 60
_LEAK = """() => {
    window.kept = [];
    document.addEventListener("atende:event", () => {
        const part = document.createElement("article");
        part.innerHTML = "<p><b>1</b></p>".repeat(20);
        for (const kind of ["click", "focus"]) part.addEventListener(kind, () => part.remove());
        window.kept.push(part, Array.from({ length: 4000 }, Math.random));
    });
}"""
"""What a page that forgets nothing does: each event's element, its listener and its data stay."""


@pytest.fixture
async def desk(site: Site, browser: Browser) -> AsyncIterator[World]:
    async with world(site, browser) as made:
        yield made


async def test_that_events_openings_and_replies_leave_no_memory_nodes_or_listeners_behind(desk: World) -> None:
    dice = random.Random(SEED)
    conversations = [await desk.site.message(desk.number, "Oi!", f"Cliente {n}") for n in range(6)]
    quiet = await desk.site.message(desk.number, "Oi!", "Quem não escreve mais")
    page = await desk.open(await desk.browse(), quiet)
    tools = await tools_of(page)
    await work(desk, page, conversations, dice, EVENTS)  # fills caches
    warm = await held(page, tools, quiet)
    await work(desk, page, conversations, dice, 2 * EVENTS)
    worked = await held(page, tools, quiet)
    assert worked.grown(warm, 2 * EVENTS) == {}, (SEED, warm, worked)
    await page.evaluate(_LEAK)  # the measure itself: what would be kept of each event shows
    await work(desk, page, conversations, dice, EVENTS)
    leaked = await held(page, tools, quiet)
    assert set(leaked.grown(worked, EVENTS)) == set(PER_EVENT), (SEED, worked, leaked)
