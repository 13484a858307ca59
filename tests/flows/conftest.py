"""A shop, and the worker's parts over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flows.inbound import Inbound
from store.database import Database
from store.wakeup import Wakeup
from tests.database import Number
from tests.flows.backroom import Backroom, open_backroom
from tests.flows.door import Door
from tests.flows.shop import Shop, open_shop


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the slow shop's functions write down when they start and end."""
    path = tmp_path / "trace"
    path.touch()
    monkeypatch.setenv("ATENDE_TEST_TRACE", str(path))
    return path


@pytest.fixture
async def shop(owner_dsn: str, db: Database) -> AsyncIterator[Shop]:
    """The slow shop, imported."""
    async with open_shop(owner_dsn, db) as opened:
        yield opened


@pytest.fixture
async def backroom(shop: Shop, trace: Path) -> AsyncIterator[Backroom]:
    """The worker's parts, to be run step by step."""
    async with open_backroom(shop) as opened:
        yield opened


@pytest.fixture
async def door(owner_dsn: str, db: Database, number: Number) -> AsyncIterator[Door]:
    """The way in to a number."""
    wakeup = Wakeup(db)
    inbound = Inbound(db, wakeup)
    yield Door(db, inbound, await inbound.session(number.session_id), owner_dsn)
    await wakeup.close()


def started(trace: Path, function: str) -> int:
    """How often a function of the slow shop began."""
    return sum(line.split()[1:3] == [function, "start"] for line in trace.read_text().splitlines())
