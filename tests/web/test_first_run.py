"""The first run: who holds the setup token begins, step by step, and nobody else ever can."""

from __future__ import annotations

from html import unescape

import asyncpg
import httpx
import pytest

from domain.setup_token import setup_token
from flows.trade_templates import names, trade
from tests.database import Number
from tests.web.people import become, browser
from tests.web.site import Site, csrf_token
from web.first_run import PROBLEMS

TOKEN = setup_token(b"a secret for tests only")
FOUNDER = {
    "token": TOKEN,
    "name": "Ana Reis",
    "email": "Ana@Padaria.example",
    "password": "pão quentinho",
    "business": "Padaria do Zé & Cia",
    "language": "pt",
    "timezone": "America/Sao_Paulo",
}


async def signed_up(client: httpx.AsyncClient) -> None:
    assert (await client.post("/setup", data=FOUNDER)).headers["location"] == "/start"
    page = await client.get("/inbox")
    client.headers["X-CSRF-Token"] = csrf_token(page.text)
    client.cookies.delete("atende_language")
    client.cookies.set("atende_language", "en")


async def test_that_an_empty_installation_is_begun_once_by_who_has_the_token(site: Site) -> None:
    async with site.client() as stranger, site.client() as founder:
        assert (await stranger.get("/login")).headers["location"] == "/setup"
        for token in ("", "aaaaa-aaaaa-aaaaa-aaaaa", TOKEN[:-1]):
            refused = await stranger.post("/setup", data={**FOUNDER, "token": token})
            assert refused.status_code == 422
            assert "Ana@Padaria.example" in refused.text  # nothing entered is lost, the password apart
            assert FOUNDER["password"] not in refused.text
        assert (await site.db.gate("is_empty"))[0][0]
        assert f'value="{TOKEN}"' in (await founder.get(f"/setup?token={TOKEN}")).text
        await founder.post("/setup", data={**FOUNDER, "token": TOKEN.upper().replace("-", " ")})
        assert (await founder.get("/start")).headers["location"] == "/start/trade"
        # From now on the token opens nothing.
        assert (await stranger.get(f"/setup?token={TOKEN}")).headers["location"] == "/login"
        late = await stranger.post("/setup", data={**FOUNDER, "email": "eva@other.example"})
        assert late.headers["location"] == "/login"
        assert (await site.db.gate("find_login", "eva@other.example")) == []
        wrong = await stranger.post("/login", data={"email": "ana@padaria.example", "password": "pao quentinho"})
        assert wrong.status_code == 401


async def test_that_guessing_the_token_is_slowed_down(site: Site) -> None:
    async with site.client() as stranger:
        answers = [
            (await stranger.post("/setup", data={**FOUNDER, "token": f"guess-{n}"})).status_code for n in range(12)
        ]
        assert answers == [422] * 10 + [429] * 2
        assert (await stranger.post("/setup", data=FOUNDER)).status_code == 429
        forged = await stranger.post("/setup", data=FOUNDER, headers={"Origin": "https://evil.example"})
        assert forged.status_code == 403


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("business", ""),
        ("business", "x" * 201),
        ("email", "ana"),
        ("password", "short"),
        ("password", "Ana@padaria.example"),
        ("language", "xx"),
        ("timezone", "Mars/Olympus"),
    ],
)
async def test_that_what_cannot_be_taken_is_said_at_its_field(site: Site, field: str, value: str) -> None:
    async with site.client() as founder:
        founder.cookies.set("atende_language", "en")
        refused = await founder.post("/setup", data={**FOUNDER, field: value})
        assert refused.status_code == 422
        assert PROBLEMS[field] in unescape(refused.text)
        assert (await site.db.gate("is_empty"))[0][0]


