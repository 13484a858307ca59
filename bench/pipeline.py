"""How fast a message becomes a reply: real processes, a durable PostgreSQL, no model, debounce 0. Prints JSON.

    python bench/pipeline.py [--seconds 5] [--turns 600]

The machine is shared and its disk varies: compare figures of one run, not of two. ``fsync`` is on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

if __name__ == "__main__":
    sys.path.pop(0)  # this folder: it has an agent.py

import aiohttp
import asyncpg
import orjson
import psutil

from agent.encoder import default_encoder
from channels.base import MessageReceived
from domain.messages import Address, AddressKind
from flows.inbound import Inbound
from flows.session_info import SessionInfo
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from store.database import Database
from store.embedded import EmbeddedPostgres
from store.migrate import migrate
from store.wakeup import Wakeup

REPOSITORY = Path(__file__).resolve().parent.parent
SECRET = "a secret for measuring only, of enough characters"
PORT = int(os.environ.get("BENCH_PORT", "8899"))
HMAC_KEY = "bench"
AT_FULL_SPEED = {"messages_per_minute": "unlimited", "new_contacts_per_day": "unlimited"}
TEXTS = (
    "cadê meu pedido {n}?",
    "oi, onde está o pedido {n}",
    "quero saber do pedido {n} por favor",
    "status do pedido {n}",
    "qual o horário de vocês? {n}",
    "vcs abrem sábado? {n}",
    "quais as formas de pagamento? {n}",
    "aceita pix ou cartão {n}",
)
"""Intent-path messages; {n} makes each one new, so that no cache of encoded texts helps."""


class Bench:
    """One database, one tenant with a simulated and a WAHA number, and the processes to measure."""

    def __init__(self, folder: Path, server: EmbeddedPostgres, dsn: str) -> None:
        self.folder, self.server, self.dsn = folder, server, dsn
        self.tenant_id = UUID(int=0)
        self.simulator = self.waha = UUID(int=0)
        self.ids = itertools.count(10_000)
        self._owner: asyncpg.Connection | None = None

    async def prepare(self) -> None:
        """Migrate, import the example shop, and set debounce to 0."""
        await asyncio.to_thread(migrate, self.dsn, SECRET.encode())
        db = await Database.open(self.dsn, SECRET.encode())
        tenant = load_tenant(REPOSITORY / "tenants" / "loja-aurora")
        imported = await import_tenant(self.dsn, db, tenant, default_encoder(), today=date.today())  # noqa: DTZ011
        self.tenant_id = imported.tenant_id
        self.simulator = next(iter(imported.numbers.values()))
        async with db.transaction(self.tenant_id) as tx:
            self.waha = await tx.fetchval(
                "INSERT INTO channel_session (tenant_id, provider, name, config) VALUES ($1, 'waha', 'WAHA', $2) "
                "RETURNING id",
                self.tenant_id,
                {"hmac_key": HMAC_KEY, "base_url": "http://127.0.0.1:9", **AT_FULL_SPEED},
            )
        await db.close()
        await self.debounce(0)

    async def debounce(self, seconds: float) -> None:
        """Set the tenant's debounce; processes take it up within their cache's seconds."""
        await self.sql(
            "UPDATE tenant SET settings = settings || $1::text::jsonb",
            json.dumps({"debounce": {"seconds": seconds, "cap_seconds": 10}}),
        )

    async def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """Run a statement as the owner."""
        if self._owner is None:  # one connection: logging in costs the server more than the statements do
            self._owner = await asyncpg.connect(self.dsn)
        return list(await self._owner.fetch(statement, *values))

    @contextmanager
    def process(self, part: str, **more: str) -> Iterator[psutil.Process]:
        """One product process, as the command line starts it."""
        environment = {
            **os.environ,
            "DATABASE_URL": self.dsn,
            "ATENDE_SECRET": SECRET,
            "ATENDE_DATA_DIR": str(self.folder / "data"),
            "ATENDE_DEMO": "true",
            "ATENDE_PORT": str(PORT),
            "ATENDE_LOG_LEVEL": "warning",
            **more,
        }
        child = subprocess.Popen([Path(sys.executable).parent / "atende", part], env=environment, cwd=REPOSITORY)
        try:
            yield psutil.Process(child.pid)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait()

    def postgres_cpu(self) -> float:
        """CPU seconds of the server so far, ended backends included."""
        postmaster = psutil.Process(self.server.pid)
        times = postmaster.cpu_times()
        own = times.user + times.system + times.children_user + times.children_system
        return own + sum(cpu(child) for child in postmaster.children())


def cpu(process: psutil.Process) -> float:
    """CPU seconds of a process so far."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def percentile(values: list[float], share: float) -> float:
    """The nearest-rank percentile; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


async def wait_for(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(300):
            try:
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise TimeoutError(url)


def simulator_request(bench: Bench, contact: str, n: int) -> tuple[str, bytes, dict[str, str]]:
    text = TEXTS[n % len(TEXTS)].format(n=n)
    body = orjson.dumps({"contact": contact, "id": f"b{n}", "text": text})
    return f"/simulator/{bench.simulator}/messages", body, {"content-type": "application/json"}


def waha_request(bench: Bench, contact: str, n: int) -> tuple[str, bytes, dict[str, str]]:
    body = orjson.dumps(
        {
            "event": "message",
            "session": "default",
            "engine": "GOWS",
            "payload": {
                "id": f"false_55119{contact[1:]:0>8}@c.us_B{n}",
                "timestamp": int(time.time()),
                "from": f"55119{contact[1:]:0>8}@c.us",
                "fromMe": False,
                "body": TEXTS[n % len(TEXTS)].format(n=n),
                "hasMedia": False,
            },
        }
    )
    signature = hmac.new(HMAC_KEY.encode(), body, hashlib.sha512).hexdigest()
    headers = {"X-Webhook-Hmac": signature, "X-Webhook-Hmac-Algorithm": "sha512", "content-type": "application/json"}
    return f"/webhooks/waha/{bench.waha}", body, headers


async def ingest(bench: Bench, make: Any, seconds: float, connections: int = 32) -> dict[str, Any]:
    """Durable messages a second through the web process, nothing else running."""
    latencies: list[float] = []
    with bench.process("web") as web:
        await wait_for(f"http://127.0.0.1:{PORT}/healthz")
        async with aiohttp.ClientSession(
            f"http://127.0.0.1:{PORT}", connector=aiohttp.TCPConnector(limit=connections)
        ) as http:
            contacts = [f"c{n}" for n in range(400)]

            async def write(contact: str) -> None:
                path, body, headers = make(bench, contact, next(bench.ids))
                started = time.perf_counter()
                async with http.post(path, data=body, headers=headers) as answer:
                    await answer.read()
                    if answer.status >= 300:
                        raise RuntimeError(f"{answer.status}: {await answer.text()}")
                latencies.append(time.perf_counter() - started)

            await asyncio.gather(*(write(contact) for contact in contacts))  # contacts and conversations exist now
            latencies.clear()
            before = (cpu(web), bench.postgres_cpu(), time.process_time())
            end = time.perf_counter() + seconds
            turn = itertools.cycle(contacts)

            async def client() -> None:
                while time.perf_counter() < end:
                    await write(next(turn))

            await asyncio.gather(*(client() for _ in range(connections)))
            after = (cpu(web), bench.postgres_cpu(), time.process_time())
    n = len(latencies)
    return {
        "messages_per_second": round(n / seconds),
        "p50_ms": round(1000 * percentile(latencies, 0.5), 1),
        "p99_ms": round(1000 * percentile(latencies, 0.99), 1),
        "cpu_ms_per_message": {
            name: round(1000 * (b - a) / n, 2)
            for name, a, b in zip(("web", "postgres", "load_generator"), before, after, strict=True)
        },
    }


async def write_backlog(bench: Bench, prefix: str, count: int) -> None:
    """One new message in each of ``count`` new conversations, through the inbound flow."""
    async with inbound_of(bench) as (inbound, session):

        async def write(n: int) -> None:
            await inbound.receive(session, message(f"{prefix}{n}", next(bench.ids)))

        for start in range(0, count, 50):
            await asyncio.gather(*(write(n) for n in range(start, min(start + 50, count))))


@asynccontextmanager
async def inbound_of(bench: Bench) -> AsyncIterator[tuple[Inbound, SessionInfo]]:
    """The inbound flow in this process."""
    db = await Database.open(bench.dsn, SECRET.encode())
    wakeup = Wakeup(db)
    inbound = Inbound(db, wakeup)
    yield inbound, await inbound.session(bench.simulator)
    await wakeup.close()
    await db.close()


def message(contact: str, n: int) -> MessageReceived:
    text = TEXTS[n % len(TEXTS)].format(n=n)
    return MessageReceived(f"b{n}", Address(AddressKind.SIMULATOR, contact), datetime.now(UTC), text=text)


async def turns(bench: Bench, workers: int, count: int) -> dict[str, Any]:
    """Turns a second on the intent path, replies delivered, from a backlog; the workers are warm when it starts."""
    prefix = f"w{workers}-"
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(bench.process("worker")) for _ in range(workers)]
        await write_backlog(bench, f"warm{workers}-", 60)
        await rest(bench, f"warm{workers}-", 60)
        await bench.debounce(2)  # hold the backlog back until all of it stands
        await write_backlog(bench, prefix, count)
        await bench.debounce(0)
        # As in an installation that is older than a minute. Plans made while the tables were empty cost up to 2 ms a
        # statement until the server has looked at them, which it does every 15 s.
        await bench.sql("ANALYZE")
        before = ([cpu(process) for process in running], bench.postgres_cpu())
        await bench.sql("UPDATE queue.procrastinate_jobs SET scheduled_at = now()")
        started = time.perf_counter()
        await rest(bench, prefix, count)
        seconds = time.perf_counter() - started
        after = ([cpu(process) for process in running], bench.postgres_cpu())
    stages = await bench.sql(
        """SELECT stage, avg(ms::float) AS mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms::float) AS p50
             FROM turn t JOIN conversation c ON c.id = t.conversation_id,
                  jsonb_each_text(t.trace -> 'stages_ms') s(stage, ms)
            WHERE c.address LIKE 'simulator:' || $1 || '%' GROUP BY stage ORDER BY stage""",
        prefix,
    )
    decisions = await bench.sql(
        "SELECT decision ->> 'kind' AS kind, count(*) AS n FROM turn t JOIN conversation c ON c.id = t.conversation_id "
        "WHERE c.address LIKE 'simulator:' || $1 || '%' GROUP BY 1",
        prefix,
    )
    return {
        "turns_per_second": round(count / seconds),
        "decisions": {row["kind"]: row["n"] for row in decisions},
        "cpu_ms_per_turn": {
            "workers": round(1000 * (sum(after[0]) - sum(before[0])) / count, 2),
            "postgres": round(1000 * (after[1] - before[1]) / count, 2),
        },
        "stage_wall_ms_under_load": {row["stage"]: [round(row["mean"], 2), round(row["p50"], 2)] for row in stages},
    }


async def rest(bench: Bench, prefix: str, count: int) -> None:
    """Wait until every conversation of the prefix is answered and its answers have left."""
    while True:
        row = (
            await bench.sql(
                """SELECT count(*) FILTER (WHERE answered_upto_id >= last_inbound_id) AS answered,
                          (SELECT count(*) FROM outbox_message o JOIN channel_session s ON s.id = o.channel_session_id
                            WHERE o.state IN ('queued', 'sending') AND s.provider = 'simulator') AS waiting
                     FROM conversation WHERE address LIKE 'simulator:' || $1 || '%'""",
                prefix,
            )
        )[0]
        if row["answered"] >= count and row["waiting"] == 0:
            return
        await asyncio.sleep(0.05)


async def latency(bench: Bench, seconds: float, per_second: float = 20.0) -> dict[str, Any]:
    """From the message at the door to the reply on the phone, at a steady rate, debounce 0."""
    await bench.debounce(0)
    sent: dict[str, float] = {}
    with bench.process("web"), bench.process("worker"):
        await wait_for(f"http://127.0.0.1:{PORT}/healthz")
        await write_backlog(bench, "warm-latency-", 20)
        await rest(bench, "warm-latency-", 20)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{PORT}") as http:

            async def write(n: int) -> None:
                contact = f"l{n}"
                path, body, headers = simulator_request(bench, contact, next(bench.ids))
                sent[contact] = time.time()
                async with http.post(path, data=body, headers=headers) as answer:
                    await answer.read()

            tasks = []
            started = time.perf_counter()
            for n in range(int(seconds * per_second)):
                await asyncio.sleep(max(0.0, started + n / per_second - time.perf_counter()))
                tasks.append(asyncio.create_task(write(n)))
            await asyncio.gather(*tasks)
        await rest(bench, "l", len(sent))
    rows = await bench.sql("SELECT contact, min(at) AS at FROM simulator_delivery WHERE contact LIKE 'l%' GROUP BY 1")
    took = [1000 * (row["at"].timestamp() - sent[row["contact"]]) for row in rows if row["contact"] in sent]
    return {
        "replies": len(took),
        "p50_ms": round(percentile(took, 0.5), 1),
        "p99_ms": round(percentile(took, 0.99), 1),
        "mean_ms": round(statistics.fmean(took), 1) if took else None,
    }


async def debounced(bench: Bench, seconds: float, wait: float = 0.5) -> dict[str, Any]:
    """How late debounced turns start: the decision's time after the last message, less the wait itself."""
    await bench.debounce(wait)
    with bench.process("worker"):
        await write_backlog(bench, "warm-debounce-", 10)
        await rest(bench, "warm-debounce-", 10)
        async with inbound_of(bench) as (inbound, session):
            for n in range(int(seconds * 10)):
                await inbound.receive(session, message(f"d{n}", next(bench.ids)))
                await asyncio.sleep(0.1)
        await rest(bench, "d", int(seconds * 10))
    rows = await bench.sql(
        """SELECT extract(epoch FROM t.created_at - m.received_at)::float AS took, t.latency_ms
             FROM turn t JOIN message m ON m.id = t.upto_message_id JOIN conversation c ON c.id = t.conversation_id
            WHERE c.address LIKE 'simulator:d%'"""
    )
    late = [1000 * (row["took"] - wait) for row in rows]
    return {
        "turns": len(late),
        "late_by_p50_ms": round(percentile(late, 0.5)),
        "late_by_p99_ms": round(percentile(late, 0.99)),
    }


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--turns", type=int, default=600)
    arguments.add_argument("--only", default="")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="atende-bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # noqa: ASYNC240  nothing else runs yet
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            bench = Bench(folder, server, server.create_database("bench"))
            await bench.prepare()
            parts: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
                "ingest_simulator": lambda: ingest(bench, simulator_request, chosen.seconds),
                "ingest_waha": lambda: ingest(bench, waha_request, chosen.seconds),
                "turns_1_worker": lambda: turns(bench, 1, chosen.turns),
                "turns_2_workers": lambda: turns(bench, 2, chosen.turns),
                "latency_at_20_per_second": lambda: latency(bench, chosen.seconds * 2),
                "debounced_turns": lambda: debounced(bench, chosen.seconds),
            }
            results: dict[str, Any] = {"load_average_at_start": os.getloadavg()[0], "cpus": os.cpu_count()}
            for name, part in parts.items():
                if chosen.only in name:
                    results[name] = await part()
                    print(name, json.dumps(results[name]), file=sys.stderr, flush=True)
            print(json.dumps(results, indent=2))
        finally:
            server.stop("immediate")


if __name__ == "__main__":
    asyncio.run(main())
