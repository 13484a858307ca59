"""A running inbox for browser stories: one server in a thread of its own and one Chromium, shared by a module."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import APIRouter
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from flows.approvals import Approvals
from flows.attachments import Attachments, Offers
from flows.desk import Actor, Desk
from flows.desk_acts import DeskActs
from flows.media import MediaFiles
from store.database import Database, Row
from store.embedded import EmbeddedPostgres
from store.media import MediaFolder
from store.wakeup import EVENTS
from tests.database import Number, new_database, opened
from tests.web.demo import CHROMIUM_ARGUMENTS
from tests.web.site import PASSWORD, Site, running_site
from web.media import media_router

PATIENCE = 60_000
"""Milliseconds that a browser waits for what must come: a busy machine."""
_SCREENSHOTS = Path("screenshots")
_MAY_BE_SAID = ("Failed to load resource", "net::ERR_INTERNET_DISCONNECTED")
Result = TypeVar("Result")


@dataclass
class Shop:
    """A tenant of one story."""

    world: World
    number: Number
    slug: str

    def message(self, text: str = "Oi!", contact: str = "Bruno Lima") -> UUID:
        """A customer writes; returns the conversation."""
        return self.world.do(self.world.site.message(self.number, text, contact))

    def actor(self) -> Actor:
        return Actor(self.number.tenant_id, self.number.user_id, "Ana")

    def fetch(self, statement: str, *values: Any) -> list[Row]:
        async def read() -> list[Row]:
            async with self.world.site.db.transaction(self.number.tenant_id) as tx:
                return list(await tx.fetch(statement, *values))

        return self.world.do(read())

    def execute(self, statement: str, *values: Any) -> None:
        """Change rows, and let the pages know."""

        async def write() -> None:
            async with self.world.site.db.transaction(self.number.tenant_id) as tx:
                await tx.execute(statement, *values)
            self.world.site.wakeup.signal(EVENTS)

        self.world.do(write())

    def hand_off(self, conversation_id: UUID, summary: str = "Quer uma pessoa.") -> None:
        self.world.do(self.world.site.hand_off(self.number, conversation_id, summary))

    def suggestion(self, conversation_id: UUID, text: str) -> UUID:
        return self.world.do(self.world.site.suggestion(self.number, conversation_id, text))

    def colleague(self, name: str, role: str = "operator") -> str:
        """Another person of the business; returns the address to sign in with."""
        email = f"{name.lower()}@{self.slug}.example"

        async def make() -> None:
            owner = await asyncpg.connect(self.world.site.owner_dsn)
            try:
                hashed = await owner.fetchval(
                    "SELECT password_hash FROM user_account WHERE id = $1", self.number.user_id
                )
                user = await owner.fetchval("SELECT gate.put_user($1, $2, $3, 'pt')", email, name, hashed)
                await owner.execute("SELECT gate.put_member($1, $2, $3)", self.number.tenant_id, user, role)
            finally:
                await owner.close()

        self.world.do(make())
        return email


@dataclass
class World:
    """The server, the browser, and what of both must be looked at or closed."""

    site: Site
    browser: Browser
    loop: asyncio.AbstractEventLoop
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)
    count: int = 0

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    @property
    def desk(self) -> Desk:
        return Desk(self.site.db, self.site.wakeup, Approvals(self.site.db, self.site.wakeup))

    @property
    def acts(self) -> DeskActs:
        return DeskActs(self.site.db, self.site.wakeup)

    def shop(self) -> Shop:
        """A tenant that no other story knows."""
        self.count += 1
        slug = f"shop{self.count}"
        return Shop(self, self.do(self.site.number(slug)), slug)

    def page(self, shop: Shop, path: str = "/inbox", email: str | None = None, **context: Any) -> Page:
        """A browser of its own, signed in; ``email`` None: Ana."""
        made = self.browser.new_context(
            **{"locale": "pt-BR", "viewport": {"width": 1440, "height": 900}, "base_url": self.site.url} | context
        )
        made.set_default_timeout(PATIENCE)
        self.contexts.append(made)
        page = made.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        made.request.post(
            "/login", form={"email": email or f"ana@{shop.slug}.example", "password": PASSWORD}, max_redirects=0
        )
        page.goto(path)
        expect(page.locator("body[data-connected]")).to_be_visible(timeout=PATIENCE)
        return page

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_MAY_BE_SAID):
            self.complaints.append(message.text)


@contextmanager
def running_world(postgres: EmbeddedPostgres) -> Iterator[World]:
    """Everything that the stories of a module share."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium is installed")
    with new_database(postgres) as dsn, _served(dsn) as (site, loop), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGUMENTS)
        expect.set_options(timeout=PATIENCE)
        try:
            yield World(site, browser, loop)
        finally:
            browser.close()


def _files(db: Database, folder: Path) -> APIRouter:
    media = MediaFolder(folder)
    return media_router(media, Attachments(db, MediaFiles(db, media), Offers({})))


@contextmanager
def _served(dsn: str) -> Iterator[tuple[Site, asyncio.AbstractEventLoop]]:
    loop = asyncio.new_event_loop()
    ready: Future[Site] = Future()
    stop = asyncio.Event()

    async def serve() -> None:
        with tempfile.TemporaryDirectory(prefix="atende-media-") as folder:
            async with opened(dsn) as db, running_site(db, dsn, _files(db, Path(folder))) as site:
                ready.set_result(site)
                await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield ready.result(120), loop
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)


def check_accessible(page: Page) -> None:
    """No serious fault by axe, light and dark."""
    serious = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        assert page.evaluate("document.getAnimations().length") == 0, "something moves though the person asked for less"
        serious += [
            (scheme, one["id"], [node["target"] for node in one["nodes"]][:4])
            for one in Axe().run(page).response["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
    assert not serious, serious


def picture(page: Page, name: str) -> None:
    """For people to look at."""
    _SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=_SCREENSHOTS / f"desk-{name}.png")


def open_conversation(page: Page, name: str) -> None:
    """Click the contact's line in the list."""
    page.locator("[data-row]", has_text=name).locator("[data-open]").click()
    expect(page.locator("#head .head-name")).to_have_text(name)


@pytest.fixture(scope="module")
def shared(migrated: EmbeddedPostgres) -> Iterator[World]:
    """One server and one browser for all stories of a module, which imports the fixtures that it wants."""
    with running_world(migrated) as world:
        yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """The shared world, with nothing left of the story when it ends and nothing that a browser complained about."""
    yield shared
    for context in shared.contexts:
        context.close()
    shared.contexts.clear()
    complaints, shared.complaints = shared.complaints, []
    assert complaints == []


@pytest.fixture
def shop(world: World) -> Shop:
    """A tenant that no other story knows."""
    return world.shop()
