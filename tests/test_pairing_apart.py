"""Pairing in a process of its own, as ``atende serve`` runs it: one given up leaves nothing and harms nobody."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from app.children import Child, Plan
from app.process import Orders
from app.settings import Settings
from channels.whatsapp.host_environment import HOST_ENVIRONMENT
from flows.desk import Actor
from flows.sessions import Numbers, add_number
from store.database import Database, Row
from store.wakeup import Wakeup
from tests.database import SECRET, Number, make_number
from tests.fakewa.harness import Loopback, linux_only, loopback
from tests.flows.shop import eventually

pytestmark = [pytest.mark.neonize, linux_only]

SHOP, SECOND, CUSTOMER = "5511990001111", "5511990003333", "5511990002222"
PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Apart:
    """A session host for paired numbers, and the process that pairs them."""

    world: Loopback
    db: Database
    tenant: Number
    numbers: Numbers
    sessions: Child
    pairing: Child

    async def add(self, name: str) -> UUID:
        async with self.db.transaction(self.tenant.tenant_id) as tx:
            return await add_number(tx, self.tenant.tenant_id, name=name, provider="neonize", config={})

    async def number(self, session: UUID) -> Row:
        async with self.db.transaction(self.tenant.tenant_id) as tx:
            row = await tx.fetchrow("SELECT * FROM channel_session WHERE id = $1", session)
        assert row is not None
        return row

    async def becomes(self, session: UUID, status: str) -> Row:
        async def there() -> bool:
            return bool((await self.number(session))["status"] == status)

        await eventually(there, within=PATIENCE, what=status)
        return await self.number(session)

    def sockets(self, child: Child) -> int:
        """How many connections to WhatsApp a process holds."""
        port = int(self.world.proxy_url.rpartition(":")[2])
        assert child.pid is not None
        connections = psutil.Process(child.pid).net_connections("tcp")
        return sum(1 for one in connections if one.raddr and one.raddr.port == port)

    def loaded(self, child: Child) -> bool:
        """Whether the library is in the process."""
        return "neonize-linux" in Path(f"/proc/{child.pid}/maps").read_text()


@pytest.fixture
async def apart(owner_dsn: str, db: Database, tmp_path: Path) -> AsyncIterator[Apart]:
    async with loopback(tmp_path) as world:
        settings = Settings(
            database_url=owner_dsn,
            secret_text=SECRET.decode(),
            data_dir=tmp_path / "data",
            whatsapp_proxy_url=world.proxy_url,
            pairing_apart=True,
        )
        environment = {**world.environment(), **HOST_ENVIRONMENT}
        children = [Child(Plan(name, name, environment)) for name in ("sessions", "pairing")]
        keepers = [asyncio.create_task(child.keep_running(Orders(settings.handed_over()))) for child in children]
        wakeup = Wakeup(db)
        try:
            yield Apart(world, db, await make_number(owner_dsn), Numbers(db, wakeup), *children)
        finally:
            await wakeup.close()
            for child in children:
                await child.end()
            await asyncio.gather(*keepers)


async def test_that_a_pairing_given_up_leaves_nothing_and_a_number_that_was_paired_does_not_notice(
    apart: Apart,
) -> None:
    numbers, actor = apart.numbers, Actor(apart.tenant.tenant_id, None, "crm")
    first = await apart.add("Vendas")
    shown = await apart.becomes(first, "awaiting_qr")
    pairing_host = shown["lease_owner"]
    device = await apart.world.server.scan(shown["qr"], SHOP, name="Loja")
    customer = await apart.world.customer(CUSTOMER, "Maria")
    sent = [await customer.send(SHOP, "oi")]

    async def passed_on() -> bool:
        row = await apart.number(first)
        is_elsewhere = row["lease_owner"] not in {None, pairing_host} and row["status"] == "connected"
        return is_elsewhere and apart.sockets(apart.sessions) == 1

    await eventually(passed_on, within=PATIENCE, what="the number with a host of paired ones")
    sent.append(await customer.send(SHOP, "alguém aí?"))
    connection = apart.world.server.directory.device(device).connection
    holder = apart.sessions.pid
    assert apart.sockets(apart.pairing) == 0
    assert apart.loaded(apart.pairing)

    second = await apart.add("Suporte")
    given_up_in = apart.pairing.pid
    await apart.becomes(second, "awaiting_qr")
    await numbers.pause(actor, second)

    async def gone() -> bool:
        return apart.pairing.pid not in {None, given_up_in}

    await eventually(gone, within=PATIENCE, what="the end of the process with the pairing that nobody finished")
    assert given_up_in is not None
    assert not psutil.pid_exists(given_up_in)
    assert apart.sockets(apart.pairing) == 0
    assert not apart.loaded(apart.pairing)  # so nothing of the library can hang in it

    await numbers.resume(actor, second)
    shown = await apart.becomes(second, "awaiting_qr")
    await apart.world.server.scan(shown["qr"], SECOND)
    await apart.becomes(second, "connected")
    assert apart.sessions.pid == holder
    assert apart.world.server.directory.device(device).connection is connection
    sent.append(await customer.send(SHOP, "obrigada"))

    async def stored() -> bool:
        async with apart.db.transaction(apart.tenant.tenant_id) as tx:
            rows = await tx.fetch("SELECT provider_id FROM message ORDER BY id")
        return [row["provider_id"] for row in rows] == sent

    await eventually(stored, within=PATIENCE, what="each message once, in order")


async def test_that_the_process_ends_when_it_is_asked_to_although_a_pairing_is_under_way(apart: Apart) -> None:
    await apart.becomes(await apart.add("Vendas"), "awaiting_qr")
    asked = apart.pairing.pid
    assert asked is not None
    os.kill(asked, signal.SIGTERM)

    async def gone() -> bool:
        return not psutil.pid_exists(asked)

    await eventually(gone, within=PATIENCE, what="its end")
