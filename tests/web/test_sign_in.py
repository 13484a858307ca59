"""Signing in, and what protects those who did."""

from __future__ import annotations

import httpx
import pytest

from tests.database import Number
from tests.web.site import PASSWORD, Site, csrf_token


async def test_that_the_right_password_leads_to_the_inbox(site: Site) -> None:
    await site.number()
    async with site.client() as client:
        answer = await site.sign_in(client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/inbox")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "Ana" in (await client.get("/inbox")).text


@pytest.mark.parametrize(("email", "password"), [("ana@shop.example", "wrong"), ("nobody@shop.example", PASSWORD)])
async def test_that_a_wrong_name_and_a_wrong_password_look_alike(site: Site, email: str, password: str) -> None:
    await site.number()
    async with site.client(**{"Accept-Language": "pt-BR"}) as client:
        answer = await client.post("/login", data={"email": email, "password": password})
    assert answer.status_code == 401
    assert "E-mail ou senha incorretos" in answer.text
    assert "set-cookie" not in answer.headers


async def test_that_guessing_is_slowed_down(site: Site) -> None:
    await site.number()
    async with site.client() as client:
        attempts = [await site.sign_in(client, password=f"guess {n}") for n in range(5)]
        assert [attempt.status_code for attempt in attempts] == [401] * 5
        assert (await site.sign_in(client)).status_code == 429


async def test_that_nobody_enters_without_a_sign_in(site: Site) -> None:
    async with site.client() as client:
        client.cookies.set("atende", "made up", domain="127.0.0.1")
        answer = await client.get("/inbox?view=mine")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/inbox")
        fragment = await client.get("/inbox/list", headers={"HX-Request": "true"})
        assert (fragment.status_code, fragment.headers["hx-redirect"]) == (401, "/login")
        program = await client.get("/inbox", headers={"Accept": "application/json"})
        assert (program.status_code, program.headers["content-type"]) == (401, "application/problem+json")


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_that_signing_in_never_leads_to_another_site(site: Site, target: str) -> None:
    await site.number()
    async with site.client() as client:
        data = {"email": "ana@shop.example", "password": PASSWORD, "next": target}
        assert (await client.post("/login", data=data)).headers["location"] == "/inbox"


async def test_that_signing_out_ends_the_sign_in_at_once(site: Site, operator: httpx.AsyncClient) -> None:
    stolen = dict(operator.cookies)
    assert (await operator.post("/logout")).status_code == 303
    async with site.client() as other:
        other.cookies.update(stolen)
        assert (await other.get("/inbox")).headers["location"].startswith("/login")


async def test_that_a_change_without_the_form_token_is_refused(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    del operator.headers["X-CSRF-Token"]
    assert (await operator.post(f"/inbox/{conversation}/claim")).status_code == 403
    assert (await operator.post(f"/inbox/{conversation}/claim", data={"csrf_token": "AAAA"})).status_code == 403


async def test_that_another_sign_in_has_another_form_token(
    site: Site, operator: httpx.AsyncClient, shop: Number
) -> None:
    conversation = await site.message(shop)
    async with site.client() as other:
        await site.sign_in(other)
        foreign = csrf_token((await other.get("/inbox")).text)
    assert (await operator.post(f"/inbox/{conversation}/claim", headers={"X-CSRF-Token": foreign})).status_code == 403
    assert (await operator.post(f"/inbox/{conversation}/claim")).status_code == 200


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_that_another_sites_page_changes_nothing(
    site: Site, operator: httpx.AsyncClient, shop: Number, header: dict[str, str]
) -> None:
    conversation = await site.message(shop)
    assert (await operator.post(f"/inbox/{conversation}/claim", headers=header)).status_code == 403
    login = {"email": "ana@shop.example", "password": PASSWORD}
    assert (await operator.post("/login", data=login, headers=header)).status_code == 403


@pytest.mark.parametrize("path", ["/login", "/api/v1/auth/token"])
async def test_that_a_name_that_no_database_can_keep_is_refused_and_not_stumbled_over(site: Site, path: str) -> None:
    async with site.client(Accept="application/json") as client:
        what = {"email": "ana\x00@shop.example", "password": PASSWORD}
        answer = await client.post(path, **({"data": what} if path == "/login" else {"json": what}))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    assert "NUL" in answer.json()["detail"]
