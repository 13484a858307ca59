"""What a turn costs on each path: real processes, a durable PostgreSQL, a model and a business system over HTTP.

    python bench/agent.py [--turns 1200] [--seconds 4] [--only model]       JSON on stdout; about three minutes

``intent``: a fixed text · ``function``: a Python function · ``model``: two model calls and one function over HTTP,
then the second reading of the reply (``read_once``: without it), with the model answering at once and after 500 ms.
Times are from the message's arrival to the reply on the phone, debounce 0, two workers; the model's own share is taken
off. ``slow_model``: the intent path alone, then beside 100 conversations that wait for a model. ``cpu_ms_by_stage``:
one turn at a time in this process, its threads included.

The machine is shared and its disk varies: compare figures of one run, not of two. ``fsync`` is on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import uvloop

sys.path.pop(0)  # this file has the name of a package that it needs
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.pipeline import REPOSITORY, SECRET, Bench, cpu, inbound_of, percentile, rest

import agent.graph
from agent.encoder import default_encoder
from agent.graph import build_agent
from agent.language_model import ModelClients, ModelSettings
from app.process import settle_heap
from channels.base import MessageReceived
from channels.simulator import SimulatorSender
from domain.messages import Address, AddressKind
from flows.delivery import Delivery
from flows.inbound import Inbound
from flows.profiles import Installation, Profiles
from flows.session_info import SessionInfo
from flows.simulator import SimulatedPhones
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from flows.turn import Turns
from store.database import Database
from store.embedded import EmbeddedPostgres
from store.migrate import migrate
from store.wakeup import Wakeup

FOLDER = REPOSITORY / "bench" / "agent_shop"
WORKERS = 2
IN_FLIGHT = 100
SLOW_MS = 12_000
TEXTS = {
    "intent": ("qual o horário de funcionamento? {n}", "vcs abrem no sábado? {n}", "fecha que horas hoje {n}?"),
    "function": ("cadê meu pedido {n}?", "quero saber do pedido {n} por favor", "status do pedido {n}"),
    "model": ("preciso da segunda via da nota fiscal da compra {n}",),
}
"""{n} has five digits and makes each message new, so that no cache of encoded texts helps."""
EXPECTED = {"intent": "answer:opening_hours", "function": "function:order_status", "model": "function:invoice_of"}


Part = Callable[[str, Callable[[], Awaitable[dict[str, Any]]]], Awaitable[None]]
"""Runs one part under its name, if it was chosen."""


class AgentBench(Bench):
    """The measured business, its model and its system."""

    def __init__(self, folder: Path, server: EmbeddedPostgres, dsn: str, endpoint: str) -> None:
        super().__init__(folder, server, dsn)
        self.endpoint = endpoint
        self.rounds = itertools.count()

    async def prepare(self) -> None:
        """Migrate and import."""
        await asyncio.to_thread(migrate, self.dsn, SECRET.encode())
        db = await Database.open(self.dsn, SECRET.encode())
        imported = await import_tenant(self.dsn, db, load_tenant(FOLDER), default_encoder(), today=date.today())  # noqa: DTZ011
        self.tenant_id, self.simulator = imported.tenant_id, next(iter(imported.numbers.values()))
        await db.close()
        await self.debounce(0)

    @contextmanager
    def workers(self) -> Iterator[list[psutil.Process]]:
        """Some workers, as an installation runs them."""
        given = {
            "ATENDE_TENANT_FOLDERS": str(FOLDER.parent),
            "ATENDE_MODEL": "wait-0",
            "OPENAI_BASE_URL": f"{self.endpoint}/v1",
            "OPENAI_API_KEY": "bench",
            "BENCH_ENDPOINT": self.endpoint,
            "ATENDE_DEMO": "false",
        }
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(self.process("worker", **given)) for _ in range(WORKERS)]

    async def think(self, milliseconds: int, *, again: bool = True) -> None:
        """How long the model takes from now on; ``again``: and whether it reads its replies a second time."""
        await self.sql(
            "UPDATE tenant SET settings = settings || $1::text::jsonb, profile_version = profile_version + 1",
            json.dumps(
                {
                    "model": {"name": f"wait-{milliseconds}", "timeout_seconds": 60, "deadline_seconds": 120},
                    "second_reading": again,
                }
            ),
        )

    async def figures(self) -> dict[str, int]:
        """What the endpoint says of itself."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.endpoint}/figures") as answer:
            found: dict[str, int] = await answer.json()
            return found

    def fresh(self, path: str) -> str:
        """A prefix for new contacts."""
        return f"{path}{next(self.rounds)}-"


