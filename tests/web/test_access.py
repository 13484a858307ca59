"""Tokens, the second factor, limited reach and several businesses, over the running application."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import jwt
import pyotp
import pytest

from app import users
from domain.errors import NotFoundError
from domain.roles import Reach, Right
from flows import second_factor
from flows.access_tokens import AccessTokens
from flows.accounts import Accounts
from flows.api_keys import ApiKeys
from flows.outgoing import OutgoingMessages
from flows.sign_in import SignIn, TooManyAttemptsError, WrongCredentialsError
from store.database import Database
from store.wakeup import Wakeup
from tests.database import Number
from tests.web.site import PASSWORD, Site, csrf_token, running_site
from web.access import home_of
from web.api import Api
from web.api_outgoing import outgoing_router

ACCESS_SECRET = b"a secret for tests only"
"""The site's."""
ANA = {"email": "ana@shop.example", "password": PASSWORD}


@pytest.fixture
async def shop_site(db: Database, owner_dsn: str) -> Any:
    """The application with a door of the API."""
    api = Api(ApiKeys(db))
    async with running_site(db, owner_dsn, outgoing_router(api, OutgoingMessages(db, Wakeup(db)))) as site:
        yield site


async def _member(site: Site, number: Number, email: str, role: str, reach: str = Reach.ALL) -> UUID:
    """Somebody with the usual password."""
    owner = await asyncpg.connect(site.owner_dsn)
    try:
        known = await owner.fetchval("SELECT password_hash FROM user_account WHERE id = $1", number.user_id)
        user: UUID = await owner.fetchval("SELECT gate.put_user($1, $1, $2, 'en')", email, known)
        await owner.execute("SELECT gate.put_member($1, $2, $3)", number.tenant_id, user, role)
        await owner.execute("SELECT gate.put_reach($1, $2, $3)", number.tenant_id, user, reach)
    finally:
        await owner.close()
    return user


async def _tokens(client: httpx.AsyncClient, **wanted: str) -> dict[str, Any]:
    answer = await client.post("/api/v1/auth/token", json={**ANA, **wanted})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _may_call(client: httpx.AsyncClient, token: str) -> bool:
    return (await client.get("/api/v1/outgoing", headers=_bearer(token))).status_code == 200


async def test_that_a_person_calls_the_api_with_the_rights_of_the_role(shop_site: Site) -> None:
    number = await shop_site.number()
    await _member(shop_site, number, "eva@shop.example", "prompt_engineer")
    async with shop_site.client() as client:
        found = await _tokens(client)
        assert (found["token_type"], found["tenant_id"]) == ("Bearer", str(number.tenant_id))
        assert await _may_call(client, found["access_token"])
        eva = await _tokens(client, email="eva@shop.example")
        refused = await client.get("/api/v1/outgoing", headers=_bearer(eva["access_token"]))
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
        forged = found["access_token"][:-4] + "AAAA"
        assert (await client.get("/api/v1/outgoing", headers=_bearer(forged))).status_code == 401
        for wrong in ({"password": "wrong"}, {"email": "nobody@shop.example"}):
            assert (await client.post("/api/v1/auth/token", json={**ANA, **wrong})).status_code == 401


async def test_that_an_access_token_of_another_installation_or_past_its_time_is_nobodys(shop_site: Site) -> None:
    await shop_site.number()
    async with shop_site.client() as client:
        found = await _tokens(client)
        assert await AccessTokens(shop_site.db, b"another secret").recognise(found["access_token"]) is None
        ours = AccessTokens(shop_site.db, ACCESS_SECRET)
        assert await ours.recognise(found["access_token"]) is not None
        key = hmac.new(ACCESS_SECRET, b"access tokens", hashlib.sha256).digest()
        claims = jwt.decode(found["access_token"], key, algorithms=["HS256"], audience="atende api")
        assert await _may_call(client, jwt.encode(claims, key, "HS256"))
        old = {**claims, "iat": claims["iat"] - 3600, "exp": claims["exp"] - 3600}
        assert not await _may_call(client, jwt.encode(old, key, "HS256"))


