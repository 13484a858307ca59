"""Scrolling through a list of very many conversations in a browser: what a reader sees of it, line by line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import asyncpg
from playwright.async_api import Page, expect

from tests.database import Number

_FILL = (
    """INSERT INTO contact (id, tenant_id, name)
       SELECT md5($1::uuid::text || n)::uuid, $1, 'Cliente ' || n FROM generate_series(0, $2::int - 1) n""",
    """INSERT INTO contact_address (tenant_id, kind, value, contact_id)
       SELECT $1, 'simulator', 'cliente ' || n, md5($1::uuid::text || n)::uuid
         FROM generate_series(0, $2::int - 1) n""",
    """INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address, status, unread, priority, labels,
                                 last_message_at, waiting_since, last_preview)
       SELECT $1, $3, md5($1::uuid::text || n)::uuid, 'simulator:cliente ' || n,
              CASE WHEN n % 3 = 0 THEN 'waiting' ELSE 'bot' END, n % 4, n % 4 - 1,
              CASE WHEN n % 5 = 0 THEN '["vip", "troca", "atacado e varejo"]'::jsonb ELSE '[]' END,
              now() - interval '1 hour' - (n / 3) * interval '1 minute',
              CASE WHEN n % 3 = 0 THEN now() - interval '2 hours' END, 'quero saber do pedido ' || n
         FROM generate_series(0, $2::int - 1) n""",
)
"""Three in a row came in the same moment, and not all lines are of one height."""
_WATCH = """() => {
    const box = document.querySelector('[data-scroller]');
    window.walk = { seen: [], known: new Set(), most: 0, jump: 0, frames: [], broken: [] };
    const lines = () => [...box.querySelectorAll('[data-row]')];
    const look = () => {
        const { top, bottom } = box.getBoundingClientRect();
        const all = lines(), ids = all.map((line) => line.dataset.row);
        walk.most = Math.max(walk.most, all.length);
        if (new Set(ids).size !== ids.length) walk.broken.push('a line is there twice');
        for (const line of all) {
            const place = line.getBoundingClientRect();
            if (place.bottom <= top || place.top >= bottom || walk.known.has(line.dataset.row)) continue;
            walk.known.add(line.dataset.row);
            walk.seen.push(line.dataset.row);
        }
    };
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    /** The line in the middle of what is seen, and where it stands. */
    const held = () => {
        const { top, bottom } = box.getBoundingClientRect();
        const placed = lines().map((line) => [line, line.getBoundingClientRect().top]);
        return placed.find(([, at]) => at > (top + bottom) / 2);
    };
    /** Scroll by so many pixels; once the list is at rest again, whatever was seen must stand where it stood. */
    walk.step = async (by) => {
        const before = box.scrollTop;
        box.scrollTop += by;
        await frame();
        look();
        const [line, at] = held() ?? [];
        for (let calm = 0, last = performance.now(); calm < 2;) {
            await frame();
            const now = performance.now();
            walk.frames.push(now - last);
            last = now;
            calm = atende.list.isLoading() ? 0 : calm + 1;
            if (line?.isConnected) walk.jump = Math.max(walk.jump, Math.abs(line.getBoundingClientRect().top - at));
            else if (line) walk.broken.push('a line that was seen went away');
        }
        look();
        return box.scrollTop !== before;
    };
    walk.on = async (by, upto) => {
        while (walk.seen.length < upto && await walk.step(by));
        return walk.seen.length;
    };
    look();
}"""


@dataclass(frozen=True)
class Walk:
    """What was seen on the way. ``seen``: the conversations in the order in which they came into sight; ``most``: lines
    that were on the page at once; ``jump``: pixels by which a line that was seen moved by itself; ``frames_ms``: a
    frame's time at the median, the 99th percentile and at most; ``broken``: what must not be."""

    seen: list[str]
    most: int
    jump: float
    frames_ms: tuple[float, float, float]
    broken: list[str]

    def told(self) -> dict[str, Any]:
        """Without the conversations, but how many they were."""
        return {**asdict(self), "seen": len(self.seen)}


async def fill(owner_dsn: str, number: Number, conversations: int) -> None:
    """So many conversations that nobody has closed."""
    owner = await asyncpg.connect(owner_dsn)
    try:
        contacts, addresses, filled = _FILL
        await owner.execute(contacts, number.tenant_id, conversations)
        await owner.execute(addresses, number.tenant_id, conversations)
        await owner.execute(filled, number.tenant_id, conversations, number.session_id)
        await owner.execute("VACUUM ANALYZE conversation, contact, contact_address")
    finally:
        await owner.close()


async def in_order(owner_dsn: str, number: Number) -> list[str]:
    """The conversations as the list has them: the latest first."""
    owner = await asyncpg.connect(owner_dsn)
    try:
        rows = await owner.fetch(
            "SELECT id FROM conversation WHERE tenant_id = $1 ORDER BY last_message_at DESC, id DESC", number.tenant_id
        )
    finally:
        await owner.close()
    return [str(row["id"]) for row in rows]


async def watch(page: Page) -> None:
    """Begin to note what is seen of the list."""
    await expect(page.locator("[data-row]").first).to_be_visible()
    await page.evaluate(_WATCH)


async def walk(page: Page, *, pixels: int, upto: int) -> Walk:
    """Scroll on by so many pixels (upwards: less than 0) until so many were seen since ``watch`` or ``forget``."""
    await page.evaluate("([by, upto]) => walk.on(by, upto)", [pixels, upto])
    found = await page.evaluate("() => ({ ...walk, known: null, step: null, on: null })")
    frames = sorted(found["frames"]) or [0.0]
    at = (frames[len(frames) // 2], frames[min(len(frames) - 1, int(len(frames) * 0.99))], frames[-1])
    return Walk(found["seen"], found["most"], round(found["jump"], 1), at, found["broken"])


async def forget(page: Page) -> None:
    """What was seen so far."""
    await page.evaluate("() => { Object.assign(walk, { seen: [], known: new Set(), frames: [], jump: 0, most: 0 }); }")


async def drag(page: Page, share: float) -> list[str]:
    """Pull the bar to this share of the list's height; gives the lines that are seen once there are some."""
    scrolled = "(share) => { const box = document.querySelector('#rows'); box.scrollTop = share * box.scrollHeight; }"
    await page.evaluate(scrolled, share)
    seen = """() => {
        const { top, bottom } = document.querySelector('[data-scroller]').getBoundingClientRect();
        const lines = [...document.querySelectorAll('[data-row]')].filter((line) => {
            const place = line.getBoundingClientRect();
            return place.bottom > top + 4 && place.top < bottom - 4;
        });
        return !atende.list.isLoading() && lines.length >= 3 ? lines.map((line) => line.dataset.row) : null;
    }"""
    handle = await page.wait_for_function(seen)
    found: list[str] = await handle.json_value()
    return found