async def write(inbound: Inbound, session: SessionInfo, contact: str, path: str, n: int) -> float:
    """One message of a customer; returns when it came."""
    text = TEXTS[path][n % len(TEXTS[path])].format(n=n)
    came = time.time()
    address = Address(AddressKind.SIMULATOR, contact)
    await inbound.receive(session, MessageReceived(f"b{n}", address, datetime.now(UTC), text=text))
    return came


async def send(bench: AgentBench, path: str, prefix: str, count: int) -> None:
    """``count`` customers write at once."""
    async with inbound_of(bench) as (inbound, session):
        for start in range(0, count, 50):
            await asyncio.gather(
                *(
                    write(inbound, session, f"{prefix}{n}", path, next(bench.ids))
                    for n in range(start, min(start + 50, count))
                )
            )


async def check(bench: AgentBench, path: str, prefix: str, count: int) -> None:
    """All turns went the way they were meant to."""
    rows = await bench.sql(
        """SELECT t.decision ->> 'kind' AS kind, s ->> 'kind' AS source, s ->> 'ref' AS ref, count(*) AS n
             FROM turn t JOIN conversation c ON c.id = t.conversation_id
             LEFT JOIN LATERAL jsonb_array_elements(t.decision -> 'sources') s ON true
            WHERE c.address LIKE 'simulator:' || $1 || '%' GROUP BY 1, 2, 3""",
        prefix,
    )
    found = {f"{row['kind']} {row['source']}:{row['ref']}": row["n"] for row in rows}
    if found != {f"reply {EXPECTED[path]}": count}:
        raise RuntimeError(f"the {path} path answered otherwise: {found}")


async def throughput(bench: AgentBench, path: str, count: int, running: Sequence[psutil.Process]) -> dict[str, Any]:
    """Turns a second from a backlog, replies delivered, and CPU by process."""
    prefix = bench.fresh(path)
    await bench.debounce(5)  # hold the backlog back until all of it stands
    await send(bench, path, prefix, count)
    await bench.debounce(0)
    before = (sum(map(cpu, running)), bench.postgres_cpu())
    await bench.sql("UPDATE queue.procrastinate_jobs SET scheduled_at = now()")
    started = time.perf_counter()
    await rest(bench, prefix, count)
    seconds = time.perf_counter() - started
    after = (sum(map(cpu, running)), bench.postgres_cpu())
    await check(bench, path, prefix, count)
    return {
        "turns_per_second": round(count / seconds, 1),
        "cpu_ms_per_turn": {
            "workers": round(1000 * (after[0] - before[0]) / count, 2),
            "postgres": round(1000 * (after[1] - before[1]) / count, 2),
        },
    }