async def test_that_a_refresh_token_counts_once_and_a_second_time_ends_the_sign_in(shop_site: Site) -> None:
    await shop_site.number()
    async with shop_site.client() as client:
        first = await _tokens(client)
        other = await _tokens(client)
        second = (await client.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
        assert await _may_call(client, second["access_token"])
        stolen = await client.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
        assert (stolen.status_code, "used before" in stolen.json()["detail"]) == (401, True)
        # Thief and owner alike are out, at once: refresh and access token of the family. The other sign-in stays.
        again = await client.post("/api/v1/auth/refresh", json={"refresh_token": second["refresh_token"]})
        assert again.status_code == 401
        assert not await _may_call(client, second["access_token"])
        assert await _may_call(client, other["access_token"])


async def test_that_of_two_exchanges_at_the_same_moment_not_both_get_tokens(shop_site: Site) -> None:
    await shop_site.number()
    async with shop_site.client() as client:
        refresh = (await _tokens(client))["refresh_token"]
        answers = await asyncio.gather(
            *(client.post("/api/v1/auth/refresh", json={"refresh_token": refresh}) for _ in range(4))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_that_revoking_works_at_once_for_both_tokens(shop_site: Site, kind: str) -> None:
    await shop_site.number()
    async with shop_site.client() as client:
        found = await _tokens(client)
        assert await _may_call(client, found["access_token"])
        assert (await client.post("/api/v1/auth/revoke", json={"token": found[kind]})).status_code == 204
        assert not await _may_call(client, found["access_token"])
        again = await client.post("/api/v1/auth/refresh", json={"refresh_token": found["refresh_token"]})
        assert again.status_code == 401
        assert (await client.post("/api/v1/auth/revoke", json={"token": "nothing"})).status_code == 204


async def test_that_a_refresh_token_is_no_cookie_and_a_cookie_no_token(shop_site: Site) -> None:
    await shop_site.number()
    async with shop_site.client() as client:
        refresh = (await _tokens(client))["refresh_token"]
        client.cookies.set("atende", refresh, domain="127.0.0.1")
        assert (await client.get("/inbox")).headers["location"].startswith("/login")
        client.cookies.clear()
        await shop_site.sign_in(client)
        cookie = client.cookies["atende"]
        async with shop_site.client() as other:
            assert (await other.get("/api/v1/outgoing", headers=_bearer(cookie))).status_code == 401


async def test_that_the_roles_of_two_businesses_are_kept_apart(shop_site: Site) -> None:
    """Operator in one, prompt engineer in the other: each sign-in and each token carries its own business's rights."""
    shop, bakery = await shop_site.number(), await shop_site.number("bakery")
    owner = await asyncpg.connect(shop_site.owner_dsn)
    await owner.execute("SELECT gate.put_member($1, $2, 'prompt_engineer')", bakery.tenant_id, shop.user_id)
    await owner.close()
    async with shop_site.client() as client:
        here, there = await _tokens(client, tenant="shop"), await _tokens(client, tenant=str(bakery.tenant_id))
        assert (await _may_call(client, here["access_token"]), await _may_call(client, there["access_token"])) == (
            True,
            False,
        )
        assert (await client.post("/api/v1/auth/token", json={**ANA, "tenant": "elsewhere"})).status_code == 404
        assert (await shop_site.sign_in(client)).headers["location"] == "/inbox"
        client.headers["X-CSRF-Token"] = csrf_token((await client.get("/inbox")).text)
        home = home_of("prompt_engineer", runs_platform=False)
        switched = await client.post("/tenant", data={"tenant_id": str(bakery.tenant_id)})
        assert switched.headers["location"] == home
        assert (await client.get("/inbox")).status_code == 403
        assert (await client.get("/")).headers["location"] == home


async def test_that_attempts_are_counted_for_the_account_whichever_process_and_address_they_come_by(
    db: Database, owner_dsn: str
) -> None:
    async with running_site(db, owner_dsn) as site:
        await site.number()
    one, other = SignIn(db, ACCESS_SECRET), SignIn(db, ACCESS_SECRET)
    for attempt in range(20):
        with pytest.raises(WrongCredentialsError):
            await (one, other)[attempt % 2].check_password("ana@shop.example", "wrong", f"192.0.2.{attempt}")
    with pytest.raises(TooManyAttemptsError) as refused:
        await other.check_password("ANA@shop.example ", PASSWORD, "192.0.2.99")
    assert 0 < refused.value.seconds <= 900
    with pytest.raises(WrongCredentialsError):  # another account from the same address may
        await one.check_password("nobody@shop.example", "x", "192.0.2.99")


async def test_that_many_guesses_at_the_same_moment_are_as_many_as_one_after_the_other(
    db: Database, owner_dsn: str
) -> None:
    async with running_site(db, owner_dsn) as site:
        await site.number()
    sign_in = SignIn(db, ACCESS_SECRET)
    outcomes = await asyncio.gather(
        *(sign_in.check_password("ana@shop.example", f"guess {n}", "192.0.2.7") for n in range(12)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in outcomes) == (
        ["TooManyAttemptsError"] * 7 + ["WrongCredentialsError"] * 5
    )


async def test_that_the_throttle_holds_for_tokens_too_and_success_forgives(shop_site: Site) -> None:
    await shop_site.number()
    async with shop_site.client() as client:
        wrong = {**ANA, "password": "wrong"}
        for _ in range(4):
            assert (await client.post("/api/v1/auth/token", json=wrong)).status_code == 401
        await _tokens(client)
        for _ in range(4):
            assert (await client.post("/api/v1/auth/token", json=wrong)).status_code == 401
        assert (await shop_site.sign_in(client, password="wrong")).status_code == 401
        refused = await client.post("/api/v1/auth/token", json=ANA)
        assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)


@dataclass
class Authenticator:
    """A phone with an authenticator, whose clock the test holds."""

    secret: str

    def code(self, at: float | None = None) -> str:
        return pyotp.TOTP(self.secret).at(int(time.time() if at is None else at))


async def _enrol(client: httpx.AsyncClient, now: float) -> tuple[Authenticator, list[str]]:
    """Set the second factor up on the page, as a person does; returns the authenticator and the recovery codes."""
    refused = await client.post("/account/second-factor", data={"password": "wrong"})
    assert refused.status_code == 422
    page = (await client.post("/account/second-factor", data={"password": PASSWORD})).text
    assert "data:image/svg+xml" in page
    key, sealed = re.search(r"data-key>([A-Z2-7]+)<", page), re.search(r'name="sealed" value="([^"]+)"', page)
    assert key
    assert sealed
    phone = Authenticator(key[1])
    wrong = await client.post("/account/second-factor/confirm", data={"sealed": sealed[1], "code": "000000"})
    assert wrong.status_code == 422
    # The code before now counts, so that the one of now is still unused afterwards.
    code = phone.code(now - second_factor.STEP_SECONDS)
    page = (await client.post("/account/second-factor/confirm", data={"sealed": sealed[1], "code": code})).text
    codes = re.findall(r"<code class=\"col\">([a-z0-9-]+)</code>", page)
    assert len(codes) == 10
    return phone, codes


def _ticket(page: str) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', page)
    assert found, page[:500]
    return found[1]


async def test_that_with_a_second_factor_the_password_alone_opens_nothing(shop_site: Site) -> None:
    await shop_site.number()
    moment = float(int(time.time()) // 30 * 30 + 10)  # in the middle of a step, and it stays there
    shop_site.app.state.accounts.second.clock = lambda: moment
    async with shop_site.client() as client:
        await shop_site.sign_in(client)
        client.headers["X-CSRF-Token"] = csrf_token((await client.get("/inbox")).text)
        phone, codes = await _enrol(client, moment)
    async with shop_site.client() as client:
        asked = await shop_site.sign_in(client)
        assert (asked.status_code, "atende" in client.cookies) == (200, False)
        ticket, code = _ticket(asked.text), phone.code(moment)
        wrong = await client.post("/login/code", data={"ticket": ticket, "code": "123456"})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
        forged = await client.post("/login/code", data={"ticket": ticket[:-4] + "AAAA", "code": code})
        assert forged.headers["location"] == "/login"
        right = await client.post("/login/code", data={"ticket": ticket, "code": code})
        assert right.headers["location"] == "/inbox"
        assert (await client.get("/inbox")).status_code == 200
        # The same code a second time opens nothing, here and at the token route; the next one does, once.
        assert (await client.post("/login/code", data={"ticket": ticket, "code": code})).status_code == 401
        without = await client.post("/api/v1/auth/token", json=ANA)
        assert (without.status_code, without.json()["type"]) == (401, "urn:atende:problem:wrong-code")
        assert (await client.post("/api/v1/auth/token", json={**ANA, "totp": code})).status_code == 401
        assert (await client.post("/api/v1/auth/token", json={**ANA, "totp": phone.code(moment + 30)})).is_success
        # A recovery code counts once, however it is typed.
        typed = codes[0].upper().replace("-", " ")
        assert (await client.post("/api/v1/auth/token", json={**ANA, "totp": typed})).is_success
        assert (await client.post("/api/v1/auth/token", json={**ANA, "totp": codes[0]})).status_code == 401


async def test_that_a_second_factor_is_removed_with_the_password_or_by_who_may(shop_site: Site) -> None:
    shop, bakery = await shop_site.number(), await shop_site.number("bakery")
    accounts = Accounts(shop_site.db, ACCESS_SECRET)

    async def enrolled() -> None:
        enrolment = accounts.second.enrol(shop.user_id, "ana@shop.example")
        await accounts.second.confirm(shop.user_id, enrolment.sealed, pyotp.TOTP(enrolment.secret).now())

    async def is_on() -> bool:
        return (await accounts.account(shop.user_id)).second_factor

    await enrolled()
    with pytest.raises(WrongCredentialsError):
        await accounts.remove_second_factor(shop.user_id, "wrong", "192.0.2.1")
    assert await is_on()
    await accounts.remove_second_factor(shop.user_id, PASSWORD, "192.0.2.1")
    assert not await is_on()
    # An administrator may for who is in this business alone; a colleague may not; another business's may not.
    admin = await _member(shop_site, shop, "admin@shop.example", "admin")
    manager = await _member(shop_site, shop, "manager@shop.example", "manager")
    stranger = await _member(shop_site, bakery, "admin@bakery.example", "admin")
    await enrolled()
    for who, where in ((manager, shop), (stranger, bakery), (stranger, shop)):
        with pytest.raises(NotFoundError):
            await accounts.second.remove_for(shop.user_id, by=who, tenant_id=where.tenant_id)
    assert await is_on()
    await accounts.second.remove_for(shop.user_id, by=admin, tenant_id=shop.tenant_id)
    assert not await is_on()
    # Ana now works for the bakery, too: only who runs the platform may.
    await enrolled()
    owner = await asyncpg.connect(shop_site.owner_dsn)
    await owner.execute("SELECT gate.put_member($1, $2, 'operator')", bakery.tenant_id, shop.user_id)
    with pytest.raises(NotFoundError):
        await accounts.second.remove_for(shop.user_id, by=admin, tenant_id=shop.tenant_id)
    await owner.execute("SELECT gate.put_platform($1, true)", manager)
    await owner.close()
    await accounts.second.remove_for(shop.user_id, by=manager, tenant_id=shop.tenant_id)
    assert not await is_on()


async def test_that_a_new_password_ends_every_other_sign_in_and_shows_where_one_is_signed_in(shop_site: Site) -> None:
    await shop_site.number()
    async with (
        shop_site.client(**{"User-Agent": "Mozilla/5.0 (Linux) Firefox/150.0"}) as client,
        shop_site.client() as other,
    ):
        await shop_site.sign_in(client)
        await shop_site.sign_in(other)
        program = await _tokens(other)
        page = (await client.get("/account")).text
        assert "Firefox · Linux" in page
        assert len(re.findall(r'action="/account/sign-ins/[0-9a-f-]+/end"', page)) == 2
        client.headers["X-CSRF-Token"] = csrf_token(page)
        change = {"current": PASSWORD, "new": "several words here", "again": "several words here"}
        for wrong in ({"current": "no"}, {"again": "other words here"}, {"new": "short", "again": "short"}):
            assert (await client.post("/account/password", data={**change, **wrong})).status_code == 422
        assert (await other.get("/inbox")).status_code == 200
        assert (await client.post("/account/password", data=change)).status_code == 303
        assert (await client.get("/inbox")).status_code == 200
        assert (await other.get("/inbox")).headers["location"].startswith("/login")
        assert not await _may_call(other, program["access_token"])
        assert (await shop_site.sign_in(other)).status_code == 401
        assert (await shop_site.sign_in(other, password="several words here")).status_code == 303


async def test_that_signing_out_everywhere_is_everywhere_and_only_ones_own(shop_site: Site) -> None:
    await shop_site.number()
    bakery = await shop_site.number("bakery")
    async with shop_site.client() as client, shop_site.client() as other, shop_site.client() as stranger:
        for one, slug in ((client, "shop"), (other, "shop"), (stranger, "bakery")):
            await shop_site.sign_in(one, slug)
        client.headers["X-CSRF-Token"] = csrf_token((await client.get("/account")).text)
        (foreign,) = await Accounts(shop_site.db, ACCESS_SECRET).sign_ins(bakery.user_id)
        assert (await client.post(f"/account/sign-ins/{foreign.login_id}/end")).status_code == 404
        assert (await client.post("/account/sign-ins/end")).headers["location"] == "/login"
        for one in (client, other):
            assert (await one.get("/inbox")).headers["location"].startswith("/login")
        assert (await stranger.get("/inbox")).status_code == 200


async def test_that_a_person_with_own_conversations_meets_no_other_anywhere(shop_site: Site) -> None:
    number = await shop_site.number()
    me = await _member(shop_site, number, "eva@shop.example", "operator", Reach.OWN)
    mine = await shop_site.message(number, "o meu assunto", "Carla")
    theirs = await shop_site.message(number, "segredo alheio", "Dario")
    async with shop_site.db.transaction(number.tenant_id) as tx:
        await tx.execute("UPDATE conversation SET assignee_id = $2, status = 'human' WHERE id = $1", mine, me)
        await tx.execute(
            "INSERT INTO outbox_message (tenant_id, conversation_id, channel_session_id, message_id, origin) "
            "SELECT tenant_id, conversation_id, channel_session_id, id, 'bot' FROM message"
        )
    async with shop_site.client() as client:
        await client.post("/login", data={"email": "eva@shop.example", "password": PASSWORD})
        page = (await client.get("/inbox")).text
        assert ("o meu assunto" in page, "segredo alheio" in page) == (True, False)
        assert (await client.get(f"/inbox/{mine}")).status_code == 200
        client.headers["X-CSRF-Token"] = csrf_token(page)
        for answer in (
            await client.get(f"/inbox/{theirs}"),
            await client.get(f"/inbox/{theirs}/live"),
            await client.post(f"/inbox/{theirs}/claim"),
            await client.post(f"/inbox/{theirs}/reply", data={"text": "oi"}),
        ):
            assert answer.status_code == 404
            assert "segredo" not in answer.text
        token = (await _tokens(client, email="eva@shop.example"))["access_token"]
        listed = (await client.get("/api/v1/outgoing", headers=_bearer(token))).json()["outgoing"]
        assert [one["conversation_id"] for one in listed] == [str(mine)]
        key = (await ApiKeys(shop_site.db).create(number.tenant_id, "crm", [Right.OUTGOING_READ], actor="x")).token
        everything = (await client.get("/api/v1/outgoing", headers=_bearer(key))).json()["outgoing"]
        assert {one["conversation_id"] for one in everything} == {str(mine), str(theirs)}
        # Giving it back is the last thing that the person sees of it.
        back = await client.post(f"/inbox/{mine}/return", headers={"HX-Request": "true"})
        assert (back.status_code, back.headers.get("hx-redirect")) == (204, "/inbox")
        assert (await client.get(f"/inbox/{mine}")).status_code == 404


_CALL = {"function": "find", "outcome": "succeeded", "duration_ms": 3, "arguments": {"name": "Valdomiro Quaresma"}}


async def test_that_traces_show_prompt_engineers_no_personal_data_and_no_names(shop_site: Site) -> None:
    number = await shop_site.number()
    await _member(shop_site, number, "eva@shop.example", "prompt_engineer")
    said = "Aqui é o Valdomiro Quaresma, meu CPF é 529.982.247-25 e o e-mail valdo@exemplo.com.br"
    conversation = await shop_site.message(number, said, "Valdomiro Quaresma")
    async with shop_site.db.transaction(number.tenant_id) as tx:
        turn = await tx.fetchval(
            "INSERT INTO turn (tenant_id, conversation_id, status, upto_message_id, intent, confidence, decision, "
            "trace) SELECT tenant_id, conversation_id, 'decided', id, 'order_status', 0.5, $1, $2 FROM message "
            "RETURNING id",
            {"kind": "reply", "text": "Pronto, Valdomiro! Achei pelo CPF 529.982.247-25."},
            {"tool_calls": [_CALL]},
        )
    async with shop_site.client(**{"Accept-Language": "en"}) as client:
        await client.post("/login", data={"email": "eva@shop.example", "password": PASSWORD})
        for path in (
            "/traces",
            "/traces?decision=reply&unsure=true",
            f"/traces/{turn}",
            f"/traces/{turn}/json",
        ):
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert "[CPF]" in answer.text, path
            for personal in ("Valdomiro", "Quaresma", "529.982", "valdo@"):
                assert personal not in answer.text, (path, personal)
        assert str(turn) not in (await client.get("/traces?decision=hand_off")).text
        assert (await client.get(f"/inbox/{conversation}/turns/{turn}")).status_code == 403


async def test_that_the_platform_is_run_without_seeing_any_business(shop_site: Site) -> None:
    number = await shop_site.number()
    await shop_site.message(number, "segredo")
    lines = await users.create(shop_site.owner_dsn, email="root@atende.example", name="Root", place=None, platform=True)
    password = lines[-1].split()[-1]
    async with shop_site.client() as client:
        login = await client.post("/login", data={"email": "root@atende.example", "password": password})
        assert login.headers["location"] == "/platform"
        assert (await client.get("/account")).status_code == 200
        for path in ("/inbox", "/numbers", "/policy", "/traces", "/integrations"):
            answer = await client.get(path)
            assert (answer.status_code, "segredo" in answer.text) == (403, False), path
        token = await client.post("/api/v1/auth/token", json={"email": "root@atende.example", "password": password})
        assert token.status_code == 403
