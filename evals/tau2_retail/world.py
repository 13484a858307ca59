"""One shop of the benchmark: the tenant imported into a database, its records as data, and a worker's parts over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.database import SECRET
from tests.flows.backroom import Backroom
from tests.flows.shop import Shop, open_shop
from tests.openai_server import ScriptedOpenAI

from agent.encoder import default_encoder
from agent.graph import build_agent
from agent.language_model import ModelClients, ModelSettings
from channels.simulator import SimulatorSender
from evals.tau2_retail.faults import Faults, FaultyFunctions, MortalDatabase
from evals.tau2_retail.tasks import COLLECTIONS, TENANT, Benchmark, Data
from flows.approved_calls import ApprovedCalls
from flows.delivery import Delivery
from flows.functions_python import PythonFunctions
from flows.profiles import Installation, Profiles
from flows.turn import Turns
from store.approval_threads import open_approval_threads
from store.database import Database
from store.jobs import queue_app
from store.wakeup import Wakeup


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a task is played in."""

    benchmark: Benchmark
    shop: Shop
    backroom: Backroom
    model: ScriptedOpenAI
    faults: Faults

    async def reset(self, before: Data | None = None) -> None:
        """Put the initial data back; ``before``: what is there now, if it is known, so that only differences move."""
        now = before if before is not None else {name: {} for name in COLLECTIONS}
        rows = [
            (self.shop.tenant_id, collection, key, value)
            for collection in COLLECTIONS
            for key, value in self.benchmark.data[collection].items()
            if now[collection].get(key) != value
        ]
        async with self.shop.db.transaction(self.shop.tenant_id) as tx:
            if before is None:
                await tx.execute("DELETE FROM business_record WHERE collection = ANY ($1)", list(COLLECTIONS))
            await tx.executemany(
                "INSERT INTO business_record (tenant_id, collection, key, value) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (tenant_id, collection, key) DO UPDATE SET value = excluded.value",
                rows,
            )
        self.faults.outside.open(self.benchmark.data)

    async def data(self) -> Data:
        """The database as it is now, in the benchmark's form: the tenant's records, or the outside system's."""
        if self.faults.outside.is_used:
            return self.faults.outside.data()
        found: dict[str, dict[str, Any]] = {name: {} for name in COLLECTIONS}
        for row in await self.shop.fetch(
            "SELECT collection, key, value FROM business_record WHERE collection = ANY ($1)", list(COLLECTIONS)
        ):
            found[row["collection"]][row["key"]] = row["value"]
        return found


@asynccontextmanager
async def open_world(owner_dsn: str, benchmark: Benchmark, faults: Faults) -> AsyncIterator[World]:
    """Import the tenant into a migrated database and put a worker over it."""
    async with AsyncExitStack() as stack:
        db = await Database.open(owner_dsn, SECRET)
        stack.push_async_callback(db.close)
        shop = await stack.enter_async_context(open_shop(owner_dsn, db, TENANT))
        await shop.debounce(0, 0)
        model = await stack.enter_async_context(ScriptedOpenAI())
        backroom = await _backroom(stack, shop, faults, model)
        world = World(benchmark, shop, backroom, model, faults)
        await world.reset()
        yield world


async def _backroom(stack: AsyncExitStack, shop: Shop, faults: Faults, model: ScriptedOpenAI) -> Backroom:
    """Wired as app.worker wires it, but over a database handle in whose transactions a worker may die."""
    wakeup = Wakeup(shop.db)
    stack.push_async_callback(wakeup.close)
    saver = await stack.enter_async_context(open_approval_threads(shop.db.queue_url, SECRET))
    queue = queue_app(shop.db.queue_url)
    await stack.enter_async_context(queue.open_async())
    clients = ModelClients()
    stack.push_async_callback(clients.aclose)
    agent = build_agent(saver)
    db = MortalDatabase.over(shop.db, faults)
    settings = ModelSettings("scripted", model.base_url, "key")
    folders = (TENANT.parent,)
    functions = FaultyFunctions(PythonFunctions(folders), faults)
    installation = Installation(folders, default_encoder(), clients, settings, function_sources={"python": functions})
    profiles = Profiles(db, installation)
    nowhere = Delivery(shop.db, wakeup, {})
    return Backroom(
        shop,
        queue,
        await queue.job_manager.register_worker(),
        agent,
        Turns(db, wakeup, agent, profiles, nowhere),
        ApprovedCalls(db, wakeup, agent, profiles, nowhere),
        Delivery(shop.db, wakeup, {"simulator": SimulatorSender(shop.phones.deliver)}, patience=timedelta(0)),
        wakeup,
    )