async def latency(
    bench: AgentBench, path: str, seconds: float, *, per_second: float = 15, models_ms: float = 0
) -> dict[str, Any]:
    """From a message's arrival to the reply on the phone at a steady rate, without the model's own time."""
    prefix = bench.fresh(path)
    came: dict[str, float] = {}
    count = int(seconds * per_second)
    async with inbound_of(bench) as (inbound, session):

        async def one(n: int) -> None:
            came[f"{prefix}{n}"] = await write(inbound, session, f"{prefix}{n}", path, next(bench.ids))

        started, tasks = time.perf_counter(), []
        for n in range(count):
            await asyncio.sleep(max(0.0, started + n / per_second - time.perf_counter()))
            tasks.append(asyncio.create_task(one(n)))
        await asyncio.gather(*tasks)
    await rest(bench, prefix, count)
    await check(bench, path, prefix, count)
    replies = await bench.sql(
        "SELECT contact, min(at) AS at FROM simulator_delivery WHERE contact LIKE $1 || '%' GROUP BY 1", prefix
    )
    took = [1000 * (row["at"].timestamp() - came[row["contact"]]) - models_ms for row in replies]
    stages = await bench.sql(
        """SELECT stage, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms::float) AS p50
             FROM turn t JOIN conversation c ON c.id = t.conversation_id,
                  jsonb_each_text(t.trace -> 'stages_ms') s(stage, ms)
            WHERE c.address LIKE 'simulator:' || $1 || '%' GROUP BY stage ORDER BY stage""",
        prefix,
    )
    return {
        "replies": len(took),
        "own_share_p50_ms": round(percentile(took, 0.5), 1),
        "own_share_p95_ms": round(percentile(took, 0.95), 1),
        "own_share_mean_ms": round(statistics.fmean(took), 1),
        "stage_wall_p50_ms": {row["stage"]: round(row["p50"], 2) for row in stages},
    }


async def slow_model(bench: AgentBench, seconds: float) -> dict[str, Any]:
    """The intent path, alone and while a hundred conversations wait for a model."""
    alone = await latency(bench, "intent", seconds)
    await bench.think(SLOW_MS)
    await send(bench, "model", bench.fresh("slow"), IN_FLIGHT)
    async with asyncio.timeout(SLOW_MS / 1000):
        while (await bench.figures())["waiting"] < IN_FLIGHT:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.1)
    before = await bench.figures()
    beside = await latency(bench, "intent", seconds)
    after = await bench.figures()
    ratio = beside["own_share_p50_ms"] / alone["own_share_p50_ms"]
    return {
        "in_flight": [before["waiting"], after["waiting"]],
        "intent_alone_p50_ms": alone["own_share_p50_ms"],
        "intent_beside_p50_ms": beside["own_share_p50_ms"],
        "intent_alone_p95_ms": alone["own_share_p95_ms"],
        "intent_beside_p95_ms": beside["own_share_p95_ms"],
        "slower_by_percent": round(100 * (ratio - 1), 1),
    }


async def by_stage(bench: AgentBench, count: int) -> dict[str, Any]:
    """CPU of each stage, one turn at a time in this process; ``elsewhere`` is the queue's and the delivery's share."""
    os.environ["BENCH_ENDPOINT"] = bench.endpoint
    await bench.think(0)
    found: dict[str, Any] = {}
    agent.graph.perf_counter = time.process_time  # type: ignore[attr-defined]  # stages then tell CPU instead of time
    async with inbound_of(bench) as (inbound, session):
        db, clients = await Database.open(bench.dsn, SECRET.encode()), ModelClients()
        wakeup = Wakeup(db)
        model = ModelSettings("wait-0", f"{bench.endpoint}/v1", "bench")
        profiles = Profiles(db, Installation((FOLDER.parent,), default_encoder(), clients, model))
        sender = SimulatorSender(SimulatedPhones(db, inbound).deliver)
        delivery = Delivery(db, wakeup, {"simulator": sender})
        turns = Turns(db, wakeup, build_agent(), profiles, delivery)
        settle_heap()
        for path in TEXTS:
            prefix = bench.fresh(f"{path}cpu")
            for n in range(count + 5):
                await write(inbound, session, f"{prefix}{n}", path, next(bench.ids))
            rows = await bench.sql("SELECT id FROM conversation WHERE address LIKE 'simulator:' || $1 || '%'", prefix)
            started = 0.0
            for n, row in enumerate(rows):
                if n == 5:  # the first ones load what the others find loaded
                    started = time.process_time()
                await turns.run(bench.tenant_id, row["id"], on_model_queue=path == "model")
                await delivery.wait_idle()
            total = (time.process_time() - started) * 1000 / count
            stages = await bench.sql(
                """SELECT stage, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms::float) AS ms
                     FROM turn t JOIN conversation c ON c.id = t.conversation_id,
                          jsonb_each_text(t.trace -> 'stages_ms') s(stage, ms)
                    WHERE c.address LIKE 'simulator:' || $1 || '%' AND stage <> 'read' GROUP BY stage ORDER BY stage""",
                prefix,
            )
            named = {row["stage"]: round(row["ms"], 2) for row in stages}
            found[path] = {
                **named,
                "read_write_deliver": round(total - sum(named.values()), 2),
                "whole_turn": round(total, 2),
            }
        await clients.aclose()
        await wakeup.close()
        await db.close()
    return found


