"""A stage for numbers on WhatsApp: the product's own processes, a PostgreSQL that can be restarted, and the loopback
WhatsApp server with real clients as customers. Only the server in the middle is not real."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from tests.fakewa.accounts import Device
from tests.fakewa.faults import Faults
from tests.fakewa.harness import Customer, Loopback, loopback
from tests.fakewa.nodes import JID
from tests.postgres import open_folder

from agent.encoder import default_encoder
from app.children import Child, Plan
from app.process import Orders
from app.settings import Settings
from app.supervisor import HOST_SILENCE_SECONDS
from channels.whatsapp.host_environment import HOST_ENVIRONMENT
from domain.sending_pace import UNLIMITED
from flows.sessions import add_number
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from store.database import Database
from store.embedded import EmbeddedPostgres
from store.migrate import migrate

REPOSITORY = Path(__file__).resolve().parent.parent
TENANT = REPOSITORY / "tests" / "flows" / "slow_shop"
QUESTION, ANSWER = "faz a consulta lenta", "A consulta terminou."
"""What customers ask, and what the tenant's one function answers."""
AT_FULL_SPEED = dict.fromkeys(("messages_per_minute", "new_contacts_per_day"), UNLIMITED)
"""A number's config: what is measured must not wait for the pace that protects real numbers."""
SECRET = "a secret for measuring only, of enough characters"
PATIENCE = 120.0


def shop_phone(n: int) -> str:
    return f"55119{90000000 + n}"


def customer_phone(n: int) -> str:
    return f"55219{80000000 + n}"


@dataclass
class World:
    """Everything that runs. ``numbers`` are the shop's, in order; device n belongs to number n."""

    folder: Path
    server: EmbeddedPostgres
    dsn: str
    whatsapp: Loopback
    db: Database
    tenant_id: UUID
    hosts: list[Child]
    numbers: list[UUID] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)

    async def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """The tenant's rows; waits while the database is away."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                async with self.db.transaction(self.tenant_id) as tx:
                    return list(await tx.fetch(statement, *values))
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.2)

    async def add_numbers(self, count: int) -> None:
        """New numbers, each paired by scanning its code."""
        first = len(self.numbers)
        for n in range(first, first + count):
            async with self.db.transaction(self.tenant_id) as tx:
                number = await add_number(
                    tx, self.tenant_id, name=f"Number {n}", provider="neonize", config=AT_FULL_SPEED
                )
            self.numbers.append(number)
        await asyncio.gather(*(self._pair(n) for n in range(first, first + count)))
        self.devices += [self.device(n) for n in range(first, first + count)]

    async def _pair(self, n: int) -> None:
        async def code() -> str | None:
            rows = await self.sql("SELECT qr FROM channel_session WHERE id = $1", self.numbers[n])
            return str(rows[0]["qr"]) if rows[0]["qr"] else None

        await self.whatsapp.server.scan(await eventually(code, f"a code of number {n}"), shop_phone(n), name="Loja")

    def device(self, n: int) -> Device:
        """The one device of number n that is linked now."""
        (device,) = self.whatsapp.server.directory.account(shop_phone(n)).devices.values()
        return device

    def is_online(self, device: Device) -> bool:
        return device.connection is not None and device.connection.active and not device.connection.mute

    async def all_online(self, seconds: float = PATIENCE, devices: Sequence[Device] | None = None) -> float:
        """Wait until every number, or these, is connected; returns the seconds it took."""
        started = time.monotonic()

        async def online() -> bool:
            return all(self.is_online(device) for device in (self.devices if devices is None else devices))

        await eventually(online, "all numbers online", seconds)
        return time.monotonic() - started

    async def customer(self, n: int) -> Customer:
        """A customer whose own connection is not tampered with."""
        customer = await self.whatsapp.customer(customer_phone(n), f"Cliente {n}")
        self.whatsapp.server.directory.device(customer.jid).faults = Faults()
        return customer

    def host_of(self, device: JID) -> int | None:
        """For show: hosts that are alive."""
        del device
        return next((host.pid for host in self.hosts if host.pid), None)


async def eventually(look: Callable[[], Awaitable[Any]], what: str, seconds: float = PATIENCE) -> Any:
    """Wait until ``look`` gives something; returns it."""
    end = time.monotonic() + seconds
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        await asyncio.sleep(0.05)


@asynccontextmanager
async def running_world(
    *, hosts: int, worker: bool = True, settings: dict[str, str] | None = None, log_level: str = "error"
) -> AsyncIterator[World]:
    """A world with an imported tenant and no number of WhatsApp yet. ``settings`` are PostgreSQL's."""
    with open_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres", settings=settings or {})
        await asyncio.to_thread(server.start)
        try:
            dsn = await asyncio.to_thread(server.create_database, "sessions")
            await asyncio.to_thread(migrate, dsn, SECRET.encode())
            db = await Database.open(dsn, SECRET.encode())
            try:
                imported = await import_tenant(dsn, db, load_tenant(TENANT), default_encoder(), today=date.today())  # noqa: DTZ011
                async with loopback(folder) as whatsapp:
                    given = Settings(
                        database_url=dsn,
                        secret_text=SECRET,
                        data_dir=folder / "data",
                        tenant_folders=(TENANT.parent,),
                        whatsapp_proxy_url=whatsapp.proxy_url,
                        session_hosts=hosts,
                        log_level=log_level,
                    )
                    plans = [
                        Plan(
                            f"sessions-{n + 1}",
                            "sessions",
                            {**whatsapp.environment(), **HOST_ENVIRONMENT},
                            silence_seconds=HOST_SILENCE_SECONDS,
                        )
                        for n in range(hosts)
                    ]
                    children = [Child(plan) for plan in plans]
                    others = (
                        [Child(Plan("worker", "worker", {"ATENDE_TEST_TRACE": str(folder / "trace")}))]
                        if worker
                        else []
                    )
                    orders = Orders(given.handed_over())
                    keepers = [asyncio.create_task(child.keep_running(orders)) for child in [*others, *children]]
                    try:
                        yield World(folder, server, dsn, whatsapp, db, imported.tenant_id, children)
                    finally:
                        await asyncio.gather(*(child.end() for child in [*children, *others]))
                        await asyncio.gather(*keepers)
            finally:
                await db.close()
        finally:
            await asyncio.to_thread(server.stop, "immediate")


def load() -> dict[str, float | int]:
    """What else the machine does: figures of wall-clock time mean little beside a high load."""
    return {"load_average": round(os.getloadavg()[0], 1), "cpus": os.cpu_count() or 1}
