"""The API against its own document: schemathesis over all operations, a seeded slice of what bench/api_fuzz.py runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from store.database import Database
from tests.web.api_fuzz import run_campaign
from tests.web.api_world import opened_world

SEED = 20260322
EXAMPLES = 2


async def test_that_no_request_made_from_the_document_ends_in_a_500_or_an_answer_that_it_does_not_describe(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    async with opened_world(owner_dsn, db, tmp_path) as world:
        document = (await world.stranger.get("/api/v1/openapi.json")).json()
        found = await asyncio.to_thread(
            run_campaign,
            document,
            str(world.stranger.base_url),
            world.token,
            known=world.known,
            seed=SEED,
            examples=EXAMPLES,
        )
    assert not found.failures, "\n".join(found.lines())
    assert found.requests > 2 * found.operations
