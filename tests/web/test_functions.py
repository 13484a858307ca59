"""The functions' pages: declared, imported, tried out by a form, trusted and removed; keys go in and never come out."""

from __future__ import annotations

import json
from html import unescape

import httpx

from tests.database import Number
from tests.web.people import become, browser
from tests.web.site import Site

SCHEMA = {
    "type": "object",
    "properties": {"order_number": {"type": "string", "pattern": "^[0-9]{4}$"}, "note": {"type": "string"}},
    "required": ["order_number"],
}
OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "https://shop.example"}],
    "paths": {"/stock/{sku}": {"get": {"operationId": "stock", "summary": "Stock of a product", "parameters": [
        {"name": "sku", "in": "path", "required": True, "schema": {"type": "string"}}]}}},
}  # fmt: skip


def declared(name: str, url: str, effect: str = "read", **more: str) -> dict[str, str]:
    return {
        "name": name,
        "description": "Where an order is",
        "effect": effect,
        "method": "GET" if effect == "read" else "POST",
        "url": url,
        "parameters": json.dumps(SCHEMA),
        **more,
    }


async def answered(admin: httpx.AsyncClient, name: str, **values: str) -> tuple[int, str]:
    answer = await admin.post(f"/functions/{name}/try", data={f"arg/{key}": value for key, value in values.items()})
    return answer.status_code, unescape(answer.text)


async def test_that_a_function_is_declared_and_tried_out_by_its_form(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    own = site.url.removeprefix("http://")
    async with browser(site) as admin:
        keyed = {"credential": "header", "credential_name": "X-Key", "secret": "shop-key"}
        made = await admin.post("/functions/new", data=declared("order_status", f"http://{own}/healthz", **keyed))
        assert made.status_code == 303, made.text
        page = unescape((await admin.get("/functions")).text)
        assert "Missing" in page
        await admin.post("/functions/secrets", data={"name": "shop-key", "value": "very secret"})
        page = unescape((await admin.get("/functions")).text)
        assert "shop-key" in page
        assert "very secret" not in page
        status, page = await answered(admin, "order_status", order_number="12")
        assert (status, "This is not in the expected form" in page) == (422, True)
        assert 'value="12"' in page
        # The address is private, and nobody allowed it: the call fails, and the page says so.
        status, page = await answered(admin, "order_status", order_number="1024")
        assert status == 200
        assert "no_effect" in page
        async with site.db.transaction(shop.tenant_id) as tx:
            await tx.execute("INSERT INTO allowed_host (tenant_id, host) VALUES ($1, $2)", shop.tenant_id, own)
        status, page = await answered(admin, "order_status", order_number="1024")
        assert '"status": "ok"' in page
        assert " ms" in page


async def test_that_a_write_only_shows_what_it_would_send_until_somebody_confirms(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        keyed = {"credential": "bearer", "secret": "shop-key"}
        await admin.post("/functions/new", data=declared("cancel", "https://shop.example/cancel", "write", **keyed))
        status, page = await answered(admin, "cancel", order_number="1024", note="too late")
        assert status == 200
        assert "This would be sent; nothing was" in page
        assert "POST https://shop.example/cancel" in page
        assert '"order_number":"1024"' in page.replace(" ", "")
        assert "Bearer ******" in page
        assert 'name="really"' in page
        assert "A person approves each call." in page
        await admin.post("/functions/cancel/trust", data={"value": "yes"})
        assert "It acts without approval." in unescape((await admin.get("/functions/cancel")).text)
        await admin.post("/functions/cancel/identity", data={"value": "yes"})
        assert "Needs identity" in (await admin.get("/functions")).text
        assert (await admin.post("/functions/cancel/explode")).status_code == 404
        assert (await admin.post("/functions/cancel/remove")).status_code == 303
        assert (await admin.get("/functions/cancel")).status_code == 404


async def test_that_descriptions_are_imported_and_what_is_none_is_refused(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        done = unescape((await admin.post("/functions/import", data={"pasted": json.dumps(OPENAPI)})).text)
        assert "/functions/stock" in done
        again = unescape((await admin.post("/functions/import", files={"file": ("a.json", json.dumps(OPENAPI))})).text)
        assert "Unchanged:" in again
        for wrong in ({"pasted": ""}, {"pasted": "{"}, {"pasted": '{"swagger": "2.0"}'}, {"address": "ftp://x"}):
            assert (await admin.post("/functions/import", data=wrong)).status_code == 422
        assert (await admin.post("/functions/mcp", data={"url": "stdio:rm"})).status_code == 422
        for entered in (declared("Bad Name", "https://x.example"), declared("a", "x"), declared("a", "https://x/{id}")):
            refused = await admin.post("/functions/new", data=entered)
            assert refused.status_code == 422
            assert "Where an order is" in refused.text
        broken = await admin.post("/functions/new", data={**declared("a", "https://x.example"), "parameters": "{"})
        assert broken.status_code == 422


async def test_that_others_only_look_and_other_tenants_see_nothing(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        await admin.post("/functions/new", data=declared("order_status", "https://shop.example/o"))
    await become(site, shop, "operator")
    async with browser(site) as operator:
        assert "order_status" in (await operator.get("/functions")).text
        assert 'name="arg/order_number"' not in (await operator.get("/functions/order_status")).text
        for path in ("new", "import", "mcp", "secrets", "secrets/remove", "order_status/try", "order_status/remove"):
            assert (await operator.post(f"/functions/{path}", data={"name": "x", "value": "y"})).status_code == 403
    other = await site.number("other")
    await become(site, other, "admin")
    async with browser(site, "other") as stranger:
        assert "order_status" not in (await stranger.get("/functions")).text
        assert (await stranger.get("/functions/order_status")).status_code == 404
        for path in ("try", "trust", "remove"):
            assert (await stranger.post(f"/functions/order_status/{path}")).status_code == 404
