"""``atende user``: the first platform administrator, roles, and getting in again."""

from __future__ import annotations

import re

import pytest

from app import users
from app.users import Place
from domain.errors import ConflictError, InvalidInputError, NotFoundError
from flows.sign_in import SignIn, WrongCredentialsError
from store.database import Database
from tests.database import SECRET, Number


def _password(lines: list[str]) -> str:
    return lines[-1].split()[-1]


async def test_that_a_person_is_made_given_a_role_and_let_in_again(
    owner_dsn: str, db: Database, number: Number
) -> None:
    sign_in = SignIn(db, SECRET)
    lines = await users.create(
        owner_dsn, email="Eva@Shop.example", name="Eva", place=Place("shop", "manager", "team"), platform=False
    )
    first = _password(lines)
    person = await sign_in.check_password("eva@shop.example", first, "test")
    assert [(one["slug"], one["role"]) for one in person.memberships] == [("shop", "manager")]
    assert person.tenant() == number.tenant_id
    await users.give_role(owner_dsn, "eva@shop.example", Place("shop", "admin"))
    (line,) = [one for one in await users.listed(owner_dsn, "shop") if one.startswith("eva@")]
    assert "admin of shop (sees team)" in line, "a new role leaves the reach as it was"
    second = _password(await users.reset_password(owner_dsn, "eva@shop.example"))
    with pytest.raises(WrongCredentialsError):
        await sign_in.check_password("eva@shop.example", first, "test")
    assert await sign_in.check_password("eva@shop.example", second, "test")
    assert re.search("was off already", (await users.remove_second_factor(owner_dsn, "eva@shop.example"))[0])


async def test_that_an_empty_installation_gets_its_first_platform_administrator(owner_dsn: str, db: Database) -> None:
    lines = await users.create(owner_dsn, email="root@example.org", name="", place=None, platform=True)
    person = await SignIn(db, SECRET).check_password("root@example.org", _password(lines), "test")
    assert (person.runs_platform, person.memberships, person.tenant()) == (True, (), None)
    await users.make_platform_admin(owner_dsn, "root@example.org", runs=False)
    assert "in no business" in (await users.listed(owner_dsn, None))[0]


async def test_that_mistakes_are_named_and_change_nothing(owner_dsn: str, db: Database, number: Number) -> None:
    async def make(email: str = "eva@shop.example", place: Place | None = None, *, platform: bool = False) -> None:
        await users.create(owner_dsn, email=email, name="", place=place, platform=platform)

    for mistake, error, said in (
        (make("eva at shop", Place("shop", "admin")), InvalidInputError, "no e-mail address"),
        (make(), InvalidInputError, "--platform-admin"),
        (make(place=Place("shop", "boss")), InvalidInputError, "Known: admin, manager, operator, prompt_engineer"),
        (make(place=Place("shop", "admin", "half")), InvalidInputError, "Known: all, team, own"),
        (make(place=Place("elsewhere", "admin")), NotFoundError, "there are: shop"),
        (make("ana@shop.example", platform=True), ConflictError, "already"),
        (users.reset_password(owner_dsn, "eva@shop.example"), NotFoundError, "atende user list"),
        (users.give_role(owner_dsn, "eva@shop.example", Place("shop", "admin")), NotFoundError, "no user"),
    ):
        with pytest.raises(error) as raised:
            await mistake
        assert said in raised.value.sentence()
    assert len(await users.listed(owner_dsn, None)) == 1
