"""Deliveries that are forged, replayed, cut, too large, wrongly typed and mutated: prints JSON, fails on faults.

    python bench/webhook_fuzz.py [--seed 1] [--requests 10000] [--provider waha]

A real web process over a real PostgreSQL: no 5xx, nothing stored that was not signed, nothing lost that was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.pop(0)  # this folder: it has an agent.py
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiohttp
import asyncpg
import httpx
from bench.campaign import Ground
from bench.deliveries import PROFILES
from bench.pipeline import PORT, Bench, wait_for

from flows.gateways import FACTORIES
from store.embedded import EmbeddedPostgres


async def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--requests", type=int, default=10_000)
    arguments.add_argument("--provider", choices=sorted(PROFILES), action="append")
    chosen = arguments.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory(prefix="atende-fuzz-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # noqa: ASYNC240  nothing else runs yet
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            bench = Bench(folder, server, server.create_database("fuzz"))
            await bench.prepare()
            owner = await asyncpg.connect(bench.dsn)
            with bench.process("web"):
                await wait_for(f"http://127.0.0.1:{PORT}/healthz")
                connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)  # shorter than the server's
                async with (
                    aiohttp.ClientSession(f"http://127.0.0.1:{PORT}", connector=connector) as client,
                    httpx.AsyncClient() as unused,
                ):
                    for provider in chosen.provider or sorted(PROFILES):
                        number = await owner.fetchval(
                            "INSERT INTO channel_session (tenant_id, provider, name, config) "
                            "VALUES ($1, $2, $2, $3::text::jsonb) RETURNING id",
                            bench.tenant_id,
                            provider,
                            json.dumps(PROFILES[provider].config),
                        )
                        gateway = FACTORIES[provider](unused, None)
                        started = time.monotonic()
                        report = await Ground(client, owner, gateway, number).play(
                            seed=chosen.seed, requests=chosen.requests
                        )
                        faults += len(report.faults)
                        seconds = round(time.monotonic() - started, 1)
                        print(json.dumps({**report.as_json(), "seconds": seconds}, ensure_ascii=True), flush=True)
            await owner.close()
        finally:
            server.stop("immediate")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
