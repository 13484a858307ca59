"""API keys: bound to one tenant, limited to their scopes, kept only as a digest."""

from __future__ import annotations

import asyncpg
import pytest

from domain.errors import ConflictError, InvalidInputError, NotFoundError
from flows.api_keys import SCOPES, ApiKeys
from store.database import Database
from tests.database import Number, make_number


async def test_that_a_key_is_its_tenant_s_with_its_scopes_until_it_is_revoked(owner_dsn: str, db: Database) -> None:
    ours, theirs = await make_number(owner_dsn, "ours"), await make_number(owner_dsn, "theirs")
    keys = ApiKeys(db)
    made = await keys.create(ours.tenant_id, "crm", ["intents:read"], actor="x")
    other = await keys.create(theirs.tenant_id, "crm", list(SCOPES), actor="x")
    caller = await keys.recognise(made.token)
    assert caller is not None
    assert (caller.tenant_id, caller.name, caller.scopes) == (ours.tenant_id, "crm", {"intents:read"})
    assert [row["name"] for row in await keys.all(ours.tenant_id)] == ["crm"]
    assert (await keys.all(ours.tenant_id))[0]["last_used_at"] is not None
    assert (await keys.all(theirs.tenant_id))[0]["last_used_at"] is None
    with pytest.raises(NotFoundError):
        await keys.revoke(ours.tenant_id, str(other.id), actor="x")
    assert await keys.revoke(ours.tenant_id, "crm", actor="x") == "crm"
    assert await keys.recognise(made.token) is None
    assert await keys.recognise(other.token) is not None


async def test_that_the_database_holds_no_token_and_a_guess_opens_nothing(
    owner_dsn: str, db: Database, number: Number
) -> None:
    keys = ApiKeys(db)
    token = (await keys.create(number.tenant_id, "crm", ["intents:read"], actor="x")).token
    owner = await asyncpg.connect(owner_dsn)
    rows = str(await owner.fetch("SELECT * FROM api_key")) + str(await owner.fetch("SELECT * FROM event"))
    digest = await owner.fetchval("SELECT key_hash FROM api_key")
    await owner.close()
    assert token not in rows
    for guess in ("", "atende_", digest, token[:-1], token + "A", token.upper(), f" {token}", "atende_" + "é" * 43):
        assert await keys.recognise(guess) is None, guess


async def test_that_a_key_ends_when_its_time_is_over(owner_dsn: str, db: Database, number: Number) -> None:
    keys = ApiKeys(db)
    token = (await keys.create(number.tenant_id, "crm", ["intents:read"], days=1, actor="x")).token
    assert await keys.recognise(token) is not None
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("UPDATE api_key SET expires_at = now() - interval '1 second'")
    await owner.close()
    assert await keys.recognise(token) is None


async def test_that_keys_without_name_or_with_unknown_scopes_are_refused(db: Database, number: Number) -> None:
    keys = ApiKeys(db)
    for name, scopes in (("", ["intents:read"]), ("crm", []), ("crm", ["intents:read", "everything"])):
        with pytest.raises(InvalidInputError):
            await keys.create(number.tenant_id, name, scopes, actor="x")
    await keys.create(number.tenant_id, "twin", ["intents:read"], actor="x")
    await keys.create(number.tenant_id, "twin", ["intents:read"], actor="x")
    with pytest.raises(ConflictError, match="2 keys"):
        await keys.revoke(number.tenant_id, "twin", actor="x")
