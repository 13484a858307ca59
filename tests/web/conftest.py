"""Fixtures of the web tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser

from store.database import Database
from tests.database import Number
from tests.web.demo import running_browser
from tests.web.site import Site, csrf_token, running_site


@pytest.fixture
async def site(db: Database, owner_dsn: str) -> AsyncIterator[Site]:
    """The application, served over a fresh database."""
    async with running_site(db, owner_dsn) as running:
        yield running


@pytest.fixture
async def shop(site: Site) -> Number:
    """The tenant ``shop``."""
    return await site.number()


@pytest.fixture
async def operator(site: Site, shop: Number) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which the operator of the tenant ``shop`` is signed in; its requests are htmx's."""
    async with site.client() as client:
        assert (await site.sign_in(client)).status_code == 303
        client.headers["X-CSRF-Token"] = csrf_token((await client.get("/inbox")).text)
        client.headers["HX-Request"] = "true"
        yield client


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium for the stories of a module."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium is installed")
    async with running_browser(found) as running:
        yield running
