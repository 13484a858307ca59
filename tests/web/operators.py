"""Operators at their desks in real browsers, for stories: a site, a Chromium, people signed in, and what goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, expect

from domain.decisions import Reason, Source, Suggest
from flows import decisions
from store.wakeup import EVENTS
from tests.database import Number
from tests.web.site import _CHEAP, PASSWORD, Site

PATIENCE = 60_000
"""Milliseconds, on a busy machine."""
PICTURES = Path(__file__).parents[2] / "screenshots"
NETWORK = ("net::", "WebSocket", "Failed to load resource")
"""What the browser itself says of a network or server that is away."""


@dataclass
class World:
    """One tenant with its conversation, and the people who look at it."""

    site: Site
    number: Number
    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def colleague(self, name: str = "Rui") -> str:
        """Another operator of the tenant; gives the e-mail address."""
        email = f"{name.lower()}@shop.example"
        owner = await asyncpg.connect(self.site.owner_dsn)
        try:
            user = await owner.fetchval("SELECT gate.put_user($1, $2, $3, 'pt')", email, name, _CHEAP.hash(PASSWORD))
            await owner.execute("SELECT gate.put_member($1, $2, 'operator')", self.number.tenant_id, user)
        finally:
            await owner.close()
        return email

    async def browse(self, email: str = "ana@shop.example", *, width: int = 1400) -> BrowserContext:
        """A browser of somebody who is signed in."""
        context = await self.browser.new_context(
            locale="pt-BR", viewport={"width": width, "height": 880}, base_url=self.site.url
        )
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        await self.sign_in(context, email)
        return context

    async def sign_in(self, context: BrowserContext, email: str = "ana@shop.example") -> None:
        answer = await context.request.post("/login", form={"email": email, "password": PASSWORD}, max_redirects=0)
        assert answer.status == 303

    async def open(self, context: BrowserContext, conversation: UUID, *, is_ready: bool = True) -> Page:
        """The conversation's page, listening; whatever it complains about fails the story."""
        page = await context.new_page()
        page.on("console", lambda message: self._heard(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(f"/inbox/{conversation}")
        if is_ready:
            await expect(page.locator("body[data-connected]")).to_be_visible(timeout=PATIENCE)
        return page

    def _heard(self, text: str) -> None:
        if not any(words in text for words in NETWORK):
            self.complaints.append(text)

    async def sent(self, conversation: UUID) -> list[str]:
        """What operators have sent, in order."""
        async with self.site.db.transaction(self.number.tenant_id) as tx:
            rows = await tx.fetch(
                "SELECT text FROM message WHERE conversation_id = $1 AND author = 'operator' ORDER BY id", conversation
            )
        return [row["text"] for row in rows]

    async def suggestion(self, conversation: UUID, text: str, *, confidence: float = 0.93) -> UUID:
        """A suggestion of a turn, with its sources and reasons."""
        decision = Suggest(
            text,
            (Reason("knowledge", "Trocas"), Reason("reply_mode", "suggest: default")),
            (Source("knowledge", "trocas#1", "Trocas e devoluções", 0.91),),
        )
        async with self.site.db.transaction(self.number.tenant_id) as tx:
            turn = await tx.fetchval(
                "INSERT INTO turn (tenant_id, conversation_id, status, intent, confidence, decision, upto_message_id, "
                "answered_before) SELECT $1, $2, 'decided', 'exchange', $3, $4, max(id), 0 FROM message "
                "WHERE conversation_id = $2 RETURNING id",
                self.number.tenant_id,
                conversation,
                confidence,
                _plain(decision),
            )
            found: UUID = await self._suggest(tx, conversation, text, turn)
        self.wake()
        return found

    async def _suggest(self, tx: Any, conversation: UUID, text: str, turn: UUID | None, **more: Any) -> UUID:
        return await decisions.suggest(tx, self.number.tenant_id, conversation, text, turn_id=turn, **more)

    async def proposal(self, conversation: UUID, text: str, origin: str) -> UUID:
        """A suggestion of a program."""
        explanation = {"confidence": 0.6, "reasons": [{"code": "look_twice", "detail": "estoque de ontem"}]}
        async with self.site.db.transaction(self.number.tenant_id) as tx:
            found = await self._suggest(tx, conversation, text, None, origin=origin, explanation=explanation)
        self.wake()
        return found

    def wake(self) -> None:
        self.site.wakeup.signal(EVENTS)

    async def one(self, sql: str, *arguments: Any) -> Any:
        """A row of the tenant."""
        async with self.site.db.transaction(self.number.tenant_id) as tx:
            return await tx.fetchrow(sql, *arguments)

    async def use_model(self, base_url: str, **settings: Any) -> None:
        """Let the tenant have a language model."""
        async with self.site.db.transaction(self.number.tenant_id) as tx:
            model = {"name": "scripted", "base_url": base_url, "attempts": 1, **settings.pop("model", {})}
            await tx.execute(
                "UPDATE tenant SET settings = settings || $1::jsonb, profile_version = profile_version + 1",
                {"model": model, **settings},
            )

    async def close(self) -> None:
        for context in self.contexts:
            await context.close()


def _plain(decision: Suggest) -> dict[str, Any]:
    return asdict(decision)


async def is_accessible(page: Page, name: str) -> None:
    """No serious violation of WCAG as axe sees it, light and dark; pictures are left for people to look at."""
    PICTURES.mkdir(exist_ok=True)
    found = []
    for scheme in ("dark", "light"):
        # Colours that are still on their way to each other are nobody's.
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        await expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        await page.screenshot(path=PICTURES / f"desk-{name}{'-dark' if scheme == 'dark' else ''}.png")
        results = await Axe().run(page)
        found += [
            (scheme, one["id"], [node["html"][:160] for node in one["nodes"]])
            for one in results.response["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
    assert not found, found


@asynccontextmanager
async def world(site: Site, browser: Browser) -> AsyncIterator[World]:
    """The tenant ``shop`` on a site; afterwards nothing may have been complained about."""
    expect.set_options(timeout=PATIENCE)
    made = World(site, await site.number(), browser)
    try:
        yield made
    finally:
        await made.close()
    assert not made.complaints, made.complaints
