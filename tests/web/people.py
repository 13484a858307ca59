"""Browsers of people with a role, for tests of pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx

from tests.database import Number
from tests.web.site import Site, csrf_token


async def become(site: Site, number: Number, role: str) -> None:
    """Give the tenant's person this role."""
    owner = await asyncpg.connect(site.owner_dsn)
    try:
        await owner.execute("SELECT gate.put_member($1, $2, $3)", number.tenant_id, number.user_id, role)
    finally:
        await owner.close()


@asynccontextmanager
async def browser(site: Site, slug: str = "shop", language: str = "en") -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which the tenant's person is signed in; its forms carry their token."""
    async with site.client() as client:
        assert (await site.sign_in(client, slug)).status_code == 303
        client.headers["X-CSRF-Token"] = csrf_token((await client.get("/inbox")).text)
        client.cookies.set("atende_language", language)
        yield client
