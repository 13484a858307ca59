"""What many connected numbers cost: memory, CPU, database connections, messages a second, codes, failover, start.

    python -m bench.sessions [--sessions 200] [--hosts 2] [--customers 4] [--idle 10]

Real clients on the PostgreSQL store against the loopback WhatsApp server, which runs in this process and shares the
machine's cores with what is measured. Prints JSON; ``aims`` says which figures miss what is wanted of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

if __name__ == "__main__" and not __package__:
    sys.exit("run it as: python -m bench.sessions")

import asyncpg
import psutil
from bench.session_world import AT_FULL_SPEED, QUESTION, World, eventually, load, running_world, shop_phone

from flows.sessions import add_number
from store import outbox

BATCH = 25
QR_SAMPLES = 40
LIMITS = {
    "mib_per_session": 4.0,
    "qr_p99_seconds": 0.5,
    "failover_seconds": 15.0,
    "start_seconds": 60.0,
}
DATABASE_CONNECTIONS_PER_HOST = 8 + 10 + 2
"""The budget: keys (channels/whatsapp/device_pool.py), the host's own pool, and those that look whether it is there."""
PATIENCE = 600.0


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 3) if ordered else 0.0


class Bench:
    """One run over a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._first_mib = 0.0

    def processes(self) -> list[psutil.Process]:
        return [psutil.Process(host.pid) for host in self.world.hosts if host.pid]

    def mib(self) -> float:
        return sum(process.memory_info().rss for process in self.processes()) / 2**20

    async def add(self, count: int) -> list[float]:
        """Pair so many more numbers, the first ones each by itself; returns the seconds from the wish to the code."""
        took: list[float] = []
        await self.world.add_numbers(len(self.world.hosts))
        await self.world.all_online()
        await self._loaded()
        self._first_mib = self.mib()
        while len(self.world.numbers) < count and len(took) < QR_SAMPLES:
            took.append(await self._pair_one())
        while len(self.world.numbers) < count:
            await self.world.add_numbers(min(BATCH, count - len(self.world.numbers)))
        await self.world.all_online(PATIENCE)
        return took

    async def _loaded(self) -> None:
        """Until every host has had its first number: the library is loaded with it."""

        async def spread() -> bool:
            rows = await self.world.sql("SELECT count(DISTINCT lease_owner) AS n FROM channel_session")
            return bool(rows[0]["n"] >= len(self.world.hosts))

        for _ in range(20):
            if await spread():
                return
            await self.world.add_numbers(1)
        raise TimeoutError("the numbers do not spread over the hosts")

    async def _pair_one(self) -> float:
        world, n = self.world, len(self.world.numbers)
        async with world.db.transaction(world.tenant_id) as tx:
            number = await add_number(tx, world.tenant_id, name=f"Number {n}", provider="neonize", config=AT_FULL_SPEED)
        started = time.monotonic()

        async def code() -> str | None:
            rows = await world.sql("SELECT qr FROM channel_session WHERE id = $1", number)
            return str(rows[0]["qr"]) if rows[0]["qr"] else None

        qr = await eventually(code, "a code")
        took = time.monotonic() - started
        world.numbers.append(number)
        await world.whatsapp.server.scan(qr, shop_phone(n), name="Loja")
        world.devices.append(world.device(n))
        await world.all_online()
        return took

    async def idle(self, seconds: float) -> dict[str, float]:
        """Share of one core that the hosts and PostgreSQL use while nothing happens."""

        def used() -> tuple[float, float]:
            hosts = sum(sum(process.cpu_times()[:2]) for process in self.processes())
            postmaster = psutil.Process(self.world.server.pid)
            return hosts, sum(sum(child.cpu_times()[:2]) for child in postmaster.children())

        before = used()
        await asyncio.sleep(seconds)
        after = used()
        return {
            "hosts_cores": round((after[0] - before[0]) / seconds, 3),
            "postgres_cores": round((after[1] - before[1]) / seconds, 3),
        }

    async def connections(self) -> dict[str, int]:
        owner = await asyncpg.connect(self.world.dsn)
        try:
            rows = await owner.fetch(
                "SELECT usename ~ '^atende_sessions' AS keys, count(*) AS n FROM pg_stat_activity "
                "WHERE usename ~ '^atende_(sessions|app)' GROUP BY 1"
            )
        finally:
            await owner.close()
        return {"keys" if row["keys"] else "application": row["n"] for row in rows}

    async def traffic(self, customers: int) -> dict[str, Any]:
        """Every customer writes to every number, as fast as its own client can; then every number answers."""
        people = [await self.world.customer(n) for n in range(customers)]
        total = customers * len(self.world.devices)

        async def stored() -> int:
            return int((await self.world.sql("SELECT count(*) AS n FROM message WHERE author = 'contact'"))[0]["n"])

        async def write_all(n: int) -> None:
            for device in self.world.devices:
                await people[n].send(device.jid.user, QUESTION)

        started = time.monotonic()
        await asyncio.gather(*(write_all(n) for n in range(customers)))
        offered = time.monotonic() - started

        async def all_in() -> bool:
            return await stored() >= total

        await eventually(all_in, "all messages stored", PATIENCE)
        took_in = time.monotonic() - started
        rows = await self.world.sql(
            "SELECT DISTINCT ON (channel_session_id) * FROM conversation ORDER BY channel_session_id, created_at"
        )
        async with self.world.db.transaction(self.world.tenant_id) as tx:
            for row in rows:
                message_id = await tx.fetchval(
                    "INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text, "
                    "content, sent_at) VALUES ($1, $2, $3, $4, 'operator', 'Resposta', '{}', now()) RETURNING id",
                    row["tenant_id"],
                    row["id"],
                    row["channel_session_id"],
                    row["contact_id"],
                )
                await outbox.add(tx, conversation=row, message_id=message_id, origin="operator", fence=None)
        started = time.monotonic()

        async def all_out() -> bool:
            left = await self.world.sql("SELECT count(*) AS n FROM outbox_message WHERE state IN ('queued', 'sending')")
            return not left[0]["n"]

        await eventually(all_out, "all answers sent", PATIENCE)
        took_out = time.monotonic() - started
        return {
            "in": total,
            "in_per_second": round(total / took_in, 1),
            "offered_per_second": round(total / offered, 1),
            "out": len(rows),
            "out_per_second": round(len(rows) / took_out, 1),
            "outbox": {
                row["state"]: row["n"]
                for row in await self.world.sql("SELECT state, count(*) AS n FROM outbox_message GROUP BY 1")
            },
        }

    async def failover(self) -> dict[str, float | int]:
        """kill -9 of the host with the most numbers; until the last of them is connected again."""
        victim = max(self.processes(), key=lambda process: process.memory_info().rss)
        before = {device.jid: device.connection for device in self.world.devices}
        started = time.monotonic()
        os.kill(victim.pid, signal.SIGKILL)
        await asyncio.sleep(0.3)
        gone = [device for device in self.world.devices if device.connection is not before[device.jid]]
        await self.world.all_online(PATIENCE)
        return {"numbers": len(gone), "seconds": round(time.monotonic() - started, 1)}

    async def start(self) -> float:
        """All hosts die at once; until the last number is connected again."""
        started = time.monotonic()
        for process in self.processes():
            process.kill()
        await asyncio.sleep(0.5)
        await self.world.all_online(PATIENCE)
        return round(time.monotonic() - started, 1)


async def play(sessions: int, hosts: int, customers: int, idle: float) -> dict[str, Any]:
    async with running_world(hosts=hosts, worker=False) as world:
        bench = Bench(world)
        began = time.monotonic()
        qr = await bench.add(sessions)
        paired = time.monotonic() - began
        await asyncio.sleep(2)
        memory = bench.mib()
        report: dict[str, Any] = {
            "sessions": len(world.devices),
            "hosts": hosts,
            "paired_in_seconds": round(paired, 1),
            "qr_p50_seconds": percentile(qr, 0.5),
            "qr_p99_seconds": percentile(qr, 0.99),
            "memory_mib": round(memory),
            "memory_of_the_first_mib": round(bench._first_mib),
            "mib_per_session": round((memory - bench._first_mib) / max(1, sessions - hosts), 2),
            "idle": await bench.idle(idle),
            "database_connections": await bench.connections(),
        }
        report["traffic"] = await bench.traffic(customers)
        report["memory_after_traffic_mib"] = round(bench.mib())
        report["database_connections_after_traffic"] = await bench.connections()
        report["failover"] = await bench.failover()
        report["failover_seconds"] = report["failover"]["seconds"]
        report["start_seconds"] = await bench.start()
        report["database_connections_after_start"] = await bench.connections()
        report["database_connections_budget"] = hosts * DATABASE_CONNECTIONS_PER_HOST
        report["two_log_ins_of_one_device"] = len(world.whatsapp.server.directory.replaced)
        report["aims"] = {name: f"{report[name]} of {most}" for name, most in LIMITS.items() if report[name] > most}
        return {**report, **load()}


async def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sessions", type=int, default=200)
    arguments.add_argument("--hosts", type=int, default=2)
    arguments.add_argument("--customers", type=int, default=4)
    arguments.add_argument("--idle", type=float, default=10.0)
    chosen = arguments.parse_args()
    report = await play(chosen.sessions, chosen.hosts, chosen.customers, chosen.idle)
    print(json.dumps(report, indent=2))
    return 1 if report["aims"] or report["two_log_ins_of_one_device"] else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
