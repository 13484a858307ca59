"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from argon2 import PasswordHasher
from hypothesis import settings

from flows import sign_in, tenants
from store.database import Database
from store.embedded import EmbeddedPostgres
from tests.database import Number, make_number, migrated_template, new_database, opened
from tests.postgres import MEMORY, running_server, sweep_abandoned_servers

# A busy machine must not fail an example, and the same commit must meet the same examples: other draws are for
# the long campaigns.
settings.register_profile("atende", deadline=None, print_blob=True, derandomize="ATENDE_LONG" not in os.environ)
settings.load_profile("atende")


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hashing a password is slow on purpose; the parameters are part of the hash, so sign-in is unaffected."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (tenants, sign_in):
            patch.setattr(module, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One running server for the whole test run. Take a database of your own in it; never stop or kill it."""
    sweep_abandoned_servers()
    with running_server(parent=MEMORY) as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    """The same server with a migrated database to copy."""
    migrated_template(postgres)
    return postgres


@pytest.fixture
def owner_dsn(migrated: EmbeddedPostgres) -> Iterator[str]:
    """A fresh migrated database of this test alone, reached as its owner."""
    with new_database(migrated) as dsn:
        yield dsn


@pytest.fixture
async def db(owner_dsn: str) -> AsyncIterator[Database]:
    """The application's handle on this test's database."""
    async with opened(owner_dsn) as handle:
        yield handle


@pytest.fixture
async def number(owner_dsn: str) -> Number:
    """A tenant with an operator and one simulated number."""
    return await make_number(owner_dsn)
