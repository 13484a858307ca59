"""What a page still holds after its garbage was collected, to see whether working in it makes it grow."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from playwright.async_api import CDPSession, Page, expect

from tests.web.operators import World

LANGUAGE = "Escreva uma mensagem"
PER_EVENT = {"heap_kb": 3.0, "nodes": 2.0, "listeners": 0.5}
"""What may stay behind of one event. What is kept of each (an element, a listener, a fragment's text) is more."""
ONCE = {"heap_kb": 500.0, "nodes": 1500.0, "listeners": 40.0}
"""What may come and go: compiled code, the conversation before this one, which the browser lets go a little later."""


@dataclass(frozen=True)
class Held:
    """Kilobytes of the heap, DOM nodes (detached ones too), listeners."""

    heap_kb: float
    nodes: int
    listeners: int

    def grown(self, before: Held, events: int) -> dict[str, float]:
        """What of it grew by more than ONCE and PER_EVENT, and by how much."""
        grew = {name: getattr(self, name) - getattr(before, name) for name in PER_EVENT}
        return {name: by for name, by in grew.items() if by > ONCE[name] + PER_EVENT[name] * events}


async def tools_of(page: Page) -> CDPSession:
    """What ``held`` measures with."""
    tools = await page.context.new_cdp_session(page)
    await tools.send("HeapProfiler.enable")
    await tools.send("Performance.enable")
    return tools


async def held(page: Page, tools: CDPSession, quiet: UUID) -> Held:
    """With the same short conversation open each time, once nothing is under way any more."""
    await show(page, quiet)
    await expect(page.locator("#unsent article")).to_have_count(0)
    await page.wait_for_load_state("networkidle")
    await page.wait_for_timeout(500)  # what a page does late: settling, and closing its notices
    for _ in range(3):
        await tools.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in (await tools.send("Performance.getMetrics"))["metrics"]}
    return Held(round(found["JSHeapUsedSize"] / 1024, 1), int(found["Nodes"]), int(found["JSEventListeners"]))


async def show(page: Page, conversation: UUID) -> None:
    """Open a conversation as a click in the list does."""
    await page.evaluate(
        "(path) => htmx.ajax('GET', path, { target: '#pane', swap: 'innerHTML' })", f"/inbox/{conversation}"
    )
    # No handle is kept of it: that would keep the element, and be measured.
    await expect(page.locator(f'[data-conversation="{conversation}"]')).to_have_count(1, timeout=60_000)


async def work(world: World, page: Page, conversations: Sequence[UUID], dice: random.Random, events: int) -> None:
    """Customers write to all of them while an operator opens one after the other and answers every second one."""
    for number in range(events):
        await world.site.message(world.number, f"mensagem {number}", f"Cliente {dice.randrange(len(conversations))}")
        if number % 10 == 9:
            await show(page, dice.choice(conversations))
        if number % 20 == 19:
            field = page.get_by_label(LANGUAGE)
            await field.fill(f"resposta {number}")
            await field.press("Control+Enter")
            await expect(page.locator("#unsent article")).to_have_count(0, timeout=60_000)
