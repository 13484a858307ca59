"""Importing a declared tenant into a migrated database."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path
from uuid import uuid4
from zlib import crc32

import asyncpg
import numpy as np
import pytest
from argon2 import PasswordHasher

from agent.encoder import Encoder, Vectors
from flows.tenant_declaration import TenantDeclaration
from flows.tenant_files import load_tenant
from flows.tenants import ImportedTenant, demo_passwords, import_tenant
from store.database import Database
from store.embedded import EmbeddedPostgres
from store.migrate import migrate

AURORA = Path(__file__).parents[2] / "tenants" / "loja-aurora"
SECRET = b"a secret of the tests"
TODAY = date(2026, 11, 18)


class CountingEncoder:
    """Vectors from a checksum: quick, and the same for the same text. Narrower than the columns on purpose."""

    name = "checksum"
    dim = 8
    parts = ((8, 1.0),)
    spare = None

    def __init__(self) -> None:
        self.encoded = 0

    @property
    def for_passages(self) -> Encoder:
        return self

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.encoded += len(texts)
        rows = np.array(
            [[crc32(f"{n}{text}".encode()) + 1 for n in range(self.dim)] for text in texts], dtype=np.float32
        )
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class World:
    """One migrated database of its own."""

    def __init__(self, dsn: str, db: Database) -> None:
        self.dsn = dsn
        self.db = db
        self.encoder = CountingEncoder()

    async def bring_in(self, declaration: TenantDeclaration, today: date = TODAY) -> ImportedTenant:
        return await import_tenant(
            self.dsn, self.db, declaration, self.encoder, today=today, passwords=demo_passwords(declaration)
        )

    async def count(self, tenant: ImportedTenant, table: str) -> int:
        async with self.db.transaction(tenant.tenant_id) as tx:
            return int(await tx.fetchval(f"SELECT count(*) FROM {table}"))


@pytest.fixture
async def world(postgres: EmbeddedPostgres) -> AsyncIterator[World]:
    name = f"tenants_{uuid4().hex[:8]}"
    dsn = postgres.create_database(name)
    await asyncio.to_thread(migrate, dsn, SECRET)
    db = await Database.open(dsn, SECRET)
    try:
        yield World(dsn, db)
    finally:
        await db.close()
        postgres.drop_database(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(AURORA, tmp_path / "loja", ignore=shutil.ignore_patterns("__pycache__"))


async def test_an_import_brings_in_all_that_the_files_say(world: World) -> None:
    aurora = load_tenant(AURORA)
    tenant = await world.bring_in(aurora)

    assert set(tenant.numbers) == {"vendas", "suporte"}
    assert await world.count(tenant, "intent") == len(aurora.intents)
    examples = sum(len(texts) for intent in aurora.intents.values() for texts in intent.examples.values())
    assert await world.count(tenant, "intent_example WHERE embedding IS NOT NULL AND encoder = 'checksum'") == examples
    assert await world.count(tenant, "knowledge_chunk WHERE embedding IS NOT NULL") == len(aurora.passages())
    assert await world.count(tenant, "business_function WHERE NOT trusted AND enabled") == len(aurora.functions)
    assert await world.count(tenant, "business_record WHERE collection = 'orders'") == 14
    assert await world.count(tenant, "channel_session WHERE provider = 'simulator' AND status = 'connected'") == 2
    async with world.db.transaction(tenant.tenant_id) as tx:
        settings = await tx.fetchval("SELECT settings FROM tenant")
        order = await tx.fetchval("SELECT value FROM business_record WHERE collection = 'orders' AND key = '10231'")
    assert (settings["debounce"]["seconds"], settings["debounce"]["cap_seconds"]) == (3.0, 12.0)
    assert order["expected_on"] == "2026-11-20"
    assert "demo-" not in str(settings)


async def test_demo_users_can_sign_in_with_their_role_and_no_password_is_kept_in_clear(world: World) -> None:
    tenant = await world.bring_in(load_tenant(AURORA))
    (login,) = await world.db.gate("find_login", "Bruno@loja-aurora.example")
    assert PasswordHasher().verify(login["password_hash"], "demo-bruno-2026")
    (membership,) = login["memberships"]
    assert (membership["tenant_id"], membership["role"]) == (str(tenant.tenant_id), "operator")


async def test_a_user_without_a_given_password_exists_but_cannot_sign_in_with_the_demo_one(world: World) -> None:
    await import_tenant(world.dsn, world.db, load_tenant(AURORA), world.encoder, today=TODAY)
    (login,) = await world.db.gate("find_login", "bruno@loja-aurora.example")
    with pytest.raises(Exception, match="does not match"):
        PasswordHasher().verify(login["password_hash"], "demo-bruno-2026")


async def test_the_same_files_on_the_same_day_are_not_imported_again(world: World) -> None:
    aurora = load_tenant(AURORA)
    first = await world.bring_in(aurora)
    encoded = world.encoder.encoded
    again = await world.bring_in(aurora)
    assert (again.tenant_id, again.numbers, again.changed) == (first.tenant_id, first.numbers, False)
    assert world.encoder.encoded == encoded
    # Its example orders move with the calendar, so the next day is another import.
    assert (await world.bring_in(aurora, today=date(2026, 11, 19))).changed


async def test_a_new_import_follows_the_files_and_takes_nothing_from_people(world: World, folder: Path) -> None:
    first = await world.bring_in(load_tenant(folder))
    async with world.db.transaction(first.tenant_id) as tx:
        await tx.execute(
            "INSERT INTO business_record (tenant_id, collection, key, value) VALUES ($1, 'exchanges', 'k', '{}')",
            first.tenant_id,
        )
        await tx.execute("UPDATE business_function SET enabled = false WHERE name = 'invoice_copy'")
    (folder / "intents" / "store_location.yaml").unlink()
    (folder / "knowledge" / "privacidade.md").unlink()
    thanks = folder / "intents" / "thanks.yaml"
    thanks.write_text(thanks.read_text().replace("    - tchau\n", "    - tchauzinho\n"))
    settings = folder / "tenant.yaml"
    settings.write_text(
        settings.read_text().replace(
            "  - key: suporte\n    name: Loja Aurora · Suporte\n    team: suporte\n    provider: simulator\n", ""
        )
    )

    second = await world.bring_in(load_tenant(folder))

    assert second.tenant_id == first.tenant_id
    assert second.numbers == {"vendas": first.numbers["vendas"]}
    assert await world.count(second, "channel_session WHERE NOT wanted") == 1
    assert await world.count(second, "intent WHERE name = 'store_location'") == 0
    assert await world.count(second, "intent_example WHERE text = 'tchau'") == 0
    assert await world.count(second, "intent_example WHERE text = 'tchauzinho'") == 1
    assert await world.count(second, "knowledge_document WHERE ref = 'privacidade'") == 0
    assert await world.count(second, "business_record WHERE collection = 'exchanges'") == 1
    assert await world.count(second, "business_function WHERE NOT enabled") == 1
    assert await world.count(second, "membership") == 3
    async with world.db.transaction(second.tenant_id) as tx:
        assert await tx.fetchval("SELECT profile_version FROM tenant") == 3


async def test_two_tenants_with_one_person_between_them_stay_apart(world: World, folder: Path) -> None:
    first = await world.bring_in(load_tenant(AURORA))
    settings = folder / "tenant.yaml"
    settings.write_text(settings.read_text().replace("slug: loja-aurora", "slug: loja-boreal"))
    (folder / "intents" / "thanks.yaml").unlink()
    second = await world.bring_in(load_tenant(folder))
    assert second.tenant_id != first.tenant_id
    assert await world.count(first, "intent") == await world.count(second, "intent") + 1
    (login,) = await world.db.gate("find_login", "helena@loja-aurora.example")
    assert len(login["memberships"]) == 2


async def test_two_imports_at_once_end_as_one_tenant(world: World) -> None:
    aurora = load_tenant(AURORA)
    first, second = await asyncio.gather(world.bring_in(aurora), world.bring_in(aurora))
    assert first.tenant_id == second.tenant_id
    assert first.numbers == second.numbers
    assert await world.count(first, "channel_session") == 2
    assert await world.count(first, "intent") == len(aurora.intents)


async def test_the_applications_own_role_can_make_no_tenant(world: World) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await world.db.gate("put_tenant", "x", "X", "pt", "UTC")
