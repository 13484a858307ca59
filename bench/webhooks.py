"""Durable acknowledgements a second and their latency, per gateway: a real web process, a durable PostgreSQL. JSON.

    python bench/webhooks.py [--seconds 5] [--rate 300] [--provider waha]

``most``: as many as 32 connections get through. ``steady``: ``--rate`` a second, whatever the server does; latency
counts from the moment at which a delivery was due. The machine is shared: compare figures of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.pop(0)  # this folder: it has an agent.py
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiohttp
from bench.deliveries import PROFILES, Delivery, Profile
from bench.pipeline import PORT, Bench, cpu, percentile, wait_for

from store.embedded import EmbeddedPostgres

CONNECTIONS = 32
CONTACTS = 400


def deliveries(profile: Profile, number: UUID) -> Iterator[Delivery]:
    """Texts of the same contacts, each with a new id."""
    for n in itertools.count():
        payload = profile.message(f"B{n:07}", f"55119900{n % CONTACTS:05}", f"cadê meu pedido {n}?")
        yield profile.delivery("genuine", number, json.dumps(payload).encode())


async def post(http: aiohttp.ClientSession, delivery: Delivery) -> None:
    async with http.post(delivery.path, data=delivery.body, headers=delivery.headers) as answer:
        said = await answer.read()
        if answer.status != 200 or said != b'{"stored":["stored"]}':
            raise RuntimeError(f"{answer.status}: {said!r}")


async def measure(
    bench: Bench, http: aiohttp.ClientSession, web: Any, source: Iterator[Delivery], chosen: Any
) -> dict[str, Any]:
    """The two figures of one provider."""
    for _ in range(CONTACTS // CONNECTIONS + 1):  # contacts and conversations exist from now on
        await asyncio.gather(*(post(http, next(source)) for _ in range(CONNECTIONS)))
    took: list[float] = []
    before, end = (cpu(web), bench.postgres_cpu()), time.perf_counter() + chosen.seconds

    async def client() -> None:
        while time.perf_counter() < end:
            delivery, started = next(source), time.perf_counter()
            await post(http, delivery)
            took.append(time.perf_counter() - started)

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    after = (cpu(web), bench.postgres_cpu())
    late: list[float] = []

    async def one(delivery: Delivery, due: float) -> None:
        await post(http, delivery)
        late.append(time.perf_counter() - due)

    began, tasks = time.perf_counter(), []
    for n in range(int(chosen.seconds * chosen.rate)):
        due = began + n / chosen.rate
        delivery = next(source)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(delivery, due)))
    await asyncio.gather(*tasks)
    return {
        "most": {
            "per_second": round(len(took) / chosen.seconds),
            "p50_ms": round(1000 * percentile(took, 0.5), 1),
            "p99_ms": round(1000 * percentile(took, 0.99), 1),
            "cpu_ms_each": {
                name: round(1000 * (b - a) / len(took), 2)
                for name, a, b in zip(("web", "postgres"), before, after, strict=True)
            },
        },
        "steady": {
            "per_second": chosen.rate,
            "p50_ms": round(1000 * percentile(late, 0.5), 1),
            "p99_ms": round(1000 * percentile(late, 0.99), 1),
        },
    }


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--rate", type=float, default=300.0)
    arguments.add_argument("--provider", choices=sorted(PROFILES), action="append")
    chosen = arguments.parse_args()
    results: dict[str, Any] = {"load_average_at_start": os.getloadavg()[0], "cpus": os.cpu_count()}
    with tempfile.TemporaryDirectory(prefix="atende-bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # noqa: ASYNC240  nothing else runs yet
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            bench = Bench(folder, server, server.create_database("bench"))
            await bench.prepare()
            with bench.process("web") as web:
                await wait_for(f"http://127.0.0.1:{PORT}/healthz")
                connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)  # shorter than the server's
                async with aiohttp.ClientSession(f"http://127.0.0.1:{PORT}", connector=connector) as http:
                    for provider in chosen.provider or sorted(PROFILES):
                        (row,) = await bench.sql(
                            "INSERT INTO channel_session (tenant_id, provider, name, config) "
                            "VALUES ($1, $2, $2, $3::text::jsonb) RETURNING id",
                            bench.tenant_id,
                            provider,
                            json.dumps(PROFILES[provider].config),
                        )
                        figures = await measure(bench, http, web, deliveries(PROFILES[provider], row["id"]), chosen)
                        results[provider] = figures
                        print(provider, json.dumps(figures), file=sys.stderr, flush=True)
        finally:
            server.stop("immediate")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