async def with_workers(bench: AgentBench, chosen: argparse.Namespace, part: Part) -> None:
    """What needs workers of their own."""
    with bench.workers() as running:
        for path in TEXTS:  # both workers load and connect what they will need
            prefix = bench.fresh(f"warm{path}")
            await send(bench, path, prefix, 30)
            await rest(bench, prefix, 30)
        # As an installation has it a minute after its start: plans made for empty tables cost up to 2 ms a statement.
        await bench.sql("ANALYZE")
        for path in ("intent", "function"):
            await part(f"{path}_latency", lambda path=path: latency(bench, path, chosen.seconds))  # type: ignore[misc]
            await part(f"{path}_2_workers", lambda path=path: throughput(bench, path, chosen.turns, running))  # type: ignore[misc]
        for wait, again in itertools.product((0, 500), (True, False)):
            await bench.think(wait, again=again)
            name, models_ms = f"model_at_{wait}_ms" + ("" if again else "_read_once"), (2 + again) * wait
            await part(
                f"{name}_latency",
                lambda ms=models_ms: latency(bench, "model", chosen.seconds, per_second=10, models_ms=ms),  # type: ignore[misc]
            )
            await part(f"{name}_2_workers", lambda: throughput(bench, "model", chosen.turns, running))
        await part("slow_model", lambda: slow_model(bench, chosen.seconds))
        for worker in running:
            worker.kill()  # what still waits for the slow model need not be waited for


async def measure(bench: AgentBench, chosen: argparse.Namespace) -> dict[str, Any]:
    results: dict[str, Any] = {"load_average_at_start": os.getloadavg()[0], "cpus": os.cpu_count()}

    async def part(name: str, run: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        if chosen.only in name:
            started = time.perf_counter()
            results[name] = await run()
            took = round(time.perf_counter() - started, 1)
            print(name, json.dumps(results[name]), f"({took} s)", file=sys.stderr, flush=True)

    if chosen.only not in "cpu_ms_by_stage" or not chosen.only:
        await with_workers(bench, chosen, part)
    await part("cpu_ms_by_stage", lambda: by_stage(bench, 60))
    return results


@contextmanager
def endpoint() -> Iterator[str]:
    """The model and the business's system in a process of their own."""
    program = [sys.executable, str(REPOSITORY / "bench" / "agent_endpoint.py")]
    child = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield f"http://127.0.0.1:{child.stdout.readline().strip()}"
    finally:
        child.kill()
        child.wait()


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=4.0)
    arguments.add_argument("--turns", type=int, default=1200)  # of fewer, the start and the end are most
    arguments.add_argument("--only", default="")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="atende-bench-") as temporary, endpoint() as address:
        folder = Path(temporary)
        folder.chmod(0o755)  # noqa: ASYNC240  nothing else runs yet
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            bench = AgentBench(folder, server, server.create_database("bench"), address)
            await bench.prepare()
            print(json.dumps(await measure(bench, chosen), indent=2))
        finally:
            server.stop("immediate")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as in a worker
        runner.run(main())
