"""A real worker and a model that does not answer: who needs no model is answered as if nobody waited for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.worker import MODEL_CONCURRENCY, MODEL_PLACES
from store.database import Database
from tests.flows.shop import FOLDER, Shop, eventually, open_shop
from tests.openai_server import ScriptedOpenAI
from tests.worker_process import workers

MOST_WAITING = MODEL_PLACES + MODEL_CONCURRENCY
SLOW, QUICK = MOST_WAITING + 10, 30


@pytest.fixture
async def shop(owner_dsn: str, db: Database) -> AsyncIterator[Shop]:
    async with open_shop(owner_dsn, db) as opened:
        yield opened


async def test_that_turns_without_a_model_never_wait_for_those_with_one(
    owner_dsn: str, shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "trace").touch()
    async with shop.db.transaction(shop.tenant_id) as tx:
        patience = {"model": {"timeout_seconds": 120, "deadline_seconds": 240}}
        await tx.execute("UPDATE tenant SET settings = settings || $1", patience)

    async def answered(contacts: str) -> int:
        (row,) = await shop.fetch(
            "SELECT count(DISTINCT contact) AS n FROM simulator_delivery WHERE contact LIKE $1 || '%'", contacts
        )
        return int(row["n"])

    async with ScriptedOpenAI([{"when": ".", "reply": "Sem problema."}]) as server:
        server.may_answer.clear()
        with workers(owner_dsn, FOLDER.parent, tmp_path / "trace", 1, model_url=server.base_url):
            for n in range(SLOW):  # more than the worker can wait for at once: every place that may wait does
                await shop.write(f"slow{n}", f"blarg zzyx {n}")

            async def all_places_wait() -> bool:
                return len(server.requests) >= MOST_WAITING

            async def quick_are_answered() -> bool:
                return await answered("quick") == QUICK

            async def slow_are_answered() -> bool:
                return await answered("slow") == SLOW

            await eventually(all_places_wait, within=60, what="a question in every place")
            for n in range(QUICK):
                await shop.write(f"quick{n}", "faz a consulta lenta")
            await eventually(quick_are_answered, within=60, what="the quick answers")
            assert await answered("slow") == 0, "the model has answered nobody yet"
            server.may_answer.set()
            await eventually(slow_are_answered, within=60, what="the slow answers")
    # A busy machine may take a waiting turn for dead and run it again: that asks the model twice and answers once.
    deliveries = await shop.fetch("SELECT count(*) AS n FROM simulator_delivery")
    assert deliveries[0]["n"] == SLOW + QUICK
