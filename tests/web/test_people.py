"""The administrators' pages of people and teams, against the real server: what they show, refuse, and tell."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from uuid import uuid4

import httpx
import pytest

from flows.administration import Administration
from flows.platform import Platform
from tests.database import Number
from tests.web.administrators import promoted
from tests.web.site import PASSWORD, Site, csrf_token

PAGES = (
    "/people",
    "/teams",
    "/settings/hours",
    "/settings/replies",
    "/settings/budgets",
    "/settings/targets",
    "/settings/keys",
    "/audit",
    "/notifications",
    "/leads",
    "/tasks",
)
FOR_OPERATORS = {
    "/settings/hours",
    "/settings/replies",
    "/settings/budgets",
    "/settings/targets",
    "/notifications",
    "/leads",
    "/tasks",
}
NEW_PASSWORD = "uma frase longa e minha"


@pytest.fixture
async def admin(site: Site, shop: Number, operator: httpx.AsyncClient) -> httpx.AsyncClient:
    """The operator's browser, promoted."""
    await promoted(site, shop)
    return operator


@pytest.fixture
async def stranger(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is signed in nowhere."""
    async with site.client() as client:
        yield client


async def test_that_every_page_opens_in_every_language_for_whom_it_concerns(
    site: Site, admin: httpx.AsyncClient, shop: Number
) -> None:
    await site.message(shop, "quanto custa?")
    for language in ("pt", "es", "en"):
        admin.cookies.set("atende_language", language)
        for path in PAGES:
            whole = await admin.get(path, headers={"HX-Request": "false"})
            assert whole.status_code == 200, path
            assert 'id="content"' in whole.text
            assert "<html" not in (await admin.get(path)).text
    await promoted(site, shop, "operator")
    for path in PAGES:
        assert (await admin.get(path)).status_code == (200 if path in FOR_OPERATORS else 403), path
    await promoted(site, shop, "prompt_engineer")
    for path in PAGES:
        assert (await admin.get(path)).status_code == 403, path


async def test_that_an_invited_person_joins_once_with_a_password_of_the_own(
    site: Site, admin: httpx.AsyncClient, stranger: httpx.AsyncClient, shop: Number
) -> None:
    await admin.post("/teams", data={"name": "Vendas"})
    async with site.db.transaction(shop.tenant_id) as tx:
        team = await tx.fetchval("SELECT id FROM team")
    wish = {"name": "Bia", "email": "Bia@Shop.example", "role": "manager", "reach": "team", "teams": str(team)}
    path = _link((await admin.post("/people", data=wish)).text)
    page = await stranger.get(path)
    assert page.status_code == 200
    assert "bia@shop.example" in page.text
    for password, again, said in (
        ("curta", "curta", "pelo menos 10"),
        (NEW_PASSWORD, "outra", "diferentes"),
        ("1234567890", "1234567890", "fácil demais"),
        ("bia@shop.example", "bia@shop.example", "fácil demais"),
    ):
        refused = await stranger.post(path, data={"name": "Bia", "password": password, "again": again})
        assert refused.status_code == 422
        assert said in refused.text
    done = await stranger.post(path, data={"name": "Bia Reis", "password": NEW_PASSWORD, "again": NEW_PASSWORD})
    assert done.status_code == 200
    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.post(path, data={"name": "x", "password": NEW_PASSWORD})).status_code == 404
    signed = await stranger.post("/login", data={"email": "bia@shop.example", "password": NEW_PASSWORD})
    assert signed.status_code == 303
    people = unescape((await admin.get("/people")).text)
    assert "Bia Reis" in people
    assert "Vendas" in people
    async with site.db.transaction(shop.tenant_id) as tx:
        row = await tx.fetchrow("SELECT role, reach FROM membership WHERE user_id <> $1", shop.user_id)
        kinds = {found["kind"] for found in await tx.fetch("SELECT kind FROM event")}
    assert tuple(row) == ("manager", "team")
    assert {"invitation.created", "person.joined", "team.created"} <= kinds


async def test_that_no_link_of_one_business_sets_the_password_of_who_works_for_another(
    site: Site, admin: httpx.AsyncClient, stranger: httpx.AsyncClient, shop: Number
) -> None:
    await site.number("other")
    wish = {"name": "Ana", "email": "ana@other.example", "role": "operator", "reach": "all"}
    path = _link((await admin.post("/people", data=wish)).text)
    wrong = await stranger.post(path, data={"name": "Ana", "password": NEW_PASSWORD, "again": NEW_PASSWORD})
    assert wrong.status_code == 422
    assert (await stranger.post(path, data={"password": PASSWORD})).status_code == 200
    assert (await site.sign_in(stranger, "other")).status_code == 303
    people = (await admin.get("/people")).text
    users = set(re.findall(r'href="/people/([0-9a-f-]{36})"', people)) - {str(shop.user_id)}
    # She works for another business, too: no link of this one changes her password.
    path = _link((await admin.post(f"/people/{users.pop()}/password-link")).text)
    refused = await stranger.post(path, data={"password": NEW_PASSWORD, "again": NEW_PASSWORD})
    assert refused.status_code == 422
    assert "outra empresa" in refused.text
    path = _link((await admin.post(f"/people/{shop.user_id}/password-link")).text)
    assert (await stranger.post(path, data={"password": NEW_PASSWORD, "again": NEW_PASSWORD})).status_code == 200
    assert (await admin.get("/people")).status_code == 401  # a new password ends every sign-in
    assert (await site.sign_in(stranger, "shop")).status_code == 401
    assert (await site.sign_in(stranger, "shop", NEW_PASSWORD)).status_code == 303
    assert (await site.sign_in(stranger, "other")).status_code == 303


async def test_that_bad_wishes_are_refused_in_words_and_change_nothing(
    site: Site, admin: httpx.AsyncClient, shop: Number
) -> None:
    good = {"name": "Bia", "email": "bia@shop.example", "role": "operator", "reach": "all"}
    for changed, said in (
        ({"email": "bia"}, "não é um e-mail"),
        ({"email": "ana@shop.example"}, "já trabalha aqui"),
        ({"name": " "}, "Falta algo"),
        ({"name": "x" * 81}, "longo demais"),
        ({"role": "king"}, "uma das funções"),
        ({"reach": "far"}, "quais conversas"),
        ({"teams": "x"}, "recarregue"),
    ):
        refused = await admin.post("/people", data=good | changed)
        assert refused.status_code == 422, changed
        assert said in unescape(refused.text)
        assert refused.headers["HX-Retarget"] == "#notices"
    assert (await admin.post("/people", data=good | {"teams": str(uuid4())})).status_code == 404
    own = f"/people/{shop.user_id}"
    for changed, said in (
        ({"role": "operator"}, "último administrador"),
        ({"capacity": "-1"}, "número inteiro"),
        ({"capacity": "1001"}, "número inteiro"),
        ({"skills": ",".join(f"s{n}" for n in range(31))}, "30 habilidades"),
    ):
        refused = await admin.post(own, data={"role": "admin", "reach": "all"} | changed)
        assert refused.status_code == 422, changed
        assert said in unescape(refused.text)
    assert "último administrador" in unescape((await admin.post(f"{own}/remove")).text)
    async with site.db.transaction(shop.tenant_id) as tx:
        row = await tx.fetchrow("SELECT role, capacity, (SELECT count(*) FROM invitation) FROM membership")
    assert tuple(row) == ("admin", 0, 0)


async def test_that_who_is_removed_is_out_at_once_and_leaves_the_work_to_others(
    site: Site, admin: httpx.AsyncClient, stranger: httpx.AsyncClient, shop: Number
) -> None:
    path = _link(
        (
            await admin.post(
                "/people", data={"name": "Bia", "email": "b@s.example", "role": "operator", "reach": "all"}
            )
        ).text
    )
    await stranger.post(path, data={"name": "Bia", "password": NEW_PASSWORD, "again": NEW_PASSWORD})
    await stranger.post("/login", data={"email": "b@s.example", "password": NEW_PASSWORD})
    stranger.headers.update({"X-CSRF-Token": csrf_token((await stranger.get("/inbox")).text), "HX-Request": "true"})
    conversation = await site.message(shop)
    assert (await stranger.post(f"/inbox/{conversation}/claim")).status_code < 400
    async with site.db.transaction(shop.tenant_id) as tx:
        bia = await tx.fetchval("SELECT user_id FROM membership WHERE user_id <> $1", shop.user_id)
    changed = await admin.post(
        f"/people/{bia}", data={"role": "operator", "reach": "own", "capacity": "3", "skills": "Trocas, INGLÊS,trocas"}
    )
    assert "trocas, inglês" in changed.text
    removed = await admin.post(f"/people/{bia}/remove")
    assert removed.headers["HX-Redirect"] == "/people"
    assert (await stranger.get("/inbox")).status_code in {401, 303}
    async with site.db.transaction(shop.tenant_id) as tx:
        row = await tx.fetchrow("SELECT status, assignee_id FROM conversation WHERE id = $1", conversation)
        events = await tx.fetch("SELECT kind, payload FROM event WHERE kind LIKE 'person.%' ORDER BY id")
    assert tuple(row) == ("waiting", None)
    assert [event["kind"] for event in events] == ["person.joined", "person.changed", "person.removed"]
    assert events[1]["payload"]["changes"]["capacity"] == [0, 3]
    trail = unescape((await admin.get("/audit?family=person")).text)
    assert "Removeu uma pessoa" in trail
    assert "trocas" in trail


async def test_that_a_team_has_people_numbers_and_intents_and_its_queue_gets_what_is_handed_off(
    site: Site, admin: httpx.AsyncClient, shop: Number
) -> None:
    async with site.db.transaction(shop.tenant_id) as tx:
        await tx.execute("INSERT INTO intent (tenant_id, name) VALUES ($1, 'order_status')", shop.tenant_id)
    await admin.post("/teams", data={"name": "Vendas"})
    await admin.post("/teams", data={"name": "Suporte", "description": "Depois da compra"})
    assert "já existe" in unescape((await admin.post("/teams", data={"name": "vendas"})).text).lower()
    async with site.db.transaction(shop.tenant_id) as tx:
        teams = {row["name"]: row["id"] for row in await tx.fetch("SELECT id, name FROM team")}
    form = {
        "name": "Vendas",
        "assignment": "round_robin",
        "people": [str(shop.user_id)],
        "numbers": [str(shop.session_id)],
        "intents": ["order_status"],
    }
    assert (await admin.post(f"/teams/{teams['Vendas']}", data=form)).status_code == 200
    async with site.db.transaction(shop.tenant_id) as tx:
        before = await tx.fetchrow("SELECT settings, profile_version FROM tenant")
    assert before["settings"]["handoff"]["teams"] == {"order_status": "Vendas"}
    # An intent and a number belong to one team: they leave the former one.
    assert (await admin.post(f"/teams/{teams['Suporte']}", data=form | {"name": "Suporte"})).status_code == 200
    async with site.db.transaction(shop.tenant_id) as tx:
        now = await tx.fetchrow("SELECT settings, profile_version FROM tenant")
        team = await tx.fetchval("SELECT team_id FROM channel_session")
    assert now["settings"]["handoff"]["teams"] == {"order_status": "Suporte"}
    assert now["profile_version"] > before["profile_version"]
    assert team == teams["Suporte"]
    for changed, status in (
        ({"assignment": "dice"}, 422),
        ({"name": "Vendas"}, 422),
        ({"people": [str(uuid4())]}, 404),
        ({"numbers": [str(uuid4())]}, 404),
        ({"intents": ["none"]}, 404),
    ):
        assert (
            await admin.post(f"/teams/{teams['Suporte']}", data=form | {"name": "S"} | changed)
        ).status_code == status
    await admin.post(f"/teams/{teams['Suporte']}/remove")
    async with site.db.transaction(shop.tenant_id) as tx:
        settings = await tx.fetchval("SELECT settings FROM tenant")
    assert settings["handoff"]["teams"] == {}


async def test_that_the_platforms_administrators_found_close_and_reopen_businesses(
    site: Site, admin: httpx.AsyncClient, stranger: httpx.AsyncClient, shop: Number
) -> None:
    assert (await admin.get("/platform/tenants")).status_code == 403
    other = await site.number("other")
    await promoted(site, shop, "operator", runs_platform=True)
    page = (await admin.get("/platform/tenants")).text
    assert "other" in page
    good = {
        "name": "Clínica",
        "slug": "clinica",
        "locale": "pt",
        "timezone": "America/Sao_Paulo",
        "admin_name": "Rui",
        "admin_email": "rui@clinica.example",
    }
    for changed in (
        {"slug": "other"},
        {"slug": "A b"},
        {"locale": "xx"},
        {"timezone": "Mars/Base"},
        {"admin_email": "x"},
    ):
        assert (await admin.post("/platform/tenants", data=good | changed)).status_code == 422, changed
    made = await admin.post("/platform/tenants", data=good)
    path = _link(made.text)
    await stranger.post(path, data={"name": "Rui", "password": NEW_PASSWORD, "again": NEW_PASSWORD})
    signed = await stranger.post("/login", data={"email": "rui@clinica.example", "password": NEW_PASSWORD})
    assert signed.status_code == 303
    assert (await stranger.get("/people")).status_code == 200
    async with site.client() as ana:
        assert (await site.sign_in(ana, "other")).status_code == 303
        closed = await admin.post(f"/platform/tenants/{other.tenant_id}/close")
        assert "Reabrir" in closed.text
        assert (await ana.get("/inbox")).status_code in {303, 401}
        refused = await site.sign_in(ana, "other")
        assert refused.status_code == 401
        assert "encerrada" in refused.text
        async with site.db.transaction(other.tenant_id) as tx:
            assert await tx.fetchval("SELECT stopped_at IS NOT NULL FROM tenant")
        await admin.post(f"/platform/tenants/{other.tenant_id}/reopen")
        assert (await site.sign_in(ana, "other")).status_code == 303
        async with site.db.transaction(other.tenant_id) as tx:
            assert await tx.fetchval("SELECT stopped_at IS NULL FROM tenant")
    assert (await admin.post(f"/platform/tenants/{uuid4()}/close")).status_code == 404


async def test_that_a_business_begins_with_a_trade_and_its_administrator_says_the_rest(
    site: Site, admin: httpx.AsyncClient, stranger: httpx.AsyncClient, shop: Number
) -> None:
    await promoted(site, shop, "operator", runs_platform=True)
    form = {
        "name": "Clínica Sol",
        "slug": "sol",
        "locale": "es",
        "timezone": "America/Bogota",
        "admin_name": "Rui",
        "admin_email": "rui@sol.example",
    }
    assert (await admin.post("/platform/tenants", data={**form, "trade": "circus"})).status_code == 422
    page = (await admin.get("/platform/tenants")).text
    assert all(f'value="{name}"' in page for name in ("shop", "clinic", "rental", "school"))
    first = _link((await admin.post("/platform/tenants", data={**form, "trade": "clinic"})).text)
    tenants = await _platform(site).tenants(shop.user_id)
    sol = next(one["id"] for one in tenants if one["slug"] == "sol")
    async with site.db.transaction(sol) as tx:
        settings = await tx.fetchval("SELECT settings FROM tenant")
        assert await tx.fetchval("SELECT count(*) FROM intent") > 10
        assert await tx.fetchval("SELECT count(*) FROM intent_example WHERE embedding IS NOT NULL") > 100
    assert settings["default_language"] == "es"
    assert "Clínica Sol" in settings["persona"]
    assert settings["reply_mode"] == "suggest"
    # a link that got lost is made anew as long as nobody joined, and the earlier one ends
    second = _link((await admin.post(f"/platform/tenants/{sol}/link")).text)
    assert (await stranger.get(first)).status_code == 404
    await stranger.post(second, data={"name": "Rui", "password": NEW_PASSWORD, "again": NEW_PASSWORD})
    assert (await admin.post(f"/platform/tenants/{sol}/link")).status_code == 404
    signed = await stranger.post("/login", data={"email": "rui@sol.example", "password": NEW_PASSWORD})
    assert signed.headers["location"] == "/start"
    step = await stranger.get("/start", follow_redirects=True)
    assert step.url.path == "/start/trade"
    assert re.search(r'name=clinic"\s+aria-current="true"', step.text)


def _platform(site: Site) -> Platform:
    return Administration.of(site.db, site.wakeup, b"a secret for tests only").platform


def _link(page: str) -> str:
    """The path of the one-time link that a page shows."""
    found = re.search(r'value="http://[^/"]+(/join/[\w-]+)"', page)
    assert found, page
    return found[1]
