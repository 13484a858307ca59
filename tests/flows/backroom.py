"""What a worker does, step by step and in the test's own process: jobs of the real queue, sending, housekeeping."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import procrastinate
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status

from agent.encoder import default_encoder
from agent.graph import Agent, build_agent
from agent.language_model import ModelClients, ModelSettings
from agent.media_reader import MediaReaderSettings
from channels.base import SessionRef
from channels.simulator import SimulatorSender
from domain.messages import Outbound, Sent
from flows import housekeeping
from flows.approved_calls import ApprovedCalls
from flows.delivery import Delivery
from flows.functions_http import HttpFunctions
from flows.profiles import Installation, Profiles
from flows.turn import Turns
from store.approval_threads import open_approval_threads
from store.jobs import MODEL_TURNS, queue_app
from store.media import MediaFolder
from store.secrets import Sealer
from store.wakeup import Wakeup
from tests.database import SECRET
from tests.flows.shop import FOLDER, Shop
from tools.http_call import HttpClients


@dataclass
class Gateway:
    """A provider that does what the test says: ``mishaps`` are raised one per attempt, ``taken`` is what it took."""

    idempotent: bool = False
    send_timeout_seconds: float = 5.0
    mishaps: list[Exception | None] = field(default_factory=list)
    taken: list[Outbound] = field(default_factory=list)
    attempts: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: a send waits after it has left and before its answer is back."""
    closes_at: int | None = None
    """Clears ``open`` with the message that is this many-th."""

    def __post_init__(self) -> None:
        self.open.set()

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        self.attempts += 1
        if self.mishaps and (mishap := self.mishaps.pop(0)):
            raise mishap
        if not (self.idempotent and any(message.key == known.key for known in self.taken)):
            self.taken.append(message)
        if self.closes_at == len(self.taken):
            self.open.clear()
        await self.open.wait()
        return Sent(f"sent-{message.key}", datetime.now(UTC))

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.taken]


@dataclass
class Backroom:
    """A worker's parts over one shop."""

    shop: Shop
    queue: procrastinate.App
    worker_id: int
    agent: Agent
    turns: Turns
    approved: ApprovedCalls
    delivery: Delivery
    wakeup: Wakeup

    async def take_job(self) -> Job | None:
        """Fetch the next due job as a worker would; it counts as running until ``end_job``."""
        return await self.queue.job_manager.fetch_job(None, self.worker_id)

    async def run_job(self, job: Job) -> None:
        """Do what the job says, and end it."""
        tenant_id = UUID(str(job.task_kwargs["tenant_id"]))
        if job.task_name == "approval":
            await self.approved.run(tenant_id, UUID(str(job.task_kwargs["approval_id"])))
        else:
            await self.turns.run(
                tenant_id,
                UUID(str(job.task_kwargs["conversation_id"])),
                attempt=int(str(job.task_kwargs["attempt"])),
                on_model_queue=job.queue == MODEL_TURNS,
            )
        await self.end_job(job)

    async def end_job(self, job: Job) -> None:
        # Where the job was rescued in the meantime, this worker counted as dead and its end is no news.
        with contextlib.suppress(ConnectorException):
            await self.queue.job_manager.finish_job(job, Status.SUCCEEDED, delete_job=True)

    async def rescue(self) -> int:
        """All jobs that are running now count as those of a dead worker and are given back, though some may live."""
        execute = self.queue.connector.execute_query_async
        await execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
        rescued = await housekeeping.rescue_stalled_jobs(self.queue)
        await execute("UPDATE procrastinate_workers SET last_heartbeat = now()")
        return rescued

    async def work(self) -> int:
        """Run the jobs that are due, one after the other; returns how many there were."""
        count = 0
        while (job := await self.take_job()) is not None:
            await self.run_job(job)
            count += 1
        return count

    async def deliver(self) -> int:
        """Send what is due until nothing is."""
        count = 0
        while due := await self.delivery.run_due():
            count += due
            await self.delivery.wait_idle()
        return count

    async def rest(self) -> None:
        """Work and deliver until there is nothing left to do."""
        while await self.work() + await self.deliver():
            pass

    async def keep_house(self) -> int:
        """Settle what was held back."""
        return await housekeeping.settle_held_events(self.shop.db, self.shop.inbound, self.wakeup)

    def with_sender(self, sender: Gateway) -> Backroom:
        """The same, sending through this provider."""
        delivery = Delivery(self.shop.db, self.wakeup, {"simulator": sender}, patience=timedelta(0))
        return Backroom(
            self.shop, self.queue, self.worker_id, self.agent, self.turns, self.approved, delivery, self.wakeup
        )


@asynccontextmanager
async def open_backroom(
    shop: Shop,
    folder: Path = FOLDER,
    *,
    model: ModelSettings | None = None,
    media: Path | None = None,
    reader: MediaReaderSettings | None = None,
) -> AsyncIterator[Backroom]:
    """The parts, wired as app.worker wires them. ``media``: where files lie, ``reader``: what reads them."""
    wakeup = Wakeup(shop.db)
    app = queue_app(shop.db.queue_url)
    async with open_approval_threads(shop.db.queue_url, SECRET) as saver, app.open_async():
        agent = build_agent(saver)
        clients = ModelClients()
        requests = HttpClients()
        installation = Installation(
            (folder.parent,),
            default_encoder(),
            clients,
            replace(model or ModelSettings(""), private_hosts=frozenset({"127.0.0.1"})),
            media_store=MediaFolder(media) if media else None,
            media_reader=reader,
            function_sources={"http": HttpFunctions(requests)},
            sealer=Sealer(SECRET),
        )
        profiles = Profiles(shop.db, installation)
        yield Backroom(
            shop,
            app,
            await app.job_manager.register_worker(),
            agent,
            # What turns hand over goes nowhere: tests send, in steps of their own.
            Turns(shop.db, wakeup, agent, profiles, Delivery(shop.db, wakeup, {})),
            ApprovedCalls(shop.db, wakeup, agent, profiles, Delivery(shop.db, wakeup, {})),
            Delivery(shop.db, wakeup, {"simulator": SimulatorSender(shop.phones.deliver)}, patience=timedelta(0)),
            wakeup,
        )
        await clients.aclose()
        await requests.aclose()
    await wakeup.close()


async def until(check: Callable[[], bool]) -> None:
    """Wait for something in this process."""
    async with asyncio.timeout(60):
        while not check():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
