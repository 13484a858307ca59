"""A slice of the fuzz campaign (bench/webhook_fuzz.py) for every gateway, through the real web process."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import asyncpg
import httpx
import pytest
from bench.campaign import Ground
from bench.deliveries import PROFILES

from flows.gateways import FACTORIES
from tests.database import make_number
from tests.web.part import running_web

SEED = 20261122


def test_that_every_gateway_is_fuzzed() -> None:
    assert set(PROFILES) == set(FACTORIES)


@pytest.mark.parametrize("provider", sorted(PROFILES))
async def test_that_nothing_unsigned_is_accepted_and_nothing_signed_is_lost(
    provider: str, owner_dsn: str, tmp_path: Path
) -> None:
    number = await make_number(owner_dsn, "clinic", provider=provider)
    owner = await asyncpg.connect(owner_dsn)
    config = json.dumps(PROFILES[provider].config)
    await owner.execute("UPDATE channel_session SET config = $2 WHERE id = $1", number.session_id, config)
    async with (
        running_web(owner_dsn, tmp_path) as served,
        aiohttp.ClientSession(str(served.base_url).rstrip("/")) as client,
        httpx.AsyncClient() as unused,
    ):
        gateway = FACTORIES[provider](unused, None)
        report = await Ground(client, owner, gateway, number.session_id).play(seed=SEED, requests=150)
    await owner.close()
    assert report.faults == [], f"seed {SEED}: {report.faults[:5]}"
    assert report.messages > 40
    assert report.quarantined > 10
    assert set(report.statuses) >= {"genuine", "forged", "replayed", "truncated", "wrongly typed", "oversized"}
