"""Every route × every role × every scope: docs/access.md says who may, and the running application does as it says.

A new route fails here until it asks for a right (or stands in ``app.access_table.OPEN`` with a reason) and
``make access`` was run.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from app.access_table import Entry, entries, markdown, undeclared
from app.settings import GivenSettings
from app.web_part import application
from domain.roles import Right, Role
from flows.access_tokens import AccessTokens
from flows.api_keys import SCOPES, ApiKeys
from flows.sign_in import Person
from store.database import Database
from tests.database import SECRET, Number, make_number
from web.access import cookie_name, new_token, token_hash
from web.security import HEADERS, csrf_token
from web.services import Access

ACCESS_MD = Path(__file__).parents[2] / "docs" / "access.md"
ENDS_IT = {"/logout", "/account/sign-ins/end"}
"""Allowed ones that end the sign-in they come with, or all of the person's: they come last, each with a fresh one."""
REFUSED = {403, 404}
READ_FIRST = {411, 413, 415, 422}
"""What a route that asks for the right in its function may answer before it gets there."""


@dataclass(frozen=True, slots=True)
class House:
    """A running application, and somebody of every kind."""

    client: httpx.AsyncClient
    db: Database
    number: Number
    users: dict[str, UUID]
    keys_with: dict[Right, str]
    keys_without: dict[Right, str]
    tokens: dict[str, str]

    async def sign_in(self, who: str) -> dict[str, str]:
        """Headers of a browser that is signed in."""
        token = new_token()
        tenant = None if who == "platform" else self.number.tenant_id
        await self.db.gate("open_login", token_hash(token), self.users[who], tenant, timedelta(hours=1))
        access = Access(SECRET)
        return {
            "Cookie": f"{cookie_name(access)}={token}",
            "X-CSRF-Token": csrf_token(SECRET, token_hash(token)),
            "Accept": "text/html",
        }

    async def call(self, one: Entry, headers: dict[str, str]) -> httpx.Response:
        """The route with made-up ids and nothing in its body."""
        path = re.sub(r"{\w+(:\w+)?}", lambda _: str(uuid.uuid4()), one.path)
        body: dict[str, Any] = {}
        if one.method not in {"GET", "DELETE"}:
            body = {"json": {}} if one.path.startswith("/api/") else {"data": {}}
        return await self.client.request(one.method, path, headers=headers, **body)


@asynccontextmanager
async def house(owner_dsn: str, db: Database, folder: Path) -> AsyncIterator[tuple[House, Any]]:
    number = await make_number(owner_dsn)
    owner = await asyncpg.connect(owner_dsn)
    users: dict[str, UUID] = {}
    for role in (*Role, "platform"):
        users[role] = await owner.fetchval("SELECT gate.put_user($1, $1, 'x', 'pt')", f"{role}@shop.example")
        if role == "platform":
            await owner.execute("SELECT gate.put_platform($1, true)", users[role])
        else:
            await owner.execute("SELECT gate.put_member($1, $2, $3)", number.tenant_id, users[role], role)
    await owner.close()
    keys = ApiKeys(db)

    async def key(name: str, scopes: list[str]) -> str:
        return (await keys.create(number.tenant_id, name, scopes, actor="test")).token

    settings = GivenSettings(ATENDE_SECRET=SECRET.decode(), DATABASE_URL=owner_dsn, data_dir=folder, demo=True)
    tokens = AccessTokens(db, SECRET)
    async with (
        application(settings) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client,
    ):
        yield (
            House(
                client,
                db,
                number,
                users,
                {right: await key(f"only {right}", [right]) for right in Right},
                {right: await key(f"all but {right}", [one for one in Right if one != right]) for right in Right},
                {
                    role: (await tokens.open(_person(users[role], number, role), number.tenant_id, "test")).access
                    for role in Role
                },
            ),
            app,
        )


def _person(user: UUID, number: Number, role: str) -> Person:
    memberships = ({"tenant_id": str(number.tenant_id), "slug": "shop", "name": "shop", "role": role},)
    return Person(user, f"{role}@shop.example", memberships, runs_platform=False, needs_code=False)


