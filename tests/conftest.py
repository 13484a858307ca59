"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from store.embedded import EmbeddedPostgres
from tests.postgres import running_server, sweep_abandoned_servers


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One running server for the whole test run. Take a database of your own in it; never stop or kill it."""
    sweep_abandoned_servers()
    with running_server() as server:
        yield server