async def test_that_an_admin_goes_through_all_steps_and_may_stop_at_any(site: Site) -> None:
    async with site.client() as founder:
        await signed_up(founder)
        page = unescape((await founder.get("/start/trade")).text)
        assert all(trade(name).about.title["en"] in page for name in names())
        assert "Padaria do Zé & Cia" in page
        assert "Address" in (await founder.get("/start/trade?name=shop")).text
        wrong = await founder.post(
            "/start/trade", data={"name": "shop", "hours/weekdays": "das 9", "said/address": "Rua A"}
        )
        assert wrong.status_code == 422
        assert "das 9 are no hours. Write them like 09:00-12:00" in unescape(wrong.text)
        assert "Rua A" in wrong.text
        entered = {"name": "shop", "hours/weekdays": "9h às 12h e 13:30 às 18", "said/address": "Rua A, 1"}
        assert (await founder.post("/start/trade", data=entered)).headers["location"] == "/start/number"
        assert (await founder.get("/start")).headers["location"] == "/start/number"  # as after a break
        again = unescape((await founder.get("/start/trade")).text)
        assert "09:00-12:00, 13:30-18:00" in again
        assert "Rua A, 1" in again
        assert "Rua A, 1" in unescape((await founder.get("/intents/location")).text)
        await founder.post("/start/number", data={"kind": "simulator"})
        await founder.post("/start/number", data={"kind": "simulator"})  # a second click adds no second phone
        assert (await founder.get("/start")).headers["location"] == "/start/policy"
        assert (await founder.post("/start/policy", data={"mode": "off"})).status_code == 422
        assert (await founder.post("/start/policy", data={"mode": "auto"})).headers["location"] == "/start/try"
        page = unescape((await founder.get("/start/try")).text)
        assert "Write as a customer" in page
        said = await founder.post("/start/try/say", data={"text": "onde vocês ficam?"})
        assert "onde vocês ficam?" in said.text
        assert "The assistant is reading" in said.text
        owner = await asyncpg.connect(site.owner_dsn)
        await owner.execute("UPDATE conversation SET status = 'waiting'")
        await owner.close()
        after = await founder.get("/start/try/chat")
        assert "The conversation is with your people now." in after.text
        assert 'role="alert"' in (await founder.post("/start/try/say", data={"text": " "})).text
        assert (await founder.post("/start/done", data={})).headers["location"] == "/inbox"
        inbox = (await founder.get("/inbox")).text
        assert "onde vocês ficam?" in inbox
        numbers = unescape((await founder.get("/numbers/list")).text)
        assert numbers.count('data-state="simulated"') == 1


async def test_that_a_real_number_shows_its_code_and_does_not_hold_up_the_rest(site: Site) -> None:
    async with site.client() as founder:
        await signed_up(founder)
        await founder.post("/start/number", data={"kind": "qr"})
        await founder.post("/start/number", data={"kind": "qr"})
        state = unescape((await founder.get("/start/number/state")).text)
        assert "The connection is being prepared" in state
        assert unescape((await founder.get("/numbers/list")).text).count("<article") == 1
        assert (await founder.post("/start/number", data={"kind": "go_on"})).headers["location"] == "/start/policy"
        # The try-out needs no real number: it brings a simulated phone.
        assert "oi" in (await founder.post("/start/try/say", data={"text": "oi"})).text
        assert unescape((await founder.get("/numbers/list")).text).count("<article") == 2


async def test_that_only_administrators_take_the_first_steps_and_other_tenants_see_none_of_them(
    site: Site, shop: Number
) -> None:
    conversation = await site.message(shop, "segredo")
    suggestion = await site.suggestion(shop, conversation, "segredo")
    async with browser(site) as operator:
        for path in ("/start", "/start/trade", "/start/number", "/start/number/state", "/start/try/chat"):
            assert (await operator.get(path)).status_code == 403
        for path in ("/start/trade", "/start/policy", "/start/done", "/start/try/say"):
            assert (await operator.post(path, data={"name": "shop", "text": "oi"})).status_code == 403
        assert (await operator.post(f"/start/try/approve/{suggestion}")).status_code == 403
    other = await site.number("other")
    await become(site, other, "admin")
    async with browser(site, "other") as stranger:
        assert "segredo" not in (await stranger.get("/start/try/chat")).text
        assert (await stranger.post(f"/start/try/approve/{suggestion}")).status_code == 404
        assert (await stranger.get("/start/elsewhere")).status_code == 404