def _wrong(one: Entry, who: str, answer: httpx.Response, *, allowed: bool) -> str | None:
    """What is wrong with the answer, if anything is."""
    what = f"{one.method} {one.path} as {who}: {answer.status_code}"
    refused = REFUSED | (READ_FIRST if one.in_body else set())
    if answer.status_code >= 500:
        return f"{what} is a failure"
    if allowed and answer.status_code in {401, 403}:
        return f"{what}, but the table says that it may"
    if not allowed and answer.status_code not in refused:
        return f"{what}, but the table says that it may not"
    missing = [name for name in HEADERS if name not in answer.headers]
    if missing:
        return f"{what} lacks {missing}"
    policy = answer.headers["Content-Security-Policy"]
    if "script-src 'self'" not in policy and "default-src 'none'" not in policy:
        return f"{what} lets scripts in: {policy}"
    if answer.headers.get("content-type", "").startswith("text/html"):
        inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<[^>]*\son\w+=|javascript:", answer.text)
        if inline:
            return f"{what} has scripts within the page: {inline[:2]}"
    return None


async def test_that_every_route_answers_each_role_and_each_scope_as_the_table_says(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    wrong: list[str | None] = []
    async with house(owner_dsn, db, tmp_path) as (home, app):
        found = sorted((one for one in entries(app) if one.method != "WS"), key=lambda one: one.path in ENDS_IT)
        browsers = {who: await home.sign_in(who) for who in home.users}
        for one in found:
            if one.kind in {"page", "platform"}:
                for who in home.users:
                    headers = await home.sign_in(who) if one.path in ENDS_IT else browsers[who]
                    own = one.kind == "page" and not one.rights
                    allowed = (one.kind == "platform" or own) if who == "platform" else one.allows(who)
                    wrong.append(_wrong(one, who, await home.call(one, headers), allowed=allowed))
                key = {"Authorization": f"Bearer {home.keys_with[Right.INTENTS_READ]}", "Accept": "application/json"}
                answer = await home.call(one, key)
                wrong.append(
                    None if answer.status_code == 401 else f"{one.path} opens with a key: {answer.status_code}"
                )
            elif one.kind == "api":
                for role, token in home.tokens.items():
                    answer = await home.call(one, {"Authorization": f"Bearer {token}"})
                    wrong.append(_wrong(one, f"{role} (token)", answer, allowed=one.allows(role)))
                for right in one.rights:  # with nothing else it opens; with everything else it does not
                    for keys, may in ((home.keys_with, len(one.rights) == 1), (home.keys_without, False)):
                        answer = await home.call(one, {"Authorization": f"Bearer {keys[right]}"})
                        wrong.append(_wrong(one, f"key {right} {may}", answer, allowed=may))
                answer = await home.call(one, browsers["admin"])
                known = answer.status_code in {401, 429}  # 429: that were many strangers
                wrong.append(None if known else f"{one.path} opens with a cookie: {answer.status_code}")
            else:
                answer = await home.call(one, {"Accept": "application/json"})
                wrong.append(_wrong(one, "anybody", answer, allowed=True) if answer.status_code >= 500 else None)
        assert len([one for one in found if one.rights]) > 60
    assert [one for one in wrong if one] == []


async def test_that_the_table_is_that_of_this_version_and_every_route_stands_in_it(
    owner_dsn: str, tmp_path: Path
) -> None:
    settings = GivenSettings(ATENDE_SECRET=SECRET.decode(), DATABASE_URL=owner_dsn, data_dir=tmp_path, demo=True)
    async with application(settings) as app:
        found = entries(app)
    assert undeclared(found) == [], "say which right they need: Annotated[Visitor, needs(Right.X)] (web.access)"
    assert ACCESS_MD.read_text("utf-8") == markdown(found), "docs/access.md is of another version: make access"


def test_that_every_right_may_be_given_to_a_key() -> None:
    assert set(SCOPES) == set(Right)
