"""A thread that stays open while much is written in it: only what changed is told anew, and the page stays bounded."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, Response, expect

from channels.base import MessageReceived
from domain.messages import Address, AddressKind, MessageKind
from tests.web.operators import World, world
from tests.web.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

_NUMBERS = "(boxes) => boxes.map((box) => Number(box.textContent.trim().split(' ').pop()))"


@pytest.fixture
async def desk(site: Site, browser: Browser) -> AsyncIterator[World]:
    async with world(site, browser) as made:
        yield made


async def test_that_a_new_message_brings_the_thread_s_end_only_and_a_reaction_reaches_an_old_one(desk: World) -> None:
    conversation = await _written(desk, range(30))
    page = await desk.open(await desk.browse(), conversation)
    told: list[Response] = []
    page.on("response", lambda answer: told.append(answer) if answer.url.endswith("/live") else None)
    first = page.locator("#timeline .bubble-row").first
    await first.evaluate("(bubble) => { bubble.dataset.mine = 'yes'; }")
    await _written(desk, [30])
    await expect(page.locator("#timeline .message-text").last).to_have_text("mensagem 30")
    assert await _shown(page) == list(range(31))
    (answer,) = told
    assert (await answer.text()).count("<article") <= 6
    await desk.suggestion(conversation, "Posso ajudar?")  # no message: the thread stays as it is
    await expect(page.locator("[data-suggestion]")).to_be_visible()
    row = await desk.one("SELECT provider_id FROM message ORDER BY id LIMIT 1")
    await _react(desk, row["provider_id"], "👍")
    await expect(first.locator(".reactions")).to_have_text("👍")
    await _react(desk, row["provider_id"], "")
    await expect(first.locator(".reactions")).to_have_count(0)
    assert await _shown(page) == list(range(31))
    await expect(first).not_to_have_attribute("data-mine", "yes")  # it was told anew, as it had changed


async def test_that_a_thread_that_grows_all_day_stays_bounded_and_loses_nothing(desk: World) -> None:
    conversation = await _written(desk, range(60))
    async with desk.site.db.transaction(desk.number.tenant_id) as tx:
        await tx.execute("UPDATE message SET author = 'operator' WHERE text = 'mensagem 5'")
    page = await desk.open(await desk.browse(), conversation)
    for upto in range(60, 460, 40):  # the page takes each of them before the next
        await _written(desk, range(upto, upto + 40))
        await expect(page.locator("#timeline .message-text").last).to_have_text(f"mensagem {upto + 39}")
    shown = await _shown(page)
    assert shown == list(range(shown[0], 460))
    assert 150 <= len(shown) <= 400
    assert await page.locator("#timeline .bubble-row").count() <= 100
    assert await page.locator(".day:visible").count() == 1
    top = page.locator("#thread")
    while shown[0]:
        await top.evaluate("(box) => { box.scrollTop = 0; }")
        await expect(page.locator("#older .message-text").first).not_to_have_text(f"mensagem {shown[0]}")
        shown = await _shown(page)
    assert shown == list(range(460))
    theirs, ours = [
        await page.locator("#older .bubble", has=page.get_by_text(f"mensagem {number}", exact=True)).bounding_box()
        for number in (4, 5)
    ]
    assert theirs
    assert ours
    assert ours["x"] > theirs["x"] + 100  # on the other side, as in what was not loaded later
    assert await page.locator(".day:visible").count() == 1


async def _written(desk: World, numbers: range | list[int]) -> UUID:
    for number in numbers:
        conversation = await desk.site.message(desk.number, f"mensagem {number}")
    return conversation


async def _shown(page: Page) -> list[int]:
    found: list[int] = await page.locator("#older .message-text, #timeline .message-text").evaluate_all(_NUMBERS)
    return found


async def _react(desk: World, provider_id: str, emoji: str) -> None:
    event = MessageReceived(
        provider_id=uuid.uuid4().hex,
        chat=Address(AddressKind.SIMULATOR, "Bruno Lima"),
        sent_at=datetime.now(UTC),
        kind=MessageKind.REACTION,
        text=emoji,
        quoted_provider_id=provider_id,
    )
    await desk.site.inbound.receive(await desk.site.inbound.session(desk.number.session_id), event)
