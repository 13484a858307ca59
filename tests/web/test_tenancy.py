"""Lists hold what is the own tenant's. What routes do with another tenant's ids: test_twin_tenants."""

from __future__ import annotations

import httpx

from tests.database import Number
from tests.web.site import Site

OWN = {"/inbox", "/inbox/list", "/demo"}
"""Routes that show the visitor's own conversations without naming anything."""
NUMBERS = {"/numbers", "/numbers/list", "/policy", "/policy/content"}
"""Likewise, about numbers."""


async def test_that_lists_hold_only_the_own_tenants_conversations(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    await site.message(await site.number("other"), "segredo")
    await site.message(shop, "nosso")
    for path in sorted(OWN):
        page = (await operator.get(path)).text
        assert "nosso" in page
        assert "segredo" not in page


async def test_that_the_numbers_page_holds_only_the_own_tenants_numbers(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    other = await site.number("other")
    for path in sorted(NUMBERS):
        page = (await operator.get(path)).text
        assert str(shop.session_id) in page
        assert str(other.session_id) not in page
